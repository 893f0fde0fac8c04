"""What is measured, one class a contender: how it loads a model's tokenizer, and the calls it offers.

Runs inside the contender's own process and environment. Every call takes one case, a mapping made from JSON, and
returns what the contender returns; `plain` turns that into something comparable once the clock has stopped.

Only what numpy imports too is imported here, for `startup` times imports.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, NamedTuple

Case = Mapping[str, Any]
Function = Callable[[Case], Any]

FAMILY_OPTIONS: dict[str, dict[str, Any]] = {"gpt-oss": {"dialect": "template"}}
"""Options that make our renderer write what the model's chat template writes."""

MODEL_TYPES = {"qwen3.5": "qwen3_5", "qwen3.6": "qwen3_5", "minimax-m2": "minimax_m2"}
"""What config.json would say, where it matters: the class that tokenizer_config.json names (Qwen2Tokenizer,
GPT2Tokenizer) splits words otherwise than these models' tokenizer.json.
"""


class Model(NamedTuple):
    """What a contender is told to load: the name of our format, a model id, the template's own options, a folder."""

    family: str
    model: str
    options: Mapping[str, Any]
    folder: str


def _is_assistant(message: Any) -> bool:
    return bool(message["role"] == "assistant")


class _Renderers:
    """The calls that both packages called `renderers` offer alike."""

    _r: Any

    def prepare(self, case: Case) -> Case:
        """Untimed, before the first call on a case."""
        return {key: value for key, value in case.items() if key != "template"}

    def render_ids(self, case: Case) -> Any:
        return self._r.render_ids(**case)

    def bridge(self, case: Case) -> Any:
        rendered = self._r.bridge_to_next_turn(case["prompt"], case["completion"], case["new"], tools=case["tools"])
        return rendered.token_ids, rendered

    def parse(self, case: Case) -> Any:
        return self._r.parse_response(case["ids"])

    def parse_with_tools(self, case: Case) -> Any:
        return self._r.parse_response(case["ids"], tools=case["tools"], prompt_ids=case["prompt_ids"])

    def as_dict(self, case: Case) -> Any:
        """What callers do who send a result to another process."""
        rendered = import_module("dataclasses").asdict(self._r.render(**case))
        return rendered["token_ids"], rendered

    def sample(self, case: Case) -> Any:
        build = import_module("renderers.base").build_training_sample
        sample = build(self._r, case["messages"], role_to_mask=_is_assistant, tools=case["tools"])
        return sample.token_ids, sample


class Ours(_Renderers):
    """This checkout."""

    packages = ("renderers", "tokenizers", "numpy")

    def __init__(self, model: Model) -> None:
        create = import_module("renderers").create_renderer
        options = {**model.options, **FAMILY_OPTIONS.get(model.family, {})}
        self._r = create(model.folder, model.family, thinking_retention="all", **options)
        self._engine = import_module("renderers._renderer").Renderer.render
        self._pool = import_module("renderers").RendererPool(lambda: self._r, size=2)

    def engine(self, case: Case) -> Any:
        """What the engine returns, beneath the layer that callers of the older package see."""
        rendered = self._engine(self._r, **case)
        return rendered.token_ids, rendered

    def pooled(self, case: Case) -> Any:
        """A renderer out of a pool for one render, and back."""
        with self._pool.checkout() as renderer:
            rendered = renderer.render(**case)
            return rendered.token_ids, rendered

    def render_mask(self, case: Case) -> Any:
        """The two lists a trainer reads."""
        rendered = self._r.render(**case)
        return rendered.token_ids, rendered.sampled_mask

    def engine_mask(self, case: Case) -> Any:
        rendered = self._engine(self._r, **case)
        return rendered.token_ids, rendered.sampled

    def render(self, case: Case) -> Any:
        """Ids as a list, attribution as arrays."""
        rendered = self._r.render(**case)
        return rendered.token_ids, rendered

    def render_arrays(self, case: Case) -> Any:
        rendered = self._r.render(**case)
        return rendered.ids, rendered

    def render_lists(self, case: Case) -> Any:
        """Every list a caller can read, one entry a token."""
        rendered = self._r.render(**case)
        return rendered.token_ids, rendered.message_indices, rendered.sampled_mask, rendered.is_content

    def stops(self, case: Case) -> Any:
        return self._r.get_stop_token_ids()


def tokenizer_of(model: Model) -> Any:
    """The tokenizer that users of the model get. Where there is no config.json, AutoTokenizer goes by
    tokenizer_config.json, which for some models names another class.
    """
    kind = {"tokenizer_type": MODEL_TYPES[model.family]} if model.family in MODEL_TYPES else {}
    return import_module("transformers").AutoTokenizer.from_pretrained(model.folder, **kind)


class Transformers:
    """`apply_chat_template` of Hugging Face transformers, with the model's own template."""

    packages = ("transformers", "tokenizers", "jinja2", "numpy")

    def __init__(self, model: Model) -> None:
        self._tokenizer = tokenizer_of(model)

    def prepare(self, case: Case) -> Case:
        """What a tokenizer's own class does to the arguments is done beforehand, untimed."""
        own = {key: value for key, value in case.items() if key not in ("messages", "template")}
        return {"conversation": case["messages"], **own, **case["template"]} if "messages" in case else case

    def render(self, case: Case) -> Any:
        """Ids as a list; no attribution to be had."""
        return self._tokenizer.apply_chat_template(**case, tokenize=True, return_dict=False)

    def text(self, case: Case) -> Any:
        return self._tokenizer.apply_chat_template(**case, tokenize=False)


class Public(_Renderers):
    """The published package, with transformers' tokenizer as its README says."""

    packages = ("renderers", "transformers", "tokenizers", "numpy")

    def __init__(self, model: Model) -> None:
        known = {field: value for field, value in model.options.items() if hasattr(public_config(model), field)}
        config = public_config(model).model_copy(update={"thinking_retention": "all", **known})
        self._r = import_module("renderers").create_renderer(tokenizer_of(model), config)

    def render(self, case: Case) -> Any:
        """Ids and attribution, all of them lists."""
        rendered = self._r.render(**case)
        return rendered.token_ids, rendered.message_indices, rendered.sampled_mask, rendered.is_content


def public_config(model: Model) -> Any:
    """The config of the published package for a model, by the name it gives it. Raises ValueError if it has none."""
    # gpt-oss: openai-harmony would download its vocabulary.
    os.environ["TIKTOKEN_ENCODINGS_BASE"] = os.path.dirname(os.path.realpath(f"{model.folder}/tokenizer.json"))
    names = import_module("renderers.base").MODEL_RENDERER_MAP
    name = names.get(model.model, model.family)
    try:
        return import_module("renderers.configs").config_from_name(name)
    except ValueError:
        raise ValueError(f"it has no format {name!r}") from None


CONTENDERS: dict[str, type[Ours] | type[Transformers] | type[Public]] = {
    "ours": Ours,
    "transformers": Transformers,
    "public": Public,
}


def versions(packages: tuple[str, ...]) -> dict[str, str]:
    """The installed version of each package; ours may run from a checkout that is not installed."""
    metadata = import_module("importlib.metadata")
    found = {}
    for name in packages:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "checkout"
    return found


def plain(result: Any) -> Any:
    """What contenders must agree on: the ids of a render or bridge, the message of a parse, a text."""
    if isinstance(result, tuple):
        result = result[0]
    if hasattr(result, "reasoning_content"):
        calls = [[call.name, call.arguments] for call in result.tool_calls]
        return {"content": result.content, "reasoning": result.reasoning_content, "calls": calls}
    return result if isinstance(result, str) else [int(id_) for id_ in result]

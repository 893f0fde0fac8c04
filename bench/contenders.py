"""What is measured, one class a contender: how it loads a model's tokenizer, and the calls it offers.

Runs inside the contender's own process and environment. Every call takes one case, a mapping made from JSON, and
returns what the contender returns; `plain` turns that into something comparable once the clock has stopped.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from importlib import import_module, metadata
from typing import Any

Case = Mapping[str, Any]
Function = Callable[[Case], Any]

FAMILY_OPTIONS: dict[str, dict[str, Any]] = {"gpt-oss": {"dialect": "template"}}
"""Options that make our renderer write what the model's chat template writes."""

MODEL_TYPES = {"qwen3.5": "qwen3_5"}
"""What config.json would say, where it matters: Qwen2Tokenizer splits words otherwise than Qwen3.5's tokenizer.json."""


class _Renderers:
    """The calls that both packages called `renderers` offer alike."""

    _r: Any

    def render_ids(self, case: Case) -> Any:
        return self._r.render_ids(**case)

    def bridge(self, case: Case) -> Any:
        rendered = self._r.bridge_to_next_turn(case["prompt"], case["completion"], case["new"], tools=case["tools"])
        return rendered.token_ids, rendered

    def parse(self, case: Case) -> Any:
        return self._r.parse_response(case["ids"])

    def parse_with_tools(self, case: Case) -> Any:
        return self._r.parse_response(case["ids"], tools=case["tools"], prompt_ids=case["prompt_ids"])


class Ours(_Renderers):
    """This checkout."""

    packages = ("renderers", "tokenizers", "numpy")

    def __init__(self, family: str, folder: str) -> None:
        create = import_module("renderers").create_renderer
        self._r = create(folder, thinking_retention="all", **FAMILY_OPTIONS.get(family, {}))

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


def tokenizer_of(family: str, folder: str) -> Any:
    """The tokenizer that users of the model get. Where there is no config.json, AutoTokenizer goes by
    tokenizer_config.json, which for some models names another class.
    """
    kind = {"tokenizer_type": MODEL_TYPES[family]} if family in MODEL_TYPES else {}
    return import_module("transformers").AutoTokenizer.from_pretrained(folder, **kind)


class Transformers:
    """`apply_chat_template` of Hugging Face transformers, with the model's own template."""

    packages = ("transformers", "tokenizers", "jinja2", "numpy")

    def __init__(self, family: str, folder: str) -> None:
        self._tokenizer = tokenizer_of(family, folder)

    def render(self, case: Case) -> Any:
        """Ids as a list; no attribution to be had."""
        return self._tokenizer.apply_chat_template(
            case["messages"],
            tools=case["tools"],
            add_generation_prompt=case["add_generation_prompt"],
            tokenize=True,
            return_dict=False,
        )

    def text(self, case: Case) -> Any:
        return self._tokenizer.apply_chat_template(
            case["messages"], tools=case["tools"], add_generation_prompt=case["add_generation_prompt"], tokenize=False
        )


class Public(_Renderers):
    """The published package, with transformers' tokenizer as its README says."""

    packages = ("renderers", "transformers", "tokenizers", "numpy")

    def __init__(self, family: str, folder: str) -> None:
        # gpt-oss: openai-harmony would download its vocabulary.
        os.environ["TIKTOKEN_ENCODINGS_BASE"] = folder
        config = import_module("renderers.configs").config_from_name(family)
        config = config.model_copy(update={"thinking_retention": "all"})
        self._r = import_module("renderers").create_renderer(tokenizer_of(family, folder), config)

    def render(self, case: Case) -> Any:
        """Ids and attribution, all of them lists."""
        rendered = self._r.render(**case)
        return rendered.token_ids, rendered.message_indices, rendered.sampled_mask, rendered.is_content


CONTENDERS: dict[str, type[Ours] | type[Transformers] | type[Public]] = {
    "ours": Ours,
    "transformers": Transformers,
    "public": Public,
}


def versions(packages: tuple[str, ...]) -> dict[str, str]:
    """The installed version of each package; ours may run from a checkout that is not installed."""
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

"""The names, signatures and values that code written for the public package, of either generation, relies on."""

from __future__ import annotations

import copy
import dataclasses
import importlib
import json
import pickle
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pydantic
import pytest

import renderers
from renderers import (
    BadOption,
    DefaultRenderer,
    FamilyRenderer,
    ParsedResponse,
    ParsedToolCall,
    RefusalCode,
    RenderedConversation,
    RenderedTokens,
    RendererConfig,
    RenderersWarning,
    ToolCallParseStatus,
)
from renderers.base import MODEL_RENDERER_MAP, RENDERER_REGISTRY
from tests import oracles

pytestmark = pytest.mark.skipif(not oracles.has_assets("qwen3"), reason="real tokenizers are not on this machine")

create_renderer: Any = renderers.create_renderer
"""Called as older, untyped code calls it."""

ASK = [{"role": "user", "content": "2+2?"}]
ANSWERED = [*ASK, {"role": "assistant", "content": "4", "reasoning_content": "2+2=4"}]
CALL = '<think>\nx\n</think>\n\nhey\n<tool_call>\n{"name": "f", "arguments": {"a": 1}}\n</tool_call><|im_end|>'

BOTH = [
    "Content",
    "ContentPart",
    "TextPart",
    "ThinkingPart",
    "ImagePart",
    "VideoPart",
    "Message",
    "ToolCall",
    "ToolCallFunction",
    "ToolSpec",
    "MULTIMODAL_MODELS",
    "MultiModalData",
    "PlaceholderRange",
    "MultimodalRenderer",
    "is_multimodal",
    "ParsedResponse",
    "RenderedConversation",
    "RenderedTokens",
    "Renderer",
    "create_renderer",
    "build_training_sample",
    "build_trajectory_step",
    "trim_to_turn_close",
    "reject_assistant_in_extension",
    "__version__",
    "DeepSeekV3Renderer",
    "DefaultRenderer",
    "GLM45Renderer",
    "GLM5Renderer",
    "GptOssRenderer",
    "KimiK2Renderer",
    "KimiK25Renderer",
    "MiniMaxM2Renderer",
    "Nemotron3Renderer",
    "Qwen3Renderer",
    "Qwen3VLRenderer",
    "Qwen35Renderer",
    "Qwen36Renderer",
]
FIRST = ["RendererPool", "create_renderer_pool"]
SECOND = [
    "ParsedToolCall",
    "ToolCallParseStatus",
    "RenderedTrainingSample",
    "Tokenizer",
    "OffsetTokenizer",
    "ChatTemplateTokenizer",
    "attribute_text_segments",
    "extract_message_tool_names",
    "merge_chat_template_kwargs",
    "template_field_names",
    "MalformedGenerateResponseError",
    "OverlongPromptError",
    "BaseRendererConfig",
    "AutoRendererConfig",
    "DefaultRendererConfig",
    "CustomRendererConfig",
    "RendererConfig",
    "config_from_name",
    "custom_renderer_config",
    "load_custom_renderer",
    "load_target",
    "DeepSeekR1Renderer",
    "GLM51Renderer",
    "Qwen3RendererConfig",
    "Qwen3VLRendererConfig",
    "Qwen35RendererConfig",
    "Qwen36RendererConfig",
    "GLM45RendererConfig",
    "GLM5RendererConfig",
    "GLM51RendererConfig",
    "MiniMaxM2RendererConfig",
    "DeepSeekV3RendererConfig",
    "DeepSeekR1RendererConfig",
    "KimiK2RendererConfig",
    "KimiK25RendererConfig",
    "Nemotron3RendererConfig",
    "GptOssRendererConfig",
]
MODULES = {
    "base": """Content Message ToolSpec MODEL_RENDERER_MAP RENDERER_REGISTRY load_tokenizer create_renderer
        is_multimodal
        RendererPool create_renderer_pool ToolCallParseStatus MultiModalData PlaceholderRange ParsedResponse
        RenderedTokens merge_chat_template_kwargs""",
    "client": "generate OverlongPromptError MalformedGenerateResponseError _maybe_offload",
    "configs": "RendererConfig AutoRendererConfig Qwen3RendererConfig config_from_name",
    "parsers": """TOOL_PARSERS REASONING_PARSERS get_tool_parser get_reasoning_parser Qwen3ToolParser Qwen35ToolParser
        GlmToolParser DeepSeekV3ToolParser ThinkTextReasoningParser""",
    "parsing": "parse_qwen3 parse_qwen35 parse_glm parse_deepseek_v3 parse_minimax parse_kimi_k2 parse_gpt_oss",
    "qwen3": "Qwen3Renderer Qwen3RendererConfig",
    "qwen35": "Qwen35Renderer",
    "qwen36": "Qwen36Renderer",
    "qwen3_vl": "Qwen3VLRenderer",
    "glm5": "GLM5Renderer GLM51Renderer",
    "glm45": "GLM45Renderer",
    "gpt_oss": "GptOssRenderer",
    "kimi_k2": "KimiK2Renderer",
    "kimi_k25": "KimiK25Renderer",
    "minimax_m2": "MiniMaxM2Renderer",
    "nemotron3": "Nemotron3Renderer",
    "deepseek_v3": "DeepSeekV3Renderer",
    "default": "DefaultRenderer DefaultRendererConfig",
}


def tokenizer(family: str = "qwen3") -> Any:
    return oracles.tokenizer_for(family)


def ids(text: str, family: str = "qwen3") -> list[int]:
    return list(tokenizer(family).encode(text, add_special_tokens=False).ids)


class Named:
    """A Hugging Face tokenizer's face: the real tokenizer under a model id, with or without a template."""

    def __init__(self, name: str, family: str = "qwen3", template: str | None = None) -> None:
        self.backend_tokenizer, self.name_or_path, self.chat_template = tokenizer(family), name, template
        self.special_tokens_map: dict[str, str] = {}
        self.eos_token_id = ids("<|im_end|>")[0] if family == "qwen3" else None


UNKNOWN = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
"""A template of nobody's, with the rest of ChatML left out."""


# --- Names ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [*BOTH, *FIRST, *SECOND])
def test_every_exported_name(name: str) -> None:
    assert getattr(renderers, name) is not None
    assert name in renderers.__all__


@pytest.mark.parametrize("module", MODULES)
def test_older_import_paths(module: str) -> None:
    loaded = importlib.import_module(f"renderers.{module}")
    for name in MODULES[module].split():
        assert getattr(loaded, name) is not None, name
    with pytest.raises(AttributeError):
        _ = loaded.NoSuchRenderer


def test_importing_and_creating_loads_nothing_heavy() -> None:
    """Only tokenizers and numpy: no pydantic, httpx, openai, transformers, torch or jinja2."""
    folder = oracles.assets_folder().resolve() / "qwen3"
    code = f"""
    import sys, renderers
    from renderers import create_renderer, Qwen3Renderer
    r = create_renderer({str(folder)!r}, "qwen3")
    r.render([{{"role": "user", "content": "x"}}]).sampled_mask
    import renderers.base, renderers.client
    print([m for m in ("jinja2", "pydantic", "httpx", "openai", "transformers", "torch", "ray") if m in sys.modules])
    """
    told = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"


# --- create_renderer, three doors ----------------------------------------------------------------------------------


def test_a_name_a_keyword_and_a_config_make_the_same_renderer() -> None:
    made: list[Any] = [
        create_renderer(tokenizer(), "qwen3", enable_thinking=False),
        create_renderer(tokenizer(), renderer="qwen3", enable_thinking=False),
        create_renderer(tokenizer(), renderers.Qwen3RendererConfig(enable_thinking=False)),
        create_renderer(tokenizer(), renderers.Qwen3RendererConfig(), chat_template_kwargs={"enable_thinking": False}),
        renderers.Qwen3Renderer(tokenizer(), enable_thinking=False),
        renderers.Qwen3Renderer(tokenizer(), renderers.Qwen3RendererConfig(enable_thinking=False)),
    ]
    for r in made:
        assert isinstance(r, renderers.Qwen3Renderer)
        assert isinstance(r, renderers.Renderer)
        assert isinstance(r, renderers.FamilyRenderer)
        assert r.render_ids(ASK, add_generation_prompt=True)[-4:] == ids("<think>\n\n</think>\n\n")
        config: Any = r.config
        assert config.name == "qwen3"
        assert config.enable_thinking is False


@pytest.mark.parametrize(("name", "cls"), [("qwen3_vl", "Qwen3VL"), ("qwen35", "Qwen35"), ("QWEN3", "Qwen3")])
def test_names_as_older_versions_spell_them(name: str, cls: str) -> None:
    family = "qwen3.5" if cls == "Qwen35" else "qwen3"
    assert type(create_renderer(tokenizer(family), name)).__name__ == f"{cls}Renderer"


def test_who_extends_past_reasoning() -> None:
    """A renderer by name always does; one by config or by nothing as the format does."""
    r = create_renderer(Named("Qwen/Qwen3-8B"))
    prompt = r.render_ids(ASK, add_generation_prompt=True)
    sampled = ids("<think>\nx\n</think>\n\n4<|im_end|>")
    refused = r.explain_bridge(prompt, sampled, ASK)
    assert refused.refusal.code is RefusalCode.RETENTION_POLICY
    assert 'thinking_retention="all"' in refused.refusal.message
    assert r.effective_thinking_retention == "tool_cycle"
    for config in (renderers.Qwen3RendererConfig(), renderers.AutoRendererConfig()):
        assert create_renderer(Named("Qwen/Qwen3-8B"), config).bridge_to_next_turn(prompt, sampled, ASK) is None
    keeps = renderers.Qwen3RendererConfig(thinking_retention="all")
    for r in (
        create_renderer(Named("Qwen/Qwen3-8B"), "auto"),
        create_renderer(Named("Qwen/Qwen3-8B"), "qwen3"),
        create_renderer(Named("Qwen/Qwen3-8B"), keeps),
        renderers.Qwen3Renderer(Named("Qwen/Qwen3-8B")),
        renderers.Qwen3Renderer(Named("Qwen/Qwen3-8B"), keeps),
    ):
        assert r.effective_thinking_retention == "all"
        assert r.bridge_to_next_turn(prompt, sampled, ASK)[: len(prompt + sampled)] == prompt + sampled


def test_a_format_that_keeps_all_reasoning_needs_no_policy() -> None:
    assert create_renderer(tokenizer(), "qwen3-instruct-2507").effective_thinking_retention == "all"
    kept = create_renderer(tokenizer("glm-5"), renderers.GLM5RendererConfig(clear_thinking=False))
    assert kept.effective_thinking_retention == "all"


def test_preserved_thinking() -> None:
    again = [*ANSWERED, *ASK]
    assert "2+2=4" not in create_renderer(tokenizer(), "qwen3").render_text(again)
    for r in (
        create_renderer(tokenizer(), "qwen3", preserve_all_thinking=True),
        create_renderer(tokenizer(), renderers.Qwen3RendererConfig(preserve_all_thinking=True)),
        renderers.Qwen3Renderer(tokenizer(), preserve_all_thinking=True),
    ):
        assert "2+2=4" in r.render_text(again)
        assert r.config.preserve_all_thinking


def test_bad_options_are_named() -> None:
    config = renderers.Qwen3RendererConfig()
    with pytest.raises(ValueError, match=r"(?s)foo.*enable_thinking"):
        create_renderer(tokenizer(), config, chat_template_kwargs={"foo": 1})
    with pytest.raises(ValueError, match="thinking_retention"):
        create_renderer(tokenizer(), config, chat_template_kwargs={"thinking_retention": "all"})
    with pytest.raises(ValueError, match=r"(?s)foo.*enable_thinking"):
        create_renderer(Named("Qwen/Qwen3-8B"), chat_template_kwargs={"foo": 1})
    with pytest.raises(BadOption, match="one of them"):
        create_renderer(tokenizer(), config, renderer="qwen3")
    with pytest.raises(BadOption, match="in the config"):
        create_renderer(tokenizer(), config, enable_thinking=False)
    with pytest.raises(BadOption, match="Qwen3Renderer"):
        renderers.Qwen3Renderer(tokenizer(), renderers.GLM5RendererConfig())
    with pytest.warns(RenderersWarning, match="tool_parser"):
        create_renderer(tokenizer(), "qwen3", tool_parser="qwen3")


# --- Configs -------------------------------------------------------------------------------------------------------


def test_configs_are_frozen_strict_and_stable_keys() -> None:
    config = renderers.Qwen3RendererConfig()
    with pytest.raises(pydantic.ValidationError, match="frozen"):
        config.enable_thinking = False
    with pytest.raises(pydantic.ValidationError, match="foo"):
        renderers.Qwen3RendererConfig(foo=1)
    with pytest.raises(pydantic.ValidationError, match="enable_thinking"):
        renderers.Qwen3RendererConfig(enable_thinking="perhaps")
    assert config.model_dump_json() == renderers.Qwen3RendererConfig().model_dump_json()
    assert pickle.loads(pickle.dumps(config)) == config
    assert hash(config) == hash(renderers.Qwen3RendererConfig())


def test_the_union_is_told_apart_by_name() -> None:
    class Run(pydantic.BaseModel):
        renderer: RendererConfig | None = None

    assert Run().renderer is None
    told = Run.model_validate({"renderer": {"name": "glm-5", "clear_thinking": False}})
    assert isinstance(told.renderer, renderers.GLM5RendererConfig)
    again = Run.model_validate_json(told.model_dump_json())
    assert again == told
    with pytest.raises(pydantic.ValidationError, match="no-such"):
        Run.model_validate({"renderer": {"name": "no-such"}})


def test_every_renderer_has_a_config_of_its_own_fields() -> None:
    for name, cls in RENDERER_REGISTRY.items():
        config = renderers.config_from_name(name)
        assert config is not None
        assert config.name == name
        if name != "default":
            assert type(config).__name__ == f"{cls.__name__}Config"
            fields = {field.name for field in dataclasses.fields(cls.family_type)}
            assert fields <= type(config).model_fields.keys()
            assert renderers.template_field_names(config) <= fields
    assert renderers.config_from_name("auto") is None
    with pytest.raises(ValueError, match="no-such"):
        renderers.config_from_name("no-such")


def test_an_option_that_differs_between_checkpoints_is_left_to_them() -> None:
    assert renderers.Qwen35RendererConfig().enable_thinking is None
    small = create_renderer(Named("Qwen/Qwen3.5-0.8B", "qwen3.5"), renderers.Qwen35RendererConfig())
    large = create_renderer(Named("Qwen/Qwen3.5-9B", "qwen3.5"), renderers.Qwen35RendererConfig())
    assert (small.family.enable_thinking, large.family.enable_thinking) == (False, True)


@pytest.mark.parametrize(
    ("config", "options", "retention"),
    [
        ("Qwen36", {"preserve_thinking": True}, "tool_cycle"),
        ("Qwen36", {"preserve_thinking": False}, "all"),
        ("GLM5", {"clear_thinking": False}, "tool_cycle"),
        ("GLM51", {"clear_thinking": True}, "all"),
        ("Nemotron3", {"truncate_history_thinking": True}, "all"),
        ("GptOss", {"auto_drop_analysis": True}, "all"),
    ],
)
def test_a_policy_that_contradicts_an_option_is_refused(config: str, options: dict[str, Any], retention: str) -> None:
    cls = getattr(renderers, f"{config}RendererConfig")
    with pytest.raises(pydantic.ValidationError, match=rf"(?s){next(iter(options))}.*contradicts"):
        cls(**options, thinking_retention=retention)
    assert cls(**options).thinking_retention is None
    assert cls(thinking_retention=retention).thinking_retention == retention


def test_contradictions_are_refused_however_they_are_given() -> None:
    keeps: dict[str, Any] = {"preserve_thinking": True, "thinking_retention": "tool_cycle"}
    qwen = tokenizer("qwen3.6")
    with pytest.raises(ValueError, match="contradicts"):
        create_renderer(qwen, "qwen3.6", **keeps)
    with pytest.raises(ValueError, match="contradicts"):
        renderers.Qwen36Renderer(qwen, **keeps)
    config = renderers.Qwen36RendererConfig(preserve_thinking=True)
    with pytest.raises(ValueError, match="contradicts"):
        create_renderer(qwen, config, thinking_retention="tool_cycle")
    with pytest.raises(ValueError, match="contradicts"):
        renderers.Qwen36Renderer(qwen, config, thinking_retention="tool_cycle")
    with pytest.raises(ValueError, match="contradicts"):
        renderers.merge_chat_template_kwargs(
            renderers.Qwen36RendererConfig(thinking_retention="all"), {"preserve_thinking": False}
        )
    assert create_renderer(qwen, config, thinking_retention="all").config.thinking_retention == "all"


def test_none_leaves_an_option_to_the_checkpoint() -> None:
    qwen = tokenizer("qwen3.5")
    for r in (
        create_renderer(qwen, "qwen3.5", enable_thinking=None),
        renderers.Qwen35Renderer(qwen, enable_thinking=None),
        create_renderer(qwen, renderers.Qwen35RendererConfig(enable_thinking=None)),
        create_renderer(qwen, renderers.Qwen35RendererConfig(), chat_template_kwargs={"enable_thinking": None}),
    ):
        assert r.family.enable_thinking is True
    stored = '{"thinking_retention":null,"name":"gpt-oss","knowledge_cutoff":null,"model_identity":null}'
    options = renderers.GptOssRendererConfig.model_validate_json(stored).options()
    assert not options.keys() & {"knowledge_cutoff", "model_identity"}


def test_an_older_name_of_an_option() -> None:
    if oracles.has_assets("minimax-m2"):
        r = renderers.MiniMaxM2Renderer(tokenizer("minimax-m2"), default_system="Be kind.")
        assert r.family.model_identity == "Be kind."


@pytest.mark.parametrize("wrong", [5, {"name": "qwen3"}, "", object])
def test_what_is_no_choice_of_a_renderer(wrong: Any) -> None:
    with pytest.raises(BadOption):
        create_renderer(tokenizer(), wrong)


def test_names_without_a_config() -> None:
    with pytest.raises(BadOption, match="import_path"):
        renderers.config_from_name("custom")
    wrong: Any
    for wrong in ("", None):
        with pytest.raises(BadOption, match="no renderer is named"):
            renderers.config_from_name(wrong)


# --- Values both generations read ----------------------------------------------------------------------------------


def test_rendered_tokens_are_plain_dataclasses() -> None:
    rendered = create_renderer(tokenizer(), "qwen3").render(ANSWERED)
    plain = dataclasses.asdict(rendered)
    assert json.loads(json.dumps(plain)) == plain
    assert list(plain) == [
        "token_ids", "message_indices", "sampled_mask", "is_content", "message_roles", "message_tool_names",
        "multi_modal_data",
    ]  # fmt: skip
    assert len(plain["is_content"]) == len(plain["sampled_mask"]) == len(plain["token_ids"])
    assert rendered[:3] == rendered.token_ids[:3] == list(rendered)[:3]
    assert len(rendered) == len(rendered.token_ids)
    assert pickle.loads(pickle.dumps(rendered)) == copy.deepcopy(rendered) == rendered
    assert dataclasses.replace(rendered, token_ids=[1]).token_ids == [1]
    rendered.message_roles = ["a", "b"]
    assert rendered.message_roles == ["a", "b"]


def test_rendered_tokens_can_be_changed() -> None:
    rendered = create_renderer(tokenizer(), "qwen3").render(ASK)
    n = len(rendered)
    rendered.message_indices = [1] * n
    rendered.message_roles = ["user", "tool"]
    assert rendered.tokens_by_role() == {"user": 0, "tool": n}
    assert len(rendered.sampled_mask) == n
    rendered.token_ids.append(5)
    assert len(rendered) == len(list(rendered)) == n + 1
    rendered.token_ids = [1, 2]
    assert (len(rendered), rendered[:1], dataclasses.asdict(rendered)["token_ids"]) == (2, [1], [1, 2])


def test_rendered_tokens_can_be_made_of_any_of_their_fields() -> None:
    made = RenderedTokens(message_indices=[-1, 0, 0, 1], message_roles=["user", "assistant"])
    assert made.token_ids == []
    assert made.message_token_spans() == [(1, 3), (3, 4)]
    assert made.tokens_per_message() == [2, 1]
    assert made.tokens_per_message(sampled_only=True) == [0, 0]
    full = RenderedTokens([5, 6], [0, 0], [False, True], [False, True], ["user"])
    assert full.content_mask_for_roles({"user"}) == [False, True]
    assert full.content_token_spans_by_role() == {"user": [(1, 2)]}


def test_a_parsed_call_reads_as_attributes_and_as_a_dict() -> None:
    r = create_renderer(tokenizer(), "qwen3")
    reply = r.parse_response(ids(CALL))
    assert isinstance(reply, ParsedResponse)
    (call,) = reply.tool_calls
    assert isinstance(call, ParsedToolCall)
    assert (call.name, call.arguments, call.status, call.id) == ("f", {"a": 1}, ToolCallParseStatus.OK, None)
    assert call["function"]["name"] == "f"
    assert call.get("function") == {"name": "f", "arguments": {"a": 1}}
    assert call.get("id", "none") == "none"
    assert json.loads(json.dumps(reply.tool_calls)) == [{"function": {"name": "f", "arguments": {"a": 1}}}]
    assert dataclasses.asdict(reply)["tool_calls"][0]["raw"] == call.raw
    assert call == copy.deepcopy(call) == pickle.loads(pickle.dumps(call))
    assert call != dataclasses.replace(call, status=ToolCallParseStatus.UNKNOWN_TOOL)
    assert call == {"function": {"name": "f", "arguments": {"a": 1}}}
    assert r.parse_response(ids("4<|im_end|>")).tool_calls == []


def test_bridge_takes_both_spellings_of_its_arguments() -> None:
    r = create_renderer(tokenizer(), "qwen3")
    prompt, sampled = r.render_ids(ASK, add_generation_prompt=True), ids("4<|im_end|>")
    wanted = r.bridge_to_next_turn(prompt, sampled, ASK)
    assert isinstance(wanted, RenderedTokens)
    assert wanted == r.bridge_to_next_turn(
        previous_prompt_ids=prompt, previous_completion_ids=sampled, new_messages=ASK, tools=None
    )
    assert wanted == r.bridge_to_next_turn(prev_prompt_ids=prompt, prev_completion_ids=sampled, new_messages=ASK)
    assert r.bridge_to_next_turn([], sampled, ASK) is None


def test_rendered_conversation() -> None:
    prompt = RenderedConversation([1, 2], messages=ASK)
    whole = prompt.with_completion([3], completion_logprobs=[-0.5])
    assert (whole.token_ids, whole.completion_logprobs, whole.messages) == ([1, 2, 3], [-0.5], ASK)
    assert prompt.completion_ids == []


def test_small_functions() -> None:
    trim = renderers.trim_to_turn_close
    assert trim([1, 2], [3, 4, 9, 5], {9}) == [1, 2, 3, 4, 9]
    assert trim([1, 2], [3, 9, 4, 9], {9}) == [1, 2, 3, 9, 4, 9]
    assert trim([1, 9], [3], {9}) is None
    assert trim([1, 2], [3, 4], {9}, synthesize_close=9) == [1, 2, 3, 4, 9]
    assert renderers.reject_assistant_in_extension(ANSWERED)
    assert not renderers.reject_assistant_in_extension(ASK)
    called = {
        "role": "assistant",
        "content": "",
        "tool_calls": [{"id": "1", "function": {"name": "f", "arguments": ""}}],
    }
    results = [{"role": "tool", "tool_call_id": "1", "content": ""}, {"role": "tool", "name": "g", "content": ""}]
    assert renderers.extract_message_tool_names([*ASK, called, *results]) == [None, None, "f", "g"]


def test_attributed_segments_are_encoded_as_one_text() -> None:
    segments = [("hello wor", False), ("ld foo", True)]
    hello, world, foo = ids("hello world foo")
    told = renderers.attribute_text_segments(tokenizer(), segments)
    assert told == [(hello, False), (world, False), (foo, True)]
    assert told.has_content_attribution
    overlapping = renderers.attribute_text_segments(tokenizer(), segments, overlap_is_content=True)
    assert overlapping == [(hello, False), (world, True), (foo, True)]
    scaffold = renderers.attribute_text_segments(tokenizer(), [("<|im_start|>", False), ("<|im_start|>", True)])
    assert [id_ for id_, _ in scaffold].count(ids("<|im_start|>")[0]) == 1
    assert renderers.attribute_text_segments(tokenizer(), []) == []


# --- The model map and the registry --------------------------------------------------------------------------------


def test_the_model_map_knows_exact_ids_only() -> None:
    assert MODEL_RENDERER_MAP["Qwen/Qwen3-8B"] == "qwen3"
    assert MODEL_RENDERER_MAP["Qwen/Qwen3-4B-Instruct-2507"] == "qwen3-instruct-2507"
    assert MODEL_RENDERER_MAP["MiniMaxAI/MiniMax-M2"] == "minimax-m2"
    assert "Qwen/Qwen3-8B-my-tune" not in MODEL_RENDERER_MAP
    assert set(MODEL_RENDERER_MAP.values()) <= RENDERER_REGISTRY.keys()


def test_a_class_added_to_the_registry_can_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    class Mine:
        def __init__(self, tokenizer: Any, **options: Any) -> None:
            self.options = options

    monkeypatch.setitem(RENDERER_REGISTRY, "mine", Mine)
    assert create_renderer(tokenizer(), "mine", loud=True).options == {"loud": True}


CUSTOM = """
from dataclasses import dataclass, field
from renderers import BaseRendererConfig


class ShoutConfig(BaseRendererConfig):
    name: str = "shout"
    loud: bool = False


class Shout:
    config_class = ShoutConfig

    def __init__(self, tokenizer, config=None):
        self.tokenizer, self.config = tokenizer, config or ShoutConfig()

    def render(self, messages, *, tools=None, add_generation_prompt=False):
        return "!" if self.config.loud else "."


class Bare:
    def __init__(self, tokenizer):
        pass

    def render(self, messages, *, tools=None, add_generation_prompt=False):
        return "bare"
"""


def test_custom_renderers_by_import_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "shouting.py").write_text(CUSTOM)
    monkeypatch.syspath_prepend(tmp_path)
    custom: Any = renderers.CustomRendererConfig  # it takes the renderer's own options, too
    for path in ("shouting:Shout", f"{tmp_path / 'shouting.py'}:Shout"):
        config = custom(import_path=path, loud=True)
        assert create_renderer(tokenizer(), config).render(ASK) == "!"
        assert getattr(renderers.custom_renderer_config(config), "loud") is True  # noqa: B009
        assert renderers.load_custom_renderer(path).__name__ == "Shout"
        quiet = renderers.CustomRendererConfig(import_path=path)
        assert create_renderer(tokenizer(), quiet).render(ASK) == "."
        assert create_renderer(tokenizer(), quiet, chat_template_kwargs={"loud": True}).render(ASK) == "!"
    bare = renderers.CustomRendererConfig(import_path="shouting:Bare")
    assert create_renderer(tokenizer(), bare).render(ASK) == "bare"
    assert renderers.load_target("json:dumps") is json.dumps
    for wrong in ("json", "no_such_module:X", "json:nothing", str(tmp_path / "none.py:X"), "json:dumps"):
        with pytest.raises(BadOption):
            renderers.load_custom_renderer(wrong)
    with pytest.raises(BadOption, match="config_class"):
        create_renderer(tokenizer(), custom(import_path="shouting:Bare", loud=True))


# --- DefaultRenderer and parsers -----------------------------------------------------------------------------------


def test_default_renderer_reads_with_the_parsers_named() -> None:
    made: list[Any] = [
        create_renderer(Named("a/b", template=UNKNOWN), renderer="auto", tool_parser="qwen3", reasoning_parser="think"),
        create_renderer(
            Named("a/b", template=UNKNOWN),
            renderers.DefaultRendererConfig(tool_parser="hermes", reasoning_parser="think"),
        ),
        DefaultRenderer(Named("a/b", template=UNKNOWN), tool_parser="qwen3", reasoning_parser="think"),
    ]
    for r in made:
        assert isinstance(r, DefaultRenderer)
        assert r.supports_tools
        reply = r.parse_response(ids(CALL))
        assert (reply.reasoning_content, reply.content.strip()) == ("\nx\n", "hey")
        calls: list[Any] = reply.tool_calls
        assert calls[0]["function"] == {"name": "f", "arguments": {"a": 1}}
        rendered = r.render(ASK, add_generation_prompt=True)
        assert isinstance(rendered, RenderedTokens)
        assert rendered.message_roles == ["user"]
        assert rendered.sampled_mask == []
        assert r.bridge_to_next_turn([1], [2], ASK) is None
        refusal: Any = r.explain_bridge([1], [2], ASK).refusal
        assert refusal.code is RefusalCode.NO_TURN_CLOSE
        assert r.effective_thinking_retention == "template"
        assert r.config.name == "default"


@pytest.mark.parametrize(
    ("text", "complete"),
    [("<think>a", False), ("<think>a</think>", True), ("<think>a</think>b", True), ("a</think>b", True), ("b", None)],
)
def test_default_renderer_tells_reasoning_cut_short(text: str, complete: bool | None) -> None:
    r = create_renderer(Named("a/b", template=UNKNOWN), renderer="auto", reasoning_parser="think")
    assert r.parse_response(ids(text)).reasoning_complete is complete


def test_default_renderer_keeps_its_config() -> None:
    extra: dict[str, Any] = {"greeting": "Hi "}
    config = renderers.DefaultRendererConfig(tool_parser="qwen3", **extra)
    for r in (
        create_renderer(Named("a/b", template=UNKNOWN), config),
        DefaultRenderer(Named("a/b", template=UNKNOWN), config),
    ):
        assert r.config is config
    with pytest.raises(BadOption, match="Qwen3RendererConfig"):
        DefaultRenderer(Named("a/b", template=UNKNOWN), renderers.Qwen3RendererConfig())
    with pytest.raises(BadOption, match="tool_parser"):
        create_renderer(Named("a/b", template=UNKNOWN), config, chat_template_kwargs={"tool_parser": "glm"})


def test_default_renderer_without_parsers_gives_the_text() -> None:
    r = create_renderer(Named("a/b", template=UNKNOWN))
    assert not r.supports_tools
    assert r.parse_response(ids("4<tool_call>x<|im_end|>")).content == "4<tool_call>x"


def test_default_renderer_tells_reasoning_apart_unasked() -> None:
    r = create_renderer(Named("a/b", template=UNKNOWN))
    reply = r.parse_response(ids("<think>why</think>so<|im_end|>"))
    assert (reply.reasoning_content, reply.content, reply.reasoning_complete) == ("why", "so", True)
    opened = ids("<|im_start|>assistant\n<think>\n")
    cut = r.parse_response(ids("why"), prompt_ids=opened)
    assert (cut.reasoning_content, cut.content, cut.reasoning_complete) == ("why", "", False)
    assert r.parse_response(ids("so"), prompt_ids=ids("<|im_start|>assistant\n")).content == "so"


def test_default_renderer_hands_options_to_the_template() -> None:
    template = "{{ greeting }}{% for m in messages %}{{ m.content }}{% endfor %}"
    config: Any = renderers.DefaultRendererConfig  # it takes the template's own options, too
    for r in (
        create_renderer(Named("a/b", template=template), config(greeting="Hi ")),
        create_renderer(Named("a/b", template=template), chat_template_kwargs={"greeting": "Hi "}),
        create_renderer(Named("a/b", template=template), "default", greeting="Hi "),
        DefaultRenderer(Named("a/b", template=template), greeting="Hi "),
    ):
        assert r.render_text(ASK) == "Hi 2+2?"


def test_what_cannot_serve_an_unknown_template_is_refused() -> None:
    for knob in ("parity", "use_patched", "preserve_all_thinking", "preserve_thinking_between_tool_calls"):
        asked: dict[str, Any] = {knob: True}
        with pytest.raises(BadOption, match="template is run as it is"):
            create_renderer(Named("a/b", template=UNKNOWN), **asked)
    for retention in ("all", "tool_cycle"):
        for config in (renderers.DefaultRendererConfig, renderers.AutoRendererConfig):
            with pytest.raises(BadOption, match="never bridged"):
                create_renderer(Named("a/b", template=UNKNOWN), config(thinking_retention=retention))
    with pytest.raises(BadOption, match=r"(?s)zzz.*qwen3"):
        create_renderer(Named("a/b", template=UNKNOWN), tool_parser="zzz")


def test_tool_parsers_keep_what_is_no_call() -> None:
    parser = renderers.parsers.get_tool_parser("qwen3", tokenizer())
    call = '<tool_call>\n{"name": "f", "arguments": {"a": 1}}\n</tool_call>'
    rest, calls = parser.extract(ids(f"hey{call} tail{call}"))
    assert tokenizer().decode(rest) == "hey tail"
    assert [c.name for c in calls] == ["f", "f"]
    assert calls[0].token_span == (1, 1 + len(ids(call)))
    assert parser.extract(ids("no call")) == (ids("no call"), [])
    broken, calls = parser.extract(ids("x<tool_call>{oops"))
    assert calls[0].status is ToolCallParseStatus.UNCLOSED_BLOCK
    assert tokenizer().decode(broken) == "x"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("<think>a</think>b", ("a", "b")),
        ("\n<think>a</think>b", ("a", "b")),
        ("a</think>b", ("a", "b")),
        ("<think>a", ("a", "")),
        ("b", (None, "b")),
        ("b <think>a", (None, "b <think>a")),
        ("<think>a</think>b</think>c", ("a", "b</think>c")),
    ],
)
def test_think_parser(text: str, wanted: tuple[str | None, str]) -> None:
    assert renderers.parsers.get_reasoning_parser("think").extract(text) == wanted


def test_a_parser_of_ones_own(monkeypatch: pytest.MonkeyPatch) -> None:
    class Nothing:
        def __init__(self, tokenizer: Any) -> None:
            pass

        def extract(self, ids: list[int]) -> tuple[list[int], list[Any]]:
            return ids[:1], []

    monkeypatch.setitem(renderers.parsers.TOOL_PARSERS, "first", Nothing)
    r = create_renderer(Named("a/b", template=UNKNOWN), tool_parser="first")
    assert r.parse_response(ids("one two three")).content == "one"


def test_older_parse_functions() -> None:
    from renderers import parsing

    im_end, *_ = ids("<|im_end|>")
    reply = parsing.parse_qwen3(tokenizer(), ids(CALL), stop_ids={im_end}, tool_call_id=0, tool_call_end_id=0)
    calls: list[Any] = reply.tool_calls
    assert (reply.reasoning_content, calls[0]["function"]["name"]) == ("\nx\n", "f")
    prefilled = parsing.parse_qwen3(tokenizer(), ids("x</think>y<|im_end|>"), prefilled_thinking=True)
    assert (prefilled.reasoning_content, prefilled.content) == ("x", "y")


def test_is_multimodal() -> None:
    assert not renderers.is_multimodal(create_renderer(tokenizer(), "qwen3"))

    class Seeing:
        mm_token_type_id_map = {1: 1}  # noqa: RUF012

    for name in ("render", "render_ids", "parse_response", "get_stop_token_ids", "bridge_to_next_turn"):
        setattr(Seeing, name, lambda self: None)
    assert renderers.is_multimodal(Seeing())
    assert isinstance(create_renderer(tokenizer(), "qwen3"), FamilyRenderer)

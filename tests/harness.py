"""Renderers for the tests: one a template, each over its real tokenizer, with the oracle it must agree with."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from renderers import FamilyRenderer, create_renderer
from renderers._schema_kimi import kimi_namespace
from tests import oracles
from tests.conversations import Case

_MINIMAX = "You are a helpful assistant. Your name is"

NAMES: dict[str, tuple[str, dict[str, Any]]] = {
    "qwen3": ("qwen3", {}),
    "qwen3-instruct-2507": ("qwen3-instruct-2507", {}),
    "qwen3-thinking-2507": ("qwen3-thinking-2507", {}),
    "qwen3.5": ("qwen3.5", {}),
    "qwen3.5-small": ("qwen3.5", {"enable_thinking": False}),
    "glm-4.5": ("glm-4.5", {}),
    "deepseek-v3": ("deepseek-v3", {}),
    "gpt-oss-template": ("gpt-oss", {"dialect": "template", "conversation_start_date": oracles.DATE}),
    "qwen3-vl": ("qwen3-vl", {}),
    "qwen3-vl-thinking": ("qwen3-vl-thinking", {}),
    "qwen3.6": ("qwen3.6", {}),
    "glm-4.7": ("glm-5", {}),
    "glm-5": ("glm-5", {}),
    "glm-5.1": ("glm-5.1", {}),
    "minimax-m2": ("minimax-m2", {"model_identity": "You are a helpful assistant."}),
    "minimax-m2.5": ("minimax-m2", {"model_identity": f"{_MINIMAX} MiniMax-M2.5 and is built by MiniMax."}),
    "minimax-m2.7": ("minimax-m2", {"model_identity": f"{_MINIMAX} MiniMax-M2.7 and is built by MiniMax."}),
    "deepseek-v3.1": ("deepseek-v3.1", {}),
    "deepseek-r1": ("deepseek-r1", {}),
    "kimi-k2": ("kimi-k2", {}),
    "kimi-k2.5": ("kimi-k2.5", {}),
    "kimi-k2.6": ("kimi-k2.6", {}),
    "nemotron-3-nano": ("nemotron-3", {"size": "nano"}),
    "nemotron-3-super": ("nemotron-3", {}),
    "harmony": ("gpt-oss", {"conversation_start_date": oracles.DATE}),
}
"""Oracle → the renderer that must agree with it, and its options."""

KEYS = tuple(NAMES)
REASONING_KEYS = tuple(key for key in KEYS if key not in ("qwen3-instruct-2507", "deepseek-v3", "qwen3-vl", "kimi-k2"))


def tokenizer_family(key: str) -> str:
    """The assets folder whose tokenizer an oracle uses."""
    return "gpt-oss" if key == "harmony" else oracles.TEMPLATES[key].tokenizer


@cache
def _made(key: str, options: tuple[tuple[str, Any], ...]) -> FamilyRenderer:
    name, fixed = NAMES[key]
    family = tokenizer_family(key)
    tokenizer = str(oracles.model_folder(family)) if family in oracles.KIMI else oracles.tokenizer_for(family)
    made = create_renderer(tokenizer, name, **{**fixed, **dict(options)})
    assert isinstance(made, FamilyRenderer)
    return made


def renderer(key: str, **options: Any) -> FamilyRenderer:
    """The renderer for an oracle, made once for each set of options."""
    return _made(key, tuple(sorted(options.items())))


def _template_kwargs(key: str, case: Case) -> dict[str, Any]:
    """The options of a case, and the tools as text where the template takes them so.

    tests/test_kimi.py has evidence for that text, which is empty where the original falls back on JSON.
    """
    if case.tools and key in ("kimi-k2.5", "kimi-k2.6"):
        return {**case.kwargs, "tools_ts_str": kimi_namespace(oracles.sorted_keys(case.tools), strict=True)}
    return case.kwargs


def oracle_text(key: str, case: Case) -> str:
    """What the model's own template, or the vendor's encoder, prints."""
    if key == "harmony":
        return oracles.harmony_text(case.messages, case.tools, case.add_generation_prompt, **case.kwargs)
    kwargs = _template_kwargs(key, case)
    return oracles.template_text(key, case.messages, case.tools, case.add_generation_prompt, **kwargs)


def oracle_ids(key: str, case: Case) -> list[int]:
    """The ids of that."""
    if key == "harmony":
        return oracles.harmony_ids(case.messages, case.tools, case.add_generation_prompt, **case.kwargs)
    return oracles.ids_of_text(key, oracle_text(key, case))


def oracle(key: str, case: Case) -> tuple[str, list[int]]:
    """Text and ids, printed once."""
    if key == "harmony":
        ids = oracle_ids(key, case)
        return oracles.text_of_harmony(ids), ids
    text = oracle_text(key, case)
    return text, oracles.ids_of_text(key, text)


def text_of(key: str, ids: Sequence[int]) -> str:
    """Ids as text, control tokens spelt out."""
    return str(oracles.tokenizer_for(tokenizer_family(key)).decode(list(ids), skip_special_tokens=False))


def token(key: str, control: str) -> int:
    """The id of a control token."""
    return oracles.control_strings(tokenizer_family(key))[control]


def encode(key: str, text: str) -> list[int]:
    """Ids of a text as the model would sample it, control strings in it as control tokens."""
    return list(oracles.tokenizer_for(tokenizer_family(key)).encode(text, add_special_tokens=False).ids)

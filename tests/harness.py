"""Renderers for the tests: one a template, each over its real tokenizer, with the oracle it must agree with."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from renderers import Renderer, create_renderer
from tests import oracles
from tests.conversations import Case

NAMES: dict[str, tuple[str, dict[str, Any]]] = {
    "qwen3": ("qwen3", {}),
    "qwen3-instruct-2507": ("qwen3-instruct-2507", {}),
    "qwen3-thinking-2507": ("qwen3-thinking-2507", {}),
    "qwen3.5": ("qwen3.5", {}),
    "qwen3.5-small": ("qwen3.5", {"enable_thinking": False}),
    "glm-4.5": ("glm-4.5", {}),
    "deepseek-v3": ("deepseek-v3", {}),
    "gpt-oss-template": ("gpt-oss", {"dialect": "template", "conversation_start_date": oracles.DATE}),
    "harmony": ("gpt-oss", {"conversation_start_date": oracles.DATE}),
}
"""Oracle → the renderer that must agree with it, and its options."""

KEYS = tuple(NAMES)
REASONING_KEYS = tuple(key for key in KEYS if key not in ("qwen3-instruct-2507", "deepseek-v3"))


def tokenizer_family(key: str) -> str:
    """The assets folder whose tokenizer an oracle uses."""
    return "gpt-oss" if key == "harmony" else oracles.TEMPLATES[key].family


@cache
def _made(key: str, options: tuple[tuple[str, Any], ...]) -> Renderer:
    name, fixed = NAMES[key]
    made = create_renderer(oracles.tokenizer_for(tokenizer_family(key)), name, **{**fixed, **dict(options)})
    assert isinstance(made, Renderer)
    return made


def renderer(key: str, **options: Any) -> Renderer:
    """The renderer for an oracle, made once for each set of options."""
    return _made(key, tuple(sorted(options.items())))


def oracle_text(key: str, case: Case) -> str:
    """What the model's own template, or the vendor's encoder, prints."""
    if key == "harmony":
        return oracles.harmony_text(case.messages, case.tools, case.add_generation_prompt, **case.kwargs)
    return oracles.template_text(key, case.messages, case.tools, case.add_generation_prompt, **case.kwargs)


def oracle_ids(key: str, case: Case) -> list[int]:
    """The ids of that."""
    if key == "harmony":
        return oracles.harmony_ids(case.messages, case.tools, case.add_generation_prompt, **case.kwargs)
    return oracles.template_ids(key, case.messages, case.tools, case.add_generation_prompt, **case.kwargs)


def text_of(key: str, ids: Sequence[int]) -> str:
    """Ids as text, control tokens spelt out."""
    return oracles.tokenizer_for(tokenizer_family(key)).decode(list(ids), skip_special_tokens=False)


def token(key: str, control: str) -> int:
    """The id of a control token."""
    return oracles.control_strings(tokenizer_family(key))[control]


def encode(key: str, text: str) -> list[int]:
    """Ids of a text as the model would sample it, control strings in it as control tokens."""
    return oracles.tokenizer_for(tokenizer_family(key)).encode(text, add_special_tokens=False).ids

"""Older import path: one function a format that reads sampled ids, without a renderer.

A renderer's `parse_response` knows more: where its prompt left off and what the format writes around words.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from ._compat.results import CALL_TYPE
from ._parsed import ParsedResponse
from ._read import tool_schemas
from ._reader import Reader, Table
from ._reply import REASONING, Affixes
from ._tokenizers import load
from .families import named

_FORMATS = {
    "parse_deepseek_v3": "deepseek-v3",
    "parse_glm": "glm-4.5",
    "parse_gpt_oss": "gpt-oss",
    "parse_kimi_k2": "kimi-k2",
    "parse_minimax": "minimax-m2",
    "parse_qwen3": "qwen3",
    "parse_qwen35": "qwen3.5",
}


def parse(
    name: str,
    tokenizer: Any,
    token_ids: Sequence[int],
    *,
    tools: Any = None,
    prefilled_thinking: bool = False,
    **_control_ids: Any,
) -> ParsedResponse:
    """A reply in the format called `name`. Never raises on any ids.

    Args:
        prefilled_thinking: the prompt had opened the reasoning.
        _control_ids: ids of control tokens, which older callers pass; they are looked up in the tokenizer.
    """
    ours = load(tokenizer).tokenizer
    family = named(name)
    assert family is not None
    reply = family.reply
    schemas = tool_schemas(tools) if tools else None
    reader = Reader(Table(reply, ours.controls), ours, Affixes(), schemas, CALL_TYPE)
    if prefilled_thinking:
        opening = next((text for text, mark in reply.marks.items() if mark.to is REASONING), None)
        reader.seek([ours.controls[opening]] if opening else [])
    reader.feed(token_ids)
    return reader.finish()[0]


def __getattr__(name: str) -> Callable[..., ParsedResponse]:
    if name in _FORMATS:
        return partial(parse, _FORMATS[name])
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

"""Parsers by name, for renderers of templates that nobody wrote a family for; add your own to the two registries."""

from ._compat.parsers import (
    REASONING_PARSERS,
    TOOL_PARSERS,
    DeepSeekV3ToolParser,
    FormatToolParser,
    GlmToolParser,
    Qwen3ToolParser,
    Qwen35ToolParser,
    ReasoningParser,
    ThinkTextReasoningParser,
    ToolParser,
    get_reasoning_parser,
    get_tool_parser,
)

__all__ = [
    "REASONING_PARSERS",
    "TOOL_PARSERS",
    "DeepSeekV3ToolParser",
    "FormatToolParser",
    "GlmToolParser",
    "Qwen3ToolParser",
    "Qwen35ToolParser",
    "ReasoningParser",
    "ThinkTextReasoningParser",
    "ToolParser",
    "get_reasoning_parser",
    "get_tool_parser",
]

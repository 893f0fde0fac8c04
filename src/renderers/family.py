"""Everything a family's file needs, in one import: see docs/adding-a-family.md."""

from __future__ import annotations

from ._calls import (
    ReadCall,
    Schemas,
    ToolCallParseStatus,
    read_arg_pairs,
    read_fenced_json,
    read_function_tags,
    read_json_arguments,
    read_json_object,
    write_arg_pairs,
    write_fenced_json,
    write_function_tags,
    write_json_object,
)
from ._errors import BadMessage
from ._family import Family
from ._messages import Call, Conversation, Part, Policy, Turn, to_json
from ._reply import BETWEEN, CALL, CONTENT, HEADER, PROSE, REASONING, START, Mark, Reply, State, mark
from ._thinking import inline_thinking
from ._writer import Field, Writer

__all__ = [
    "BETWEEN",
    "CALL",
    "CONTENT",
    "HEADER",
    "PROSE",
    "REASONING",
    "START",
    "BadMessage",
    "Call",
    "Conversation",
    "Family",
    "Field",
    "Mark",
    "Part",
    "Policy",
    "ReadCall",
    "Reply",
    "Schemas",
    "State",
    "ToolCallParseStatus",
    "Turn",
    "Writer",
    "inline_thinking",
    "mark",
    "read_arg_pairs",
    "read_fenced_json",
    "read_function_tags",
    "read_json_arguments",
    "read_json_object",
    "to_json",
    "write_arg_pairs",
    "write_fenced_json",
    "write_function_tags",
    "write_json_object",
]

"""Everything a family's file needs, in one import: see docs/adding-a-family.md."""

from __future__ import annotations

from ._calls import (
    ReadCall,
    Schemas,
    ToolCallParseStatus,
    read_fenced_json,
    read_id_json,
    read_json_arguments,
    read_json_object,
    read_named_json,
    write_fenced_json,
    write_id_json,
    write_json_object,
    write_named_json,
)
from ._errors import BadMessage, BadOption
from ._family import Family, own
from ._messages import NONE, Call, Conversation, Part, Policy, Turn, to_json
from ._reply import BETWEEN, CALL, CONTENT, HEADER, PROSE, REASONING, START, Mark, Reply, State, mark
from ._schema_harmony import harmony_namespace, template_namespace
from ._schema_kimi import kimi_namespace, sorted_keys
from ._schema_xml import xml_definitions
from ._tags import (
    read_arg_pairs,
    read_function_tags,
    read_invokes,
    write_arg_pairs,
    write_function_tags,
    write_invoke,
)
from ._thinking import THINK_MARKS, inline_thinking, write_thinking
from ._turns import as_given, is_assistant, is_user, keyed_text, printed_text, visible_text
from ._writer import Field, Writer

__all__ = [
    "BETWEEN",
    "CALL",
    "CONTENT",
    "HEADER",
    "NONE",
    "PROSE",
    "REASONING",
    "START",
    "THINK_MARKS",
    "BadMessage",
    "BadOption",
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
    "as_given",
    "harmony_namespace",
    "inline_thinking",
    "is_assistant",
    "is_user",
    "keyed_text",
    "kimi_namespace",
    "mark",
    "own",
    "printed_text",
    "read_arg_pairs",
    "read_fenced_json",
    "read_function_tags",
    "read_id_json",
    "read_invokes",
    "read_json_arguments",
    "read_json_object",
    "read_named_json",
    "sorted_keys",
    "template_namespace",
    "to_json",
    "visible_text",
    "write_arg_pairs",
    "write_fenced_json",
    "write_function_tags",
    "write_id_json",
    "write_invoke",
    "write_json_object",
    "write_named_json",
    "write_thinking",
    "xml_definitions",
]

"""How tool calls are spelt and read back, one room a spelling.

A reader takes the text between a call's opening and its close, the header before it (where a format has one) and the
tools' parameter schemas by name. It returns what it found with a status, never raises, and takes linear time. A
closing tag inside a value is no close: the first one that something legal follows is.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from ._messages import Call, to_json
from ._writer import Field, Writer


class ToolCallParseStatus(str, Enum):
    """What became of a sampled call."""

    OK = "ok"
    INVALID_JSON = "invalid_json"
    UNCLOSED_BLOCK = "unclosed_block"
    MISSING_NAME = "missing_name"
    MALFORMED_STRUCTURE = "malformed_structure"
    UNKNOWN_TOOL = "unknown_tool"


Schema = Mapping[str, Any]
Schemas = Mapping[str, Schema]


@dataclass(frozen=True, slots=True)
class ReadCall:
    """What a call's text says.

    Attributes:
        arguments: the values; a JSON text where Python cannot hold it (integers of thousands of digits,
            nesting of thousands of levels) or where it is no object; None where there is nothing to read.
        json_text: the arguments verbatim as sampled, for the spellings that write JSON.
    """

    name: str | None
    arguments: dict[str, Any] | str | None
    status: ToolCallParseStatus = ToolCallParseStatus.OK
    json_text: str | None = None
    id: str | None = None


_OK = ToolCallParseStatus.OK
_MALFORMED = ToolCallParseStatus.MALFORMED_STRUCTURE


# ---- JSON -----------------------------------------------------------------------------------

_STRING = r'"(?:[^"\\]|\\.)*"'
_OPENING = re.compile(r"\s*\{\s*")
_KEY = re.compile(rf"\s*({_STRING})\s*:\s*", re.S)
_NEXT = re.compile(r"\s*([,}])")
# A string without an end reaches to the end of the text, so that no character is looked at twice.
_STRUCTURE = re.compile(r'"(?:[^"\\]|\\.)*(?:"|\\?\Z)|[][{}]|,', re.S)
_LONGEST_INTEGER = 4_300
"""Digits that Python reads and writes without being asked twice."""


class _Unread:
    """A value that Python cannot hold, or that nobody has looked at."""


def json_members(text: str) -> dict[str, tuple[str, Any]] | None:
    """The members of a JSON object: key → (verbatim value text, value or `_Unread`); None if it is no object."""
    try:
        return _members(text, _DECODER.raw_decode)
    except (ValueError, RecursionError):  # a value is no JSON, or Python cannot hold it: the others are still there
        return _members(text, _end_of_value)


def _members(text: str, next_value: Callable[[str, int], tuple[Any, int]]) -> dict[str, tuple[str, Any]] | None:
    opening = _OPENING.match(text)
    if opening is None:
        return None
    members: dict[str, tuple[str, Any]] = {}
    position = opening.end()
    if text[position : position + 1] == "}":
        return None if text[position + 1 :].strip() else members
    while key := _KEY.match(text, position):
        value, end = next_value(text, key.end())
        name, valid = load_json(key.group(1))
        following = _NEXT.match(text, end)
        if not valid or following is None:
            return None
        members[name] = text[key.end() : end], value
        position = following.end()
        if following.group(1) == "}":
            return None if text[position:].strip() else members
    return None


def _end_of_value(text: str, position: int) -> tuple[Any, int]:
    """Where a value ends by its brackets and commas alone, however deep it is."""
    depth = 0
    for match in _STRUCTURE.finditer(text, position):
        sign = match.group()
        if depth == 0 and sign in ",}":
            return _Unread, len(text[: match.start()].rstrip())
        depth += (sign in "{[") - (sign in "}]")
        if depth == 0:
            return _Unread, match.end()
    return _Unread, len(text)


def load_json(text: str) -> tuple[Any, bool]:
    """The value of a JSON text and whether it is valid; the text itself where Python cannot hold the value."""
    try:
        return _DECODER.decode(text), True
    except (_BeyondPython, RecursionError):
        return (text, True) if _is_json(text) else (None, False)
    except ValueError:
        return None, False


class _BeyondPython(ValueError):
    pass


def _integer(digits: str) -> int:
    if len(digits) > _LONGEST_INTEGER:
        raise _BeyondPython
    return int(digits)


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


_DECODER = json.JSONDecoder(parse_int=_integer, parse_constant=_no_constant)

_JSON_TOKEN = re.compile(
    r"""[ \t\r\n]*(?:(?P<sign>[][{},:])|(?P<text>"(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*")|"""
    r"(?P<other>-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?|true|false|null))"
)


def _is_json(text: str) -> bool:
    """Whether a text is valid JSON, however deep."""
    open_signs: list[str] = []
    wanted, position, end = "value", 0, len(text.rstrip(" \t\r\n"))
    while position < end:
        match = _JSON_TOKEN.match(text, position, end)
        if match is None:
            return False
        position, sign = match.end(), match.group("sign")
        if wanted in ("value", "value or ]") and sign in ("{", "["):
            open_signs.append(sign)
            wanted = "key or }" if sign == "{" else "value or ]"
        elif wanted in ("value", "value or ]") and sign is None:
            wanted = "," if open_signs else "nothing"
        elif wanted in ("key", "key or }") and match.group("text"):
            wanted = ":"
        elif wanted == ":" and sign == ":":
            wanted = "value"
        elif wanted == "," and sign == ",":
            wanted = "key" if open_signs[-1] == "{" else "value"
        elif (sign, wanted) in (("}", "key or }"), ("]", "value or ]")) or (
            wanted == "," and sign == {"{": "}", "[": "]"}[open_signs[-1]]
        ):
            open_signs.pop()
            wanted = "," if open_signs else "nothing"
        else:
            return False
    return wanted == "nothing"


def read_json_object(text: str, header: str, schemas: Schemas) -> ReadCall:
    """``{"name": …, "arguments": …}`` (Qwen, Hermes)."""
    members = json_members(text)
    if members is None:
        return ReadCall(None, None, ToolCallParseStatus.INVALID_JSON)
    name_text, name = members.get("name", ("", None))
    arguments_text, arguments = members.get("arguments", ("{}", {}))
    if name is _Unread:
        name, _ = load_json(name_text)
    if not isinstance(name, str) or not name or name_text[:1] != '"':
        return ReadCall(None, None, ToolCallParseStatus.MISSING_NAME, members.get("arguments", (None,))[0])
    if arguments is _Unread:
        return read_json_arguments(name, arguments_text)
    return _with_arguments(name, arguments_text, arguments)


def read_json_arguments(name: str, text: str) -> ReadCall:
    """The arguments of a call whose name is known, as a JSON text."""
    if not text.strip():
        return ReadCall(name, {}, _OK, text)
    value, valid = load_json(text)
    if not valid:
        return ReadCall(name, None, ToolCallParseStatus.INVALID_JSON, text)
    return _with_arguments(name, text, value)


def _with_arguments(name: str, text: str, value: Any) -> ReadCall:
    """A call with valid JSON arguments; they must be an object, or a text that may hold one."""
    beyond_python_and_no_object = value is text and text.lstrip()[0] not in '{"'
    if isinstance(value, (dict, str)) and not beyond_python_and_no_object:
        return ReadCall(name, value, _OK, text)
    return ReadCall(name, None, _MALFORMED, text)


def write_json_object(call: Call, out: Writer) -> None:
    """``{"name": "N", "arguments": A}``; a JSON text is written verbatim."""
    out.frame('{"name": "')
    out.body(call.name, Field.CALL_NAME)
    out.frame('", "arguments": ')
    out.body(call.as_json(), Field.CALL_ARGUMENTS)
    out.frame("}")


# ---- key and value in tags ------------------------------------------------------------------


def _read_tagged(
    text: str, position: int, opening: re.Pattern[str], close: str, after: re.Pattern[str], end: re.Pattern[str]
) -> tuple[dict[str, str], bool]:
    """Arguments as text from `position` on, and whether the whole call is well formed.

    `opening` captures a key; its value lasts until the first `close` that `after` follows; `end` must match
    what is left.
    """
    values: dict[str, str] = {}
    while match := opening.match(text, position):
        stop = text.find(close, match.end())
        while stop >= 0 and not after.match(text, stop + len(close)):
            stop = text.find(close, stop + len(close))
        if stop < 0 or match.group(1) in values:
            return values, False
        values[match.group(1)] = text[match.end() : stop]
        position = stop + len(close)
    return values, end.match(text, position) is not None


_FUNCTION = re.compile(r"\s*<function=([^>\n]*)>")
_PARAMETER = re.compile(r"\s*<parameter=([^>\n]*)>")
_AFTER_PARAMETER = re.compile(r"\s*(?:<parameter=[^>\n]*>|</function>\s*\Z)")
_FUNCTION_END = re.compile(r"\s*</function>\s*\Z")


def read_function_tags(text: str, header: str, schemas: Schemas) -> ReadCall:
    """``<function=N>⏎<parameter=K>⏎V⏎</parameter>⏎…</function>`` (Qwen3.5, Qwen3-Coder, Nemotron-3)."""
    match = _FUNCTION.match(text)
    if match is None:
        return ReadCall(None, None, _MALFORMED)
    values, whole = _read_tagged(text, match.end(), _PARAMETER, "</parameter>", _AFTER_PARAMETER, _FUNCTION_END)
    values = {key: value.removeprefix("\n").removesuffix("\n") for key, value in values.items()}
    return _typed(match.group(1).strip(), values, whole, schemas)


def write_function_tags(call: Call, out: Writer, *, scalar: Callable[[Any], str] = str) -> None:
    """The same, written; `scalar` spells values that are neither text nor containers. A call may lack arguments."""
    out.frame("<function=")
    out.body(call.name, Field.CALL_NAME)
    out.frame(">\n")
    for key, value in (call.as_mapping() if call.arguments is not None else {}).items():
        out.frame("<parameter=")
        out.body(key, Field.CALL_ARGUMENTS)
        out.frame(">\n")
        spelt = (
            value if isinstance(value, str) else to_json(value) if isinstance(value, (dict, list)) else scalar(value)
        )
        out.body(spelt, Field.CALL_ARGUMENTS)
        out.frame("\n</parameter>\n")
    out.frame("</function>")


_PAIR = re.compile(r"\s*<arg_key>((?:(?!</arg_key>).)*)</arg_key>\s*<arg_value>", re.S)
_AFTER_PAIR = re.compile(r"\s*(?:<arg_key>|\Z)")
_PAIRS_END = re.compile(r"\s*\Z")


def read_arg_pairs(text: str, header: str, schemas: Schemas) -> ReadCall:
    """``N⏎<arg_key>K</arg_key>⏎<arg_value>V</arg_value>⏎…`` (GLM); strings stand verbatim, others as JSON."""
    head = text.find("<arg_key>")
    head = len(text) if head < 0 else head
    values, whole = _read_tagged(text, head, _PAIR, "</arg_value>", _AFTER_PAIR, _PAIRS_END)
    return _typed(text[:head].strip(), values, whole, schemas)


def write_arg_pairs(call: Call, out: Writer, *, gap: str = "\n") -> None:
    """The same, written; `gap` stands after each tag group."""
    out.body(call.name, Field.CALL_NAME)
    out.frame(gap)
    for key, value in call.as_mapping().items():
        out.frame("<arg_key>")
        out.body(key, Field.CALL_ARGUMENTS)
        out.frame(f"</arg_key>{gap}<arg_value>")
        out.body(value if isinstance(value, str) else to_json(value), Field.CALL_ARGUMENTS)
        out.frame(f"</arg_value>{gap}")


def _typed(name: str, values: Mapping[str, str], whole: bool, schemas: Schemas) -> ReadCall:
    if not name:
        return ReadCall(None, None, ToolCallParseStatus.MISSING_NAME)
    properties = schemas.get(name, {}).get("properties")
    known = properties if isinstance(properties, dict) else {}
    arguments = {key: typed_value(value, known.get(key)) for key, value in values.items()}
    return ReadCall(name, arguments, _OK if whole else _MALFORMED)


def typed_value(text: str, schema: Any = None) -> Any:
    """The value an untyped text stands for: by its schema if there is one, else JSON, else Python, else text."""
    kinds = set(_kinds(schema))
    if kinds == {"string"}:
        return text
    literal = text.strip()
    value, valid = load_json(literal) if literal[:1] not in ("", '"') else (None, False)
    if not valid and literal in ("True", "False", "None"):
        value, valid = ast.literal_eval(literal), True
    if not valid or value is literal:
        return text
    if "string" in kinds and not (value is None and "null" in kinds) and not any(_fits(value, kind) for kind in kinds):
        return text
    return value


def _kinds(schema: Any) -> Iterator[str]:
    """Every JSON type a schema allows, unions included."""
    if not isinstance(schema, dict):
        return
    kind = schema.get("type")
    yield from (name for name in (kind if isinstance(kind, list) else [kind]) if isinstance(name, str))
    if schema.get("nullable"):
        yield "null"
    for key in ("anyOf", "oneOf"):
        options = schema.get(key)
        for option in options if isinstance(options, list) else ():
            yield from _kinds(option)


def _fits(value: Any, kind: str) -> bool:
    types: dict[str, Any] = {"integer": int, "number": (int, float), "object": dict, "array": list}
    if isinstance(value, bool):
        return kind == "boolean"
    return kind in types and isinstance(value, types[kind])


# ---- name, fence, JSON ----------------------------------------------------------------------

_FENCE = "\n```json\n"


def read_fenced_json(text: str, header: str, schemas: Schemas) -> ReadCall:
    """``{type}<｜tool▁sep｜>N⏎```json⏎A⏎``` `` (DeepSeek V3 and R1)."""
    _, separated, rest = text.partition("<｜tool▁sep｜>")
    name, fenced, arguments = rest.partition(_FENCE)
    if not separated or not name.strip():
        return ReadCall(None, None, ToolCallParseStatus.MISSING_NAME)
    end = arguments.rfind("\n```")
    if not fenced or end < 0 or arguments[end + 4 :].strip():
        return ReadCall(name.strip(), None, _MALFORMED, rest[len(name) :])
    return read_json_arguments(name.strip(), arguments[:end])


def write_fenced_json(call: Call, out: Writer) -> None:
    """The same, written."""
    out.body(call.type, Field.CALL_NAME)
    out.frame("<｜tool▁sep｜>")
    out.body(call.name, Field.CALL_NAME)
    out.frame(_FENCE)
    out.body(call.as_json(), Field.CALL_ARGUMENTS)
    out.frame("\n```")

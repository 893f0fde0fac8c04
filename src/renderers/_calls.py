"""How tool calls are spelt and read back, one room a spelling.

A reader takes the text between a call's opening and its close, the header before it (where a format has one) and the
tools' parameter schemas by name. It returns what it found with a status, never raises, and takes linear time. A
closing tag inside a value is no close: the first one that something legal follows is.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

from ._messages import Call
from ._writer import Field, Writer


class ToolCallParseStatus(str, Enum):
    """What became of a sampled call."""

    OK = "ok"
    INVALID_JSON = "invalid_json"
    UNCLOSED_BLOCK = "unclosed_block"
    MISSING_NAME = "missing_name"
    MALFORMED_STRUCTURE = "malformed_structure"
    UNKNOWN_TOOL = "unknown_tool"

    __str__ = str.__str__


Schema = Mapping[str, Any]
Schemas = Mapping[str, Schema]


@dataclass(frozen=True, slots=True)
class ReadCall:
    """What a call's text says.

    Attributes:
        arguments: the values; a JSON text where Python cannot hold it (integers of thousands of digits,
            nesting of thousands of levels) or where it is no object; None where there is nothing to read.
        json_text: the arguments verbatim as sampled, for the spellings that write JSON.
        raw: its own part of the text, where that holds several calls; the parts together are the text.
    """

    name: str | None
    arguments: dict[str, Any] | str | None
    status: ToolCallParseStatus = ToolCallParseStatus.OK
    json_text: str | None = None
    id: str | None = None
    raw: str | None = None


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


# ---- name, JSON -----------------------------------------------------------------------------


def read_named_json(text: str, header: str, schemas: Schemas) -> ReadCall:
    """``N<｜tool▁sep｜>A`` (DeepSeek V3.1)."""
    name, separated, arguments = text.partition("<｜tool▁sep｜>")
    if not separated or not name.strip():
        return ReadCall(None, None, ToolCallParseStatus.MISSING_NAME)
    return read_json_arguments(name.strip(), arguments)


def write_named_json(call: Call, out: Writer) -> None:
    """The same, written."""
    out.body(call.name, Field.CALL_NAME)
    out.frame("<｜tool▁sep｜>")
    out.body(call.as_json(), Field.CALL_ARGUMENTS)


# ---- id, JSON -------------------------------------------------------------------------------

_ARGUMENTS = "<|tool_call_argument_begin|>"
_INDEX = re.compile(r":\d+\Z")


def read_id_json(text: str, header: str, schemas: Schemas) -> ReadCall:
    """``functions.N:index<|tool_call_argument_begin|>A`` (Kimi); the name is what the id says."""
    id_, separated, arguments = text.partition(_ARGUMENTS)
    id_ = id_.strip()
    name = _INDEX.sub("", id_.removeprefix("functions."))
    if not separated or not name:
        return ReadCall(None, None, ToolCallParseStatus.MISSING_NAME, id=id_ or None)
    return replace(read_json_arguments(name, arguments), id=id_)


def write_id_json(call: Call, id_: str, out: Writer) -> None:
    """The same, written, with an id that need not say the name."""
    before, name, after = id_.partition(call.name) if call.name else (id_, "", "")
    out.body(before, Field.CALL_ID)
    out.body(name, Field.CALL_NAME)
    out.body(after, Field.CALL_ID)
    out.frame(_ARGUMENTS)
    out.body(call.as_json(), Field.CALL_ARGUMENTS)

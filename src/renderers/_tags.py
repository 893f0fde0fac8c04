"""Calls spelt with a tag for each argument: how they are written, and read back typed by the tools' schemas.

Values stand in the tags as text: strings verbatim, others as JSON or as Python prints them. A closing tag inside a
value is no close: the first one that something legal follows is.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from ._calls import ReadCall, Schemas, ToolCallParseStatus, json_members, load_json
from ._messages import Call, to_json
from ._writer import Field, Writer

_OK = ToolCallParseStatus.OK
_MALFORMED = ToolCallParseStatus.MALFORMED_STRUCTURE


def _read_tagged(
    text: str, position: int, opening: re.Pattern[str], close: str, after: re.Pattern[str], end: re.Pattern[str]
) -> tuple[dict[str, str], int, bool]:
    """Arguments as text from `position` on, where reading ended, and whether the whole call is well formed.

    `opening` captures a key; its value lasts until the first `close` that `after` follows; `end` must match
    what comes next.
    """
    values: dict[str, str] = {}
    while match := opening.match(text, position):
        if match.group(1) in values:
            return values, position, False
        stop = text.find(close, match.end())
        while stop >= 0 and not after.match(text, stop + len(close)):
            stop = text.find(close, stop + len(close))
        if stop < 0:
            return values, len(text), False
        values[match.group(1)] = text[match.end() : stop]
        position = stop + len(close)
    closing = end.match(text, position)
    return values, closing.end() if closing else position, closing is not None


def spelt_arguments(
    call: Call, patched: bool = False, scalar: Callable[[Any], str] = to_json
) -> Iterator[tuple[str, str]]:
    """The arguments one by one: text as it is, containers as JSON, other values as `scalar` spells them.

    With `patched` everything but text is JSON, and stays verbatim where the arguments were given as a JSON text.
    """
    arguments = call.as_mapping()
    verbatim = (json_members(call.arguments) if patched and isinstance(call.arguments, str) else None) or {}
    for key, value in arguments.items():
        if isinstance(value, str):
            yield key, value
        elif key in verbatim:
            yield key, verbatim[key][0]
        else:
            yield key, to_json(value) if patched or isinstance(value, (dict, list)) else scalar(value)


_FUNCTION = re.compile(r"\s*<function=([^>\n]*)>")
_PARAMETER = re.compile(r"\s*<parameter=([^>\n]*)>")
_AFTER_PARAMETER = re.compile(r"\s*(?:<parameter=[^>\n]*>|</function>\s*\Z)")
_FUNCTION_END = re.compile(r"\s*</function>\s*\Z")


def read_function_tags(text: str, header: str, schemas: Schemas) -> ReadCall:
    """``<function=N>⏎<parameter=K>⏎V⏎</parameter>⏎…</function>`` (Qwen3.5, Qwen3-Coder, Nemotron-3)."""
    match = _FUNCTION.match(text)
    if match is None:
        return ReadCall(None, None, _MALFORMED)
    values, _, whole = _read_tagged(text, match.end(), _PARAMETER, "</parameter>", _AFTER_PARAMETER, _FUNCTION_END)
    values = {key: value.removeprefix("\n").removesuffix("\n") for key, value in values.items()}
    return _typed(match.group(1).strip(), values, whole, schemas)


def write_function_tags(call: Call, out: Writer, *, scalar: Callable[[Any], str] = str, patched: bool = False) -> None:
    """The same, written; `scalar` spells values that are neither text nor containers. A call may lack arguments."""
    out.frame("<function=")
    out.body(call.name, Field.CALL_NAME)
    out.frame(">\n")
    for key, value in spelt_arguments(call, patched, scalar) if call.arguments is not None else ():
        out.frame("<parameter=")
        out.body(key, Field.CALL_ARGUMENTS)
        out.frame(">\n")
        out.body(value, Field.CALL_ARGUMENTS)
        out.frame("\n</parameter>\n")
    out.frame("</function>")


_PAIR = re.compile(r"\s*<arg_key>((?:(?!</arg_key>).)*)</arg_key>\s*<arg_value>", re.S)
_AFTER_PAIR = re.compile(r"\s*(?:<arg_key>|\Z)")
_PAIRS_END = re.compile(r"\s*\Z")


def read_arg_pairs(text: str, header: str, schemas: Schemas) -> ReadCall:
    """``N⏎<arg_key>K</arg_key>⏎<arg_value>V</arg_value>⏎…`` (GLM); strings stand verbatim, others as JSON."""
    head = text.find("<arg_key>")
    head = len(text) if head < 0 else head
    values, _, whole = _read_tagged(text, head, _PAIR, "</arg_value>", _AFTER_PAIR, _PAIRS_END)
    return _typed(text[:head].strip(), values, whole, schemas)


def write_arg_pairs(call: Call, out: Writer, *, gap: str = "\n", patched: bool = False) -> None:
    """The same, written; `gap` stands after each tag group."""
    out.body(call.name, Field.CALL_NAME)
    out.frame(gap)
    for key, value in spelt_arguments(call, patched):
        out.frame("<arg_key>")
        out.body(key, Field.CALL_ARGUMENTS)
        out.frame(f"</arg_key>{gap}<arg_value>")
        out.body(value, Field.CALL_ARGUMENTS)
        out.frame(f"</arg_value>{gap}")


_INVOKE = re.compile(r'\s*<invoke name="([^>\n]*)">')
_ARGUMENT = re.compile(r'\s*<parameter name="([^>\n]*)">')
_INVOKE_CLOSE = re.compile(r'</invoke>\s*(?=<invoke name="[^>\n]*">|\Z)')
_INVOKE_END = re.compile(rf"\s*{_INVOKE_CLOSE.pattern}")
_AFTER_ARGUMENT = re.compile(rf"{_ARGUMENT.pattern}|{_INVOKE_END.pattern}")


def read_invokes(text: str, header: str, schemas: Schemas) -> list[ReadCall]:
    """``<invoke name="N">⏎<parameter name="K">V</parameter>⏎…</invoke>``, any number in one text (MiniMax-M2).

    A broken call lasts until the next close that something legal follows, or, with an open value, takes the rest.
    """
    calls: list[ReadCall] = []
    done = 0
    while match := _INVOKE.match(text, done):
        values, end, whole = _read_tagged(text, match.end(), _ARGUMENT, "</parameter>", _AFTER_ARGUMENT, _INVOKE_END)
        call = _typed(match.group(1).strip(), values, whole, schemas)
        if not whole:
            close = _INVOKE_CLOSE.search(text, end)
            end = close.end() if close else len(text)
        calls.append(replace(call, raw=text[done:end]))
        done = end
    return calls or [ReadCall(None, None, _MALFORMED)]


def write_invoke(call: Call, out: Writer, *, patched: bool = False) -> None:
    """One of them, written; strings stand verbatim, others as JSON."""
    out.frame('<invoke name="')
    out.body(call.name, Field.CALL_NAME)
    out.frame('">\n')
    for key, value in spelt_arguments(call, patched):
        out.frame('<parameter name="')
        out.body(key, Field.CALL_ARGUMENTS)
        out.frame('">')
        out.body(value, Field.CALL_ARGUMENTS)
        out.frame("</parameter>\n")
    out.frame("</invoke>")


def _typed(name: str, values: Mapping[str, str], whole: bool, schemas: Schemas) -> ReadCall:
    if not name:
        return ReadCall(None, None, ToolCallParseStatus.MISSING_NAME)
    schema = schemas.get(name, {})
    properties = schema.get("properties")
    known = properties if isinstance(properties, dict) else {}
    arguments = {key: typed_value(value, known.get(key), schema) for key, value in values.items()}
    return ReadCall(name, arguments, _OK if whole else _MALFORMED)


def typed_value(text: str, schema: Any = None, root: Any = None) -> Any:
    """The value an untyped text stands for: by its schema if there is one, else JSON, else Python, else text.

    `root` is the schema that a ``$ref`` in it points into.
    """
    kinds = set(_kinds(schema, root))
    if kinds == {"string"}:
        return text
    literal = text.strip(" \t\r\n")
    value, valid = load_json(literal) if literal[:1] not in ("", '"') else (None, False)
    if not valid and literal in ("True", "False", "None"):
        value, valid = ast.literal_eval(literal), True
    if not valid or value is literal:
        return text
    if "string" in kinds and not (value is None and "null" in kinds) and not any(_fits(value, kind) for kind in kinds):
        return text
    return value


_DEEPEST_SCHEMA = 20
"""Unions and references followed; a schema that refers to itself goes no further."""


def _kinds(schema: Any, root: Any, depth: int = 0) -> Iterator[str]:
    """Every JSON type a schema allows: its own, those of its unions, references and listed values."""
    if not isinstance(schema, dict) or depth > _DEEPEST_SCHEMA:
        return
    kind = schema.get("type")
    named = [name for name in (kind if isinstance(kind, list) else [kind]) if isinstance(name, str)]
    yield from named
    if schema.get("nullable"):
        yield "null"
    if not named:
        listed = schema.get("enum")
        yield from map(_kind_of, listed if isinstance(listed, list) else ())
        if "const" in schema:
            yield _kind_of(schema["const"])
    for key in ("anyOf", "oneOf", "allOf"):
        options = schema.get(key)
        for option in options if isinstance(options, list) else ():
            yield from _kinds(option, root, depth + 1)
    if isinstance(schema.get("$ref"), str):
        yield from _kinds(_referred(schema["$ref"], root), root, depth + 1)


def _referred(reference: str, root: Any) -> Any:
    """What ``#/$defs/name`` points to in `root`, or None."""
    start, *steps = reference.split("/")
    found = root if start == "#" else None
    for step in steps:
        found = found.get(step.replace("~1", "/").replace("~0", "~")) if isinstance(found, dict) else None
    return found


_KINDS = {str: "string", bool: "boolean", int: "integer", float: "number", dict: "object", list: "array"}


def _kind_of(value: Any) -> str:
    return _KINDS.get(type(value), "null")


def _fits(value: Any, kind: str) -> bool:
    return _kind_of(value) == kind or (kind == "number" and _kind_of(value) == "integer")

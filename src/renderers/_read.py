"""Reading the caller's messages and tools: checked once, with the path of anything that cannot be taken.

Mappings, pydantic models and dataclasses in the OpenAI shape are read. Nothing is repaired silently.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ._errors import BadMessage
from ._messages import Call, Part, Turn

MAX_DEPTH = 200
"""Arguments and schemas nested deeper than this (or into themselves) are refused."""

_MEDIA = {"image": "image", "image_url": "image", "video": "video", "video_url": "video", "audio": "audio"}
_MEDIA |= {"input_audio": "audio", "audio_url": "audio"}
_TEXTS = ("text", "thinking", "output")
_REASONING_KEYS = ("reasoning_content", "reasoning", "thinking")
_KNOWN_KEYS = {"role", "content", "tool_calls", "tool_call_id", "name", *_REASONING_KEYS}


def read_messages(messages: Any, path: str = "messages") -> list[Turn]:
    """Check and read a list of messages. Raises `BadMessage` with the path of what is wrong."""
    return [_read_message(message, f"{path}[{i}]") for i, message in enumerate(_items(messages, path))]


def read_tools(tools: Any, path: str = "tools") -> list[dict[str, Any]]:
    """Check tool declarations and return them in the OpenAI envelope, every key kept in its order; None is no tools."""
    return [_read_tool(tool, f"{path}[{i}]") for i, tool in enumerate(() if tools is None else _items(tools, path))]


def tool_schemas(tools: Any) -> dict[str, Mapping[str, Any]]:
    """The parameter schema of each declared tool, by name; the schemas themselves are not checked."""
    schemas = {}
    for i, tool in enumerate(_items(tools, "tools")):
        fields = as_mapping(tool, f"tools[{i}]")
        inner = fields.get("function")
        function = inner if isinstance(inner, (dict, Mapping)) else fields
        name, parameters = function.get("name"), function.get("parameters")
        if not isinstance(name, str) or not name:
            raise BadMessage(f"tools[{i}].name", f"must be the tool's name, not {name!r}")
        schemas[name] = parameters if isinstance(parameters, (dict, Mapping)) else {}
    return schemas


def _read_message(message: Any, path: str) -> Turn:
    fields = as_mapping(message, path)
    role = fields.get("role")
    if not isinstance(role, str) or not role:
        raise BadMessage(f"{path}.role", f"must be a role such as 'user', not {role!r}")
    content, thinking = _read_content(fields.get("content"), f"{path}.content")
    calls = fields.get("tool_calls")
    return Turn(
        role=_text(role, f"{path}.role"),
        content=content,
        reasoning=_read_reasoning(fields, thinking, path),
        calls=tuple(
            _read_call(call, f"{path}.tool_calls[{i}]")
            for i, call in enumerate(_items(calls, f"{path}.tool_calls") if calls is not None else ())
        ),
        name=_optional_text(fields.get("name"), f"{path}.name"),
        call_id=_optional_text(fields.get("tool_call_id"), f"{path}.tool_call_id"),
        extra={key: value for key, value in fields.items() if key not in _KNOWN_KEYS and value},
        path=path,
    )


def _read_content(content: Any, path: str) -> tuple[str | tuple[Part, ...] | None, str | None]:
    """The content and the reasoning found in thinking parts."""
    if content is None:
        return None, None
    if isinstance(content, str):
        return _text(content, path), None
    if not isinstance(content, (Sequence, Iterator)):
        raise BadMessage(path, f"must be text or a list of parts, not {type(content).__name__}")
    parts, thinking = [], []
    for i, item in enumerate(_items(content, path)):
        at = f"{path}[{i}]"
        if isinstance(item, str):
            parts.append(Part("text", _text(item, at), None, at))
            continue
        fields = as_mapping(item, at)
        kind = fields.get("type") or next((key for key in (*_TEXTS, *_MEDIA) if key in fields), None)
        if kind == "thinking":
            thinking.append(_text(fields.get(kind), f"{at}.{kind}"))
        elif kind in _TEXTS:
            unread = tuple(key for key, value in fields.items() if value and key not in ("type", *_TEXTS))
            parts.append(Part("text", _text(fields.get(kind), f"{at}.{kind}"), fields, at, unread))
        elif isinstance(kind, str):
            parts.append(Part(_MEDIA.get(kind, kind), "", fields, at))
        else:
            raise BadMessage(f"{at}.type", f"must be a type such as 'text', not {kind!r}")
    return tuple(parts), "".join(thinking) if thinking else None


def _read_reasoning(fields: Mapping[str, Any], thinking: str | None, path: str) -> str | None:
    found = {} if thinking is None else {"content": thinking}
    for key in _REASONING_KEYS:
        if fields.get(key) is not None:
            found[key] = _text(fields[key], f"{path}.{key}")
    if len(set(filter(None, found.values()))) > 1:
        raise BadMessage(path, f"gives different reasoning in {' and '.join(found)}; keep one of them")
    return next(filter(None, found.values()), next(iter(found.values()), None))


def _read_call(call: Any, path: str) -> Call:
    fields = as_mapping(call, path)
    inner, at = fields, path
    if fields.get("function") is not None:
        inner, at = as_mapping(fields["function"], f"{path}.function"), f"{path}.function"
    name = inner.get("name")
    if not isinstance(name, str) or not name:
        raise BadMessage(f"{at}.name", f"must be the tool's name, not {name!r}")
    arguments = inner.get("arguments")
    if isinstance(arguments, str):
        arguments = _text(arguments, f"{at}.arguments")
    elif isinstance(arguments, Mapping):
        arguments = plain_json(arguments, f"{at}.arguments")
    elif arguments is not None:
        raise BadMessage(f"{at}.arguments", f"must be a mapping or a JSON text, not {type(arguments).__name__}")
    kind = _optional_text(fields.get("type"), f"{path}.type") or "function"
    return Call(_text(name, f"{at}.name"), arguments, _optional_text(fields.get("id"), f"{path}.id"), kind, at)


def _read_tool(tool: Any, path: str) -> dict[str, Any]:
    fields: dict[str, Any] = plain_json(as_mapping(tool, path), path)
    if isinstance(fields.get("function"), dict):
        function, at = fields["function"], f"{path}.function"
    else:
        function, at = fields, path
        fields = {"type": "function", "function": fields}
    if not isinstance(function.get("name"), str) or not function["name"]:
        raise BadMessage(f"{at}.name", f"must be the tool's name, not {function.get('name')!r}")
    for key, kinds in (("description", str), ("parameters", dict)):
        if not isinstance(function.get(key), (kinds, type(None))):
            raise BadMessage(f"{at}.{key}", f"must be a {kinds.__name__}, not {type(function[key]).__name__}")
    return fields


def plain_json(value: Any, path: str, depth: int = 0) -> Any:
    """A copy of `value` in plain JSON types. Raises `BadMessage` naming the first thing that is none."""
    if isinstance(value, str):
        return _text(value, path)
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if depth > MAX_DEPTH:
        raise BadMessage(path, f"is nested deeper than {MAX_DEPTH} levels, or contains itself")
    if isinstance(value, Mapping):
        copy = {}
        for key, item in value.items():
            if not isinstance(key, str):
                raise BadMessage(path, f"has the key {key!r}; JSON keys are text")
            copy[_text(key, path)] = plain_json(item, f"{path}.{key}", depth + 1)
        return copy
    if isinstance(value, (list, tuple)):
        return [plain_json(item, f"{path}[{i}]", depth + 1) for i, item in enumerate(value)]
    raise BadMessage(path, f"is a {type(value).__name__}, which JSON cannot hold")


def _items(value: Any, path: str) -> Sequence[Any]:
    if isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
        return value
    if isinstance(value, Iterator):
        return list(value)
    raise BadMessage(path, f"must be a list, not {type(value).__name__}")


def as_mapping(value: Any, path: str) -> Mapping[str, Any]:
    """A mapping, pydantic model or dataclass as a mapping. Raises `BadMessage` for anything else."""
    if isinstance(value, (dict, Mapping)):
        return value
    if callable(dump := getattr(value, "model_dump", None)):
        return as_mapping(dump(), path)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    raise BadMessage(path, f"must be a mapping, not {type(value).__name__}")


def _text(value: Any, path: str) -> str:
    if not isinstance(value, str):
        raise BadMessage(path, f"must be text, not {type(value).__name__}")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise BadMessage(path, f"has a lone surrogate at character {error.start}; it is no valid Unicode") from None
    return value


def _optional_text(value: Any, path: str) -> str | None:
    return None if value is None else _text(value, path)

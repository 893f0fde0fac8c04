"""A chat, read and checked once: whatever shape the caller's messages have, families see only these types.

Reading accepts mappings, pydantic models and dataclasses in the OpenAI shape, and names the path of anything
it cannot take. Nothing is repaired silently.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NoReturn, overload

from ._errors import BadMessage

NONE = -1
"""Message index of tokens that belong to no message."""

MAX_DEPTH = 200
"""Arguments and schemas nested deeper than this (or into themselves) are refused."""

Retention = Literal["template", "tool_cycle", "all"]
_MEDIA = {"image": "image", "image_url": "image", "video": "video", "video_url": "video", "audio": "audio"}
_MEDIA |= {"input_audio": "audio", "audio_url": "audio"}
_TEXTS = ("text", "thinking", "output")
_REASONING_KEYS = ("reasoning_content", "reasoning", "thinking")
_KNOWN_KEYS = {"role", "content", "tool_calls", "tool_call_id", "name", *_REASONING_KEYS}


def to_json(value: Any) -> str:
    """JSON as Python and nearly every chat template spell it: ``", "`` and ``": "``, no ASCII escapes."""
    return json.dumps(value, ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class Policy:
    """Every knob of retention and spelling, resolved before anything is written.

    Attributes:
        parity: do what the template does to the letter: drop what it drops, and let control strings
            inside the caller's text become control tokens.
        keep: whose reasoning is written: what the template keeps, also every turn of the running tool
            cycle, or every turn.
    """

    parity: bool = False
    keep: Retention = "template"


PLAIN_POLICY = Policy()
"""What the template keeps, and nothing unsafe."""


@dataclass(frozen=True, slots=True)
class Call:
    """One tool call as the caller gave it: `arguments` is a JSON text or a mapping of plain JSON values, or missing."""

    name: str
    arguments: str | dict[str, Any] | None
    id: str | None
    type: str
    path: str

    def as_json(self) -> str:
        """The arguments as JSON text; a text is passed on verbatim, valid or not. Raises `BadMessage` if missing."""
        if self.arguments is None:
            raise BadMessage(f"{self.path}.arguments", "is missing")
        return self.arguments if isinstance(self.arguments, str) else to_json(self.arguments)

    def as_mapping(self) -> dict[str, Any]:
        """The arguments as a mapping, for formats that spell each one.

        Raises:
            BadMessage: a text that is not a JSON object, or nothing.
        """
        path = f"{self.path}.arguments"
        if self.arguments is None:
            raise BadMessage(path, "is missing")
        if not isinstance(self.arguments, str):
            return self.arguments
        try:
            value = json.loads(self.arguments) if self.arguments.strip() else {}
        except (ValueError, RecursionError) as error:
            raise BadMessage(path, f"this format spells each argument, and the text is not JSON ({error})") from None
        if not isinstance(value, dict):
            raise BadMessage(path, f"must be a JSON object, not {type(value).__name__}")
        return value


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a content list: ``text``, or a picture, video or sound still as the caller gave it."""

    kind: str
    text: str
    payload: Mapping[str, Any] | None
    path: str

    @property
    def unread_keys(self) -> list[str]:
        """Keys of a text part that say something no format prints."""
        return [key for key, value in (self.payload or {}).items() if value and key not in ("type", *_TEXTS)]


@dataclass(frozen=True, slots=True)
class Turn:
    """One message. `content` keeps its shape (text, parts or nothing), because some templates tell them apart."""

    role: str
    content: str | tuple[Part, ...] | None
    reasoning: str | None
    calls: tuple[Call, ...]
    name: str | None
    call_id: str | None
    extra: Mapping[str, Any]
    path: str

    @property
    def text(self) -> str:
        """The text of the message, parts joined."""
        if isinstance(self.content, str):
            return self.content
        return "".join(part.text for part in self.parts)

    @property
    def parts(self) -> tuple[Part, ...]:
        """The parts of a content list."""
        return self.content if isinstance(self.content, tuple) else ()

    def required_text(self) -> str:
        """The text, where the template cannot do without. Raises `BadMessage` if there is no content."""
        if self.content is None:
            raise BadMessage(f"{self.path}.content", f"is missing; this format needs the text of a {self.role} message")
        return self.text


class Conversation(Sequence[Turn]):
    """Messages, tools and what is wanted of them. A family reads it; nobody changes it.

    Attributes:
        tools: tool declarations in the OpenAI envelope.
        prompting: the text must end with the generation prompt.
    """

    __slots__ = ("_cache", "_length", "_turns", "policy", "prompting", "tools")

    def __init__(
        self,
        turns: Sequence[Turn],
        tools: Sequence[dict[str, Any]] = (),
        prompting: bool = False,
        policy: Policy = PLAIN_POLICY,
        length: int | None = None,
    ) -> None:
        self._turns, self.tools, self.prompting, self.policy = turns, tools, prompting, policy
        self._length = len(turns) if length is None else length
        self._cache: dict[Callable[[Turn], bool], int] = {}

    def __len__(self) -> int:
        return self._length

    @overload
    def __getitem__(self, index: int) -> Turn: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Turn]: ...
    def __getitem__(self, index: int | slice) -> Turn | Sequence[Turn]:
        if isinstance(index, slice):
            return self._turns[: self._length][index]
        if not 0 <= index < self._length:
            raise IndexError(index)
        return self._turns[index]

    def until(self, i: int, prompting: bool = False) -> Conversation:
        """The first `i` messages, as they stood before message `i` came."""
        return Conversation(self._turns, self.tools, prompting, self.policy, i)

    def role(self, i: int) -> str | None:
        """The role of message `i`, or None outside the conversation."""
        return self._turns[i].role if 0 <= i < self._length else None

    def last(self, test: Callable[[Turn], bool], default: int = NONE) -> int:
        """Index of the last message that passes `test` (remembered, so `test` must be a named function)."""
        if test not in self._cache:
            found = (i for i in range(self._length - 1, -1, -1) if test(self._turns[i]))
            self._cache[test] = next(found, NONE)
        return self._cache[test] if self._cache[test] != NONE else default

    def first(self, test: Callable[[Turn], bool]) -> int:
        """Index of the first message that passes `test`, or `NONE`."""
        return next((i for i in range(self._length) if test(self._turns[i])), NONE)

    def keeps_reasoning(self, i: int, asked: int) -> bool:
        """The policy asks for the reasoning of message `i` beyond what the template keeps; `asked` is the last
        query.
        """
        return self.policy.keep == "all" or (self.policy.keep == "tool_cycle" and i > asked)

    def tool_name(self, i: int) -> str | None:
        """The tool that result `i` came from: as it says, else by its call id, else by its place among the results."""
        turn = self._turns[i]
        if turn.name is not None:
            return turn.name
        place = 0
        for earlier in reversed(self._turns[:i]):
            if earlier.role == "tool":
                place += 1
            elif earlier.role == "assistant":
                break
        else:
            return None
        if turn.call_id is not None:
            calls = (call for asked in reversed(self._turns[:i]) for call in asked.calls)
            if (name := next((call.name for call in calls if call.id == turn.call_id), None)) is not None:
                return name
            # An id nobody gave: the place says which call it was only if there is no choice.
            names = {call.name for call in earlier.calls}
            return names.pop() if len(names) == 1 else None
        return earlier.calls[place].name if place < len(earlier.calls) else None

    def refuse_role(self, i: int, why: str = "") -> NoReturn:
        """Raise for a message this format has no place for."""
        why = why or f"this format has no place for a {self._turns[i].role!r} message"
        raise BadMessage(f"{self._turns[i].path}.role", why)


# ---- reading --------------------------------------------------------------------------------


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
        fields = _mapping(tool, f"tools[{i}]")
        inner = fields.get("function")
        function = inner if isinstance(inner, Mapping) else fields
        name, parameters = function.get("name"), function.get("parameters")
        if not isinstance(name, str) or not name:
            raise BadMessage(f"tools[{i}].name", f"must be the tool's name, not {name!r}")
        schemas[name] = parameters if isinstance(parameters, Mapping) else {}
    return schemas


def _read_message(message: Any, path: str) -> Turn:
    fields = _mapping(message, path)
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
        fields = _mapping(item, at)
        kind = fields.get("type") or next((key for key in (*_TEXTS, *_MEDIA) if key in fields), None)
        if kind == "thinking":
            thinking.append(_text(fields.get(kind), f"{at}.{kind}"))
        elif kind in _TEXTS:
            parts.append(Part("text", _text(fields.get(kind), f"{at}.{kind}"), fields, at))
        elif kind in _MEDIA:
            parts.append(Part(_MEDIA[kind], "", fields, at))
        else:
            raise BadMessage(at, f"is a part of unknown type {kind!r}")
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
    fields = _mapping(call, path)
    inner, at = fields, path
    if fields.get("function") is not None:
        inner, at = _mapping(fields["function"], f"{path}.function"), f"{path}.function"
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
    fields: dict[str, Any] = plain_json(_mapping(tool, path), path)
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
        raise BadMessage(path, f"is a {type(value).__name__}, which can be read only once; pass a list")
    raise BadMessage(path, f"must be a list, not {type(value).__name__}")


def _mapping(value: Any, path: str) -> Mapping[str, Any]:
    if isinstance(value, Mapping):
        return value
    if callable(dump := getattr(value, "model_dump", None)):
        return _mapping(dump(), path)
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

"""A chat, read and checked once: whatever shape the caller's messages have, families see only these types.

Reading accepts mappings, pydantic models and dataclasses in the OpenAI shape, and names the path of anything
it cannot take. Nothing is repaired silently.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NoReturn, overload

from ._errors import BadMessage

NONE = -1
"""Message index of tokens that belong to no message."""

Retention = Literal["template", "tool_cycle", "all"]


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
        patched: write the format's own marks, but nothing that a later turn respells: a turn stays as it was when it
            was the last one, values are spelt as JSON, and arguments given as JSON text stay verbatim.
    """

    parity: bool = False
    keep: Retention = "template"
    patched: bool = False


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
    """One part of a content list: ``text``, or something else still as the caller gave it.

    Attributes:
        kind: ``text``, ``image``, ``video``, ``audio``, or the type the caller named.
        payload: the part as given, where it was a mapping.
        unread_keys: keys of a text part that say something no format prints.
    """

    kind: str
    text: str
    payload: Mapping[str, Any] | None
    path: str

    unread_keys: tuple[str, ...] = ()


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
            raise BadMessage(f"{self.path}.content", f"is missing; this format needs every {self.role} message's text")
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

    def tool_names(self) -> list[str | None]:
        """Per message, the tool a result came from."""
        return [self.tool_name(i) if turn.role == "tool" else None for i, turn in enumerate(self)]

    def keeps_reasoning(self, i: int, asked: int) -> bool:
        """The policy asks for the reasoning of message `i` beyond what the template keeps; `asked` is the last
        query.
        """
        return self.policy.keep == "all" or (self.policy.keep == "tool_cycle" and i > asked)

    def tool_name(self, i: int) -> str | None:
        """The tool that result `i` came from: as it says, else by its call id, else by its place among the results."""
        turn = self._turns[i]
        if turn.name:
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

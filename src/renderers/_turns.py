"""What families ask of a turn, and how templates read its parts."""

from __future__ import annotations

from typing import Any

from ._messages import Part, Turn


def is_user(turn: Turn) -> bool:
    """A user message."""
    return turn.role == "user"


def is_assistant(turn: Turn) -> bool:
    """An assistant message."""
    return turn.role == "assistant"


def visible_text(turn: Turn, parity: bool) -> str:
    """The text of a message; of a list, templates with a macro of this name read strings and items of type ``text``."""
    if not (parity and turn.parts):
        return turn.text
    return "".join(part.text for part in turn.parts if part.payload is None or part.payload.get("type") == "text")


def keyed_text(turn: Turn, parity: bool) -> str:
    """The text of a message; of a list, some templates read only what stands under the key ``text``."""
    if not (parity and turn.parts):
        return turn.text
    return "".join(part.text for part in turn.parts if part.payload is not None and "text" in part.payload)


def printed_text(turn: Turn, parity: bool) -> str:
    """The text of a message; templates that know no parts print a list of them as Python does."""
    if not (parity and isinstance(turn.content, tuple)):
        return turn.text
    return str([as_given(part) for part in turn.parts])


def as_given(part: Part) -> Any:
    """A part as the caller gave it, which a template that knows no parts prints as Python does."""
    return part.text if part.payload is None else dict(part.payload)

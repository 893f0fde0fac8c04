"""The table a family gives for reading its model's reply: states, marks, stops, and how a call is read.

A *mark* is a control token that leads to a state from the states the table names; met anywhere else it is text.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum

from ._calls import ReadCall, Schemas, ToolCallParseStatus


class State(Enum):
    """Where a reader stands in a reply.

    START is the beginning, while nothing but white space was met. BETWEEN is the room around calls: what stands
    there is content if it is more than white space. HEADER is text that says what comes.
    """

    START = "start"
    REASONING = "reasoning"
    CONTENT = "content"
    CALL = "call"
    BETWEEN = "between"
    HEADER = "header"


START, REASONING, CONTENT = State.START, State.REASONING, State.CONTENT
CALL, BETWEEN, HEADER = State.CALL, State.BETWEEN, State.HEADER
PROSE = frozenset({START, CONTENT, BETWEEN})


@dataclass(frozen=True)
class Mark:
    """A control token that changes the state.

    Attributes:
        to: the state it leads to, or a function of the header read so far.
        after: the states it means this in; anywhere else it is text.
    """

    to: State | Callable[[str], State]
    after: frozenset[State]


def mark(to: State | Callable[[str], State], *after: State) -> Mark:
    """A `Mark`, written shortly."""
    return Mark(to, frozenset(after))


ReadCallText = Callable[[str, str, Schemas], ReadCall | Sequence[ReadCall]]


def _no_calls(text: str, header: str, schemas: Schemas) -> ReadCall:
    return ReadCall(None, None, ToolCallParseStatus.MALFORMED_STRUCTURE)


@dataclass(frozen=True)
class Reply:
    """How a model writes its turn.

    Attributes:
        stops: tokens that end it, the canonical one first.
        marks: control token → what it means.
        read_call: (text of a call, header before it, tool schemas by name) → the call; a list of at least one, each
            with its `raw`, where one opening and close may hold several.
        call_ends: tokens that end a call.
        history_ends: tokens that close a turn in history where the model sampled another.
    """

    stops: tuple[str, ...]
    marks: Mapping[str, Mark] = field(default_factory=dict)
    read_call: ReadCallText = _no_calls
    call_ends: tuple[str, ...] = ()
    history_ends: tuple[str, ...] = ()

    @property
    def reasons(self) -> bool:
        """The format has a place for reasoning."""
        return any(mark.to is REASONING or callable(mark.to) for mark in self.marks.values())


@dataclass(frozen=True)
class Affixes:
    """What a format writes around the words of a turn, derived from what its family writes.

    Attributes:
        before_reasoning, after_reasoning: between the marks and the reasoning.
        content_after_reasoning: before content that follows reasoning.
        content_before_call: after content that a call follows.
    """

    before_reasoning: str = ""
    after_reasoning: str = ""
    content_after_reasoning: str = ""
    content_before_call: str = ""

"""What families write on: text in pieces that remember whose words they are.

This is the trust border. A control token is recognised in `frame` text and nowhere else, so whatever a
caller puts into a message stays ordinary text.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum
from typing import NamedTuple

from ._messages import NONE


class Field(IntEnum):
    """Which part of a message, or of the format, a token belongs to."""

    FRAME = 0
    CONTENT = 1
    REASONING = 2
    CALL_NAME = 3
    CALL_ARGUMENTS = 4
    CALL_ID = 5
    RESULT_NAME = 6
    TOOLS = 7
    OPTION = 8
    MEDIA = 9


class Piece(NamedTuple):
    """A stretch of text from one source.

    Attributes:
        text: the characters.
        message: index of the message it belongs to, or `NONE`.
        field: which part of it.
        trusted: control strings in it are control tokens.
    """

    text: str
    message: int
    field: Field
    trusted: bool


CUT = ""
"""The text of a piece over which no token reaches."""


class Writer:
    """Collects the pieces of a conversation. `message` is the index given to what is written next."""

    __slots__ = ("message", "pieces", "trust_bodies")

    def __init__(self, trust_bodies: bool = False) -> None:
        self.pieces: list[Piece] = []
        self.message = NONE
        self.trust_bodies = trust_bodies

    def frame(self, text: str) -> None:
        """Write the format's own words."""
        if text:
            self.pieces.append(Piece(text, self.message, Field.FRAME, True))

    def body(self, text: str, field: Field = Field.CONTENT) -> None:
        """Write somebody's words; they stay ordinary text whatever they say."""
        if text:
            self.pieces.append(Piece(text, self.message, field, self.trust_bodies))

    @contextmanager
    def outside(self) -> Iterator[None]:
        """What is written inside belongs to no message (tool declarations in a system turn)."""
        message, self.message = self.message, NONE
        yield
        self.message = message

    def text(self) -> str:
        """Everything written so far, as one string."""
        return "".join(piece.text for piece in self.pieces)

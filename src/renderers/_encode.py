"""Pieces of text → token ids, each token traced to the piece its first character lies in.

Control tokens are looked for in trusted text only. All text between two of them, scaffold and words alike, is one
*run* and is encoded in one go, so that merges are the template's own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain

import numpy as np
import numpy.typing as npt

from ._tokenizers import Ids, Tokenizer
from ._writer import CUT, Piece

_SHORT = 48
_REMEMBERED = 4096


def utf8_length(text: str) -> int:
    """Length of a text in UTF-8 bytes."""
    return len(text) if text.isascii() else len(text.encode())


@dataclass(frozen=True, eq=False)
class Encoded:
    """Token ids of a list of pieces; positions are in UTF-8 bytes of the whole text.

    Attributes:
        starts: per token, where it begins.
        piece_starts: per piece, where it begins.
    """

    pieces: Sequence[Piece]
    ids: Ids
    starts: npt.NDArray[np.int64]
    piece_starts: npt.NDArray[np.int64]

    @cached_property
    def piece_of(self) -> npt.NDArray[np.int64]:
        """Per token, the piece its first character lies in."""
        return np.searchsorted(self.piece_starts, self.starts, side="right") - 1

    def messages(self) -> npt.NDArray[np.int32]:
        """Per token, its message."""
        return np.array([piece.message for piece in self.pieces], dtype=np.int32)[self.piece_of]

    def fields(self) -> npt.NDArray[np.uint8]:
        """Per token, its `Field`."""
        return np.array([piece.field for piece in self.pieces], dtype=np.uint8)[self.piece_of]


class Encoder:
    """Encodes pieces with one tokenizer. Thread-safe."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.tokenizer = tokenizer
        longest_first = sorted(tokenizer.controls, key=len, reverse=True)
        self.controls = re.compile("|".join(map(re.escape, longest_first)) or r"(?!)")
        self._remembered: dict[str, list[int]] = {}

    def ids(self, pieces: Sequence[Piece]) -> list[int]:
        """The token ids alone."""
        return list(chain.from_iterable(self._encode(self._parts(pieces))))

    def encode(self, pieces: Sequence[Piece]) -> Encoded:
        """The token ids and where each begins."""
        parts = self._parts(pieces)
        encoded = self._encode(parts)
        ids = np.fromiter(chain.from_iterable(encoded), dtype=np.int32)
        widths = np.array([utf8_length(piece.text) for piece in pieces], dtype=np.int64)
        return Encoded(pieces, ids, self._starts(parts, encoded, ids), np.cumsum(widths) - widths)

    def _parts(self, pieces: Sequence[Piece]) -> list[str | int]:
        """The text as runs, with the ids of the control tokens between them."""
        parts: list[str | int] = []
        for stretch in _between_cuts(pieces):
            text = "".join(piece.text for piece in stretch)
            done = 0
            for begin, end in _trusted_stretches(stretch):
                for match in self.controls.finditer(text, begin, end):
                    if match.start() > done:
                        parts.append(text[done : match.start()])
                    parts.append(self.tokenizer.controls[match.group()])
                    done = match.end()
            if done < len(text):
                parts.append(text[done:])
        return parts

    def _encode(self, parts: Sequence[str | int]) -> list[Sequence[int]]:
        """The ids of each part; short runs, mostly scaffold, are remembered."""
        remembered = self._remembered
        new = list(dict.fromkeys(part for part in parts if isinstance(part, str) and part not in remembered))
        fresh = dict(zip(new, self.tokenizer.encode_batch(new), strict=True)) if new else {}
        if len(remembered) < _REMEMBERED:
            remembered.update((run, ids) for run, ids in fresh.items() if len(run) <= _SHORT)
        return [
            (part,) if isinstance(part, int) else fresh[part] if part in fresh else remembered[part] for part in parts
        ]

    def _starts(self, parts: Sequence[str | int], encoded: Sequence[Sequence[int]], ids: Ids) -> npt.NDArray[np.int64]:
        """Where each token begins: the sum of the bytes before it, part by part."""
        lengths = self.tokenizer.byte_lengths(ids)
        counts = np.array([len(tokens) for tokens in encoded], dtype=np.int64)
        ends = np.cumsum(counts)
        before = np.cumsum(lengths) - lengths
        total = np.append(before, lengths.sum())
        measured = total[ends] - total[ends - counts]
        widths = measured.copy()
        for k, part in enumerate(parts):
            if isinstance(part, str):
                widths[k] = utf8_length(part)
        bases = np.cumsum(widths) - widths
        starts: npt.NDArray[np.int64] = before + np.repeat(bases - total[ends - counts], counts)
        # Where a normaliser changed the text, its own offsets are asked for.
        doubtful = widths != measured if self.tokenizer.byte_level else [isinstance(part, str) for part in parts]
        for k in np.flatnonzero(doubtful).tolist():
            run = str(parts[k])
            starts[ends[k] - counts[k] : ends[k]] = bases[k] + _byte_offsets(run)[self.tokenizer.starts(run)]
        return starts


def _between_cuts(pieces: Sequence[Piece]) -> Iterator[Sequence[Piece]]:
    """The pieces between those that no token reaches over."""
    begin = 0
    for k, piece in enumerate(pieces):
        if piece.text == CUT:
            yield pieces[begin:k]
            begin = k + 1
    yield pieces[begin:]


def _trusted_stretches(pieces: Sequence[Piece]) -> list[tuple[int, int]]:
    """Character spans of neighbouring pieces whose control strings count."""
    spans: list[tuple[int, int]] = []
    position = 0
    for piece in pieces:
        end = position + len(piece.text)
        if piece.trusted:
            if spans and spans[-1][1] == position:
                spans[-1] = (spans[-1][0], end)
            else:
                spans.append((position, end))
        position = end
    return spans


def _byte_offsets(text: str) -> npt.NDArray[np.int64]:
    """Byte position of each character of a text."""
    points = np.frombuffer(text.encode("utf-32-le"), dtype=np.uint32)
    widths = 1 + (points > 0x7F).astype(np.int64) + (points > 0x7FF) + (points > 0xFFFF)
    return np.cumsum(widths) - widths

"""Small functions that callers of the older package use on text, messages and ids."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .._encode import Encoder
from .._errors import BadOption
from .._messages import Conversation
from .._read import read_messages
from .._tokenizers import load
from .._writer import Field, Piece


class AttributedTextSegments(list[tuple[int, bool]]):
    """Pairs (token id, is content).

    Attributes:
        has_content_attribution: the second of each pair is known.
    """

    has_content_attribution = True


def attribute_text_segments(
    tokenizer: Any, segments: Sequence[tuple[str, bool]], *, overlap_is_content: bool = False
) -> AttributedTextSegments:
    """Encode segments (text, is content) as one text, and say of each token whether it is content.

    A token belongs to the segment of its first character; with `overlap_is_content` any character of content makes
    it content. Control strings count in segments that are no content, and nowhere else.
    """
    try:
        encoder = Encoder(load(tokenizer).tokenizer)
    except BadOption:  # some other tokenizer: its ids, without attribution
        ids = tokenizer.encode("".join(text for text, _ in segments), add_special_tokens=False)
        unknown = AttributedTextSegments((id_, False) for id_ in ids)
        unknown.has_content_attribution = False
        return unknown
    pieces = [Piece(text, 0, Field.CONTENT if body else Field.FRAME, not body) for text, body in segments if text]
    encoded = encoder.encode(pieces)
    content = encoded.fields() == Field.CONTENT
    if overlap_is_content and len(content):
        bodies = np.array([piece.field is Field.CONTENT for piece in pieces])
        last = np.searchsorted(encoded.piece_starts, [*encoded.starts[1:], np.iinfo(np.int64).max], side="left") - 1
        before = np.concatenate([[0], np.cumsum(bodies)])
        content = before[last + 1] > before[encoded.piece_of]
    return AttributedTextSegments(zip(encoded.ids.tolist(), content.tolist(), strict=True))


def extract_message_tool_names(messages: Sequence[Mapping[str, Any]]) -> list[str | None]:
    """Per message the tool a result came from, as it says or by its call id; None for other messages."""
    return Conversation(read_messages(messages)).tool_names()

"""Why a rendered prompt does not begin with what was sampled: read off the first differing token, never assumed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import Enum
from itertools import accumulate


class Cause(str, Enum):
    """What a prefix break comes from."""

    MERGE = "merge"
    LITERAL = "boolean"
    REASONING = "reasoning stripped"
    CALL = "call spelling"
    CUT = "length cut"
    SPACE = "white space"
    OTHER = "other"


MEANING = {
    Cause.MERGE: "the same text in other tokens: encoding picks the canonical ones",
    Cause.LITERAL: "the template writes Python's True where the model wrote true",
    Cause.REASONING: "the template drops past reasoning once the user speaks again",
    Cause.CALL: "the same call with other line breaks, blanks or tags",
    Cause.CUT: "a turn cut at its limit: the template trims its end and closes it",
    Cause.SPACE: "blanks or line breaks around reasoning or words are trimmed",
    Cause.OTHER: "none of these",
}

_LITERALS = ({"true"}, {"false"}, {"none"}, {"null", "none"})
_LAYOUT = re.compile(r"\s+|</?(?:function|parameter)[^>]*>")


def first_difference(sampled: Sequence[object], rendered: Sequence[object]) -> int | None:
    """The index of the first item of `sampled` that `rendered` does not repeat; None if it repeats them all."""
    for k, (ours, theirs) in enumerate(zip(sampled, rendered, strict=False)):
        if ours != theirs:
            return k
    return None if len(rendered) >= len(sampled) else len(rendered)


def cause_of(sampled: Sequence[bytes], rendered: Sequence[bytes], at: int, *, cut: bool = False) -> Cause:
    """What broke the prefix at token `at`, both sides given as the bytes of each token.

    Args:
        cut: the turn in which the difference lies has no stop token.
    """
    ours, theirs = sampled[at:], rendered[at:]
    if _same_text(ours, theirs):
        return Cause.MERGE
    a, b = (b"".join(side).decode("utf-8", "replace") for side in (sampled, rendered))
    k = first_difference(a, b)
    k = len(a) if k is None else k
    words = _word(a, k), _word(b, k)
    if words[0] != words[1] and {word.lower() for word in words} in _LITERALS:
        return Cause.LITERAL
    if b"".join(ours).startswith(b"<think>") and not b"".join(theirs).startswith(b"<think>"):
        return Cause.REASONING
    if a.rfind("<tool_call>", 0, k) > a.rfind("</tool_call>", 0, k):
        # The first difference may fall inside a tag: begin at its line.
        line = a.rfind("\n", 0, k) + 1
        calls = (_LAYOUT.sub("", side[line:].partition("</tool_call>")[0]).lower() for side in (a, b))
        if len(set(calls)) == 1:
            return Cause.CALL
    if cut:
        return Cause.CUT
    if a[k:].split()[:3] == b[k:].split()[:3]:
        return Cause.SPACE
    return Cause.OTHER


def _same_text(ours: Sequence[bytes], theirs: Sequence[bytes]) -> bool:
    """The two sides reach a common token border with the same bytes before it."""
    borders = set(accumulate(map(len, theirs)))
    text, other = b"", b"".join(theirs)
    for token in ours:
        text += token
        if not other.startswith(text):
            return False
        if len(text) in borders:
            return True
    return False


def _word(text: str, k: int) -> str:
    """The word around character `k`."""
    begin = end = k
    while begin and text[begin - 1].isalpha():
        begin -= 1
    while end < len(text) and text[end].isalpha():
        end += 1
    return text[begin:end]

"""Reasoning between ``<think>`` and ``</think>``: how it is read, written, and found where callers give it inline."""

from __future__ import annotations

from ._errors import BadMessage
from ._messages import Turn
from ._reply import CONTENT, REASONING, START, mark
from ._writer import Field, Writer

THINK_MARKS = {"<think>": mark(REASONING, START), "</think>": mark(CONTENT, REASONING)}
"""The marks of a reply that begins with its reasoning."""


def write_thinking(reasoning: str, out: Writer, *, inner: str = "\n", after: str = "\n\n") -> None:
    """A reasoning block, be it empty; `inner` stands on both sides of the reasoning, `after` behind the block."""
    out.frame(f"<think>{inner}")
    out.body(reasoning, Field.REASONING)
    out.frame(f"{inner}</think>{after}")


def inline_thinking(turn: Turn, text: str, parity: bool, edges: str = "\n") -> tuple[str, str]:
    """Reasoning and answer of an assistant turn, as most templates tell them apart.

    Reasoning given apart wins; else what stands before the first ``</think>`` and after the last ``<think>`` in it is
    reasoning, and the answer follows the last ``</think>``; both without `edges` at those marks.

    Raises:
        BadMessage: words in other places, which the templates drop silently (with `parity`, so do we).
    """
    if turn.reasoning is not None or "</think>" not in text:
        return turn.reasoning or "", text
    before, *between, answer = text.split("</think>")
    unread, opened, reasoning = before.rstrip(edges).rpartition("<think>")
    if not parity and ("".join(between).strip() or (opened and unread.strip())):
        raise BadMessage(
            f"{turn.path}.content",
            "has words around its <think> block that the template drops; give the reasoning in reasoning_content",
        )
    return reasoning.lstrip(edges), answer.lstrip(edges)

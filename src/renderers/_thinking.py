"""Reasoning that callers give inline, as ``<think>…</think>`` in the content."""

from __future__ import annotations

from ._messages import Turn


def inline_thinking(turn: Turn, text: str) -> tuple[str, str]:
    """Reasoning and answer of an assistant turn, as Qwen3, Qwen3.5 and GLM-4.5 tell them apart.

    Reasoning given apart wins; else what stands before the first ``</think>`` and after the last ``<think>`` in it is
    reasoning, without the newlines at that edge, and the answer follows the last ``</think>``.
    """
    if turn.reasoning is not None or "</think>" not in text:
        return turn.reasoning or "", text
    reasoning = text.split("</think>")[0].rstrip("\n").split("<think>")[-1].lstrip("\n")
    return reasoning, text.split("</think>")[-1].lstrip("\n")

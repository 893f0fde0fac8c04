"""Qwen3-VL, text side: the formats of Qwen3 Instruct-2507 and Thinking-2507, with content in parts.

Sources: the chat templates of Qwen/Qwen3-VL-8B-Instruct and Qwen/Qwen3-VL-8B-Thinking.

Where Qwen3 prints a list of parts as nothing, these print their texts, in every role; pictures and videos are refused
here.

Both templates drop messages of unknown roles such as ``developer`` silently (refused here), the Instruct one also
reasoning (refused here) and a system message that is not the first (written here, as the Thinking one does).
"""

from __future__ import annotations

from dataclasses import dataclass

from ..family import Conversation, Turn, Writer, keyed_text
from .qwen3 import Qwen3Instruct, Qwen3Thinking, wraps_results

SIZES = ("2B", "4B", "8B", "32B", "30B-A3B", "235B-A22B")


def is_query(turn: Turn) -> bool:
    """A user message that asks something, not one that wraps tool results."""
    return turn.role == "user" and not wraps_results(turn.text)


@dataclass(frozen=True)
class Qwen3VL(Qwen3Instruct):
    """Qwen3-VL Instruct: no reasoning."""

    name = "qwen3-vl"
    models = {f"Qwen/Qwen3-VL-{size}-Instruct": {} for size in SIZES}
    templates = {"3636d0f0bd6bef02654cdffdc447b79cb2cef8ab02cc75267345946291a489e4": {}}

    def turn(self, conv: Conversation, i: int, out: Writer) -> None:
        if not (conv.policy.parity and i > 0 and conv.role(i) == "system"):
            super().turn(conv, i, out)

    def _text(self, conv: Conversation, i: int) -> str:
        return keyed_text(conv[i], conv.policy.parity)

    def _assistant(self, conv: Conversation, i: int, text: str, out: Writer) -> None:
        out.frame("<|im_start|>assistant\n")
        out.body(text)
        # A list of empty parts counts as content here.
        self._calls(conv[i], bool(conv[i].content), out)
        out.frame("<|im_end|>\n")


@dataclass(frozen=True)
class Qwen3VLThinking(Qwen3Thinking):
    """Qwen3-VL Thinking: the generation prompt opens the reasoning."""

    name = "qwen3-vl-thinking"
    models = {f"Qwen/Qwen3-VL-{size}-Thinking": {} for size in SIZES}
    templates = {"36e042fe45641f067b1f2381fcc8955d10d956a3ed333ecdf7f7eb0916f68956": {}}

    def _text(self, conv: Conversation, i: int) -> str:
        return keyed_text(conv[i], conv.policy.parity)

    def _asked(self, conv: Conversation) -> int:
        return conv.last(is_query, default=len(conv) - 1)

"""Qwen3.6: as Qwen3.5, with values in calls spelt as JSON and a switch that keeps reasoning in history.

Source: the chat template of Qwen/Qwen3.6-35B-A3B. What it raises for and drops is as in Qwen3.5.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..family import Call, Conversation, Writer, to_json, write_function_tags
from .qwen35 import Qwen35


@dataclass(frozen=True)
class Qwen36(Qwen35):
    """Qwen3.6, text side.

    Attributes:
        preserve_thinking: every turn of history has its reasoning block, even if it is empty.
    """

    preserve_thinking: bool = False

    name = "qwen3.6"
    models = {"Qwen/Qwen3.6-35B-A3B": {}}
    templates = {"e84f32a23fdda27689f868aa4a1a5621f41133e51a48d7f3efcbea2839574259": {}}

    def _always_thinks(self, conv: Conversation) -> bool:
        return self.preserve_thinking or super()._always_thinks(conv)

    def _call(self, call: Call, conv: Conversation, out: Writer) -> None:
        write_function_tags(call, out, scalar=to_json, patched=conv.policy.patched)

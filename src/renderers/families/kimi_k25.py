"""Kimi-K2.5 and K2.6: as K2, with reasoning that the prompt opens and tools declared as TypeScript.

Sources: the chat templates of moonshotai/Kimi-K2.5 and moonshotai/Kimi-K2.6, and their tokenizer class, which sorts the
keys of the tools and hands them to the template as text (`kimi_namespace`).

No default system turn. Reasoning is written in turns after the last assistant message without calls, so a final answer
never keeps its own; all others have an empty block. A ``<think>`` block inside the content is left as it is.

Where the tokenizer class cannot print a schema it falls back on JSON for all tools (here such a schema prints as `any`,
with parity the JSON is written). Calls without an id and pictures are as in Kimi-K2.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..family import (
    BETWEEN,
    CALL,
    PROSE,
    REASONING,
    THINK_MARKS,
    Conversation,
    Family,
    Reply,
    Turn,
    Writer,
    is_user,
    kimi_namespace,
    mark,
    read_id_json,
    sorted_keys,
    write_thinking,
)
from .kimi_k2 import CALL_ENDS, CALL_MARKS, tools_json, write_calls, write_declaration, write_role, write_text

REASONED_CALL_MARKS = {
    **CALL_MARKS,
    "<|tool_calls_section_begin|>": mark(BETWEEN, *PROSE, REASONING),
    "<|tool_call_begin|>": mark(CALL, *PROSE, REASONING),
}


def is_answer(turn: Turn) -> bool:
    """An assistant message without calls."""
    return turn.role == "assistant" and not turn.calls


@dataclass(frozen=True)
class KimiK25(Family):
    """Kimi-K2.5, text side.

    Attributes:
        thinking: whether the generation prompt opens the reasoning or closes it empty.
    """

    thinking: bool = True

    name = "kimi-k2.5"
    models = {"moonshotai/Kimi-K2.5": {}}
    templates = {"7c91e4b3578b518bfb388d2e3dc645daf0fbf843656e887db75d12891e0030ff": {}}
    reply = Reply(
        stops=("<|im_end|>",), marks=REASONED_CALL_MARKS | THINK_MARKS, read_call=read_id_json, call_ends=CALL_ENDS
    )

    def opening(self, conv: Conversation, out: Writer) -> None:
        if conv.tools:
            declared = kimi_namespace(sorted_keys(conv.tools), strict=conv.policy.parity)
            write_declaration(declared or tools_json(conv.tools), out)

    def turn(self, conv: Conversation, i: int, out: Writer) -> None:
        write_role(conv[i], out)
        if conv.role(i) == "assistant":
            kept = self._shows(conv, i) or conv.keeps_reasoning(i, conv.last(is_user))
            write_thinking((conv[i].reasoning or "") if kept else "", out, inner="", after="")
        write_text(conv, i, out)
        if conv.role(i) == "assistant":
            write_calls(conv, i, out)
        out.frame("<|im_end|>")

    def ending(self, conv: Conversation, out: Writer) -> None:
        if conv.prompting:
            out.frame("<|im_assistant|>assistant<|im_middle|><think>")
            out.frame("" if self.thinking else "</think>")

    def _shows(self, conv: Conversation, i: int) -> bool:
        """The template writes the reasoning of message `i`."""
        return self.thinking and i > conv.last(is_answer)


@dataclass(frozen=True)
class KimiK26(KimiK25):
    """Kimi-K2.6, text side.

    Attributes:
        preserve_thinking: write the reasoning of every turn, also while `thinking` is False.
    """

    preserve_thinking: bool = False

    name = "kimi-k2.6"
    models = {"moonshotai/Kimi-K2.6": {}}
    templates = {"8bf859698fd4781c0e1e1c63ce74422aab27e53ccc5f47116317c64cda06132f": {}}

    def _shows(self, conv: Conversation, i: int) -> bool:
        return self.preserve_thinking or super()._shows(conv, i)

"""DeepSeek-R1: V3's turns and calls, with a generation prompt that opens the reasoning.

Source: the chat template of deepseek-ai/DeepSeek-R1. R1-0528 has another one and is no member of this family.

The template never writes reasoning, not even of the last turn: of an answer it prints what follows the last
``</think>``. Behind results and beside calls it prints the content as it is, a think block included. Where a policy
keeps reasoning it is written as the model wrote it behind the prompt. The template's flags are never reset, and we
write what it writes: a second round of calls has no opener, and neither have its results. A bridge writes results the
way the first round has them. With `use_patched` every round has whole blocks, and an answer without reasoning has an
empty think block, since the prompt had opened it.

The template cannot declare tools. It drops silently messages of unknown roles such as ``developer``, words around an
inline ``<think>`` block (both refused here), and content beside calls of a later round (here a whole block of calls
follows it). It prints an empty list of calls in place of the content (here it is no call, with parity too).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..family import (
    THINK_MARKS,
    Conversation,
    Field,
    Reply,
    Turn,
    Writer,
    inline_thinking,
    is_user,
    read_fenced_json,
    write_thinking,
)
from .deepseek_v3 import CALL_ENDS, CALL_MARKS, END, DeepSeekV3, role_before, write_block


def has_calls(turn: Turn) -> bool:
    """An assistant message with calls."""
    return turn.role == "assistant" and bool(turn.calls)


def split_inline(turn: Turn, at: int, parity: bool) -> tuple[str, str]:
    """The content through its ``</think>``, the first (`at` 0) or last (-1), and the rest. To the template it is always
    markup; here it is text where reasoning is given apart."""
    text = turn.text if turn.calls else turn.required_text()
    ends = [match.end() for match in re.finditer("</think>", text)] if parity or turn.reasoning is None else []
    end = ends[at] if ends else 0
    return text[:end], text[end:]


def write_inline(block: str, out: Writer) -> None:
    """An inline think block as it was given, its marks as marks, and the newline that R1's prompt has behind one."""
    for piece in re.split("(</think>|<think>\n?)", block):
        if piece.startswith(("<think>", "</think>")):
            out.frame(piece)
        else:
            out.body(piece, Field.REASONING)


@dataclass(frozen=True)
class DeepSeekR1(DeepSeekV3):
    """DeepSeek-R1, January 2025."""

    name = "deepseek-r1"
    models = {"deepseek-ai/DeepSeek-R1": {}}
    templates = {"563b1ce7d61d50a9b4c7439a912a1116f095b712df5b5e4d3e1116049874eb64": {}}
    reply = Reply(
        stops=(END,),
        marks=CALL_MARKS | THINK_MARKS,
        read_call=read_fenced_json,
        call_ends=CALL_ENDS,
    )
    between_results = ""

    def ending(self, conv: Conversation, out: Writer) -> None:
        super().ending(conv, out)
        if conv.prompting and role_before(conv, len(conv)) != "tool":
            out.frame("<think>\n")

    def _assistant(self, conv: Conversation, i: int, out: Writer) -> None:
        turn, policy = conv[i], conv.policy
        block, answer = split_inline(turn, -1, policy.parity)
        resulted = role_before(conv, i) == "tool"
        cut = not turn.calls and not resulted  # here alone the template leaves a block out
        kept = policy.patched or conv.keeps_reasoning(i, conv.last(is_user))
        reasoning = turn.reasoning or ""
        if cut or policy.patched:
            reasoning, _ = inline_thinking(turn, block, policy.parity)
        first = conv.first(has_calls) == i and not policy.patched
        if (
            turn.calls
            and not first
            and not policy.patched
            and (policy.parity or not (turn.text or (kept and reasoning)))
        ):
            write_block(turn.calls, out, opener="\n")
            out.frame(END)
            return
        out.frame("<｜tool▁outputs▁end｜>" if resulted and not first else "<｜Assistant｜>")
        if kept and (reasoning or (policy.patched and not resulted)):
            write_thinking(reasoning, out)
            answer = answer.lstrip("\n") if block else answer
        elif not cut:
            write_inline(block, out)
        out.body(answer)
        write_block(turn.calls, out)
        out.frame(END)

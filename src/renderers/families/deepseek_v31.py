"""DeepSeek-V3.1: a think block opened or closed by the prompt, calls as name and JSON, results without an opener.

Source: the chat template of deepseek-ai/DeepSeek-V3.1.

A turn that answers a user opens with ``<｜Assistant｜></think>``, whatever the prompt was; any other has no opener, and
behind results there is no generation prompt. The template never writes reasoning, not even of the last turn: of an
answer to a user it prints what follows the first ``</think>``. Behind results and beside calls it prints the content as
it is, a think block included. Where a policy keeps reasoning it is written as ``<think>r</think>``. With `use_patched`
and `thinking` an answer without reasoning has an empty block, since the prompt had opened it. All system texts stand at
the start.

The template cannot declare tools. It drops silently messages of unknown roles such as ``developer`` and words before an
inline ``<think>`` block (both refused here). It prints an empty list of calls in place of the content (here it is no
call, with parity too).
"""

from __future__ import annotations

from dataclasses import dataclass

from ..family import (
    CONTENT,
    REASONING,
    START,
    THINK_MARKS,
    Conversation,
    Family,
    Reply,
    Writer,
    inline_thinking,
    is_user,
    mark,
    read_named_json,
    write_named_json,
    write_thinking,
)
from .deepseek_r1 import split_inline, write_inline
from .deepseek_v3 import CALL_ENDS, CALL_MARKS, END, role_before, write_block, write_systems


@dataclass(frozen=True)
class DeepSeekV31(Family):
    """DeepSeek-V3.1, August 2025.

    Attributes:
        thinking: whether the generation prompt opens the reasoning or closes it. With it, an answer with the message
            key ``prefix`` opens with ``<think>`` too.
    """

    thinking: bool = False

    name = "deepseek-v3.1"
    models = {"deepseek-ai/DeepSeek-V3.1": {}, "deepseek-ai/DeepSeek-V3.1-Base": {}}
    templates = {"45690185067ea25c073bff2d3e425a45ee2564d2bbf6cdf7d885e139d460b8e0": {}}
    reply = Reply(
        stops=(END,),
        marks={**CALL_MARKS, **THINK_MARKS, "</think>": mark(CONTENT, START, REASONING)},
        read_call=read_named_json,
        call_ends=CALL_ENDS,
    )
    message_keys = frozenset({"prefix"})

    def opening(self, conv: Conversation, out: Writer) -> None:
        write_systems(conv, out)

    def turn(self, conv: Conversation, i: int, out: Writer) -> None:
        turn = conv[i]
        if turn.role == "user":
            out.frame("<｜User｜>")
            out.body(turn.required_text())
        elif turn.role == "assistant":
            self._assistant(conv, i, out)
        elif turn.role == "tool":
            out.frame("<｜tool▁output▁begin｜>")
            out.body(turn.required_text())
            out.frame("<｜tool▁output▁end｜>")
        elif turn.role != "system" and not conv.policy.parity:
            conv.refuse_role(i)

    def ending(self, conv: Conversation, out: Writer) -> None:
        if conv.prompting and role_before(conv, len(conv)) == "user":
            out.frame("<｜Assistant｜><think>" if self.thinking else "<｜Assistant｜></think>")

    def _assistant(self, conv: Conversation, i: int, out: Writer) -> None:
        turn, policy = conv[i], conv.policy
        block, answer = split_inline(turn, 0, policy.parity)
        asked = role_before(conv, i) == "user"
        cut = not turn.calls and role_before(conv, i) != "tool"  # here alone the template leaves a block out
        kept = conv.keeps_reasoning(i, conv.last(is_user))
        reasoning = turn.reasoning or ""
        if cut or policy.patched:
            reasoning, _ = inline_thinking(turn, block, policy.parity, edges="")
        opened = self.thinking and asked
        out.frame("<｜Assistant｜>" if asked else "")
        if kept and (reasoning or (policy.patched and opened)):
            write_thinking(reasoning, out, inner="", after="")
        elif opened and turn.extra.get("prefix") and not turn.calls:
            out.frame("<think>")
        else:
            out.frame("</think>" if asked else "")
            write_inline("" if cut else block, out)
        out.body(answer)
        write_block(turn.calls, out, write_named_json, between="")
        out.frame(END)

"""Nemotron-3 Nano and Super: ChatML with tools declared as XML, calls as ``<function=…>`` tags.

Sources: the chat templates of nvidia/NVIDIA-Nemotron-3-Nano-30B-A3B-BF16 and
nvidia/NVIDIA-Nemotron-3-Super-120B-A12B-BF16, which differ in one knob: `low_effort`, which only Super's has.

There is a system turn even if nobody wrote one, and every role makes a turn, unknown ones too. A turn without reasoning
has an empty block; before the last question every block is emptied, and content in front of calls is then trimmed on
both sides, else only at its end. ``<think>…</think>`` in the content of an assistant without reasoning stands for its
block, printed as it is; without its opening it stays in history, unless calls follow; a lone ``<think>`` is text. With
`use_patched` every turn keeps its block, in the form that continues the prompt, and every question carries the effort
hint.

The template drops words around an inline ``<think>`` block in history silently (refused here), prints lists of parts as
Python spells them and drops them in front of calls (their text is written here).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

from ..family import (
    THINK_MARKS,
    BadOption,
    Conversation,
    Family,
    Field,
    Reply,
    Turn,
    Writer,
    inline_thinking,
    is_user,
    own,
    printed_text,
    read_function_tags,
    write_function_tags,
    xml_definitions,
)
from .qwen3 import CALL_ENDS, CALL_MARKS
from .qwen35 import TOOLS_AFTER, TOOLS_BEFORE


class Spoken(NamedTuple):
    """What an assistant says: a reasoning block between its marks, then the answer, if any, set off by `gap`."""

    opening: str
    reasoning: str
    close: str
    gap: str
    answer: str


@dataclass(frozen=True)
class Nemotron3(Family):
    """Nemotron-3 Nano and Super.

    Attributes:
        enable_thinking: whether the generation prompt opens the reasoning or closes it empty.
        truncate_history_thinking: leave out reasoning from before the last user message.
        low_effort: ask for short reasoning at the end of the last user message (Super only).
        size: whose template is followed.
    """

    enable_thinking: bool = True
    truncate_history_thinking: bool = True
    low_effort: bool = False
    size: Literal["nano", "super"] = own("super")

    name = "nemotron-3"
    models = {
        "nvidia/NVIDIA-Nemotron-3-Nano-30B-A3B-BF16": {"size": "nano"},
        "nvidia/NVIDIA-Nemotron-3-Super-120B-A12B-BF16": {},
    }
    templates = {
        "ab7813c3abdd9cb655905a410728b26c7884eca45ddfab8d9f931553485a7862": {"size": "nano"},
        "575fb74f54ed264df9047d0ecce3c98938aae953fb4f50356675706264cbb68a": {},
    }
    reply = Reply(
        stops=("<|im_end|>",), marks=CALL_MARKS | THINK_MARKS, read_call=read_function_tags, call_ends=CALL_ENDS
    )

    def __post_init__(self) -> None:
        if self.low_effort and self.size == "nano":
            raise BadOption("Nemotron-3 Nano's chat template has no low_effort; Super's has")

    def opening(self, conv: Conversation, out: Writer) -> None:
        if conv.role(0) != "system":
            self._system(conv, "", out)

    def turn(self, conv: Conversation, i: int, out: Writer) -> None:
        turn = conv[i]
        if turn.role == "system" and i == 0:
            if turn.content is not None or conv.tools:
                self._system(conv, turn.text, out)
        elif turn.role == "assistant":
            self._assistant(conv, i, out)
        elif turn.role == "tool":
            begins = i > (conv.role(0) == "system") and conv.role(i - 1) != "tool"
            out.frame("<|im_start|>user\n<tool_response>\n" if begins else "<tool_response>\n")
            out.body(printed_text(turn, conv.policy.parity))
            out.frame("\n</tool_response>\n" if conv.role(i + 1) == "tool" else "\n</tool_response>\n<|im_end|>\n")
        elif turn.role in ("user", "system"):
            out.frame(f"<|im_start|>{turn.role}\n")
            out.body(printed_text(turn, conv.policy.parity))
            hinted = turn.role == "user" and (conv.policy.patched or i == conv.last(is_user))
            out.frame("\n\n{reasoning effort: low}" if hinted and self.low_effort else "")
            out.frame("<|im_end|>\n")
        else:
            out.frame("<|im_start|>")
            out.body(turn.role, Field.FRAME)
            out.frame("\n")
            out.body(turn.required_text())
            out.frame("<|im_end|>\n")

    def ending(self, conv: Conversation, out: Writer) -> None:
        if conv.prompting:
            out.frame("<|im_start|>assistant\n<think>" + ("\n" if self.enable_thinking else "</think>"))

    @staticmethod
    def _system(conv: Conversation, text: str, out: Writer) -> None:
        out.frame("<|im_start|>system\n")
        out.body(text)
        if conv.tools:
            with out.outside():
                out.frame(f"\n\n{TOOLS_BEFORE}\n" if text else f"{TOOLS_BEFORE}\n")
                out.body(xml_definitions([tool["function"] for tool in conv.tools]), Field.TOOLS)
                out.frame(TOOLS_AFTER)
        out.frame("<|im_end|>\n")

    def _assistant(self, conv: Conversation, i: int, out: Writer) -> None:
        turn, asked = conv[i], conv.last(is_user)
        past = self.truncate_history_thinking and i < asked and not conv.keeps_reasoning(i, asked)
        out.frame("<|im_start|>assistant\n")
        if conv.policy.parity and (turn.parts or "<think>" in turn.text or "</think>" in turn.text):
            out.body(_to_the_letter(turn, past))
        else:
            opening, reasoning, close, gap, answer = self._spoken(turn, past, conv.policy.patched)
            out.frame(opening)
            out.body(reasoning, Field.REASONING)
            out.frame(close + gap if answer else close)
            out.body(answer)
            out.frame("\n" if turn.calls else "")
        for call in turn.calls:
            out.frame("<tool_call>\n")
            write_function_tags(call, out, patched=conv.policy.patched)
            out.frame("\n</tool_call>\n")
        out.frame("<|im_end|>\n")

    def _spoken(self, turn: Turn, past: bool, patched: bool) -> Spoken:
        if not _reasons(turn):
            turn = replace(turn, reasoning=None)  # blanks are no reasoning
        reasoning, text = inline_thinking(turn, turn.text, parity=False)
        if turn.reasoning or (patched and (reasoning or self.enable_thinking)):
            # Two newlines in a row would be one token, which the prompt's one newline is no prefix of.
            spoken = Spoken("<think>\n", reasoning, "\n</think>" if reasoning else "</think>", "\n", text.rstrip())
        elif "</think>" in turn.text:
            head, _, answer = turn.text.strip().partition("</think>")
            opening = "<think>" if head.startswith("<think>") else ""
            spoken = Spoken(opening, head.removeprefix(opening), "</think>", "", answer)
        else:
            spoken = Spoken("<think>", "", "</think>", "", text.rstrip())
        if past and turn.calls:
            return Spoken("<think>", "", "</think>", "", spoken.answer.strip())
        if past and spoken.opening:
            return Spoken("<think>", "", "</think>", spoken.gap, spoken.answer)
        return spoken


def _reasons(turn: Turn) -> bool:
    """The turn has reasoning given apart."""
    return bool((turn.reasoning or "").strip())


def _to_the_letter(turn: Turn, past: bool) -> str:
    """What the template makes of lists of parts and of think tags in the content."""
    text = printed_text(turn, parity=True) if turn.content else ""
    if _reasons(turn):
        text = f"<think>\n{turn.reasoning}\n</think>\n{text}"
    elif turn.parts and turn.calls:
        return "<think></think>"
    if past and turn.calls:
        left = text.split("</think>")[-1] if "</think>" in text else text.split("<think>")[0]
        text = f"<think></think>{left.strip()}"
    elif past and "<think>" in text and "</think>" in text:
        text = "<think></think>" + text.split("</think>")[-1]
    return text.strip() + ("\n" if turn.calls else "")

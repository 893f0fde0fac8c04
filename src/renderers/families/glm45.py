"""GLM-4.5: role markers without a close of their own, calls as key and value tags.

Sources: the chat templates of zai-org/GLM-4.5 and zai-org/GLM-4.6, which print the same.

A turn ends where the next role's marker begins, so ``<|user|>`` and ``<|observation|>`` are stops that the model
samples, and the newline behind ``<|assistant|>`` is sampled too. Reasoning is left out of history once a user asks
again; its empty block stays. A tool result given as a list prints one response an item. ``/nothink`` is a control
token: typed by a user it stays text, and `enable_thinking=False` writes the real one.

The template drops messages of unknown roles such as ``developer`` and words around an inline ``<think>`` block silently
(refused here), and prints the Python form of ``{"type": "text", …}`` items of results (their text is written here).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ..family import (
    THINK_MARKS,
    Conversation,
    Family,
    Part,
    Reply,
    Writer,
    as_given,
    inline_thinking,
    is_user,
    read_arg_pairs,
    to_json,
    visible_text,
    write_arg_pairs,
    write_thinking,
)
from .qwen3 import CALL_ENDS, CALL_MARKS, TOOLS_BEFORE, write_tools

TOOLS_AFTER = """
</tools>

For each function call, output the function name and arguments within the following XML format:
<tool_call>{function-name}
<arg_key>{arg-key-1}</arg_key>
<arg_value>{arg-value-1}</arg_value>
<arg_key>{arg-key-2}</arg_key>
<arg_value>{arg-value-2}</arg_value>
...
</tool_call>"""

STOPS = ("<|endoftext|>", "<|user|>", "<|observation|>")


def write_opening(conv: Conversation, declared: Iterable[str], after: str, out: Writer) -> None:
    """What every document begins with, and the tools as they are `declared`, if there are any."""
    out.frame("[gMASK]<sop>")
    if conv.tools:
        out.frame("<|system|>\n")
        write_tools(declared, TOOLS_BEFORE, after, out)


def write_results(conv: Conversation, i: int, out: Writer, gap: str) -> None:
    """A tool result, one response an item if it is a list; `gap` stands around its tags."""
    content = conv[i].content
    if not isinstance(content, str) or conv.role(i - 1) != "tool":
        out.frame("<|observation|>")
    for item in (content,) if isinstance(content, str) else content or ():
        out.frame(f"{gap}<tool_response>{gap}")
        out.body(_item_text(item, conv.policy.parity))
        out.frame(f"{gap}</tool_response>")


def _item_text(item: str | Part, parity: bool) -> str:
    """The text of a tool result, or of one item of it."""
    if isinstance(item, str):
        return item
    return str(as_given(item)) if parity and item.payload and "output" not in item.payload else item.text


@dataclass(frozen=True)
class GLM45(Family):
    """GLM-4.5, 4.5-Air and 4.6.

    Attributes:
        enable_thinking: False writes ``/nothink`` behind user texts and an empty reasoning block into the prompt.
    """

    enable_thinking: bool = True

    name = "glm-4.5"
    models = {
        "zai-org/GLM-4.5": {},
        "zai-org/GLM-4.5-Air": {},
        "zai-org/GLM-4.6": {},
        "THUDM/GLM-4.5": {},
        "THUDM/GLM-4.5-Air": {},
    }
    templates = {
        "44f815868bf02fa458dd2f741a338046f4bf45f398eb6d067766726b9d96cce3": {},
        "bbd2a360282273b2aeb0df692fecca4e716ed14766ca2573bebf2431aadb713a": {},
    }
    reply = Reply(stops=STOPS, marks=CALL_MARKS | THINK_MARKS, read_call=read_arg_pairs, call_ends=CALL_ENDS)

    def opening(self, conv: Conversation, out: Writer) -> None:
        write_opening(conv, map(to_json, conv.tools), TOOLS_AFTER, out)

    def turn(self, conv: Conversation, i: int, out: Writer) -> None:
        turn = conv[i]
        if turn.role == "user":
            out.frame("<|user|>\n")
            text = visible_text(turn, conv.policy.parity)
            out.body(text)
            typed = conv.policy.parity and text.endswith("/nothink")
            out.frame("" if self.enable_thinking or typed else "/nothink")
        elif turn.role == "system":
            out.frame("<|system|>\n")
            out.body(visible_text(turn, conv.policy.parity))
        elif turn.role == "assistant":
            self._assistant(conv, i, out)
        elif turn.role == "tool":
            write_results(conv, i, out, gap="\n")
        elif not conv.policy.parity:
            conv.refuse_role(i)

    def ending(self, conv: Conversation, out: Writer) -> None:
        if conv.prompting:
            out.frame("<|assistant|>" if self.enable_thinking else "<|assistant|>\n<think></think>")

    @staticmethod
    def _assistant(conv: Conversation, i: int, out: Writer) -> None:
        parity = conv.policy.parity
        reasoning, text = inline_thinking(conv[i], visible_text(conv[i], parity), parity)
        asked = conv.last(is_user)
        kept = i > asked or conv.keeps_reasoning(i, asked)
        text = text.strip()
        out.frame("<|assistant|>\n")
        write_thinking(reasoning.strip() if kept else "", out, inner="", after="\n" if text else "")
        out.body(text)
        for call in conv[i].calls:
            out.frame("\n<tool_call>")
            write_arg_pairs(call, out, patched=conv.policy.patched)
            out.frame("</tool_call>")

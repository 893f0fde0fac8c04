"""Qwen3.5: ChatML with calls as ``<function=…>`` tags and reasoning opened by the prompt.

Sources: the chat templates of Qwen/Qwen3.5-9B and Qwen/Qwen3.5-2B, which differ in their default of `enable_thinking`.

All texts are trimmed. Reasoning is left out of history once a user asks again; every turn since the last question has a
reasoning block, even if it is empty. With `use_patched` every turn has one.

The template raises for a system message that is not the first, unknown roles and a conversation without a question. It
drops words around an inline ``<think>`` block silently (refused here).
"""

from __future__ import annotations

from dataclasses import dataclass

from ..family import (
    THINK_MARKS,
    BadMessage,
    Call,
    Conversation,
    Family,
    Reply,
    Turn,
    Writer,
    inline_thinking,
    read_function_tags,
    to_json,
    write_function_tags,
    write_thinking,
)
from .qwen3 import CALL_ENDS, CALL_MARKS, STOPS, wraps_results, write_tools

TOOLS_BEFORE = """# Tools

You have access to the following functions:

<tools>"""
TOOLS_AFTER = """
</tools>

If you choose to call a function ONLY reply in the following format with NO suffix:

<tool_call>
<function=example_function_name>
<parameter=example_parameter_1>
value_1
</parameter>
<parameter=example_parameter_2>
This is the value for the second parameter
that can span
multiple lines
</parameter>
</function>
</tool_call>

<IMPORTANT>
Reminder:
- Function calls MUST follow the specified format: an inner <function=...></function> block must be nested within \
<tool_call></tool_call> XML tags
- Required parameters MUST be specified
- You may provide optional reasoning for your function call in natural language BEFORE the function call, but NOT after
- If there is no function call available, answer the question like normal with your current knowledge and do not tell \
the user about function calls
</IMPORTANT>"""


def is_query(turn: Turn) -> bool:
    """A user message that asks something, not one that wraps tool results."""
    return turn.role == "user" and not wraps_results(turn.text.strip())


@dataclass(frozen=True)
class Qwen35(Family):
    """Qwen3.5, text side.

    Attributes:
        enable_thinking: whether the generation prompt opens the reasoning or closes it empty.
    """

    enable_thinking: bool = True

    name = "qwen3.5"
    models = {
        **{f"Qwen/Qwen3.5-{size}": {} for size in ("4B", "9B", "35B-A3B", "122B-A10B", "397B-A17B")},
        **{f"Qwen/Qwen3.5-{size}": {"enable_thinking": False} for size in ("0.8B", "2B")},
    }
    templates = {
        "a4aee8afcf2e0711942cf848899be66016f8d14a889ff9ede07bca099c28f715": {},
        "273d8e0e683b885071fb17e08d71e5f2a5ddfb5309756181681de4f5a1822d80": {"enable_thinking": False},
    }
    reply = Reply(stops=STOPS, marks=CALL_MARKS | THINK_MARKS, read_call=read_function_tags, call_ends=CALL_ENDS)

    def opening(self, conv: Conversation, out: Writer) -> None:
        if conv.last(is_query) < 0:
            raise BadMessage("messages", "holds no user message that asks something, which this format needs")
        if conv.tools and conv.role(0) != "system":
            out.frame("<|im_start|>system\n")
            write_tools(map(to_json, conv.tools), TOOLS_BEFORE, TOOLS_AFTER, out)
            out.frame("<|im_end|>\n")

    def turn(self, conv: Conversation, i: int, out: Writer) -> None:
        turn = conv[i]
        text = turn.text.strip()
        if turn.role == "system":
            self._system(conv, i, text, out)
        elif turn.role == "user":
            out.frame("<|im_start|>user\n")
            out.body(text)
            out.frame("<|im_end|>\n")
        elif turn.role == "assistant":
            self._assistant(conv, i, text, out)
        elif turn.role == "tool":
            out.frame("<|im_start|>user" if conv.role(i - 1) not in (None, "tool") else "")
            out.frame("\n<tool_response>\n")
            out.body(text)
            out.frame("\n</tool_response>" if conv.role(i + 1) == "tool" else "\n</tool_response><|im_end|>\n")
        else:
            conv.refuse_role(i)

    def ending(self, conv: Conversation, out: Writer) -> None:
        if conv.prompting:
            out.frame(
                "<|im_start|>assistant\n<think>\n"
                if self.enable_thinking
                else "<|im_start|>assistant\n<think>\n\n</think>\n\n"
            )

    def _system(self, conv: Conversation, i: int, text: str, out: Writer) -> None:
        if i > 0:
            conv.refuse_role(i, "a system message must be the first message in this format")
        out.frame("<|im_start|>system\n")
        if conv.tools:
            with out.outside():
                write_tools(map(to_json, conv.tools), TOOLS_BEFORE, TOOLS_AFTER, out)
            out.frame("\n\n" if text else "")
        out.body(text)
        out.frame("<|im_end|>\n")

    def _assistant(self, conv: Conversation, i: int, text: str, out: Writer) -> None:
        reasoning, text = inline_thinking(conv[i], text, conv.policy.parity)
        reasoning = reasoning.strip()
        asked = conv.last(is_query)
        out.frame("<|im_start|>assistant\n")
        if i > asked or self._always_thinks(conv) or (reasoning and conv.keeps_reasoning(i, asked)):
            write_thinking(reasoning, out)
        out.body(text)
        before = "\n\n<tool_call>\n" if text.strip() else "<tool_call>\n"
        for call in conv[i].calls:
            out.frame(before)
            self._call(call, conv, out)
            out.frame("\n</tool_call>")
            before = "\n<tool_call>\n"
        out.frame("<|im_end|>\n")

    def _always_thinks(self, conv: Conversation) -> bool:
        """Turns of earlier questions have a reasoning block too."""
        return conv.policy.patched

    def _call(self, call: Call, conv: Conversation, out: Writer) -> None:
        write_function_tags(call, out, patched=conv.policy.patched)

"""Qwen3: ChatML with JSON calls in ``<tool_call>`` and reasoning in ``<think>``.

Sources: the chat templates of Qwen/Qwen3-8B, Qwen/Qwen3-4B-Instruct-2507 and Qwen/Qwen3-4B-Thinking-2507.

Three checkpoint lines, three templates: hybrid (`Qwen3`), Instruct-2507 without reasoning, Thinking-2507 whose prompt
opens the reasoning. Reasoning of a turn is left out of history once a user asks again; in a tool cycle it is kept. The
last turn has a reasoning block even without reasoning, and loses it when another follows. With `use_patched` every turn
keeps its block.

The templates drop silently messages of unknown roles such as ``developer``, words around an inline ``<think>`` block
and, in Instruct-2507, reasoning (all refused here), and content given as parts (its text is written here).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ..family import (
    CALL,
    PROSE,
    REASONING,
    THINK_MARKS,
    Conversation,
    Family,
    Field,
    Reply,
    Turn,
    Writer,
    inline_thinking,
    mark,
    read_json_object,
    to_json,
    write_json_object,
    write_thinking,
)

TOOLS_BEFORE = """# Tools

You may call one or more functions to assist with the user query.

You are provided with function signatures within <tools></tools> XML tags:
<tools>"""
TOOLS_AFTER = """
</tools>

For each function call, return a json object with function name and arguments within <tool_call></tool_call> XML tags:
<tool_call>
{"name": <function-name>, "arguments": <args-json-object>}
</tool_call>"""

CALL_MARKS = {"<tool_call>": mark(CALL, *PROSE, REASONING)}
CALL_ENDS = ("</tool_call>",)
STOPS = ("<|im_end|>", "<|endoftext|>")


def write_tools(declared: Iterable[str], before: str, after: str, out: Writer) -> None:
    """Tool declarations, one a line."""
    out.frame(before)
    for tool in declared:
        out.frame("\n")
        out.body(tool, Field.TOOLS)
    out.frame(after)


def wraps_results(text: str) -> bool:
    """The text of a user message is tool results put into their marks by hand."""
    return text.startswith("<tool_response>") and text.endswith("</tool_response>")


def is_query(turn: Turn) -> bool:
    """A user message that asks something, not one that wraps tool results."""
    return turn.role == "user" and turn.content is not None and not wraps_results(turn.text)


def is_text_query(turn: Turn) -> bool:
    """The same as the template sees it, which reads no parts."""
    return isinstance(turn.content, str) and is_query(turn)


@dataclass(frozen=True)
class Qwen3Instruct(Family):
    """Qwen3 Instruct-2507: no reasoning."""

    name = "qwen3-instruct-2507"
    models = {"Qwen/Qwen3-4B-Instruct-2507": {}, "Qwen/Qwen3-30B-A3B-Instruct-2507": {}}
    templates = {"64f85b198065d0fba2a81f37e10ed68161ce2c19a754c7100e67e0ca2ee9c326": {}}
    reply = Reply(stops=STOPS, marks=CALL_MARKS, read_call=read_json_object, call_ends=CALL_ENDS)

    def opening(self, conv: Conversation, out: Writer) -> None:
        if conv.tools and conv.role(0) != "system":
            out.frame("<|im_start|>system\n")
            write_tools(map(to_json, conv.tools), TOOLS_BEFORE, TOOLS_AFTER, out)
            out.frame("<|im_end|>\n")

    def turn(self, conv: Conversation, i: int, out: Writer) -> None:
        turn = conv[i]
        text = self._text(conv, i)
        if turn.role in ("user", "system"):
            out.frame(f"<|im_start|>{turn.role}\n")
            out.body(text)
            if i == 0 and turn.role == "system" and conv.tools:
                with out.outside():
                    out.frame("\n\n")
                    write_tools(map(to_json, conv.tools), TOOLS_BEFORE, TOOLS_AFTER, out)
            out.frame("<|im_end|>\n")
        elif turn.role == "assistant":
            self._assistant(conv, i, text, out)
        elif turn.role == "tool":
            out.frame("\n<tool_response>\n" if conv.role(i - 1) == "tool" else "<|im_start|>user\n<tool_response>\n")
            out.body(text)
            out.frame("\n</tool_response>" if conv.role(i + 1) == "tool" else "\n</tool_response><|im_end|>\n")
        elif not conv.policy.parity:
            conv.refuse_role(i)

    def ending(self, conv: Conversation, out: Writer) -> None:
        if conv.prompting:
            out.frame("<|im_start|>assistant\n")

    def _text(self, conv: Conversation, i: int) -> str:
        """The words of message `i`."""
        turn = conv[i]
        if i == 0 and turn.role == "system":
            return turn.required_text()
        return "" if turn.parts and conv.policy.parity else turn.text

    def _assistant(self, conv: Conversation, i: int, text: str, out: Writer) -> None:
        out.frame("<|im_start|>assistant\n")
        out.body(text)
        self._calls(conv[i], bool(text), out)
        out.frame("<|im_end|>\n")

    @staticmethod
    def _calls(turn: Turn, joined: bool, out: Writer) -> None:
        for call in turn.calls:
            out.frame("\n<tool_call>\n" if joined else "<tool_call>\n")
            write_json_object(call, out)
            out.frame("\n</tool_call>")
            joined = True


@dataclass(frozen=True)
class Qwen3Thinking(Qwen3Instruct):
    """Qwen3 Thinking-2507: the generation prompt opens the reasoning."""

    name = "qwen3-thinking-2507"
    models = {"Qwen/Qwen3-4B-Thinking-2507": {}, "Qwen/Qwen3-30B-A3B-Thinking-2507": {}}
    templates = {"3802169b2a02b81e6adb7ab4f64f91ff02db753c8c3a64a01c35192d3a61d8d7": {}}
    reply = Reply(stops=STOPS, marks=CALL_MARKS | THINK_MARKS, read_call=read_json_object, call_ends=CALL_ENDS)

    def ending(self, conv: Conversation, out: Writer) -> None:
        if conv.prompting:
            out.frame("<|im_start|>assistant\n<think>\n")

    def _assistant(self, conv: Conversation, i: int, text: str, out: Writer) -> None:
        reasoning, text = inline_thinking(conv[i], text, conv.policy.parity)
        asked = self._asked(conv)
        shown = i > asked and (i == len(conv) - 1 or bool(reasoning))
        out.frame("<|im_start|>assistant\n")
        if shown or (reasoning and conv.keeps_reasoning(i, asked)) or conv.policy.patched:
            write_thinking(reasoning.strip("\n"), out)
            out.body(text.lstrip("\n"))
        else:
            out.body(text)
        self._calls(conv[i], bool(text), out)
        out.frame("<|im_end|>\n")

    def _asked(self, conv: Conversation) -> int:
        """The last query; without one no turn follows it."""
        return conv.last(is_text_query if conv.policy.parity else is_query, default=len(conv) - 1)


@dataclass(frozen=True)
class Qwen3(Qwen3Thinking):
    """Qwen3 hybrid models, 0.6B to 235B-A22B.

    Attributes:
        enable_thinking: False writes an empty reasoning block into the generation prompt. The template writes it
            into history only for the last turn, so that prompts are no prefix of what is rendered later; with
            `use_patched` they are.
    """

    enable_thinking: bool = True

    name = "qwen3"
    models = {f"Qwen/Qwen3-{size}": {} for size in ("0.6B", "1.7B", "4B", "8B", "14B", "32B", "30B-A3B", "235B-A22B")}
    templates = {"a55ee1b1660128b7098723e0abcd92caa0788061051c62d51cbe87d9cf1974d8": {}}

    def ending(self, conv: Conversation, out: Writer) -> None:
        if conv.prompting:
            out.frame(
                "<|im_start|>assistant\n" if self.enable_thinking else "<|im_start|>assistant\n<think>\n\n</think>\n\n"
            )

"""GLM-5 and GLM-4.7: GLM-4.5 without its newlines, and a generation prompt that opens the reasoning.

Sources: the chat templates of zai-org/GLM-5 and zai-org/GLM-4.7, which print the same.

A turn without reasoning begins with a bare ``</think>``, and so does one whose reasoning is left out of history because
a user has asked again: a prompt that opened ``<think>`` is then no prefix of the finished document. With `use_patched`
a turn without reasoning begins as the prompt of the present options does, with ``<think></think>`` or ``</think>``.
Texts and reasoning of assistants are trimmed.

What the template drops silently, and tool results given as lists, are as in GLM-4.5.
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
    Turn,
    Writer,
    inline_thinking,
    is_user,
    mark,
    read_arg_pairs,
    to_json,
    visible_text,
    write_arg_pairs,
    write_thinking,
)
from .glm45 import STOPS, write_opening, write_results
from .qwen3 import CALL_ENDS, CALL_MARKS

TOOLS_AFTER = """
</tools>

For each function call, output the function name and arguments within the following XML format:
<tool_call>{function-name}<arg_key>{arg-key-1}</arg_key><arg_value>{arg-value-1}</arg_value>\
<arg_key>{arg-key-2}</arg_key><arg_value>{arg-value-2}</arg_value>...</tool_call>"""


def write_answer(conv: Conversation, i: int, reasoning: str | None, text: str, out: Writer) -> None:
    """An assistant turn; without reasoning (None) nothing opens it, but it is closed all the same."""
    out.frame("<|assistant|>")
    if reasoning is None:
        out.frame("</think>")
    else:
        write_thinking(reasoning, out, inner="", after="")
    out.body(text.strip())
    for call in conv[i].calls:
        out.frame("<tool_call>")
        write_arg_pairs(call, out, gap="", patched=conv.policy.patched)
        out.frame("</tool_call>")


@dataclass(frozen=True)
class GLM5(Family):
    """GLM-5, GLM-4.7 and 4.7-Flash.

    Attributes:
        enable_thinking: whether the generation prompt opens the reasoning or closes it.
        clear_thinking: False keeps the reasoning of every turn in history.
    """

    enable_thinking: bool = True
    clear_thinking: bool = True

    name = "glm-5"
    models = {"zai-org/GLM-5": {}, "zai-org/GLM-5-FP8": {}, "zai-org/GLM-4.7": {}, "zai-org/GLM-4.7-Flash": {}}
    templates = {
        "45a1d5635afd3d8e08a28866e72fc8395d2a7ec30989fd0bdaec6dd45a99eff0": {},
        "d63ad536c3c81880043e22ec7fd08db42b4d8fb7c89c7138bc562bfa25281375": {},
    }
    # The prompt may end in a bare </think>, which leads from the start of the reply to its content.
    reply = Reply(
        stops=STOPS,
        marks={**CALL_MARKS, **THINK_MARKS, "</think>": mark(CONTENT, START, REASONING)},
        read_call=read_arg_pairs,
        call_ends=CALL_ENDS,
    )

    def opening(self, conv: Conversation, out: Writer) -> None:
        write_opening(conv, map(to_json, conv.tools), TOOLS_AFTER, out)

    def turn(self, conv: Conversation, i: int, out: Writer) -> None:
        turn = conv[i]
        if turn.role in ("user", "system"):
            out.frame(f"<|{turn.role}|>")
            out.body(self._text(turn, conv.policy.parity))
        elif turn.role == "assistant":
            self._assistant(conv, i, out)
        elif turn.role == "tool":
            self._result(conv, i, out)
        elif not conv.policy.parity:
            conv.refuse_role(i)

    def ending(self, conv: Conversation, out: Writer) -> None:
        if conv.prompting:
            out.frame("<|assistant|><think>" if self.enable_thinking else "<|assistant|></think>")

    def _text(self, turn: Turn, parity: bool) -> str:
        """The words of a message."""
        return visible_text(turn, parity)

    def _result(self, conv: Conversation, i: int, out: Writer) -> None:
        write_results(conv, i, out, gap="")

    def _assistant(self, conv: Conversation, i: int, out: Writer) -> None:
        parity = conv.policy.parity
        reasoning, text = inline_thinking(conv[i], visible_text(conv[i], parity), parity)
        asked = conv.last(is_user)
        kept = i > asked or not self.clear_thinking or conv.keeps_reasoning(i, asked)
        thinks = bool(reasoning) and kept
        if conv.policy.patched:
            thinks = self.enable_thinking or bool(reasoning.strip())
        write_answer(conv, i, reasoning.strip() if thinks else None, text, out)

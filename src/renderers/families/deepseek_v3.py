"""DeepSeek-V3: no newlines between turns, tool results merged into one block, calls in fenced JSON.

Source: the chat template of deepseek-ai/DeepSeek-V3.

The template's flags are never reset, and we write what it writes: only the second and every later call of a
conversation closes the block of calls, a second round of calls has no opener, and neither have its results. A
bridge writes results the way the first round has them. All system texts stand at the start.

The template cannot declare tools, and prints calls only when the content is None: beside content it drops them.
Here the content is written, followed by a whole block of calls. Unknown roles, dropped by the template, and
reasoning, which the format lacks, are refused.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..family import (
    BETWEEN,
    CALL,
    PROSE,
    Conversation,
    Family,
    Reply,
    Turn,
    Writer,
    mark,
    read_fenced_json,
    write_fenced_json,
)

END = "<｜end▁of▁sentence｜>"


def is_result(turn: Turn) -> bool:
    """A tool result."""
    return turn.role == "tool"


def has_bare_calls(turn: Turn) -> bool:
    """An assistant message of calls alone, the only one whose calls the template prints."""
    return turn.role == "assistant" and bool(turn.calls) and not turn.text


@dataclass(frozen=True)
class DeepSeekV3(Family):
    """DeepSeek-V3, December 2024."""

    name = "deepseek-v3"
    models = {"deepseek-ai/DeepSeek-V3": {}, "deepseek-ai/DeepSeek-V3-Base": {}}
    templates = {"3b8267e54b67df6500f231ffa969955cc9d26b3444a291ced4eb96ca7d3ca1ea": {}}
    reply = Reply(
        stops=(END,),
        marks={
            "<｜tool▁calls▁begin｜>": mark(BETWEEN, *PROSE),
            "<｜tool▁call▁begin｜>": mark(CALL, *PROSE),
            "<｜tool▁calls▁end｜>": mark(BETWEEN, BETWEEN),
        },
        read_call=read_fenced_json,
        call_ends=("<｜tool▁call▁end｜>",),
    )

    def opening(self, conv: Conversation, out: Writer) -> None:
        out.frame("<｜begin▁of▁sentence｜>")
        systems = [i for i, turn in enumerate(conv) if turn.role == "system"]
        for i in systems:
            out.message = i
            out.frame("" if i == systems[0] else "\n\n")
            out.body(conv[i].required_text())

    def turn(self, conv: Conversation, i: int, out: Writer) -> None:
        turn = conv[i]
        if turn.role == "user":
            out.frame("<｜User｜>")
            out.body(turn.required_text())
        elif turn.role == "tool":
            first = conv.first(is_result) == i
            out.frame("<｜tool▁outputs▁begin｜><｜tool▁output▁begin｜>" if first else "\n<｜tool▁output▁begin｜>")
            out.body(turn.required_text())
            out.frame("<｜tool▁output▁end｜>")
        elif (
            turn.role == "assistant" and has_bare_calls(turn) and not (conv.policy.parity and turn.content is not None)
        ):
            self._bare_calls(conv, i, out)
        elif turn.role == "assistant":
            out.frame("<｜tool▁outputs▁end｜>" if self._after_result(conv, i) else "<｜Assistant｜>")
            out.body(turn.required_text())
            if turn.calls and not conv.policy.parity:
                out.frame("<｜tool▁calls▁begin｜>")
                for k, call in enumerate(turn.calls):
                    out.frame("\n<｜tool▁call▁begin｜>" if k else "<｜tool▁call▁begin｜>")
                    write_fenced_json(call, out)
                    out.frame("<｜tool▁call▁end｜>")
                out.frame("<｜tool▁calls▁end｜>")
            out.frame(END)
        elif turn.role != "system" and not conv.policy.parity:
            conv.refuse_role(i)

    def ending(self, conv: Conversation, out: Writer) -> None:
        if self._after_result(conv, len(conv)):
            out.frame("<｜tool▁outputs▁end｜>")
        elif conv.prompting:
            out.frame("<｜Assistant｜>")

    @staticmethod
    def _bare_calls(conv: Conversation, i: int, out: Writer) -> None:
        for k, call in enumerate(conv[i].calls):
            first = k == 0 and conv.first(has_bare_calls) == i
            out.frame(
                "<｜Assistant｜><｜tool▁calls▁begin｜><｜tool▁call▁begin｜>" if first else "\n<｜tool▁call▁begin｜>"
            )
            write_fenced_json(call, out)
            out.frame("<｜tool▁call▁end｜>" if first else f"<｜tool▁call▁end｜><｜tool▁calls▁end｜>{END}")

    @staticmethod
    def _after_result(conv: Conversation, i: int) -> bool:
        """The last message before `i`, system messages aside, is a tool result."""
        before = i - 1
        while before >= 0 and conv.role(before) not in ("user", "assistant", "tool"):
            before -= 1
        return conv.role(before) == "tool"

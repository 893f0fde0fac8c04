"""DeepSeek-V3: no newlines between turns, tool results merged into one block, calls in fenced JSON.

Source: the chat template of deepseek-ai/DeepSeek-V3.

The template's flags are never reset, and we write what it writes: only the second and every later call of a
conversation closes the block of calls, a second round of calls has no opener, and neither have its results. A bridge
writes results the way the first round has them. With `use_patched` every round has whole blocks, as in the template of
DeepSeek-V3-0324. All system texts stand at the start.

The template cannot declare tools. It drops silently messages of unknown roles such as ``developer`` and reasoning (both
refused here), and calls beside content (here a whole block of calls follows the content).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..family import (
    BETWEEN,
    CALL,
    PROSE,
    Call,
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
CALL_MARKS = {
    "<｜tool▁calls▁begin｜>": mark(BETWEEN, *PROSE),
    "<｜tool▁call▁begin｜>": mark(CALL, *PROSE),
    "<｜tool▁calls▁end｜>": mark(BETWEEN, BETWEEN),
}
CALL_ENDS = ("<｜tool▁call▁end｜>",)


def is_result(turn: Turn) -> bool:
    """A tool result."""
    return turn.role == "tool"


def has_bare_calls(turn: Turn) -> bool:
    """An assistant message of calls alone, the only one whose calls the template prints."""
    return turn.role == "assistant" and bool(turn.calls) and not turn.text


def role_before(conv: Conversation, i: int) -> str | None:
    """The role of the last message before `i` that is printed in its place: system texts are not."""
    roles = (conv.role(k) for k in range(i - 1, -1, -1))
    return next((role for role in roles if role in ("user", "assistant", "tool")), None)


def write_systems(conv: Conversation, out: Writer) -> None:
    """All system texts, at the start."""
    out.frame("<｜begin▁of▁sentence｜>")
    systems = [i for i, turn in enumerate(conv) if turn.role == "system"]
    for i in systems:
        out.message = i
        out.frame("" if i == systems[0] else "\n\n")
        out.body(conv[i].required_text())


def write_block(
    calls: Sequence[Call],
    out: Writer,
    write_call: Callable[[Call, Writer], None] = write_fenced_json,
    *,
    opener: str = "<｜tool▁calls▁begin｜>",
    between: str = "\n",
) -> None:
    """A block of calls, if there are any."""
    for k, call in enumerate(calls):
        out.frame(f"{between if k else opener}<｜tool▁call▁begin｜>")
        write_call(call, out)
        out.frame("<｜tool▁call▁end｜>")
    out.frame("<｜tool▁calls▁end｜>" if calls else "")


@dataclass(frozen=True)
class DeepSeekV3(Family):
    """DeepSeek-V3, December 2024."""

    name = "deepseek-v3"
    models = {"deepseek-ai/DeepSeek-V3": {}, "deepseek-ai/DeepSeek-V3-Base": {}}
    templates = {"3b8267e54b67df6500f231ffa969955cc9d26b3444a291ced4eb96ca7d3ca1ea": {}}
    reply = Reply(stops=(END,), marks=CALL_MARKS, read_call=read_fenced_json, call_ends=CALL_ENDS)
    between_results = "\n"

    def opening(self, conv: Conversation, out: Writer) -> None:
        write_systems(conv, out)

    def turn(self, conv: Conversation, i: int, out: Writer) -> None:
        turn = conv[i]
        if turn.role == "user":
            # The template leaves a block of results open here; a prompt behind the results has closed it.
            out.frame("<｜tool▁outputs▁end｜>" if conv.policy.patched and role_before(conv, i) == "tool" else "")
            out.frame("<｜User｜>")
            out.body(turn.required_text())
        elif turn.role == "assistant":
            self._assistant(conv, i, out)
        elif turn.role == "tool":
            self._result(conv, i, out)
        elif turn.role != "system" and not conv.policy.parity:
            conv.refuse_role(i)

    def ending(self, conv: Conversation, out: Writer) -> None:
        if role_before(conv, len(conv)) == "tool":
            out.frame("<｜tool▁outputs▁end｜>")
        elif conv.prompting:
            out.frame("<｜Assistant｜>")

    def _assistant(self, conv: Conversation, i: int, out: Writer) -> None:
        turn, policy = conv[i], conv.policy
        if has_bare_calls(turn) and not policy.patched and not (policy.parity and turn.content is not None):
            self._bare_calls(conv, i, out)
            return
        out.frame("<｜tool▁outputs▁end｜>" if role_before(conv, i) == "tool" else "<｜Assistant｜>")
        out.body(turn.text if turn.calls else turn.required_text())
        write_block(() if policy.parity else turn.calls, out)
        out.frame(END)

    @staticmethod
    def _bare_calls(conv: Conversation, i: int, out: Writer) -> None:
        for k, call in enumerate(conv[i].calls):
            first = k == 0 and conv.first(has_bare_calls) == i
            out.frame(
                "<｜Assistant｜><｜tool▁calls▁begin｜><｜tool▁call▁begin｜>" if first else "\n<｜tool▁call▁begin｜>"
            )
            write_fenced_json(call, out)
            out.frame("<｜tool▁call▁end｜>" if first else f"<｜tool▁call▁end｜><｜tool▁calls▁end｜>{END}")

    def _result(self, conv: Conversation, i: int, out: Writer) -> None:
        first = role_before(conv, i) != "tool" if conv.policy.patched else conv.first(is_result) == i
        out.frame("<｜tool▁outputs▁begin｜>" if first else self.between_results)
        out.frame("<｜tool▁output▁begin｜>")
        out.body(conv[i].required_text())
        out.frame("<｜tool▁output▁end｜>")

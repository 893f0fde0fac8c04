"""Kimi-K2: a role marker, the role's word and a text in every turn; calls carry the id the model gave them.

Source: the chat template of moonshotai/Kimi-K2-Instruct, and its tokenizer class, which sorts the keys of the tools.

No newlines but one behind the automatic system turn. A message's `name` stands in place of its role's word, and roles
without a marker of their own, such as ``developer``, take the system's. A call is named by its id,
``functions.{name}:{index}``, counted over the whole conversation.

The template drops reasoning silently (refused here), prints an empty id where the caller gave a call none (here the
call gets the id that the model would give it, and so does its result), and pictures as placeholders (refused here).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from json import dumps
from typing import Any

from ..family import (
    BETWEEN,
    CALL,
    NONE,
    PROSE,
    Conversation,
    Family,
    Field,
    Reply,
    Turn,
    Writer,
    keyed_text,
    mark,
    own,
    read_id_json,
    sorted_keys,
    write_id_json,
)

IDENTITY = "You are Kimi, an AI assistant created by Moonshot AI."
MARKERS = {"user": "<|im_user|>", "assistant": "<|im_assistant|>"}
WORDS = ("system", "user", "assistant", "tool")
CALL_MARKS = {
    "<|tool_calls_section_begin|>": mark(BETWEEN, *PROSE),
    "<|tool_call_begin|>": mark(CALL, *PROSE),
    "<|tool_calls_section_end|>": mark(BETWEEN, BETWEEN),
}
CALL_ENDS = ("<|tool_call_end|>",)


def tools_json(tools: Sequence[Mapping[str, Any]]) -> str:
    """The tools as compact JSON with sorted keys."""
    return dumps(sorted_keys(tools), ensure_ascii=False, separators=(",", ":"))


def write_declaration(declared: str, out: Writer) -> None:
    """The turn that declares the tools."""
    out.frame("<|im_system|>tool_declare<|im_middle|>")
    out.body(declared, Field.TOOLS)
    out.frame("<|im_end|>")


def write_role(turn: Turn, out: Writer) -> None:
    """What a turn begins with."""
    out.frame(MARKERS.get(turn.role, "<|im_system|>"))
    word = turn.name or turn.role
    if word in WORDS:
        out.frame(word)
    else:
        out.body(word, Field.RESULT_NAME)
    out.frame("<|im_middle|>")


def call_id(conv: Conversation, i: int, k: int) -> str:
    """The id of call `k` of message `i`: the caller's, or the one the model would give it."""
    call = conv[i].calls[k]
    earlier = sum(len(turn.calls) for turn in conv[:i])
    return call.id if call.id is not None else f"functions.{call.name}:{earlier + k}"


def result_id(conv: Conversation, i: int) -> str:
    """The call that result `i` answers: as it says; by its place if that call was given no id either."""
    if (given := conv[i].call_id) is not None:
        return given
    asked = next((j for j in range(i - 1, -1, -1) if conv.role(j) != "tool"), NONE)
    calls, k = conv[asked].calls if asked >= 0 else (), i - asked - 1
    unnamed = k < len(calls) and calls[k].id is None
    return call_id(conv, asked, k) if unnamed and not conv.policy.parity else ""


def write_text(conv: Conversation, i: int, out: Writer) -> None:
    """The text of a turn, and of a result what it is of."""
    if conv.role(i) == "tool":
        out.frame("## Return of ")
        out.body(result_id(conv, i), Field.CALL_ID)
        out.frame("\n")
    out.body(keyed_text(conv[i], conv.policy.parity))


def write_calls(conv: Conversation, i: int, out: Writer) -> None:
    """The calls of a turn."""
    if conv[i].calls:
        out.frame("<|tool_calls_section_begin|>")
        for k, call in enumerate(conv[i].calls):
            out.frame("<|tool_call_begin|>")
            write_id_json(call, call.id or "" if conv.policy.parity else call_id(conv, i, k), out)
            out.frame("<|tool_call_end|>")
        out.frame("<|tool_calls_section_end|>")


@dataclass(frozen=True)
class KimiK2(Family):
    """Kimi-K2-Instruct, July 2025.

    Attributes:
        enable_thinking: without effect; older configs hold it.
    """

    enable_thinking: bool = own(True)

    name = "kimi-k2"
    models = {"moonshotai/Kimi-K2-Instruct": {}}
    templates = {"1f7812ef23f612e137e938b6a6bc329a759ad74e541f2fdbe276df6ff6d2774a": {}}
    reply = Reply(stops=("<|im_end|>",), marks=CALL_MARKS, read_call=read_id_json, call_ends=CALL_ENDS)

    def opening(self, conv: Conversation, out: Writer) -> None:
        if conv.tools:
            write_declaration(tools_json(conv.tools), out)
        if conv.role(0) != "system":
            out.frame(f"<|im_system|>system<|im_middle|>{IDENTITY}<|im_end|>\n")

    def turn(self, conv: Conversation, i: int, out: Writer) -> None:
        write_role(conv[i], out)
        write_text(conv, i, out)
        if conv.role(i) == "assistant":
            write_calls(conv, i, out)
        out.frame("<|im_end|>")

    def ending(self, conv: Conversation, out: Writer) -> None:
        if conv.prompting:
            out.frame("<|im_assistant|>assistant<|im_middle|>")

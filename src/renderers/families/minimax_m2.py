"""MiniMax-M2: reasoning opened by the prompt, and blocks of several ``<invoke>`` calls.

Sources: the chat templates of MiniMaxAI/MiniMax-M2, MiniMaxAI/MiniMax-M2.5 and MiniMaxAI/MiniMax-M2.7, which differ in
the identity that stands where no system message does.

There is always a system turn; `current_date` and `current_location` are read from the system message. A result given as
a list prints one response an item. Reasoning is left out of history once a user asks again, and in a turn without any
nothing stands for the ``<think>`` of the prompt. With `use_patched` every turn has a block.

The template raises for a result without an earlier call and for arguments given as JSON text (read here). It drops
silently system messages that are not the first, messages of unknown roles such as ``developer``, those two keys of
other messages and words around an inline ``<think>`` block (all refused here).
"""

from __future__ import annotations

from dataclasses import dataclass

from ..family import (
    CALL,
    PROSE,
    REASONING,
    THINK_MARKS,
    BadMessage,
    Conversation,
    Family,
    Field,
    Part,
    Reply,
    Writer,
    as_given,
    inline_thinking,
    is_assistant,
    is_user,
    mark,
    read_invokes,
    to_json,
    visible_text,
    write_invoke,
    write_thinking,
)

TOOLS_BEFORE = """

# Tools
You may call one or more tools to assist with the user query.
Here are the tools available in JSONSchema format:

<tools>
"""
TOOLS_AFTER = """</tools>

When making tool calls, use XML format to invoke tools and pass parameters:

<minimax:tool_call>
<invoke name="tool-name-1">
<parameter name="param-key-1">param-value-1</parameter>
<parameter name="param-key-2">param-value-2</parameter>
...
</invoke>
</minimax:tool_call>"""

M2 = "You are a helpful assistant."
M2_5 = f"{M2} Your name is MiniMax-M2.5 and is built by MiniMax."
M2_7 = f"{M2} Your name is MiniMax-M2.7 and is built by MiniMax."


@dataclass(frozen=True)
class MiniMaxM2(Family):
    """MiniMax-M2, M2.5 and M2.7.

    Attributes:
        model_identity: the system text where the conversation gives none.
    """

    model_identity: str = M2_5

    name = "minimax-m2"
    models = {
        "MiniMaxAI/MiniMax-M2": {"model_identity": M2},
        "MiniMaxAI/MiniMax-M2.5": {},
        "MiniMaxAI/MiniMax-M2.7": {"model_identity": M2_7},
    }
    templates = {
        "55beae30a60db5cef958f81f8f503df667a495675e560df6c364a9fb0ccba654": {"model_identity": M2},
        "2acb65a5f306d728e3130eb6397b6621caa37151678971c206dceed12ad01f21": {},
        "893d908f7b5cc65fdde270dcae5ea1a99647c6a7ce572ae874a57b7160069566": {"model_identity": M2_7},
    }
    reply = Reply(
        stops=("[e~[",),
        marks=THINK_MARKS | {"<minimax:tool_call>": mark(CALL, *PROSE, REASONING)},
        read_call=read_invokes,
        call_ends=("</minimax:tool_call>",),
    )
    message_keys = frozenset({"current_date", "current_location"})

    def opening(self, conv: Conversation, out: Writer) -> None:
        if conv.role(0) != "system":
            out.frame("]~!b[]~b]system\n")
            out.body(self.model_identity, Field.OPTION)
            self._tools(conv, out)
            out.frame("[e~[\n")

    def turn(self, conv: Conversation, i: int, out: Writer) -> None:
        turn = conv[i]
        if turn.role == "system" and i == 0:
            self._system(conv, out)
            return
        if (unread := sorted(self.message_keys & turn.extra.keys())) and not conv.policy.parity:
            raise BadMessage(f"{turn.path}.{unread[0]}", "has a place in a first system message only")
        if turn.role == "user":
            out.frame("]~b]user\n")
            out.body(visible_text(turn, conv.policy.parity))
            out.frame("[e~[\n")
        elif turn.role == "assistant":
            self._assistant(conv, i, out)
        elif turn.role == "tool":
            self._result(conv, i, out)
        elif not conv.policy.parity:
            system = "a system message must be the first message in this format"
            conv.refuse_role(i, system if turn.role == "system" else "")

    def ending(self, conv: Conversation, out: Writer) -> None:
        if conv.prompting:
            out.frame("]~b]ai\n<think>\n")

    def _system(self, conv: Conversation, out: Writer) -> None:
        turn = conv[0]
        out.frame("]~!b[]~b]system\n")
        if turn.content:
            out.body(visible_text(turn, conv.policy.parity))
        else:
            with out.outside():
                out.body(self.model_identity, Field.OPTION)
        for key, words in (("current_date", "\nCurrent date: "), ("current_location", "\nCurrent location: ")):
            if key in turn.extra:
                if not isinstance(turn.extra[key], str):
                    raise BadMessage(f"{turn.path}.{key}", f"must be text, not {type(turn.extra[key]).__name__}")
                out.frame(words)
                out.body(turn.extra[key])
        with out.outside():
            self._tools(conv, out)
        out.frame("[e~[\n")

    @staticmethod
    def _tools(conv: Conversation, out: Writer) -> None:
        if conv.tools:
            out.frame(TOOLS_BEFORE)
            for tool in conv.tools:
                out.frame("<tool>")
                out.body(to_json(tool["function"]), Field.TOOLS)
                out.frame("</tool>\n")
            out.frame(TOOLS_AFTER)

    @staticmethod
    def _assistant(conv: Conversation, i: int, out: Writer) -> None:
        turn, patched = conv[i], conv.policy.patched
        said = visible_text(turn, conv.policy.parity)
        reasoning, text = inline_thinking(turn, said, conv.policy.parity)
        if turn.reasoning is None and "</think>" in said:
            text = text.rstrip("\n")
        asked = conv.last(is_user)
        out.frame("]~b]ai\n")
        if patched or (reasoning and (i > asked or conv.keeps_reasoning(i, asked))):
            write_thinking(reasoning, out)
        out.body(text)
        if turn.calls:
            out.frame("\n<minimax:tool_call>\n")
            for call in turn.calls:
                write_invoke(call, out, patched=patched)
                out.frame("\n")
            out.frame("</minimax:tool_call>")
        out.frame("[e~[\n")

    @staticmethod
    def _result(conv: Conversation, i: int, out: Writer) -> None:
        asked = conv.until(i).last(is_assistant)
        if asked < 0 or not conv[asked].calls:
            conv.refuse_role(i, "a tool message must follow an assistant message with calls in this format")
        out.frame("]~b]tool" if conv.role(i - 1) != "tool" else "")
        if isinstance(conv[i].content, str):
            out.frame("\n<response>")
            out.body(conv[i].text)
            out.frame("</response>")
        for item in conv[i].parts:
            out.frame("\n<response>")
            out.body(_item_text(item, conv.policy.parity))
            out.frame("\n</response>")
        out.frame("" if conv.role(i + 1) == "tool" else "[e~[\n")


def _item_text(item: Part, parity: bool) -> str:
    """The text of one item of a tool result; the template prints the Python form of a text without a type."""
    untyped = item.payload and "output" not in item.payload and item.payload.get("type") != "text"
    return str(as_given(item)) if parity and untyped else item.text

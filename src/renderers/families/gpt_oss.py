"""gpt-oss: Harmony messages with channels and recipients, tools as TypeScript.

Sources: the vendor's encoder, openai-harmony 0.0.8, is the truth and the default dialect; the chat template of
openai/gpt-oss-20b is the other one.

One message of a chat becomes up to three of Harmony's: reasoning on the analysis channel, then the answer on the final
channel, or calls on the commentary channel with what is said beside them before. A first system or developer message
holds the instructions. Reasoning up to the first final answer is left out once the last answer is final, as the vendor
does; a finished document keeps the reasoning of its last turn, and ends in ``<|return|>`` where history has
``<|end|>``. With `use_patched` every turn keeps both. In the template's dialect results are quoted as JSON, and what is
said beside calls is reasoning.

The template raises for reasoning and content together beside calls, as we do in its dialect. It drops silently later
system and developer messages (here they become developer messages of their own) and every call of a message but the
first (here each is a message of its own, which ends in a stop token).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from typing import Literal

from ..family import (
    BETWEEN,
    CALL,
    CONTENT,
    HEADER,
    REASONING,
    START,
    BadMessage,
    Call,
    Conversation,
    Family,
    Field,
    ReadCall,
    Reply,
    Schemas,
    State,
    ToolCallParseStatus,
    Turn,
    Writer,
    as_given,
    harmony_namespace,
    is_assistant,
    is_user,
    mark,
    own,
    printed_text,
    read_json_arguments,
    template_namespace,
    to_json,
)

_RECIPIENT = re.compile(r"to=(?!assistant\b)([^\s<]+)")
_CHANNEL_TEXT = ("<|channel|>analysis<|message|>", "<|channel|>final<|message|>")


def message_state(header: str) -> State:
    """What a message of the model holds, by its header."""
    if not header.startswith("assistant"):
        return CONTENT  # a message the model made up for somebody else
    if _RECIPIENT.search(header):
        return CALL
    return REASONING if "<|channel|>analysis" in header else CONTENT


def read_harmony_call(text: str, header: str, schemas: Schemas) -> ReadCall:
    """A message to a tool: the recipient in the header, arguments as its text."""
    found = _RECIPIENT.search(header)
    if found is None:
        return ReadCall(None, None, ToolCallParseStatus.MISSING_NAME, text)
    name = found.group(1)
    if name == "functions.":
        return ReadCall(None, None, ToolCallParseStatus.MISSING_NAME, text)
    if name.startswith("functions."):
        return read_json_arguments(name.removeprefix("functions."), text)
    return ReadCall(name, text)  # a built-in tool takes any text


def is_final(turn: Turn) -> bool:
    """An assistant message that answers."""
    return turn.role == "assistant" and not turn.calls and (turn.content is not None or not turn.reasoning)


@dataclass(frozen=True)
class GptOss(Family):
    """gpt-oss-20b and 120b.

    Attributes:
        dialect: "harmony", the vendor's encoder, or "template", the Hugging Face chat template.
        reasoning_effort: "low", "medium" or "high".
        conversation_start_date: the date the system message names; None leaves it out (harmony) or is today (template).
        knowledge_cutoff, model_identity: further words of the system message.
        use_system_prompt: False leaves the system message out.
        auto_drop_analysis: leave out reasoning that the vendor's encoder leaves out; False keeps all of it (harmony).
        call_content_type: what a call's header says of its text in history: "", "json" or "<|constrain|>json"
            (harmony).
    """

    dialect: Literal["harmony", "template"] = own("harmony")
    reasoning_effort: Literal["low", "medium", "high"] = "medium"
    conversation_start_date: str | None = None
    knowledge_cutoff: str = own("2024-06")
    model_identity: str = "You are ChatGPT, a large language model trained by OpenAI."
    use_system_prompt: bool = own(True)
    auto_drop_analysis: bool = own(True)
    call_content_type: Literal["", "json", "<|constrain|>json"] = own("")

    name = "gpt-oss"
    models = {"openai/gpt-oss-20b": {}, "openai/gpt-oss-120b": {}}
    templates = {"a4c9919cbbd4acdd51ccffe22da049264b1b73e59055fa58811a99efbd7c8146": {}}
    reply = Reply(
        stops=("<|return|>", "<|call|>"),
        marks={
            "<|start|>": mark(HEADER, START, BETWEEN),
            "<|message|>": mark(message_state, HEADER),
            "<|end|>": mark(BETWEEN, REASONING, CONTENT),
        },
        read_call=read_harmony_call,
        call_ends=("<|call|>", "<|end|>"),
        history_ends=("<|end|>",),
    )

    # ---- what stands first ------------------------------------------------------------------

    def opening(self, conv: Conversation, out: Writer) -> None:
        if self.use_system_prompt:
            self._system(bool(conv.tools), out)
        if conv.tools and conv.role(0) not in ("system", "developer"):
            out.frame("<|start|>developer<|message|>")
            self._tools(conv, out)
            out.frame("<|end|>")

    def _system(self, tools: bool, out: Writer) -> None:
        out.frame("<|start|>system<|message|>")
        out.body(self.model_identity, Field.OPTION)
        out.frame("\nKnowledge cutoff: ")
        out.body(self.knowledge_cutoff, Field.OPTION)
        day = self.conversation_start_date
        if day is None and self.dialect == "template":
            day = date.today().isoformat()
        if day is not None:
            out.frame("\nCurrent date: ")
            out.body(day, Field.OPTION)
        out.frame(f"\n\nReasoning: {self.reasoning_effort}\n\n# Valid channels: analysis, commentary, final. ")
        out.frame("Channel must be included for every message.")
        out.frame(
            "\nCalls to these tools must go to the commentary channel: 'functions'.<|end|>" if tools else "<|end|>"
        )

    def _tools(self, conv: Conversation, out: Writer) -> None:
        write = harmony_namespace if self.dialect == "harmony" else template_namespace
        try:
            declared = write("functions", [tool["function"] for tool in conv.tools])
        except ValueError as error:
            raise BadMessage("tools", str(error)) from error
        out.frame("# Tools\n\n")
        out.body(declared, Field.TOOLS)

    def _developer(self, conv: Conversation, i: int, out: Writer) -> None:
        """Instructions; the first message also declares the tools."""
        tools = i == 0 and bool(conv.tools)
        text = printed_text(conv[i], self._to_the_letter(conv) and bool(conv[i].parts))
        if i == 0 and not text and not tools:
            return
        out.frame("<|start|>developer<|message|>")
        if text or i > 0:
            out.frame("# Instructions\n\n")
            out.body(text)
            out.frame("\n\n" if tools or self.dialect == "template" else "")
        if tools:
            with out.outside():
                self._tools(conv, out)
        out.frame("<|end|>")

    # ---- turns ------------------------------------------------------------------------------

    def turn(self, conv: Conversation, i: int, out: Writer) -> None:
        turn = conv[i]
        if turn.role in ("system", "developer"):
            if i == 0 or not conv.policy.parity:
                self._developer(conv, i, out)
        elif turn.role == "user":
            out.frame("<|start|>user<|message|>")
            out.body(self._words(turn))
            out.frame("<|end|>")
        elif turn.role == "tool":
            self._result(conv, i, out)
        elif turn.role == "assistant":
            (self._assistant if self.dialect == "harmony" else self._template_assistant)(conv, i, out)
        elif not conv.policy.parity:
            conv.refuse_role(i)

    def ending(self, conv: Conversation, out: Writer) -> None:
        if conv.prompting:
            out.frame("<|start|>assistant")

    def _to_the_letter(self, conv: Conversation) -> bool:
        """What the template makes of anything is written, its faults too."""
        return conv.policy.parity and self.dialect == "template"

    def _words(self, turn: Turn) -> str:
        return turn.text if self.dialect == "harmony" else turn.required_text()

    def _result(self, conv: Conversation, i: int, out: Writer) -> None:
        out.frame("<|start|>functions.")
        out.body(self._tool_name(conv, i), Field.RESULT_NAME)
        out.frame(" to=assistant<|channel|>commentary<|message|>")
        text = self._words(conv[i])
        if self._to_the_letter(conv) and isinstance(conv[i].content, tuple):
            out.body(to_json([as_given(part) for part in conv[i].parts]))
        else:
            out.body(text if self.dialect == "harmony" else to_json(text))
        out.frame("<|end|>")

    def _tool_name(self, conv: Conversation, i: int) -> str:
        """The tool that result `i` came from; the template takes the call before it for granted."""
        name = conv.tool_name(i)
        if self.dialect == "template":
            asked = conv.until(i).last(is_assistant)
            calls = conv[asked].calls if asked >= 0 else ()
            if calls and self._to_the_letter(conv):
                return calls[0].name
            name = name if calls else None
        if name is None:
            raise BadMessage(
                f"{conv[i].path}.name",
                "is missing; this format needs the tool of a result: its `name`, or the `tool_call_id` of its call",
            )
        return name.removeprefix("functions.")

    def _assistant(self, conv: Conversation, i: int, out: Writer) -> None:
        turn = conv[i]
        if turn.reasoning and not self._drops_reasoning(conv, i):
            _message(out, "analysis", turn.reasoning, Field.REASONING)
        if turn.calls:
            if turn.text:
                _message(out, "commentary", turn.text)
            for call in turn.calls:
                _call(out, call, call.as_json(), f" {self.call_content_type}" if self.call_content_type else "")
        elif is_final(turn):
            _message(out, "final", turn.text, end="<|return|>" if _as_sampled(conv, i) else "<|end|>")

    def _drops_reasoning(self, conv: Conversation, i: int) -> bool:
        """openai-harmony's rule: once the last answer is final, reasoning up to the first final answer goes. A finished
        document shows its last turn as it was sampled, behind the prompt of that turn."""
        if not conv.prompting and is_final(conv[len(conv) - 1]):
            if i == len(conv) - 1:
                return False
            conv = conv.until(len(conv) - 1)
        last = conv.last(is_assistant)
        dropped = self.auto_drop_analysis and last >= 0 and is_final(conv[last]) and i <= conv.first(is_final)
        return dropped and not conv.keeps_reasoning(i, conv.last(is_user))

    def _template_assistant(self, conv: Conversation, i: int, out: Writer) -> None:
        turn = conv[i]
        for words, where in ((turn.text, "content"), (turn.reasoning or "", "reasoning_content")):
            if any(header in words for header in _CHANNEL_TEXT):
                raise BadMessage(
                    f"{turn.path}.{where}", "spells out a Harmony header; give reasoning and content apart"
                )
        if not turn.calls:
            text = turn.required_text()
            sampled = _as_sampled(conv, i)
            if turn.reasoning is not None and (sampled or conv.keeps_reasoning(i, conv.last(is_user))):
                _message(out, "analysis", turn.reasoning, Field.REASONING)
            _message(out, "final", text, end="<|return|>" if sampled else "<|end|>")
            return
        if turn.text and turn.reasoning:
            raise BadMessage(f"{turn.path}.content", "the template refuses content and reasoning together beside calls")
        answered = any(is_assistant(later) and not later.calls for later in conv[i + 1 :])
        if turn.text and not (answered and conv.policy.parity):
            _message(out, "analysis", turn.text)
        if turn.reasoning and (not answered or conv.keeps_reasoning(i, conv.last(is_user))):
            _message(out, "analysis", turn.reasoning, Field.REASONING)
        for call in turn.calls[:1] if conv.policy.parity else turn.calls:
            quoted = isinstance(call.arguments, str) and conv.policy.parity
            _call(out, call, to_json(call.arguments) if quoted else call.as_json(), " json")


def _as_sampled(conv: Conversation, i: int) -> bool:
    """The turn is written as the model wrote it: it ends the document, or no turn is ever respelt."""
    return conv.policy.patched or (i == len(conv) - 1 and not conv.prompting)


def _message(out: Writer, channel: str, text: str, field: Field = Field.CONTENT, end: str = "<|end|>") -> None:
    out.frame(f"<|start|>assistant<|channel|>{channel}<|message|>")
    out.body(text, field)
    out.frame(end)


def _call(out: Writer, call: Call, arguments: str, content_type: str) -> None:
    out.frame("<|start|>assistant to=functions.")
    out.body(call.name, Field.CALL_NAME)
    out.frame(f"<|channel|>commentary{content_type}<|message|>")
    out.body(arguments, Field.CALL_ARGUMENTS)
    out.frame("<|call|>")

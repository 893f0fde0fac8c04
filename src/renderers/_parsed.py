"""What reading a reply gives: events while it streams, and the whole of it as a message."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ._calls import ToolCallParseStatus
from ._writer import Field


@dataclass(frozen=True)
class ParsedToolCall:
    """One call of a reply.

    Attributes:
        raw: the text of the call as sampled, without its opening and closing tokens.
        name: the tool, or None where it could not be read.
        arguments: values as a mapping; a text where the model wrote one or Python cannot hold the value.
        token_span: half-open span of the call in the parsed ids, opening and closing tokens included.
        status: OK, or what is wrong with it.
        id: the call's id where the format has one.
        json_text: the arguments verbatim, for formats that write them as JSON.
    """

    raw: str
    name: str | None
    arguments: dict[str, Any] | str | None
    token_span: tuple[int, int] | None
    status: ToolCallParseStatus
    id: str | None = None
    json_text: str | None = None


@dataclass
class ParsedResponse:
    """A reply as a message.

    Attributes:
        content: the text of the answer; nothing the model wrote outside reasoning and calls is missing.
        reasoning_content: the reasoning, or None where there is none.
        tool_calls: every call in the order sampled, broken ones with their status.
        reasoning_complete: False where the reply was cut inside its reasoning.
        stopped: a stop token was sampled.
        length: how many of the ids belong to the reply, its stop token included.
    """

    content: str = ""
    reasoning_content: str | None = None
    tool_calls: list[ParsedToolCall] = field(default_factory=list)
    reasoning_complete: bool | None = True
    stopped: bool = False
    length: int = 0

    def message(self) -> dict[str, Any]:
        """The reply as an assistant message to append to the conversation; JSON arguments stay verbatim.

        Calls without a name are no part of it.
        """
        message: dict[str, Any] = {"role": "assistant", "content": self.content}
        if self.reasoning_content is not None:
            message["reasoning_content"] = self.reasoning_content
        calls = [
            {
                "type": "function",
                **({"id": call.id} if call.id else {}),
                "function": {
                    "name": call.name,
                    "arguments": call.arguments if call.json_text is None else call.json_text,
                },
            }
            for call in self.tool_calls
            if call.name is not None
        ]
        if calls:
            message["tool_calls"] = calls
        return message


@dataclass(frozen=True, slots=True)
class TextDelta:
    """Text of the reply as it comes; `field` is CONTENT or REASONING."""

    field: Field
    text: str


@dataclass(frozen=True, slots=True)
class CallRead:
    """A call has been read to its end."""

    call: ParsedToolCall


@dataclass(frozen=True, slots=True)
class Refiled:
    """The reply stopped without closing its reasoning: `text`, streamed as reasoning, was the answer."""

    text: str


Event = TextDelta | CallRead | Refiled

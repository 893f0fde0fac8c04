"""The bridge: extend a sampled turn with new messages, leaving every sampled token as it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING, Any

import numpy as np

from ._derive import probe_turn, write
from ._errors import BadMessage
from ._messages import NONE, Call, Conversation, Turn
from ._parsed import ParsedResponse
from ._read import read_messages
from ._rendered import RenderedTokens, plain_ids
from ._reply import BETWEEN, CALL, CONTENT, HEADER, REASONING, State
from ._writer import Field, Piece

if TYPE_CHECKING:
    from ._renderer import Renderer


class RefusalCode(str, Enum):
    """Why there is no bridge."""

    EMPTY_PROMPT = "EmptyPrompt"
    NO_NEW_MESSAGES = "NoNewMessages"
    ASSISTANT_IN_EXTENSION = "AssistantInExtension"
    ROLE_REFUSED = "RoleRefused"
    RETENTION_POLICY = "RetentionPolicy"
    REASONING_OPEN = "ReasoningOpen"
    CUT_INSIDE_CALL = "CutInsideCall"
    TOKENS_AFTER_STOP = "TokensAfterStop"
    WRONG_MARKER = "WrongMarker"
    DEPENDS_ON_HISTORY = "DependsOnHistory"
    NO_TURN_CLOSE = "NoTurnClose"


_WHAT_TO_DO = {
    RefusalCode.EMPTY_PROMPT: "the previous prompt is empty; render the conversation instead",
    RefusalCode.NO_NEW_MESSAGES: "there are no new messages; sample from the previous prompt, or add a message",
    RefusalCode.ASSISTANT_IN_EXTENSION: "new_messages holds an assistant message, which would replace sampled tokens; "
    "give only what came after the sampled turn, or render the conversation",
    RefusalCode.ROLE_REFUSED: "the format refuses a new message",
    RefusalCode.RETENTION_POLICY: "the template would now strip reasoning that the prompt holds; render the "
    'conversation, or make the renderer with thinking_retention="all" to go on extending',
    RefusalCode.REASONING_OPEN: "the model stopped inside its reasoning; parse the turn and render the conversation",
    RefusalCode.CUT_INSIDE_CALL: "the turn was cut inside a tool call or a header; drop the turn or sample it again "
    "with a higher token limit",
    RefusalCode.TOKENS_AFTER_STOP: "tokens follow a stop token; cut the completion behind its first stop",
    RefusalCode.WRONG_MARKER: "the turn ended by sampling the marker of another role than the first new message has; "
    "render the conversation",
    RefusalCode.DEPENDS_ON_HISTORY: "a new message changes how an earlier one is written, or the reverse; render the "
    "conversation",
    RefusalCode.NO_TURN_CLOSE: "how this template closes a turn is not known; render the conversation each turn",
}


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why there is no bridge: a code to act on and a sentence that says what to do."""

    code: RefusalCode
    detail: str = ""

    @property
    def message(self) -> str:
        return f"{_WHAT_TO_DO[self.code]}{f' ({self.detail})' if self.detail else ''}"

    def __str__(self) -> str:
        return f"{self.code.value}: {self.message}"


@dataclass(frozen=True, slots=True)
class Bridge:
    """The outcome of a bridge: `rendered`, or the `refusal`."""

    rendered: RenderedTokens | None = None
    refusal: Refusal | None = None

    def __bool__(self) -> bool:
        return self.rendered is not None


_STUB = 2
"""A bridge writes the new messages behind a question and an answer that stand for the history."""


class _Refused(Exception):
    def __init__(self, code: RefusalCode, detail: str = "") -> None:
        super().__init__(code)
        self.refusal = Refusal(code, detail)


def bridge(r: Renderer, prompt: Sequence[int], completion: Sequence[int], new_messages: Any, tools: Any) -> Bridge:
    """See `Renderer.explain_bridge`. Costs what the completion and the new messages cost, not the history."""
    try:
        return Bridge(_extend(r, prompt, completion, new_messages, tools))
    except _Refused as refused:
        return Bridge(refusal=refused.refusal)


def _extend(
    r: Renderer, prompt: Sequence[int], completion: Sequence[int], new_messages: Any, tools: Any
) -> RenderedTokens:
    new = read_messages(new_messages, "new_messages")
    if not len(prompt):
        raise _Refused(RefusalCode.EMPTY_PROMPT)
    if not new:
        raise _Refused(RefusalCode.NO_NEW_MESSAGES)
    for turn in new:
        if turn.role == "assistant":
            raise _Refused(RefusalCode.ASSISTANT_IN_EXTENSION, turn.path)
    sampled = plain_ids(completion)
    reader = r.reader(prompt_ids=prompt)
    # Behind results a prompt may leave open what the one behind the question had said.
    may_reason = reader.state is REASONING or CONTENT not in (reader.state, r._opening_state)
    reader.feed(sampled)
    place = reader.place
    parsed, _ = reader.finish()
    if parsed.length < len(sampled):
        raise _Refused(RefusalCode.TOKENS_AFTER_STOP)

    conv, pieces = _write_new(r, new, parsed, tools)
    if r.thinking_retention == "template" or (
        r.thinking_retention == "tool_cycle" and may_reason and r._probes.strips_reasoning(new, len(parsed.tool_calls))
    ):
        raise _Refused(RefusalCode.RETENTION_POLICY)
    close, given_back = _close(r, prompt, sampled, place, parsed, pieces[0].text)
    pieces[0] = pieces[0]._replace(text=pieces[0].text.removeprefix(given_back))
    encoded = r._encoder.encode([Piece(close, NONE, Field.FRAME, True), *pieces])
    ids = encoded.ids.tolist()
    carried = len(prompt) + len(sampled)
    return RenderedTokens(
        token_ids=[*plain_ids(prompt), *sampled, *ids],
        message_indices=np.concatenate([np.full(carried, NONE, dtype=np.int32), encoded.messages()]),
        sampled_mask=np.zeros(carried + len(ids), dtype=np.bool_),
        fields=np.concatenate([np.zeros(carried, dtype=np.uint8), encoded.fields()]),
        message_roles=[turn.role for turn in new],
        message_tool_names=conv.tool_names()[_STUB:],
        prefix_length=carried,
    )


def _write_new(
    r: Renderer, new: Sequence[Turn], parsed: ParsedResponse, tools: Any
) -> tuple[Conversation, list[Piece]]:
    """The new messages as the format writes them behind a turn like the sampled one."""
    calls = tuple(Call(call.name or "", {}, call.id, "function", "") for call in parsed.tool_calls)
    stub = [probe_turn("user"), replace(probe_turn("assistant", "" if calls else "C"), calls=calls)]
    conv = r._conversation([*stub, *new], tools, True)
    try:
        written = write(r.family, conv)
        before = write(r.family, conv.until(_STUB))
    except BadMessage as error:
        refused = error.path.endswith(".role")
        raise _Refused(RefusalCode.ROLE_REFUSED if refused else RefusalCode.DEPENDS_ON_HISTORY, str(error)) from error
    if written.opening != before.opening or written.turn(0) != before.turn(0):
        raise _Refused(RefusalCode.DEPENDS_ON_HISTORY)
    return conv, [
        piece._replace(message=piece.message - _STUB if piece.message >= 0 else NONE)
        for piece in written.pieces[written.bounds[_STUB] :]
    ]


def _close(
    r: Renderer, prompt: Sequence[int], sampled: Sequence[int], place: State, parsed: ParsedResponse, following: str
) -> tuple[str, str]:
    """What must be written between the completion and the new messages, and which marker at the beginning of
    `following` the model has sampled already."""
    closes, controls = r._closes, r._tokenizer.controls
    if parsed.stopped:
        if place is REASONING:
            raise _Refused(RefusalCode.REASONING_OPEN)
        stop = next(text for text in r.family.reply.stops if controls[text] == sampled[-1])
        if stop in closes.markers:
            if not following.startswith(stop):
                raise _Refused(RefusalCode.WRONG_MARKER, f"sampled {stop}")
            return "", stop
        if stop in closes.produced:
            return closes.seam, ""
    if sampled and sampled[-1] in r._history_ends:
        return closes.seam, ""
    if place in (CALL, HEADER) or (place is BETWEEN and closes.call is None):
        raise _Refused(RefusalCode.CUT_INSIDE_CALL)
    if place is BETWEEN and closes.call is not None:
        behind = _behind_calls(r, [*r._prompt_end(prompt), *sampled])
        if behind is None:
            raise _Refused(RefusalCode.CUT_INSIDE_CALL)
        return closes.call.removeprefix(behind) + closes.seam, ""
    close = closes.reasoning if place is REASONING else closes.content
    return f"{close}{closes.seam}", ""


def _behind_calls(r: Renderer, turn: Sequence[int]) -> str | None:
    """What stands behind the last call of a turn, which may be the beginning of its close; None where a block of calls
    was opened and none was sampled."""
    begin = next((k for k in range(len(turn), 0, -1) if turn[k - 1] in r._table.call_ends), None)
    return None if begin is None else r._tokenizer.token_bytes(turn[begin:]).decode("utf-8", "replace")

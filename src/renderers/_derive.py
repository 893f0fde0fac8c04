"""What the engine learns about a family by having it write a few small conversations.

None of it is stated by the family: the words around content and reasoning, how a turn closes, what a
bridge must write first, whether history is rewritten, whether tools are declared.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import takewhile
from typing import Any

from ._family import Family
from ._messages import Call, Conversation, Policy, Turn
from ._reply import Affixes
from ._writer import CUT, Field, Piece, Writer

TOOL: dict[str, Any] = {"type": "function", "function": {"name": "probe", "description": "", "parameters": {}}}


@dataclass(frozen=True, slots=True)
class Written:
    """A conversation as a family writes it: pieces, and per message where its pieces begin."""

    pieces: list[Piece]
    bounds: list[int]

    def turn(self, i: int) -> list[Piece]:
        """The pieces of message `i`."""
        return self.pieces[self.bounds[i] : self.bounds[i + 1]]

    @property
    def opening(self) -> list[Piece]:
        return self.pieces[: self.bounds[0]]


def write(family: Family, conv: Conversation) -> Written:
    """Have a family write a conversation."""
    out = Writer(trust_bodies=conv.policy.parity)
    family.opening(conv, out)
    bounds = []
    for i in range(len(conv)):
        bounds.append(len(out.pieces))
        out.message = i
        family.turn(conv, i, out)
    bounds.append(len(out.pieces))
    out.message = -1
    family.ending(conv, out)
    return Written(out.pieces, bounds)


def cut_at_prompts(family: Family, conv: Conversation, written: Written, controls: re.Pattern[str]) -> Written:
    """The same with a cut where each generation prompt ended, so that no token spans prompt and sampled text."""
    pieces = written.pieces[: written.bounds[0]]
    bounds = []
    for i, turn in enumerate(conv):
        bounds.append(len(pieces))
        own = written.turn(i)
        left = len(prompt_overlap(family, conv, i, own, controls)) if turn.role == "assistant" else 0
        for piece in own:
            width = len(piece.text)
            if 0 < left <= width:
                pieces += [piece._replace(text=piece.text[:left]), piece._replace(text=CUT)]
                piece = piece._replace(text=piece.text[left:])
            if piece.text:
                pieces.append(piece)
            left -= width
    bounds.append(len(pieces))
    return Written([*pieces, *written.pieces[written.bounds[-1] :]], bounds)


def prompt_overlap(family: Family, conv: Conversation, i: int, turn: Sequence[Piece], controls: re.Pattern[str]) -> str:
    """The beginning of message `i` that the generation prompt before it had written already."""
    out = Writer()
    family.ending(conv.until(i, prompting=True), out)
    scaffold = "".join(piece.text for piece in takewhile(lambda piece: piece.field is Field.FRAME, turn))
    return _overlap(out.text(), scaffold, controls)


@lru_cache(maxsize=1024)
def _overlap(prompt: str, scaffold: str, controls: re.Pattern[str]) -> str:
    """What two texts begin with alike; it never ends inside a control token, since ``<think>`` and ``<tool_call>`` have
    nothing in common."""
    overlap = common_prefix(prompt, scaffold)
    inside = (m for text in (prompt, scaffold) for m in controls.finditer(text) if m.start() < len(overlap) < m.end())
    return overlap[: min((match.start() for match in inside), default=len(overlap))]


def common_prefix(one: str, other: str) -> str:
    """The characters two texts begin with alike."""
    return one[: common_prefix_length(one, other)]


def common_prefix_length(one: Sequence[Any], other: Sequence[Any]) -> int:
    """How many items two sequences begin with alike."""
    return next((k for k, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


# ---- probes ---------------------------------------------------------------------------------

USER, RESULT = "user", "tool"


def probe_turn(role: str, content: str | None = "C", reasoning: str | None = None, calls: int = 0) -> Turn:
    """A message for a probe conversation."""
    made = tuple(Call("probe", {"a": "b"}, f"probe-{k}", "function", "") for k in range(calls))
    return Turn(role, content, reasoning, made, None, "probe-0" if role == RESULT else None, {}, "probe")


@dataclass(frozen=True, slots=True)
class Closes:
    """How a cut turn is closed, and what stands between a turn's close and the next turn.

    Attributes:
        content, reasoning, call: what ends a turn that was cut there; "" where only the next turn's marker does, None
            where the template leaves it open.
        seam: what follows a turn's close.
        produced: the stop tokens that a finished turn ends with.
        markers: the control tokens that user and tool messages open with.
    """

    content: str
    reasoning: str
    call: str | None
    seam: str
    produced: frozenset[str]
    markers: frozenset[str]


class Probes:
    """A family writing small conversations under one policy."""

    def __init__(self, family: Family, controls: re.Pattern[str], policy: Policy) -> None:
        self._family, self._controls = family, controls
        self._policy = replace(policy, parity=False)
        self._reasoning = "R" if family.reply.reasons else None
        self._called = probe_turn("assistant", None, calls=1)

    @property
    def round(self) -> tuple[Turn, ...]:
        """A question, a call and its result."""
        return probe_turn(USER), self._called, probe_turn(RESULT)

    def written(self, *turns: Turn, tools: Sequence[dict[str, Any]] = (), prompting: bool = False) -> Written:
        return write(self._family, Conversation(turns, tools, prompting, self._policy))

    def affixes(self) -> Affixes:
        """The scaffold around the words of a turn."""
        called = self.written(probe_turn(USER), probe_turn("assistant", "C", calls=1)).turn(1)
        before_call = self._to_control(self._after(called, Field.CONTENT))
        if self._reasoning is None:
            return Affixes(content_before_call=before_call)
        turn = self._reasoned("C")
        reasoning, content = (
            next(k for k, piece in enumerate(turn) if piece.field is field)
            for field in (Field.REASONING, Field.CONTENT)
        )
        between = turn[reasoning + 1 : content]
        return Affixes(
            self._from_control(turn[:reasoning]), self._to_control(between), self._from_control(between), before_call
        )

    def _reasoned(self, content: str) -> list[Piece]:
        """A reasoned answer as the model writes it, also where the template never keeps reasoning."""
        answer = probe_turn("assistant", content, self._reasoning)
        policy = replace(self._policy, keep="all")
        return write(self._family, Conversation((probe_turn(USER), answer), policy=policy)).turn(1)

    def closes(self) -> Closes:
        """How turns close, from the texts that stand behind their last words."""
        answered = self.written(probe_turn(USER), probe_turn("assistant"), probe_turn(USER)).turn(1)
        content, seam = self._after_close(_text(self._after(answered, Field.CONTENT)))
        called = self.written(*self.round).turn(1)
        behind_call = _text(self._after(called, Field.CALL_ARGUMENTS))
        end = max((behind_call.rfind(token) + len(token) for token in self._family.reply.call_ends), default=0)
        call, _ = self._after_close(behind_call[end:])
        reasoning = ""
        if self._reasoning is not None:
            behind_reasoning = _text(self._after(self._reasoned(""), Field.REASONING))
            reasoning, _ = self._after_close(behind_reasoning, first=True)
        closed = bool(call) or not content
        finished = [
            self.written(probe_turn(USER), answer).turn(1) for answer in (probe_turn("assistant"), self._called)
        ]
        produced = {stop for stop in self._family.reply.stops if any(stop in _text(turn) for turn in finished)}
        markers = frozenset(filter(None, map(self._first_control, (USER, RESULT))))
        return Closes(content, reasoning, call if closed else None, seam, frozenset(produced), markers)

    def strips_reasoning(self, after: Sequence[Turn], calls: int) -> bool:
        """The template leaves reasoning out of a turn that `after` follows."""
        if self._reasoning is None:
            return False
        asked = (probe_turn(USER), probe_turn("assistant", "" if calls else "C", self._reasoning, calls))
        return not any(piece.field is Field.REASONING for piece in self.written(*asked, *after).turn(1))

    def declares_tools(self) -> bool:
        """Tools given by the caller reach the prompt."""
        user = probe_turn(USER)
        return _text(self.written(user, tools=[TOOL]).pieces) != _text(self.written(user).pieces)

    def prefix_stable(self) -> bool:
        """What a rollout writes at any turn stays as it is: calls in two rounds, answers, a second question; with and
        without reasoning."""
        return all(map(self._prefix_stable, {self._reasoning, None}))

    def _prefix_stable(self, reasoning: str | None) -> bool:
        ask, result = probe_turn(USER), probe_turn(RESULT)
        call, calls, answer = (
            probe_turn("assistant", content, reasoning, n) for content, n in ((None, 1), (None, 2), ("C", 0))
        )
        turns = (probe_turn("system"), ask, call, result, calls, result, result, answer, ask, call, result, answer)
        whole = _text(self.written(*turns).pieces)
        for k in range(2, len(turns)):
            in_results = turns[k - 1].role == turns[k].role == RESULT
            if not in_results and not whole.startswith(_text(self.written(*turns[:k]).pieces)):
                return False
        return True

    def _first_control(self, role: str) -> str | None:
        """The control token a message of this role opens with, after an assistant turn."""
        text = _text(self.written(probe_turn(USER), self._called, probe_turn(role)).turn(2))
        match = self._controls.match(text)
        return match.group() if match else None

    def _after_close(self, text: str, first: bool = False) -> tuple[str, str]:
        """A text split behind the control token in it that closes a turn (the first or the last one); ("", "") and the
        whole text as close where none does."""
        reply = self._family.reply
        ends = [m.end() for m in self._controls.finditer(text) if m.group() in (*reply.stops, *reply.history_ends)]
        if not ends:
            return text, ""
        end = ends[0] if first else ends[-1]
        return text[:end], text[end:]

    def _to_control(self, pieces: Sequence[Piece]) -> str:
        text = _text(takewhile(lambda piece: piece.field is Field.FRAME, pieces))
        match = self._controls.search(text)
        return text[: match.start()] if match else text

    def _from_control(self, pieces: Sequence[Piece]) -> str:
        text = _text(pieces)
        ends = [match.end() for match in self._controls.finditer(text)]
        return text[ends[-1] :] if ends else text

    @staticmethod
    def _after(turn: Sequence[Piece], field: Field) -> Sequence[Piece]:
        """What a turn writes behind its last words of one field."""
        last = max(k for k, piece in enumerate(turn) if piece.field is field)
        return turn[last + 1 :]


def _text(pieces: Any) -> str:
    return "".join(piece.text for piece in pieces)

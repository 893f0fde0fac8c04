"""Reading a model's reply, token by token: one state machine driven by a family's table.

`Reader` turns tokens into events in O(1) amortised; `ParsedResponse` is the fold of its events, there is no other
parser.
"""

from __future__ import annotations

import codecs
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from contextlib import suppress
from itertools import accumulate, pairwise
from typing import Any, cast

import numpy as np

from ._calls import ReadCall, Schemas, ToolCallParseStatus
from ._parsed import CallRead, Event, ParsedResponse, ParsedToolCall, Refiled, TextDelta
from ._rendered import plain_ids
from ._reply import BETWEEN, CALL, CONTENT, HEADER, PROSE, REASONING, START, Affixes, Mark, Reply, State
from ._tokenizers import Tokenizer
from ._writer import Field

_WORTH_AN_ARRAY = 64
"""Tokens fed at once from which on an array finds the marks sooner than a loop."""


class Table:
    """A family's `Reply` in the ids of one tokenizer."""

    def __init__(self, reply: Reply, controls: Mapping[str, int]) -> None:
        self.read_call = reply.read_call
        self.controls = frozenset(controls.values())
        self.stops = frozenset(controls[stop] for stop in reply.stops)
        self.marks = {controls[text]: mark for text, mark in reply.marks.items()}
        self.call_ends = frozenset(controls[text] for text in reply.call_ends)
        self._special = self.stops | self.call_ends | set(self.marks)
        self._is_special = np.zeros(max(self._special, default=0) + 2, dtype=np.bool_)
        self._is_special[list(self._special)] = True

    def special_at(self, ids: Sequence[int]) -> list[int]:
        """Where in `ids` there may be a mark, a stop or a call's end (ids out of range count as the nearest)."""
        if len(ids) >= _WORTH_AN_ARRAY:
            with suppress(OverflowError):  # ids of no vocabulary
                found = self._is_special.take(np.fromiter(ids, dtype=np.int64, count=len(ids)), mode="clip")
                return cast("list[int]", np.flatnonzero(found).tolist())
        return [k for k, id_ in enumerate(ids) if id_ in self._special]


class _Stretch:
    """The text of one state as it streams: takes one prefix off, holds a possible suffix back."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._prefix = self._suffix = self._held = ""

    def begin(self, prefix: str = "", suffix: str = "", head: str = "") -> None:
        """Start a stretch; `head`, its beginning, stood in the prompt already."""
        self._decoder.reset()
        self._prefix = prefix[len(head) :] if prefix.startswith(head) else ""
        self._suffix, self._held = suffix, ""

    def add(self, data: bytes) -> str:
        """The text that can be told after these bytes."""
        self._held += self._decoder.decode(data)
        if self._prefix:
            if self._prefix.startswith(self._held):
                return ""
            self._held = self._held.removeprefix(self._prefix)
            self._prefix = ""
        keep = len(self._held) - len(self._suffix)
        if keep <= 0:
            return ""
        told, self._held = self._held[:keep], self._held[keep:]
        return told

    def end(self, strip: bool) -> tuple[str, str]:
        """The rest of the stretch and, with `strip`, the suffix taken off it."""
        held = self._held + self._decoder.decode(b"", True)
        if self._prefix:
            held = "" if self._prefix.startswith(held) else held.removeprefix(self._prefix)
        cut = self._suffix if strip and self._suffix and held.endswith(self._suffix) else ""
        return held.removesuffix(cut), cut


class Reader:
    """Reads one reply. Feed tokens as they come, then `finish`.

    Attributes:
        state: where it stands.
        stopped: a stop token was met; what follows is ignored.
        length: tokens of the reply so far, the stop token included.
        steps: tokens handled so far, those handled twice counted twice.
    """

    def __init__(
        self,
        table: Table,
        tokenizer: Tokenizer,
        affixes: Affixes,
        schemas: Schemas | None = None,
        call_type: type[ParsedToolCall] = ParsedToolCall,
    ) -> None:
        self._table, self._tokenizer, self._affixes, self._schemas = table, tokenizer, affixes, schemas
        self._call_type = call_type
        self.state = START
        self.stopped = False
        self.length = self.steps = 0
        self._content: list[str] = []
        self._reasoning: list[str] = []
        self._calls: list[ParsedToolCall] = []
        self._events: list[Event] = []
        self._stretch = _Stretch()
        self._glue = ""  # scaffold left out after content; wanted back if more content follows
        self._white: list[str] = []  # white space before the first word of a stretch that may turn out to be scaffold
        self._worded = False  # that word has come
        self._header_head = ""  # the part of a header that stood in the prompt
        self._header: list[int] = []  # and the tokens that followed
        self._header_start = self._call_start = self._reasoning_from = 0
        self._call: list[int] = []  # tokens of the open call, its end tokens and what follows them included
        self._closes: list[int] = []  # lengths of `_call` just after each end token
        self._blank_tail = True  # nothing but white space since the last of them
        self._reads: dict[int, tuple[str, Sequence[ReadCall]]] = {}  # of the open call's text until there
        self._skipped = 0  # tokens behind the stop
        self._resumable = False  # the stop ended a call, and only white space followed
        self._enter(START)

    # ---- input ------------------------------------------------------------------------------

    def seek(self, prompt: Sequence[int]) -> None:
        """Stand where a generation prompt leaves off. Its marks count; its words do not."""
        acted, header = 0, ""
        for k, token in enumerate(prompt):
            mark = self._table.marks.get(token)
            if self.state is CALL and token in self._table.call_ends:
                self.state, acted = BETWEEN, k + 1
            elif mark is not None and self.state in mark.after:
                header = self._decode(prompt[acted:k])
                self.state, acted = mark.to(header) if callable(mark.to) else mark.to, k + 1
        head = self._decode(prompt[acted:]) if acted else ""
        self._enter(self.state, head)
        if self.state is not HEADER:
            self._header_head = header

    def feed(self, tokens: Any) -> list[Event]:
        """Take one token, or any number of them (list, array, tensor); returns what became known."""
        self._feed([int(tokens)] if isinstance(tokens, (int, np.integer)) else plain_ids(tokens))
        return self._take_events()

    def finish(self, finish_reason: str | None = None) -> tuple[ParsedResponse, list[Event]]:
        """End the reply: the whole of it, and the events that the end brought.

        Args:
            finish_reason: the engine's. With ``"stop"`` or ``"tool_calls"`` a reply without a stop token counts as
                ended, so that reasoning still open was the answer; otherwise it counts as cut.
        """
        ended = self.stopped or finish_reason in ("stop", "tool_calls")
        if not self.stopped:
            self._end(refile=ended)
        parsed = ParsedResponse(
            content="".join(self._content),
            reasoning_content="".join(self._reasoning) or None,
            tool_calls=self._calls,
            reasoning_complete=ended or self.state is not REASONING,
            stopped=self.stopped,
            length=self.length,
        )
        return parsed, self._take_events()

    @property
    def place(self) -> State:
        """The state, a call whose end was met counted as ended."""
        return BETWEEN if self.state is CALL and self._closes and self._blank_tail else self.state

    # ---- tokens -----------------------------------------------------------------------------

    def _feed(self, ids: Sequence[int]) -> None:
        """Plain tokens go in stretches, special ones one by one."""
        done = 0
        for k in self._table.special_at(ids):
            if k > done:
                self._text(ids[done:k])
            self._special(ids[k])
            done = k + 1
        if done < len(ids):
            self._text(ids[done:])

    def _special(self, token: int) -> None:
        if self.stopped:
            self._after_stop(token)
        elif self.state is CALL:
            self._special_in_call(token)
        elif token in self._table.stops:
            self._count(1)
            self._stop()
        elif (mark := self._table.marks.get(token)) is not None and self.state in mark.after:
            self._count(1)
            self._move(mark)
        else:
            self._text([token])

    def _special_in_call(self, token: int) -> None:
        mark = self._table.marks.get(token)
        if token in self._table.call_ends:
            self._text([token])
            self._closes.append(len(self._call))
            self._blank_tail = True
            if token in self._table.stops:
                self._stop()
        elif token in self._table.stops:
            self._stop()
            self._count(1)
        elif mark is not None and BETWEEN in mark.after and self._may_end_here():
            self._end_call()
            self._count(1)
            self._move(mark)
        else:
            self._text([token])

    def _after_stop(self, token: int) -> None:
        """A turn of several calls may hold a stop after each; anything else behind a stop is no part of it."""
        mark = self._table.marks.get(token)
        if mark is not None and BETWEEN in mark.after and mark.to in (CALL, HEADER) and self._resumable:
            self._count(self._skipped + 1)
            self._skipped, self.stopped = 0, False
            self._enter(BETWEEN)
            self._move(mark)
        else:
            self._skipped += 1
            self._resumable = False

    def _text(self, ids: Sequence[int]) -> None:
        if self.stopped:
            self._skipped += len(ids)
            self._resumable = self._resumable and self._decode(ids).isspace()
            return
        self._count(len(ids))
        if self.state is CALL:
            self._call.extend(ids)
            if self._closes and self._blank_tail:
                self._blank_tail = self._decode(ids).isspace()
        elif self.state is HEADER:
            self._header.extend(ids)
        else:
            self._tell(self._stretch.add(self._tokenizer.token_bytes(ids)))

    def _count(self, n: int) -> None:
        self.length += n
        self.steps += n

    def _header_text(self) -> str:
        return self._header_head + self._decode(self._header)

    def _decode(self, ids: Sequence[int]) -> str:
        return self._tokenizer.token_bytes(ids).decode("utf-8", "replace")

    # ---- states -----------------------------------------------------------------------------

    def _move(self, mark: Mark) -> None:
        to = mark.to(self._header_text()) if callable(mark.to) else mark.to
        self._leave(to)
        self._enter(to)

    def _enter(self, state: State, head: str = "") -> None:
        affixes, before, self.state = self._affixes, self.state, state
        self._worded = False
        if state is REASONING:
            self._reasoning_from = len(self._reasoning)
            self._stretch.begin(affixes.before_reasoning, affixes.after_reasoning, head)
        elif state is START:
            self._stretch.begin("", affixes.content_before_call, head)
        elif state is CONTENT:
            self._stretch.begin(affixes.content_after_reasoning, affixes.content_before_call, head)
        elif state is BETWEEN:
            self._stretch.begin()
        elif state is HEADER:
            self._header_head, self._header, self._header_start = head, [], max(self.length - 1, 0)
        else:
            self._call, self._closes, self._blank_tail, self._reads = [], [], True, {}
            self._call_start = self._header_start if before is HEADER else max(self.length - 1, 0)

    def _leave(self, to: State | None, refile: bool = False) -> None:
        """End the text of the present state. `to` is what comes next, None at the end of the reply."""
        if self.state is REASONING:
            rest, _ = self._stretch.end(strip=to is not None)
            self._tell(rest)
            if refile:
                answer = "".join(self._reasoning[self._reasoning_from :])
                del self._reasoning[self._reasoning_from :]
                self._content.append(answer)
                self._events.append(Refiled(answer))
        elif self.state in PROSE:
            rest, cut = self._stretch.end(strip=to in (CALL, BETWEEN))
            self._tell(rest)
            if to is None and self.state is START and self._white:
                self._say(Field.CONTENT, "".join(self._white))
            self._glue, self._white = cut, []
        elif self.state is HEADER and to is None and self._table.controls.isdisjoint(self._header):
            self._say(Field.CONTENT, self._decode(self._header))  # nothing marks it as a header

    def _stop(self) -> None:
        self._end(refile=True)
        self.stopped = True
        self._resumable = self.state is BETWEEN and bool(self._calls)

    def _end(self, refile: bool) -> None:
        """The reply is over."""
        while self.state is CALL:  # what followed a broken call may hold another
            self._end_call()
        self._leave(None, refile)

    def _tell(self, text: str) -> None:
        """Text of the present state; white space alone is not content at the start and around calls."""
        if self.state is REASONING:
            self._say(Field.REASONING, text)
            return
        if text and not self._worded and self.state in (START, BETWEEN):
            self._white.append(text)
            if text.isspace():
                return
            text, self._white = "".join(self._white), []
            self._worded = True
            self.state = CONTENT if self.state is START else BETWEEN
        if text and self._content:
            text = self._glue + text
        self._say(Field.CONTENT, text)
        self._glue = "" if text else self._glue

    def _say(self, kind: Field, text: str) -> None:
        if text:
            (self._reasoning if kind is Field.REASONING else self._content).append(text)
            self._events.append(TextDelta(kind, text))

    def _take_events(self) -> list[Event]:
        events, self._events = self._events, []
        return events

    # ---- calls ------------------------------------------------------------------------------

    def _end_call(self) -> None:
        """Settle where the open call ended: at the end token that something legal follows, else at the first that
        makes a good call of it, else at the last. What follows is read again as text."""
        if not self._closes:
            self._call_read(len(self._call), closed=False)
            self._enter(BETWEEN)
            return
        first, end = self._closes[0], self._closes[-1]
        if not (self._blank_tail and self._is_good(end)) and self._is_good(first):
            end = first
        rest = self._call[end:]
        self.length -= len(rest)
        self._call_read(end, closed=True)
        self._enter(BETWEEN)
        self._feed(rest)

    def _may_end_here(self) -> bool:
        """An end token stands right before, or the call was good at its first one."""
        return bool(self._closes) and (self._blank_tail or self._is_good(self._closes[0]))

    def _is_good(self, end: int) -> bool:
        """The open call's text until there is a good call, or good calls."""
        return all(read.status is ToolCallParseStatus.OK for read in self._read(end)[1])

    def _read(self, end: int) -> tuple[str, Sequence[ReadCall]]:
        """The open call's text up to, and without, the end token before `end`, and what it says; read once, so that
        reading stays linear."""
        if end not in self._reads:
            text = self._decode(self._call[: end - 1 if self._closes else end])
            read = self._table.read_call(text, self._header_text(), self._schemas or {})
            self._reads[end] = text, [read] if isinstance(read, ReadCall) else read
        return self._reads[end]

    def _call_read(self, end: int, closed: bool) -> None:
        text, reads = self._read(end)
        for read, span in zip(reads, self._spans(end, reads), strict=True):
            cut = not closed and read is reads[-1]
            status = ToolCallParseStatus.UNCLOSED_BLOCK if cut else read.status
            if status is ToolCallParseStatus.OK and self._schemas is not None and read.name not in self._schemas:
                status = ToolCallParseStatus.UNKNOWN_TOOL
            raw = text if read.raw is None else read.raw
            call = self._call_type(raw, read.name, read.arguments, span, status, read.id, read.json_text)
            self._calls.append(call)
            self._events.append(CallRead(call))

    def _spans(self, end: int, reads: Sequence[ReadCall]) -> list[tuple[int, int]]:
        """The tokens of each call; where several share an opening and a close, a token is of the call that its first
        character is of."""
        edges = list(accumulate(len(read.raw or "") for read in reads[:-1]))
        cuts: list[int] = []
        if edges:
            decode = codecs.getincrementaldecoder("utf-8")("replace").decode
            starts = [0, *accumulate(len(decode(self._tokenizer.token_bytes([id_]))) for id_ in self._call[:end])]
            cuts = [self.length - end + bisect_left(starts, edge) for edge in edges]
        return list(pairwise([self._call_start, *cuts, self.length]))

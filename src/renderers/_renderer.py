"""A family bound to a tokenizer: messages → ids, ids → message, the next turn's prompt."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from ._bridge import Bridge, bridge
from ._derive import Closes, Probes, Written, cut_at_prompts, probe_turn, prompt_overlap, write
from ._encode import Encoded, Encoder, utf8_length
from ._errors import BadMessage, RenderersWarning, TokenizerMismatch
from ._family import Family
from ._messages import PLAIN_POLICY, Conversation, Policy, Retention, Turn
from ._parsed import ParsedResponse, ParsedToolCall
from ._read import read_messages, read_tools, tool_schemas
from ._reader import Reader, Table
from ._rendered import Bools, RenderedTokens, plain_ids
from ._reply import Affixes, State
from ._tokenizers import Source
from ._writer import Writer


@dataclass(frozen=True, slots=True)
class Identity:
    """Which renderer was chosen, and why.

    Attributes:
        name: the renderer's name, as `create_renderer` takes it.
        model: the model id or folder the tokenizer came from, as far as known.
        chosen_by: ``"name"``, ``"model id"``, ``"template"`` (its SHA-256 is known) or ``"fallback"``.
        template_sha256: hash of the tokenizer's own chat template, if it has one.
        note: anything a person should know about the choice.
    """

    name: str
    model: str | None
    chosen_by: str
    template_sha256: str | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Rewritten:
    """A past turn that history spells otherwise than when it was produced.

    Attributes:
        message: its index.
        produced: what the turn was while it was the last one.
        now: what it is now.
    """

    message: int
    produced: str
    now: str


class Renderer:
    """Writes and reads one model's chat format. Thread-safe; make one and share it.

    Attributes:
        family: the format and its options.
        identity: which format was chosen, and why.
        thinking_retention: when a bridge may extend past reasoning that the template would now strip: "all"
            always, "tool_cycle" not at a new user query, "template" never.
        call_type: what parsed calls are made as.
    """

    call_type: ClassVar[type[ParsedToolCall]] = ParsedToolCall

    def __init__(
        self,
        family: Family,
        source: Source,
        *,
        policy: Policy = PLAIN_POLICY,
        thinking_retention: Retention = "tool_cycle",
        identity: Identity | None = None,
    ) -> None:
        self.family, self.thinking_retention, self._policy = family, thinking_retention, policy
        self.identity = identity or Identity(family.name, source.name, "name")
        self._tokenizer = source.tokenizer
        self._encoder = Encoder(source.tokenizer)
        reply = family.reply
        needed = {*reply.stops, *reply.marks, *reply.call_ends, *reply.history_ends}
        if missing := sorted(needed - set(source.tokenizer.controls)):
            raise TokenizerMismatch(f"the tokenizer has no {', '.join(missing)}, which the {family.name} format needs")
        self._stops = [source.tokenizer.controls[stop] for stop in reply.stops]
        self._history_ends = [source.tokenizer.controls[end] for end in reply.history_ends]
        self._warned: set[str] = set()

    def __repr__(self) -> str:
        return f"Renderer({self.family!r}, chosen_by={self.identity.chosen_by!r})"

    # ---- messages → ids ---------------------------------------------------------------------

    def render(
        self, messages: Sequence[Mapping[str, Any]], *, tools: Any = None, add_generation_prompt: bool = False
    ) -> RenderedTokens:
        """Token ids of a conversation, each with its message, field and whether the model would have sampled it.

        Raises:
            BadMessage: something in `messages` or `tools` cannot be rendered; nothing is left out silently.
        """
        conv = self._read(messages, tools, add_generation_prompt)
        written = self._write(conv)
        encoded = self._encoder.encode(written.pieces)
        return RenderedTokens(
            token_ids=encoded.ids,
            message_indices=encoded.messages(),
            sampled_mask=self._sampled(conv, written, encoded),
            fields=encoded.fields(),
            message_roles=[turn.role for turn in conv],
            message_tool_names=conv.tool_names(),
        )

    def render_ids(
        self, messages: Sequence[Mapping[str, Any]], *, tools: Any = None, add_generation_prompt: bool = False
    ) -> list[int]:
        """The token ids alone."""
        return self._encoder.ids(self._write(self._read(messages, tools, add_generation_prompt)).pieces)

    def render_text(
        self, messages: Sequence[Mapping[str, Any]], *, tools: Any = None, add_generation_prompt: bool = False
    ) -> str:
        """The conversation as text. Not for encoding: only `render` knows which control strings are real."""
        written = write(self.family, self._read(messages, tools, add_generation_prompt))
        return "".join(piece.text for piece in written.pieces)

    # ---- ids → message ----------------------------------------------------------------------

    def reader(self, *, tools: Any = None, prompt_ids: Sequence[int] | None = None) -> Reader:
        """A streaming reader that stands where the generation prompt leaves off.

        Args:
            tools: types the arguments of untyped formats, and reveals calls of unknown tools.
            prompt_ids: the prompt that was sampled from, if it may end otherwise than this renderer's own.
        """
        schemas = tool_schemas(tools) if tools else None
        reader = Reader(self._table, self._tokenizer, self._affixes, schemas, self.call_type)
        reader.seek(self._prompt_end(prompt_ids))
        return reader

    def parse_response(
        self,
        token_ids: Sequence[int],
        *,
        tools: Any = None,
        prompt_ids: Sequence[int] | None = None,
        finish_reason: str | None = None,
    ) -> ParsedResponse:
        """The sampled ids as a message. Never raises on any ids; linear in their number.

        Args:
            tools, prompt_ids: as for `reader`.
            finish_reason: the engine's; tells an answer without a reasoning close from reasoning cut short.
        """
        reader = self.reader(tools=tools, prompt_ids=prompt_ids)
        reader.feed(token_ids)
        return reader.finish(finish_reason)[0]

    # ---- the next turn ----------------------------------------------------------------------

    def bridge_to_next_turn(
        self,
        previous_prompt_ids: Sequence[int],
        previous_completion_ids: Sequence[int],
        new_messages: Sequence[Mapping[str, Any]],
        *,
        tools: Any = None,
    ) -> RenderedTokens | None:
        """The next prompt: prompt + completion verbatim, then the new messages and the generation prompt.

        None where that cannot be shown to be right; `explain_bridge` says why.
        """
        return self.explain_bridge(previous_prompt_ids, previous_completion_ids, new_messages, tools=tools).rendered

    def explain_bridge(
        self,
        previous_prompt_ids: Sequence[int],
        previous_completion_ids: Sequence[int],
        new_messages: Sequence[Mapping[str, Any]],
        *,
        tools: Any = None,
    ) -> Bridge:
        """As `bridge_to_next_turn`, with the typed reason where there is no bridge."""
        return bridge(self, previous_prompt_ids, previous_completion_ids, new_messages, tools)

    def get_stop_token_ids(self) -> list[int]:
        """The ids that end the model's turn, the canonical one first."""
        return list(self._stops)

    # ---- what is true of this format --------------------------------------------------------

    @cached_property
    def is_prefix_stable(self) -> bool:
        """What is rendered for a rollout at any turn is a prefix of what is rendered later."""
        return self._probes.prefix_stable()

    @cached_property
    def supports_tools(self) -> bool:
        """Tool declarations reach the prompt."""
        return self._probes.declares_tools()

    def rewritten_turns(self, messages: Sequence[Mapping[str, Any]], *, tools: Any = None) -> list[Rewritten]:
        """The assistant turns of a conversation that later messages made the template spell otherwise."""
        conv = self._read(messages, tools, False)
        whole = write(self.family, conv)
        found = []
        for i, turn in enumerate(conv):
            if turn.role == "assistant":
                out = Writer(trust_bodies=self._policy.parity)
                self.family.turn(conv.until(i + 1), i, out)
                now = "".join(piece.text for piece in whole.turn(i))
                if out.text() != now:
                    found.append(Rewritten(i, out.text(), now))
        return found

    # ---- inside -----------------------------------------------------------------------------

    @cached_property
    def _probes(self) -> Probes:
        return Probes(self.family, self._encoder.controls, self._policy)

    @cached_property
    def _table(self) -> Table:
        return Table(self.family.reply, self._tokenizer.controls)

    @cached_property
    def _affixes(self) -> Affixes:
        return self._probes.affixes()

    @cached_property
    def _closes(self) -> Closes:
        return self._probes.closes()

    @cached_property
    def _opening_state(self) -> State:
        """Where a reader stands behind this renderer's own generation prompt."""
        return self.reader().state

    @cached_property
    def _prompts(self) -> tuple[list[int], ...]:
        """The generation prompts after a question and after a tool result; the end of the result where it has none."""
        asked = self._probes.written(probe_turn("user"), prompting=True)
        resulted = self._probes.written(*self._probes.round, prompting=True)
        ends = [written.pieces[written.bounds[-1] :] or written.pieces[-1:] for written in (asked, resulted)]
        return tuple(self._encoder.ids(end) for end in ends)

    def _prompt_end(self, prompt_ids: Sequence[int] | None) -> Sequence[int]:
        """The generation prompt at the end of a prompt, and what of the reply may follow it there; this renderer's own
        without a prompt."""
        if prompt_ids is None or not len(prompt_ids):
            return self._prompts[0]
        begins = {prompt[0] for prompt in self._prompts if prompt}
        ends = {*begins, *self._stops}
        k = next((k for k in range(len(prompt_ids) - 1, -1, -1) if prompt_ids[k] in ends), len(prompt_ids))
        return plain_ids(prompt_ids[k:]) if k < len(prompt_ids) and prompt_ids[k] in begins else []

    def _write(self, conv: Conversation) -> Written:
        written = write(self.family, conv)
        if self._policy.patched:
            written = cut_at_prompts(self.family, conv, written, self._encoder.controls)
        return written

    def _read(self, messages: Any, tools: Any, prompting: bool) -> Conversation:
        turns = read_messages(messages)
        if not turns:
            raise BadMessage("messages", "is empty")
        return self._conversation(turns, tools, prompting)

    def _conversation(self, turns: Sequence[Turn], tools: Any, prompting: bool) -> Conversation:
        """Turns as a conversation, after the checks that are the same for every format."""
        for turn in turns:
            for part in turn.parts:
                if part.kind not in self.family.part_kinds:
                    raise BadMessage(
                        part.path,
                        f"is a part of type {part.kind!r}, which the {self.family.name} renderer cannot write",
                    )
                for key in part.unread_keys:
                    self._warn(
                        f"the key {key!r} of text parts is not part of the {self.family.name} format and is left out"
                    )
            if turn.reasoning and not self.family.reply.reasons and not self._policy.parity:
                raise BadMessage(
                    f"{turn.path}.reasoning_content",
                    f"the {self.family.name} format has no place for reasoning; leave it out, or make the renderer "
                    "with parity=True, which drops it as the template does",
                )
            for key in turn.extra.keys() - self.family.message_keys:
                self._warn(f"the key {key!r} of messages is not part of the {self.family.name} format and is left out")
        declared = read_tools(tools)
        if declared and not self.supports_tools:
            self._warn(f"the {self.family.name} format cannot declare tools; they are left out of the prompt")
        return Conversation(turns, declared, prompting, self._policy)

    def _warn(self, text: str) -> None:
        """Warn once a renderer."""
        if text not in self._warned:
            self._warned.add(text)
            warnings.warn(text, RenderersWarning, stacklevel=5)

    def _sampled(self, conv: Conversation, written: Written, encoded: Encoded) -> Bools:
        """A turn is sampled from where the generation prompt leaves off through its last stop token.

        Without a stop of its own, the next turn's marker was sampled, if it is one; a close that only history
        writes was not.
        """
        sampled = np.zeros(len(encoded.ids), dtype=np.bool_)
        is_stop = np.logical_or.reduce([encoded.ids == stop for stop in self._stops])
        edges = np.append(encoded.piece_starts, np.iinfo(np.int64).max)
        for i, turn in enumerate(conv):
            if turn.role != "assistant" or written.bounds[i] == written.bounds[i + 1]:
                continue
            overlap = prompt_overlap(self.family, conv, i, written.turn(i), self._encoder.controls)
            first, last = np.searchsorted(
                encoded.starts, [edges[written.bounds[i]] + utf8_length(overlap), edges[written.bounds[i + 1]]]
            )
            stops = np.flatnonzero(is_stop[first : last + 1])
            if len(stops):
                last = first + stops[-1] + 1
            elif last > first and encoded.ids[last - 1] in self._history_ends:
                last -= 1
            sampled[first:last] = True
        return sampled

"""The same rollouts run twice, by rendering the history anew each turn and by bridging, and what a trainer pays."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .. import BadOption, Identity
from .._plain import PlainRenderer
from .._renderer import Renderer
from .._tokenizers import Source, load
from ..families.qwen35 import Qwen35
from .causes import Cause, cause_of, first_difference
from .rollouts import Rollout, Turn

Messages = Sequence[Mapping[str, Any]]

CONTEXT = 5
"""How many tokens of a break are kept before the first differing one, and from it on."""


@dataclass(frozen=True)
class Break:
    """A prompt that does not begin with the prompt and completion before it.

    Attributes:
        turn: the turn whose prompt it is, counted from 1.
        at: the first differing token.
        after_cut: the turn before was cut at its length limit.
        sampled, rendered: the texts of some tokens on each side, of which the first `before` are the same.
    """

    turn: int
    at: int
    cause: Cause
    after_cut: bool
    sampled: Sequence[str]
    rendered: Sequence[str]
    before: int

    @property
    def pair(self) -> tuple[str, str]:
        """The first differing token as sampled and as rendered; "" where there is none any more."""
        sampled, rendered = (
            side[self.before] if len(side) > self.before else "" for side in (self.sampled, self.rendered)
        )
        return sampled, rendered


@dataclass
class Run:
    """One rollout under one way of making prompts.

    Attributes:
        prompts: the ids sent to the engine, turn by turn.
        samples: the length of each training sample.
        refusals: why turns could not be bridged and were rendered, by code.
    """

    prompts: list[list[int]] = field(default_factory=list)
    breaks: list[Break] = field(default_factory=list)
    samples: list[int] = field(default_factory=list)
    refusals: Counter[str] = field(default_factory=Counter)

    @property
    def tokens(self) -> int:
        """What a trainer has to process."""
        return sum(self.samples)


@dataclass(frozen=True)
class Shown:
    """A token of a finished rollout: its id, its message and whether it is trained."""

    id: int
    message: int
    trained: bool


class Workbench:
    """One tokenizer with everything the demo runs on it.

    Attributes:
        renderer: the package's renderer, which extends past reasoning (``thinking_retention="all"``).
        template: the model's own chat template, run by Jinja2.
        compared, agreed: how many prompts both rendered, and for how many they gave the same ids.
    """

    def __init__(self, tokenizer: str) -> None:
        self.source: Source = load(tokenizer)
        self.renderer = Renderer(Qwen35(), self.source, thinking_retention="all")
        self.template = PlainRenderer(self.source, Identity("default", self.source.name, "name"), {})
        self.compared = self.agreed = 0
        question = [{"role": "user", "content": "?"}]
        if self._by_template(question, ()) != self._by_package(question, ()):
            raise BadOption(f"{tokenizer} is not Qwen3.5 with thinking on, the format that this demo's model writes")

    def render(self, messages: Messages, tools: Messages) -> list[int]:
        """A conversation's prompt by the model's own template, compared with the package's."""
        ids = self._by_template(messages, tools)
        self.compared += 1
        self.agreed += ids == self._by_package(messages, tools)
        return ids

    def _by_template(self, messages: Messages, tools: Messages) -> list[int]:
        return self.template.render_ids(messages, tools=tools, add_generation_prompt=True)

    def _by_package(self, messages: Messages, tools: Messages) -> list[int]:
        return self.renderer.render_ids(messages, tools=tools, add_generation_prompt=True)

    def by_rendering(self, rollout: Rollout) -> Run:
        """Each prompt is the template's rendering of the whole history, sampled turns as they were parsed."""
        return self._run(rollout, lambda k, history, _run: self.render(history, rollout.tools))

    def by_bridging(self, rollout: Rollout) -> Run:
        """Each prompt is the tokens so far, untouched, and the new messages; rendered only where there is no bridge."""

        def prompt(k: int, history: Messages, run: Run) -> list[int]:
            if k:
                past = rollout.turns[k - 1]
                bridge = self.renderer.explain_bridge(
                    run.prompts[-1], past.completion, past.answers, tools=rollout.tools
                )
                if bridge.rendered is not None:
                    return bridge.rendered.token_ids
                run.refusals[bridge.refusal.code.value if bridge.refusal else ""] += 1
            return self.render(history, rollout.tools)

        return self._run(rollout, prompt)

    def _run(self, rollout: Rollout, prompt_of: Callable[[int, Messages, Run], list[int]]) -> Run:
        run = Run()
        history = [*rollout.messages]
        stream: list[int] = []
        for k, turn in enumerate(rollout.turns):
            prompt = prompt_of(k, history, run)
            if k:
                at = first_difference(stream, prompt)
                if at is not None:
                    run.breaks.append(self._break(k + 1, at, stream, prompt, rollout.turns[k - 1]))
                    run.samples.append(len(stream))
            run.prompts.append(prompt)
            stream = [*prompt, *turn.completion]
            parsed = self.renderer.parse_response(
                turn.completion, tools=rollout.tools, prompt_ids=prompt, finish_reason=turn.finish_reason
            )
            history += [parsed.message(), *turn.answers]
        run.samples.append(len(stream))
        return run

    def _break(self, turn: int, at: int, stream: Sequence[int], prompt: Sequence[int], past: Turn) -> Break:
        token_bytes = self.source.tokenizer.token_bytes
        sampled, rendered = ([token_bytes([id_]) for id_ in ids] for ids in (stream, prompt))
        after_cut = past.finish_reason == "length"
        cause = cause_of(sampled, rendered, at, cut=after_cut and at >= len(stream) - len(past.completion))
        first = max(at - CONTEXT, 0)
        sides = ([self.text(id_) for id_ in ids[first : at + CONTEXT]] for ids in (stream, prompt))
        return Break(turn, at, cause, after_cut, next(sides), next(sides), at - first)

    def text(self, id_: int) -> str:
        """A token's text."""
        return self.source.tokenizer.token_bytes([id_]).decode("utf-8", "replace")

    def shown(self, rollout: Rollout, run: Run) -> tuple[list[Shown], list[str]]:
        """The tokens of a bridged rollout with their messages, and the messages' roles.

        Scaffold goes with the message before it, a generation prompt with the turn that it opens.
        """
        roles = [str(message["role"]) for message in rollout.messages]
        first = self.renderer.render(rollout.messages, tools=rollout.tools, add_generation_prompt=True)
        tokens = _placed(first.token_ids, first.message_indices, coming=len(roles), past=0)
        for k, turn in enumerate(rollout.turns):
            if k:
                past = rollout.turns[k - 1]
                bridged = self.renderer.bridge_to_next_turn(
                    run.prompts[k - 1], past.completion, past.answers, tools=rollout.tools
                )
                if bridged is None:
                    raise BadOption("this rollout was not bridged throughout; show another")
                base, added = len(roles), slice(bridged.prefix_length, None)
                roles += [str(message["role"]) for message in past.answers]
                of = [i if i < 0 else base + i for i in bridged.message_indices[added]]
                tokens += _placed(bridged.token_ids[added], of, coming=len(roles), past=base - 1)
            tokens += [Shown(id_, len(roles), True) for id_ in turn.completion]
            roles.append("assistant")
        return tokens, roles


def _placed(ids: Sequence[int], of: Sequence[int], *, coming: int, past: int) -> list[Shown]:
    """Tokens that are not trained. Those of no message go with the one before (first `past`), the last with
    `coming`."""
    last = max((k for k, message in enumerate(of) if message >= 0), default=-1)
    placed = []
    for k, (id_, message) in enumerate(zip(ids, of, strict=True)):
        past = coming if k > last else message if message >= 0 else past
        placed.append(Shown(id_, past, False))
    return placed

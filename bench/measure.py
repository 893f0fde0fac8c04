"""One run: the contenders' processes, the rounds in which they take turns, and what came out."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from statistics import median
from types import TracebackType
from typing import Any

from .checkpoints import Checkpoint, checkpoint
from .conversations import conversation
from .environments import Unavailable
from .stats import Ratio, Rounds, flat, ratio
from .workers import Deadline, Timing, Worker, WorkerError

OURS, TRANSFORMERS, PUBLIC = "ours", "transformers", "public"
NAMES = (OURS, TRANSFORMERS, PUBLIC)


@dataclass(frozen=True)
class Plan:
    """How much to measure.

    Attributes:
        families: what is measured.
        main: the one that every size and every task is measured on; of the others render, and one size of bridge and
            parse.
        scale: cases in a round, 1 in full mode.
        rounds: at most so many.
        seconds: per task (render: per family), after which no further round begins.
    """

    families: tuple[str, ...]
    main: str | None
    rounds: int
    scale: float
    seconds: Mapping[str, float]

    def cases(self, n: int) -> int:
        return max(1, round(n * self.scale))

    def sizes(self, family: str, sizes: Mapping[str, int], only: str) -> dict[str, int]:
        """The sizes to measure on a family."""
        return dict(sizes) if family == self.main else {only: sizes[only]}

    def limit(self, task: str, family: str) -> float:
        """Seconds for a task on a family."""
        return self.seconds[task] * (1 if task == "render" or family == self.main else 0.1)


@dataclass(frozen=True)
class Result:
    """How much faster `subject` is than `reference`, both ``contender.function``; a call's median milliseconds."""

    task: str
    family: str
    group: str
    subject: str
    reference: str
    ratio: Ratio
    subject_ms: float
    reference_ms: float


@dataclass(frozen=True)
class Step:
    """One step of a fresh process: milliseconds, median, least and most."""

    family: str
    name: str
    contender: str
    ms: float
    low: float
    high: float


@dataclass
class Agreement:
    """Whether a contender's output equals the truth's: cases compared, and those that differ."""

    task: str
    family: str
    contender: str
    truth: str
    compared: int = 0
    different: int = 0


@dataclass
class Findings:
    """Everything a run found out."""

    contenders: dict[str, dict[str, Any]] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    results: list[Result] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    agreements: list[Agreement] = field(default_factory=list)
    tokens: dict[str, float] = field(default_factory=dict)
    """Median tokens of a case, by "task family group"."""


@dataclass(frozen=True)
class Turn:
    """What one contender does in a round: its functions, one after the other on each case."""

    contender: str
    functions: tuple[str, ...]
    cases: Sequence[Any]


class Samples:
    """Timings by ``contender.function``, round by round."""

    def __init__(self, clock: str) -> None:
        self._clock = clock
        self._rounds: dict[str, list[list[Timing]]] = {}

    def add(self, label: str, calls: list[Timing]) -> None:
        self._rounds.setdefault(label, []).append(calls)

    def times(self, label: str) -> Rounds:
        """Nanoseconds per round and call; nothing if it was not measured."""
        return [[float(getattr(call, self._clock)) for call in calls] for calls in self._rounds.get(label, [])]

    def last(self, label: str) -> list[str] | None:
        """The digests of the last round."""
        return [call.digest for call in self._rounds[label][-1]] if label in self._rounds else None


class Bench:
    """The contenders at work. Use as a context manager."""

    def __init__(self, plan: Plan, names: Sequence[str], clock: str, seed: int) -> None:
        self.plan, self.clock, self.seed = plan, clock, seed
        self.found = Findings()
        self.workers: dict[str, Worker] = {}
        self._loaded: dict[str, str] = {}
        self._checkpoints: dict[str, Checkpoint] = {}
        self._stack = ExitStack()
        for name in names:
            try:
                worker = self._stack.enter_context(Worker(name))
                self.found.contenders[name] = worker.describe()
                self.workers[name] = worker
            except (Unavailable, WorkerError, OSError) as error:
                self.missing(name, str(error))

    def __enter__(self) -> Bench:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, value, trace)

    def missing(self, what: str, why: str) -> None:
        """Note, once, that something cannot be measured."""
        if what not in self.found.missing:
            self.found.missing[what] = why
            say(f"{what} left out: {why}")

    def load(self, family: str) -> None:
        """Have every worker hold a family's tokenizer, warm; those that cannot sit it out."""
        for name, worker in self.workers.items():
            if self._loaded.get(name) != family:
                try:
                    worker.load(self.checkpoint(family))
                    worker.run("render", [conversation(self.random("warm-up"), family, 100_000)])
                    self._loaded[name] = family
                except (WorkerError, ValueError) as error:
                    self._loaded.pop(name, None)
                    self.missing(f"{name} on {family}", str(error))

    def checkpoint(self, family: str) -> Checkpoint:
        """The files of a family, laid out once."""
        if family not in self._checkpoints:
            self._checkpoints[family] = checkpoint(family)
        return self._checkpoints[family]

    def has(self, name: str) -> bool:
        """The contender is here and holds the family loaded last."""
        return name in self._loaded

    @property
    def truth(self) -> str:
        """Whose ids are right: the model's own template under transformers, if it is here."""
        return TRANSFORMERS if self.has(TRANSFORMERS) else OURS

    def run(self, name: str, function: str, cases: Sequence[Any]) -> list[Any]:
        """Results of a contender, untimed."""
        return self.workers[name].run(function, cases)

    def random(self, *of: object) -> random.Random:
        """A source of chance for one purpose."""
        return random.Random(f"{self.seed} {of}")

    def rounds(self, task: str, family: str) -> Iterator[int]:
        """The rounds of a task."""
        return iter(Deadline(self.plan.rounds, self.plan.limit(task, family)))

    def take_turns(self, samples: Samples, turns: Sequence[Turn], k: int) -> None:
        """Round `k`: the contenders in turn, on a quarter of the cases at a time, a different one first each time."""
        found: dict[tuple[str, str], list[Timing]] = {}
        for quarter in range(4):
            first = (k + quarter) % len(turns)
            for turn in (*turns[first:], *turns[:first]):
                n = len(turn.cases)
                if cases := turn.cases[quarter * n // 4 : (quarter + 1) * n // 4]:
                    for function, calls in zip(turn.functions, self._timed(turn, cases, k), strict=False):
                        found.setdefault((turn.contender, function), []).extend(calls)
        for (contender, function), calls in found.items():
            samples.add(f"{contender}.{function}", calls)

    def _timed(self, turn: Turn, cases: Sequence[Any], k: int) -> list[list[Timing]]:
        """Timings per function; nothing, and a note, where the contender fails."""
        where = f"{turn.contender}.{'/'.join(turn.functions)} on {self._loaded.get(turn.contender)}"
        if not self.has(turn.contender) or where in self.found.missing:
            return []
        try:
            return self.workers[turn.contender].time(turn.functions, cases, k)
        except WorkerError as error:
            self.missing(where, str(error))
            return []

    def compare(self, task: str, family: str, group: str, samples: Samples, pairs: Sequence[tuple[str, str]]) -> None:
        """Keep the ratios of (subject, reference) pairs, as far as both were measured."""
        for subject, reference in pairs:
            ours, theirs = samples.times(subject), samples.times(reference)
            if ours and len(ours) == len(theirs):
                ms = [median(flat(times)) / 1e6 for times in (ours, theirs)]
                self.found.results.append(Result(task, family, group, subject, reference, ratio(theirs, ours), *ms))

    def agree(
        self,
        task: str,
        family: str,
        truth: list[str] | None,
        contender: str,
        digests: list[str] | None,
        source: str | None = None,
    ) -> None:
        """Count where a contender's results differ from those of the truth, or of another `source`."""
        source = source or self.truth
        if truth is None or digests is None or source == contender:
            return
        for agreement in self.found.agreements:
            if (agreement.task, agreement.family, agreement.contender) == (task, family, contender):
                break
        else:
            agreement = Agreement(task, family, contender, source)
            self.found.agreements.append(agreement)
        agreement.compared += len(truth)
        agreement.different += sum(a != b for a, b in zip(truth, digests, strict=True))


def say(text: str) -> None:
    """Progress, for the person who waits."""
    print(f"bench: {text}", file=sys.stderr, flush=True)

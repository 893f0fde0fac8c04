"""The driver's side of a contender: a process that is asked over pipes and answers when it is done.

Only one works at a time, all on one core.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import IO, Any, cast

from .checkpoints import Checkpoint
from .environments import CACHE, ROOT, Environment, environment


class WorkerError(Exception):
    """A contender failed; the message is its own."""


@dataclass(frozen=True)
class Timing:
    """One call: nanoseconds of processor time and of wall time, and a digest of what it returned."""

    cpu: int
    wall: int
    digest: str


class Worker:
    """A contender's process. Use as a context manager."""

    def __init__(self, name: str, command: str = "bench.worker") -> None:
        self.name = name
        self.environment: Environment = environment(name)
        CACHE.mkdir(parents=True, exist_ok=True)
        self._log = (CACHE / f"{name}.log").open("w", encoding="utf-8")
        self._process = subprocess.Popen(
            [self.environment.python, "-m", command, name],
            cwd=ROOT,
            env=self.environment.variables,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            encoding="utf-8",
        )

    def __enter__(self) -> Worker:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.communicate()
        self._log.close()

    def _ask(self, **request: Any) -> Any:
        requests, answers = cast("IO[str]", self._process.stdin), cast("IO[str]", self._process.stdout)
        try:
            requests.write(json.dumps(request) + "\n")
            requests.flush()
            line = answers.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            raise WorkerError(f"{self.name} died; see {self._log.name}")
        answer = json.loads(line)
        if "error" in answer:
            raise WorkerError(answer["error"])
        return answer["answer"]

    def describe(self) -> dict[str, Any]:
        """Its versions."""
        return cast("dict[str, Any]", self._ask(do="describe"))

    def load(self, checkpoint: Checkpoint) -> None:
        """Make it hold a format's tokenizer."""
        self._ask(do="load", model=model_of(checkpoint, self.name))

    def run(self, function: str, cases: Sequence[Any]) -> list[Any]:
        """The results of a function, one a case, untimed."""
        return cast("list[Any]", self._ask(do="run", function=function, cases=cases))

    def time(self, functions: Sequence[str], cases: Sequence[Any], turn: int = 0) -> list[list[Timing]]:
        """Per function the timings of its calls; on each case the functions are called one after the other, beginning
        with number `turn`."""
        answer = self._ask(do="time", functions=functions, cases=cases, turn=turn)
        return [[Timing(**call) for call in calls] for calls in answer]


def model_of(checkpoint: Checkpoint, contender: str) -> dict[str, Any]:
    """What a contender is told of a checkpoint: see `contenders.Model`."""
    return {
        "family": checkpoint.name,
        "model": checkpoint.model,
        "options": dict(checkpoint.options),
        "folder": checkpoint.folder_for(contender),
    }


def pin(core: int | None = None) -> int | None:
    """Keep this process, and those it starts from now on, on one core; None where the system cannot."""
    if not hasattr(os, "sched_setaffinity"):
        return None
    chosen = max(os.sched_getaffinity(0)) if core is None else core
    os.sched_setaffinity(0, {chosen})
    return chosen


class Deadline:
    """Rounds until a number of them or a time is reached, but never fewer than two."""

    def __init__(self, rounds: int, seconds: float) -> None:
        self._rounds, self._end = rounds, time.monotonic() + seconds

    def __iter__(self) -> Deadline:
        self._next = 0
        return self

    def __next__(self) -> int:
        if self._next >= self._rounds or (self._next >= 2 and time.monotonic() > self._end):
            raise StopIteration
        self._next += 1
        return self._next - 1

"""One contender in a process of its own: `python -m bench.worker NAME`, requests and answers as lines of JSON.

Requests: ``load`` a family, ``run`` a function over cases and return the results, ``time`` the same and return
nanoseconds and a digest of each result. One family is held at a time.
"""

from __future__ import annotations

import gc
import hashlib
import json
import os
import platform
import sys
import time
from collections.abc import Sequence
from typing import Any

from bench.contenders import CONTENDERS, Case, Function, Model, plain, versions


def digest(result: Any) -> str:
    """A fingerprint of what contenders must agree on."""
    return hashlib.sha256(json.dumps(plain(result), sort_keys=True).encode()).hexdigest()[:16]


def timed(functions: Sequence[Function], case: Case) -> list[dict[str, Any]]:
    """One call of each function, the collector off; the results are looked at when the clocks have stopped."""
    results = []
    gc.collect()
    gc.disable()
    try:
        for function in functions:
            wall, cpu = time.perf_counter_ns(), time.process_time_ns()
            result = function(case)
            cpu, wall = time.process_time_ns() - cpu, time.perf_counter_ns() - wall
            results.append((cpu, wall, result))
    finally:
        gc.enable()
    return [{"cpu": cpu, "wall": wall, "digest": digest(result)} for cpu, wall, result in results]


class Worker:
    """Answers requests for one contender."""

    def __init__(self, name: str) -> None:
        self._kind = CONTENDERS[name]
        self._contender: Any = None

    def answer(self, request: dict[str, Any]) -> Any:
        if request["do"] == "describe":
            return {"python": platform.python_version(), "packages": versions(self._kind.packages)}
        if request["do"] == "load":
            self._contender = None
            gc.unfreeze()
            gc.collect()
            self._contender = self._kind(Model(**request["model"]))
            gc.freeze()  # the collections between timed calls have nothing of the libraries to look at
            return None
        cases = [self._contender.prepare(case) for case in request["cases"]]
        if request["do"] == "run":
            function = getattr(self._contender, request["function"])
            return [plain(function(case)) for case in cases]
        functions = [getattr(self._contender, name) for name in request["functions"]]
        turn = request["turn"] % len(functions)
        order = [*range(turn, len(functions)), *range(turn)]
        found = [dict(zip(order, timed([functions[k] for k in order], case), strict=True)) for case in cases]
        return [[of_case[k] for of_case in found] for k in range(len(functions))]


def main() -> None:
    # Whatever a library prints must not get between the answers.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    worker = Worker(sys.argv[1])
    for line in sys.stdin:
        try:
            answer = {"answer": worker.answer(json.loads(line))}
        except Exception as error:  # the driver decides what a failed call means
            answer = {"error": f"{type(error).__name__}: {error}"}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()

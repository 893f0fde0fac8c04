"""Rendering conversations of four sizes, each conversation once: with attribution, and the ids alone."""

from __future__ import annotations

import math
import random
from statistics import median
from typing import Any

from ..conversations import conversation
from ..measure import OURS, PUBLIC, TRANSFORMERS, Bench, Samples, Turn

GROUPS: dict[str, tuple[float, float, int]] = {
    "< 4 KB": (800, 4096, 16),
    "4–32 KB": (4096, 32768, 8),
    "32–128 KB": (32768, 131072, 4),
    "≥ 128 KB": (131072, 300000, 2),
}
"""Bytes of the rendered text, from and to, and conversations a round in full mode."""

FUNCTIONS = ("render", "render_ids")


def run(bench: Bench, family: str) -> None:
    samples = {(group, function): Samples(bench.clock) for group in GROUPS for function in FUNCTIONS}
    tokens: dict[str, list[int]] = {group: [] for group in GROUPS}
    _warm_up(bench, family)
    for k in bench.rounds("render", family):
        for group in GROUPS:
            for function in FUNCTIONS:
                cases = _cases(bench, family, group, bench.random("render", family, group, function, k))
                of = samples[group, function]
                bench.take_turns(of, _turns(function, cases), k)
                truth = of.last(f"{bench.truth}.render")
                for name in (OURS, PUBLIC):
                    bench.agree("render", family, truth, name, of.last(f"{name}.{function}"))
            tokens[group] += map(len, bench.run(bench.truth, "render", cases[:2]))
    for (group, function), of in samples.items():
        ours, public = f"{OURS}.{function}", f"{PUBLIC}.{function}"
        pairs = [(ours, f"{TRANSFORMERS}.render"), (public, f"{TRANSFORMERS}.render"), (ours, public)]
        bench.compare("render", family, group, of, pairs)
        bench.found.tokens[f"render {family} {group}"] = median(tokens[group])


def _turns(function: str, cases: list[Any]) -> list[Turn]:
    return [Turn(OURS, (function,), cases), Turn(TRANSFORMERS, ("render",), cases), Turn(PUBLIC, (function,), cases)]


def _warm_up(bench: Bench, family: str) -> None:
    """Untimed, and compared: no timing begins before the ids were seen to agree or counted as different."""
    for group in GROUPS:
        cases = _cases(bench, family, group, bench.random("warm-up", family, group))[:4]
        for function in FUNCTIONS:
            seen = Samples(bench.clock)
            bench.take_turns(seen, _turns(function, cases), 0)
            for name in (OURS, PUBLIC):
                digests = seen.last(f"{name}.{function}")
                bench.agree("render", family, seen.last(f"{bench.truth}.render"), name, digests)


def _cases(bench: Bench, family: str, group: str, rng: random.Random) -> list[Any]:
    """Conversations whose rendered text is of the group's size."""
    low, high, n = GROUPS[group]
    cases: list[Any] = []
    while len(cases) < bench.plan.cases(n):
        case = conversation(rng, family, int(math.exp(rng.uniform(math.log(low), math.log(high * 0.9)))))
        text = bench.run(TRANSFORMERS, "text", [case])[0] if bench.has(TRANSFORMERS) else ""
        if not text or low <= len(text.encode()) < high:
            cases.append(case)
    return cases

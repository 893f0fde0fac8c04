"""Reading replies of 1k to 32k tokens: reasoning, content and three calls."""

from __future__ import annotations

from statistics import median
from typing import Any

from ..conversations import reply
from ..measure import OURS, PUBLIC, Bench, Samples, Turn
from .bridge import sampled

SIZES = {"1k": 1_000, "4k": 4_000, "16k": 16_000, "32k": 32_000}
CASES = {"1k": 24, "4k": 12, "16k": 5, "32k": 3}


def run(bench: Bench, family: str) -> None:
    stops = set(bench.run(OURS, "stops", [{}])[0])
    samples = {size: Samples(bench.clock) for size in SIZES}
    tokens: dict[str, list[int]] = {size: [] for size in SIZES}
    _warm_up(bench, family, stops)
    for k in bench.rounds("parse"):
        for size, of in samples.items():
            n = bench.plan.cases(CASES[size])
            cases = [{"ids": _ids(bench, family, size, stops, (k, i))} for i in range(n)]
            tokens[size] += [len(case["ids"]) for case in cases]
            bench.take_turns(of, _turns(cases), k)
            bench.agree("parse", family, of.last(f"{OURS}.parse"), PUBLIC, of.last(f"{PUBLIC}.parse"), source=OURS)
    for size, of in samples.items():
        bench.compare("parse", family, size, of, [(f"{OURS}.parse", f"{PUBLIC}.parse")])
        bench.found.tokens[f"parse {family} {size}"] = median(tokens[size])


def _turns(cases: list[Any]) -> list[Turn]:
    return [Turn(OURS, ("parse",), cases), Turn(PUBLIC, ("parse",), cases)]


def _warm_up(bench: Bench, family: str, stops: set[int]) -> None:
    """Long replies, untimed: a reader may look a token's bytes up once and remember them."""
    cases = [{"ids": _ids(bench, family, "32k", stops, ("warm-up", i))} for i in range(6)]
    bench.take_turns(Samples(bench.clock), _turns(cases), 0)


def _ids(bench: Bench, family: str, size: str, stops: set[int], which: Any) -> list[int]:
    """The ids of a reply of about so many tokens."""
    session = reply(bench.random("parse", family, size, which), family, int(SIZES[size] * 4.1))
    return sampled(bench, session.messages[-1], session, stops)

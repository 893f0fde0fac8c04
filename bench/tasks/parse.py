"""Reading replies of 1k to 32k tokens: reasoning, content and three calls; the ids alone, and with tools and prompt."""

from __future__ import annotations

from statistics import median
from typing import Any

from ..conversations import reply
from ..measure import OURS, PUBLIC, Bench, Samples, Turn
from .bridge import sampled

SIZES = {"1k": 1_000, "4k": 4_000, "16k": 16_000, "32k": 32_000}
CASES = {"1k": 24, "4k": 12, "16k": 5, "32k": 3}
FUNCTIONS = ("parse", "parse_with_tools")
REPLY = 2
"""Index of the reply, behind system prompt and question."""


def run(bench: Bench, family: str) -> None:
    stops = set(bench.run(OURS, "stops", [{}])[0])
    sizes = bench.plan.sizes(family, SIZES, "4k")
    samples = {size: Samples(bench.clock) for size in sizes}
    tokens: dict[str, list[int]] = {size: [] for size in sizes}
    # Long replies, untimed: a reader may look a token's bytes up once and remember them.
    warm_up = [_case(bench, family, "32k", stops, ("warm-up", i)) for i in range(6)]
    bench.take_turns(Samples(bench.clock), _turns(warm_up), 0)
    for k in bench.rounds("parse", family):
        for size, of in samples.items():
            cases = [_case(bench, family, size, stops, (k, i)) for i in range(bench.plan.cases(CASES[size]))]
            tokens[size] += [len(case["ids"]) for case in cases]
            bench.take_turns(of, _turns(cases), k)
            ours, public = (of.last(f"{name}.parse_with_tools") for name in (OURS, PUBLIC))
            bench.agree("parse", family, ours, PUBLIC, public, source=OURS)
    for size, of in samples.items():
        pairs = [(f"{OURS}.{function}", f"{PUBLIC}.{function}") for function in FUNCTIONS]
        bench.compare("parse", family, size, of, pairs)
        bench.found.tokens[f"parse {family} {size}"] = median(tokens[size])


def _turns(cases: list[Any]) -> list[Turn]:
    return [Turn(OURS, FUNCTIONS, cases), Turn(PUBLIC, FUNCTIONS, cases)]


def _case(bench: Bench, family: str, size: str, stops: set[int], which: Any) -> dict[str, Any]:
    """A reply of about so many tokens, and what it replied to."""
    session = reply(bench.random("parse", family, size, which), family, int(SIZES[size] * 4.1))
    prompt, ids = sampled(bench, session, REPLY, stops)
    return {"ids": ids, "prompt_ids": prompt, "tools": list(session.tools)}

"""The next turn of an agent: a bridge over a history, against rendering the whole conversation again."""

from __future__ import annotations

import random
from statistics import median
from typing import Any

from ..conversations import Session
from ..measure import OURS, PUBLIC, TRANSFORMERS, Bench, Samples, Turn
from .histories import SIZES, history, targets

TURNS = 8
"""Next turns per history in a round, each with a call and its result."""
RENDERED = {"1k": 8, "10k": 4, "100k": 1}
"""How many of them are also rendered as a whole."""
PAIRS = [
    (f"{OURS}.bridge", f"{OURS}.render"),
    (f"{OURS}.bridge", f"{TRANSFORMERS}.render"),
    (f"{OURS}.bridge", f"{PUBLIC}.bridge"),
]


def run(bench: Bench, family: str) -> None:
    sizes = bench.plan.sizes(family, SIZES, "10k")
    wanted = targets(bench, family, sizes)
    stops = set(bench.run(OURS, "stops", [{}])[0])
    samples = {size: Samples(bench.clock) for size in sizes}
    tokens: dict[str, list[int]] = {size: [] for size in sizes}
    for k in bench.rounds("bridge", family):
        for size, of in samples.items():
            rng = bench.random("bridge", family, size, k)
            session = history(rng, family, size, wanted[size])
            bridges, wholes = _next_turns(bench, session, rng, stops)
            tokens[size].append(len(bridges[0]["prompt"]))
            if k == 0:
                _check(bench, family, bridges, wholes, RENDERED[size])
            some = wholes[: bench.plan.cases(RENDERED[size])]
            turns = [
                Turn(OURS, ("bridge",), bridges),
                Turn(OURS, ("render",), some),
                Turn(TRANSFORMERS, ("render",), some),
                Turn(PUBLIC, ("bridge",), bridges),
            ]
            bench.take_turns(of, turns, k)
    for size, of in samples.items():
        bench.compare("bridge", family, size, of, PAIRS)
        bench.found.tokens[f"bridge {family} {size}"] = median(tokens[size])


def _next_turns(bench: Bench, session: Session, rng: random.Random, stops: set[int]) -> tuple[list[Any], list[Any]]:
    """Cases for the bridge, and the same conversations whole."""
    prompt = bench.run(bench.truth, "render", [session.case(add_generation_prompt=True)])[0]
    length = len(session.messages)
    bridges, wholes = [], []
    for _ in range(TURNS):
        session.act(300, calls=1, reasons=True)
        session.results(rng.randint(400, 1200))
        _, completion = sampled(bench, session, length, stops)
        new, tools = session.messages[length + 1 :], list(session.tools) or None
        bridges.append({"prompt": prompt, "completion": completion, "new": new, "tools": tools})
        wholes.append(session.case(add_generation_prompt=True))
        del session.messages[length:]
    return bridges, wholes


def sampled(bench: Bench, session: Session, start: int, stops: set[int]) -> tuple[list[int], list[int]]:
    """A prompt, and the ids the model would have sampled for message `start`, which tool results follow: through the
    first stop, which may be the results' own marker.
    """
    question = {"role": "user", "content": "Go on."}
    case = {**session.case(add_generation_prompt=True), "messages": [question]}
    whole = {**case, "messages": [question, *session.messages[start:]]}
    asked, answered = bench.run(bench.truth, "render", [case, whole])
    if answered[: len(asked)] != asked:
        raise ValueError("the template's prompt is no beginning of the finished turn")
    end = next(k for k in range(len(asked), len(answered)) if answered[k] in stops)
    return asked, answered[len(asked) : end + 1]


def _check(bench: Bench, family: str, bridges: list[Any], wholes: list[Any], n: int) -> None:
    """Before the clock runs, and to warm up: a bridge gives the ids of the whole conversation."""
    truth = [str(ids) for ids in bench.run(bench.truth, "render", wholes[:n])]
    for name in (OURS, PUBLIC):
        if bench.has(name):
            found = [str(ids) for ids in bench.run(name, "bridge", bridges[:n])]
            bench.agree("bridge", family, truth, name, found)

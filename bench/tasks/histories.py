"""Agent histories of a given number of tokens, as attribution and bridge need them."""

from __future__ import annotations

import random
from collections.abc import Mapping

from ..conversations import Session, rollout
from ..measure import Bench

SIZES = {"1k": 1_000, "10k": 10_000, "100k": 100_000}
_AGENTS = {"1k": 0, "10k": 3, "100k": 6}


def targets(bench: Bench, family: str, sizes: Mapping[str, int] = SIZES) -> dict[str, int]:
    """Per size, the bytes that make a history of so many tokens."""
    found = {}
    for size, tokens in sizes.items():
        guess = tokens * 4
        session = rollout(bench.random("guess", family, size), family, guess, _AGENTS[size])
        counted = len(bench.run(bench.truth, "render", [session.case(add_generation_prompt=True)])[0])
        found[size] = guess * tokens // counted
    return found


def history(rng: random.Random, family: str, size: str, target: int) -> Session:
    """A history of about so many bytes, up to where the assistant is to act."""
    return rollout(rng, family, target, _AGENTS[size])

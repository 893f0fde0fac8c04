"""How many times faster one thing is than another, with its spread."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

Rounds = Sequence[Sequence[float]]
"""Per round, the time of each call."""


@dataclass(frozen=True)
class Ratio:
    """How many times faster the subject is than the reference.

    Attributes:
        value: median over the rounds of one round's ratio: the reference's median call over the subject's.
        low, high: the least and the greatest round.
        mean: geometric mean over pairs of calls on the same case; None where the calls are not paired.
        rounds, calls: how much was measured.
    """

    value: float
    low: float
    high: float
    mean: float | None
    rounds: int
    calls: int


def ratio(reference: Rounds, subject: Rounds) -> Ratio:
    """The ratio of two measurements that were taken round by round, in turn."""
    of_rounds = [median(a) / median(b) for a, b in zip(reference, subject, strict=True)]
    paired = all(len(a) == len(b) for a, b in zip(reference, subject, strict=True))
    logs = [math.log(x / y) for a, b in zip(reference, subject, strict=True) for x, y in zip(a, b, strict=False)]
    return Ratio(
        value=median(of_rounds),
        low=min(of_rounds),
        high=max(of_rounds),
        mean=math.exp(sum(logs) / len(logs)) if paired else None,
        rounds=len(of_rounds),
        calls=len(flat(subject)),
    )


def flat(rounds: Rounds) -> list[float]:
    """The times of all rounds."""
    return [time for times in rounds for time in times]

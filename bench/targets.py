"""The targets this package set itself, held against what was measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .measure import OURS, PUBLIC, TRANSFORMERS, Result


@dataclass(frozen=True)
class Target:
    """A least ratio for some of the results; render is judged by the geometric mean, single inputs by the median.

    Attributes:
        groups: the result's groups it is about; empty for all.
    """

    text: str
    task: str
    groups: tuple[str, ...]
    subject: str
    reference: str
    least: float

    def applies(self, result: Result) -> bool:
        return (result.task, result.subject, result.reference) == (self.task, self.subject, self.reference) and (
            not self.groups or result.group in self.groups
        )


_RENDERS = (f"{OURS}.render", f"{TRANSFORMERS}.render")

TARGETS = (
    Target("render with attribution, 4 KB and more: at least apply_chat_template", "render",
           ("4–32 KB", "32–128 KB", "≥ 128 KB"), *_RENDERS, 1.0),
    Target("render with attribution, below 4 KB: at least 0.8 of it", "render", ("< 4 KB",), *_RENDERS, 0.8),
    Target("bridge over 100k tokens: at least 20 times our own render", "bridge", ("100k",),
           f"{OURS}.bridge", f"{OURS}.render", 20.0),
    Target("bridge over 100k tokens: at least 20 times apply_chat_template", "bridge", ("100k",),
           f"{OURS}.bridge", f"{TRANSFORMERS}.render", 20.0),
    Target("parse: at least 3 times the published package", "parse", (), f"{OURS}.parse", f"{PUBLIC}.parse", 3.0),
    Target("parse with tools: at least 3 times the published package", "parse", (),
           f"{OURS}.parse_with_tools", f"{PUBLIC}.parse_with_tools", 3.0),
)  # fmt: skip


@dataclass(frozen=True)
class Verdict:
    """The worst result a target applies to, and whether it is good enough."""

    target: Target
    worst: Result
    measured: float

    @property
    def holds(self) -> bool:
        return self.measured >= self.target.least


def judge(results: Sequence[Result]) -> list[Verdict]:
    """A verdict per target that something was measured for."""
    verdicts = []
    for target in TARGETS:
        measured = [(_value(result), k) for k, result in enumerate(results) if target.applies(result)]
        if measured:
            value, k = min(measured)
            verdicts.append(Verdict(target, results[k], value))
    return verdicts


def _value(result: Result) -> float:
    return result.ratio.mean if result.task == "render" and result.ratio.mean is not None else result.ratio.value

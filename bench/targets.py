"""The targets this package set itself, held against what was measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .measure import OURS, PUBLIC, TRANSFORMERS, Findings, Result, Step


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
class Limit:
    """A most for some steps of a fresh process, in milliseconds; judged by the median."""

    text: str
    step: str
    most: float

    def applies(self, step: Step) -> bool:
        return step.contender == OURS and (step.name == self.step or step.name.startswith(f"{self.step} "))


LIMITS = (
    Limit("import renderers and its factory, beyond numpy and tokenizers: at most 60 ms", "import", 60.0),
    Limit("create, whatever the factory, beyond the tokenizer's load and pydantic: at most 50 ms", "create", 50.0),
)


@dataclass(frozen=True)
class Verdict:
    """The worst and the best that a target applies to, and whether the worst is good enough."""

    text: str
    worst: float
    where: str
    best: float
    best_where: str
    unit: str
    holds: bool


def judge(found: Findings) -> list[Verdict]:
    """A verdict per target that something was measured for."""
    verdicts = []
    for target in TARGETS:
        measured = sorted((value(r), f"{r.family}, {r.group}") for r in found.results if target.applies(r))
        if measured:
            verdicts.append(_verdict(target.text, measured, "", measured[0][0] >= target.least))
    for limit in LIMITS:
        timed = sorted(((s.ms, f"{s.family}, {s.name}") for s in found.steps if limit.applies(s)), reverse=True)
        if timed:
            verdicts.append(_verdict(limit.text, timed, " ms", timed[0][0] <= limit.most))
    return verdicts


def _verdict(text: str, ordered: Sequence[tuple[float, str]], unit: str, holds: bool) -> Verdict:
    """From what was measured, the worst first."""
    return Verdict(text, *ordered[0], *ordered[-1], unit, holds)


def value(result: Result) -> float:
    """What a result is judged by."""
    return result.ratio.mean if result.task == "render" and result.ratio.mean is not None else result.ratio.value

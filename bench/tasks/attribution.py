"""What attribution costs: the same history as ids alone, with attribution as arrays, and with every list read."""

from __future__ import annotations

from statistics import median

from ..measure import OURS, PUBLIC, TRANSFORMERS, Bench, Samples, Turn
from .histories import SIZES, history, targets

CASES = {"1k": 8, "10k": 4, "100k": 1}
FUNCTIONS = ("render_ids", "render_arrays", "render_lists")
PAIRS = [
    (f"{OURS}.render_arrays", f"{OURS}.render_ids"),
    (f"{OURS}.render_lists", f"{OURS}.render_ids"),
    (f"{OURS}.render_lists", f"{TRANSFORMERS}.render"),
    (f"{OURS}.render_lists", f"{PUBLIC}.render"),
]


def run(bench: Bench, family: str) -> None:
    wanted = targets(bench, family)
    samples = {size: Samples(bench.clock) for size in SIZES}
    tokens: dict[str, list[int]] = {size: [] for size in SIZES}
    for k in bench.rounds("attribution", family):
        for size, of in samples.items():
            rng = bench.random("attribution", family, size, k)
            n = bench.plan.cases(CASES[size])
            cases = [history(rng, family, size, wanted[size]).case(add_generation_prompt=True) for _ in range(n)]
            turns = [Turn(OURS, FUNCTIONS, cases), *(Turn(name, ("render",), cases) for name in (TRANSFORMERS, PUBLIC))]
            bench.take_turns(of, turns, k)
            truth = of.last(f"{bench.truth}.render")
            bench.agree("attribution", family, truth, OURS, of.last(f"{OURS}.render_lists"))
            bench.agree("attribution", family, truth, PUBLIC, of.last(f"{PUBLIC}.render"))
            tokens[size].append(len(bench.run(bench.truth, "render", cases[:1])[0]))
    for size, of in samples.items():
        bench.compare("attribution", family, size, of, PAIRS)
        bench.found.tokens[f"attribution {family} {size}"] = median(tokens[size])

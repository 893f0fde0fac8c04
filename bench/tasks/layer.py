"""What the layer for callers of the older package costs over the engine, and the functions it offers them."""

from __future__ import annotations

from statistics import median

from ..measure import OURS, PUBLIC, Bench, Samples, Turn
from .histories import SIZES, history, targets

CASES = {"1k": 8, "10k": 4, "100k": 1}
FUNCTIONS = ("engine", "render", "engine_mask", "render_mask", "as_dict", "sample", "pooled")
SHARED = ("render", "as_dict", "sample")
PAIRS = [
    (f"{OURS}.render", f"{OURS}.engine"),
    (f"{OURS}.render_mask", f"{OURS}.engine_mask"),
    (f"{OURS}.pooled", f"{OURS}.render"),
    *((f"{OURS}.{function}", f"{PUBLIC}.{function}") for function in SHARED),
]


def run(bench: Bench, family: str) -> None:
    wanted = targets(bench, family)
    samples = {size: Samples(bench.clock) for size in SIZES}
    tokens: dict[str, list[int]] = {size: [] for size in SIZES}
    for k in bench.rounds("layer", family):
        for size, of in samples.items():
            rng = bench.random("layer", family, size, k)
            n = bench.plan.cases(CASES[size])
            cases = [history(rng, family, size, wanted[size]).case(add_generation_prompt=False) for _ in range(n)]
            bench.take_turns(of, [Turn(OURS, FUNCTIONS, cases), Turn(PUBLIC, SHARED, cases)], k)
            truth = of.last(f"{OURS}.engine")
            for function in ("render_mask", "as_dict", "sample"):
                bench.agree("layer", family, truth, OURS, of.last(f"{OURS}.{function}"), source=f"{OURS}.engine")
            for function in ("as_dict", "sample"):
                bench.agree("layer", family, truth, PUBLIC, of.last(f"{PUBLIC}.{function}"), source=f"{OURS}.engine")
            tokens[size].append(len(bench.run(OURS, "render_ids", cases[:1])[0]))
    for size, of in samples.items():
        bench.compare("layer", family, size, of, PAIRS)
        bench.found.tokens[f"layer {family} {size}"] = median(tokens[size])

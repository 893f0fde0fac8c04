"""A fresh process: importing, making a renderer, the first render. Processes of the contenders are started in turn."""

from __future__ import annotations

import json
import subprocess
from statistics import median
from typing import Any

from ..checkpoints import FORMATS
from ..environments import ROOT, environment
from ..measure import OURS, PUBLIC, TRANSFORMERS, Bench, Step
from ..workers import model_of

HOWS = {
    "name": "by name",
    "class": "by class",
    "config": "by config",
    "pool": "a pool of 16",
    "folder": "from a folder",
}
ALONE = ("import", "load tokenizer", "first render")
"""Steps that do not depend on the factory; those of the first factory count."""
TOLD = {"import pydantic": "importing pydantic", "config": "making the config, of creating by it"}
"""Steps that only one factory has."""
ALL = "from import to first ids"
BEYOND = "create from a folder, beyond load"


def run(bench: Bench, family: str) -> None:
    """Both packages' `create`; of ours each factory on the main family, two on others."""
    hows = tuple(HOWS) if family == bench.plan.main else ("name", "folder")
    processes = [(OURS, how) for how in hows] + [(TRANSFORMERS, "name"), (PUBLIC, "name")]
    processes = [(name, how) for name, how in processes if name in bench.workers]
    found: dict[tuple[str, str], list[float]] = {}
    for process in processes:
        _start(bench, family, *process)  # what is compiled or cached on disk is so afterwards
    for k in bench.rounds("import", family):
        turn = k % len(processes)
        for name, how in (*processes[turn:], *processes[:turn]):
            for step, ms in _named(how, _start(bench, family, name, how)).items():
                found.setdefault((name, step), []).append(ms)
    for (name, step), times in found.items():
        bench.found.steps.append(Step(family, step, name, median(times), min(times), max(times)))


def _named(how: str, steps: dict[str, float]) -> dict[str, float]:
    """The steps worth telling of one process, under names that tell the factory."""
    if not steps:
        return {}
    steps.pop("second render", None)
    if how == "config":
        steps["create"] += steps["config"]
    named = {TOLD.get(step, f"{step} {HOWS[how]}"): ms for step, ms in steps.items() if step not in ALONE}
    if how == "folder":
        return {BEYOND: steps["load and create"] - steps["load tokenizer"]}
    if how == "name":
        named |= {step: steps[step] for step in ALONE} | {ALL: sum(steps.values())}
    return named


def _start(bench: Bench, family: str, name: str, how: str) -> dict[str, float]:
    """Milliseconds by step; nothing, and a note, where the contender fails."""
    what = f"{name}'s start ({how}) on {family}"
    if what in bench.found.missing:
        return {}
    env = environment(name)
    told = model_of(bench.checkpoint(family), name)
    called = f"{FORMATS[family].__name__}Renderer" if how == "class" else how
    command = [env.python, "-m", "bench.startup", name, called, family, told["model"], told["folder"]]
    ran = subprocess.run(command, cwd=ROOT, env=env.variables, capture_output=True, text=True, check=False)
    if ran.returncode:
        bench.missing(what, (ran.stderr.strip().splitlines() or ["no output"])[-1])
        return {}
    answer: dict[str, dict[str, Any]] = json.loads(ran.stdout.splitlines()[-1])
    return {step: float(times[bench.clock]) / 1e6 for step, times in answer.items()}

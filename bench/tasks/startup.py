"""A fresh process: importing, making a renderer, the first render. Processes of the contenders are started in turn."""

from __future__ import annotations

import json
import subprocess

from ..environments import ROOT, environment
from ..measure import OURS, PUBLIC, TRANSFORMERS, Bench, Samples, assets
from ..workers import Timing

STEPS = ("import", "create", "first render")
ALL = "import to first ids"


def run(bench: Bench, family: str) -> None:
    samples = {step: Samples(bench.clock) for step in (*STEPS, ALL)}
    for k in bench.rounds("import"):
        names = [name for name in (OURS, TRANSFORMERS, PUBLIC) if name in bench.workers]
        for name in (*names[k % len(names) :], *names[: k % len(names)]):
            if f"{name}'s start" in bench.found.missing:
                continue
            ran = _start(name, family)
            if ran.returncode:
                bench.missing(f"{name}'s start", (ran.stderr.strip().splitlines() or ["no output"])[-1])
                continue
            answer = json.loads(ran.stdout.splitlines()[-1])
            found = {step: Timing(**times, digest="") for step, times in answer.items()}
            found.pop("second render")
            whole = Timing(sum(t.cpu for t in found.values()), sum(t.wall for t in found.values()), "")
            for step, of in samples.items():
                of.add(f"{name}.start", [whole if step == ALL else found[step]])
    for step, of in samples.items():
        others = (PUBLIC,) if step == "create" else (PUBLIC, TRANSFORMERS)  # transformers creates nothing
        bench.compare("import", family, step, of, [(f"{OURS}.start", f"{name}.start") for name in others])


def _start(name: str, family: str) -> subprocess.CompletedProcess[str]:
    env = environment(name)
    command = [env.python, "-m", "bench.startup", name, family, str(assets() / family)]
    return subprocess.run(command, cwd=ROOT, env=env.variables, capture_output=True, text=True, check=False)

"""`python -m bench [TASK ...]`: see README.md."""

from __future__ import annotations

import argparse
import os
import platform
import sys
import time
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path

from . import report
from .checkpoints import FORMATS, missing
from .conversations import dialect
from .measure import NAMES, OURS, Bench, Plan, say
from .tasks import attribution, bridge, layer, parse, render, startup
from .workers import WorkerError, pin

TASKS: dict[str, Callable[[Bench, str], None]] = {
    "render": render.run,
    "attribution": attribution.run,
    "bridge": bridge.run,
    "parse": parse.run,
    "layer": layer.run,
    "import": startup.run,
}
EVERYWHERE = ("render", "bridge", "parse")
"""Tasks that every format is measured on, if it has tools; the others are the main format's."""
TIKTOKEN = "kimi-k2"
"""Its start is measured as well, for its tokenizer is made from tiktoken.model."""


def full(families: tuple[str, ...], main: str | None) -> Plan:
    seconds = {"render": 40, "attribution": 40, "bridge": 50, "parse": 30, "layer": 40, "import": 90}
    return Plan(families, main, 7, 1.0, seconds)


def quick(families: tuple[str, ...], main: str | None) -> Plan:
    seconds = {"render": 2, "attribution": 6, "bridge": 6, "parse": 6, "layer": 8, "import": 15}
    return Plan(families, main, 3, 0.25, seconds)


def tasks_of(family: str, plan: Plan, wanted: Sequence[str]) -> list[str]:
    """What is measured on a family."""
    tasks = []
    for task in TASKS:
        everywhere = task == "render" or (task in EVERYWHERE and dialect(family).agents)
        if task in wanted and (family == plan.main or everywhere or (task == "import" and family == TIKTOKEN)):
            tasks.append(task)
    return tasks


def arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure renderers, side by side with others.")
    parser.add_argument("tasks", nargs="*", metavar="TASK", help=f"of {', '.join(TASKS)} (default: all)")
    parser.add_argument("--quick", action="store_true", help="under five minutes (default: under twenty)")
    parser.add_argument(
        "--families", nargs="+", choices=FORMATS, metavar="NAME", help="these formats; everything on the first"
    )
    parser.add_argument("--contenders", nargs="+", choices=NAMES, default=NAMES, help="measure these only")
    parser.add_argument("--clock", choices=("cpu", "wall"), default="cpu", help="processor time (default) or wall time")
    parser.add_argument("--core", type=int, help="the core to use (default: the last)")
    parser.add_argument("--seed", type=int, default=0, help="other conversations")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything there")
    parser.add_argument("--markdown", action="store_true", help="print Markdown instead of tables")
    parser.add_argument("--update-readme", action="store_true", help="put the results into bench/README.md")
    options = parser.parse_args(argv)
    if unknown := [task for task in options.tasks if task not in TASKS]:
        parser.error(f"unknown task {unknown[0]!r}; there are {', '.join(TASKS)}")
    return options


def main(argv: list[str] | None = None) -> int:
    options = arguments(argv)
    wanted = options.families or sorted(FORMATS, key=lambda name: name != "qwen3")
    absent = {name: why for name in wanted if (why := missing(name)) is not None}
    families = tuple(name for name in wanted if name not in absent)
    if not families or (options.families and absent):
        print(f"bench: {', '.join(absent)}: {next(iter(absent.values()))}", file=sys.stderr)
        return 1
    names = [name for name in NAMES if name in options.contenders or name == OURS]
    plan = (quick if options.quick else full)(families, next((name for name in families if dialect(name).agents), None))
    cores = os.cpu_count()
    core = pin(options.core)
    with Bench(plan, names, options.clock, options.seed) as bench:
        if OURS not in bench.workers:
            return 1
        for name, why in absent.items():
            bench.missing(name, why)
        begun = time.monotonic()
        for family in families:
            bench.load(family)
            for task in tasks_of(family, plan, options.tasks or tuple(TASKS)):
                say(f"{task} {family} ...")
                try:
                    TASKS[task](bench, family)
                except (WorkerError, ValueError) as error:
                    bench.missing(f"{task} on {family}", str(error))
        seconds = time.monotonic() - begun
    about = {
        "date": date.today().isoformat(),
        "mode": "quick" if options.quick else "full",
        "seconds": seconds,
        "seed": options.seed,
        "clock": options.clock,
        "core": core,
        "cores": cores,
        "machine": f"{platform.system()} {platform.machine()}",
    }
    if options.json:
        report.write_json(options.json, bench.found, about)
    if options.update_readme:
        report.update_readme(report.markdown(bench.found, about))
    if options.markdown:
        print(report.markdown(bench.found, about))
    else:
        report.show(bench.found)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("bench: interrupted")

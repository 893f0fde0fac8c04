"""`python -m bench [TASK ...]`: see README.md."""

from __future__ import annotations

import argparse
import os
import platform
import sys
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path

from . import report
from .conversations import DIALECTS
from .measure import NAMES, OURS, Bench, Plan, assets, say
from .tasks import attribution, bridge, parse, render, startup
from .workers import WorkerError, pin

TASKS: dict[str, Callable[[Bench, str], None]] = {
    "render": render.run,
    "attribution": attribution.run,
    "bridge": bridge.run,
    "parse": parse.run,
    "import": startup.run,
}
FIRST = "qwen3"


def full(families: tuple[str, ...]) -> Plan:
    return Plan(families, 7, 1.0, {"render": 60, "attribution": 40, "bridge": 50, "parse": 30, "import": 40})


def quick(families: tuple[str, ...]) -> Plan:
    return Plan(families, 5, 0.5, {"render": 25, "attribution": 12, "bridge": 12, "parse": 8, "import": 12})


def arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure renderers, side by side with others.")
    parser.add_argument("tasks", nargs="*", metavar="TASK", help=f"of {', '.join(TASKS)} (default: all)")
    parser.add_argument("--quick", action="store_true", help=f"under two minutes, {FIRST} only (default: under ten)")
    parser.add_argument(
        "--families", nargs="+", choices=DIALECTS, help="render these; other tasks: the first with tools"
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
    families = tuple(options.families or ((FIRST,) if options.quick else DIALECTS))
    if absent := [family for family in families if not (assets() / family / "tokenizer.json").is_file()]:
        print(f"bench: no tokenizer of {absent[0]} in {assets()}: run tools/assets.py", file=sys.stderr)
        return 1
    names = [name for name in NAMES if name in options.contenders or name == OURS]
    acting = next((family for family in families if DIALECTS[family].agents), None)
    cores = os.cpu_count()
    core = pin(options.core)
    with Bench(quick(families) if options.quick else full(families), names, options.clock, options.seed) as bench:
        if OURS not in bench.workers:
            return 1
        begun = time.monotonic()
        for family in families:
            bench.load(family)
            for task, run in TASKS.items():
                if task in (options.tasks or TASKS) and (task == "render" or family == acting):
                    say(f"{task} {family} ...")
                    try:
                        run(bench, family)
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

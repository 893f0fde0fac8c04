"""The interpreter of each contender: ours is the running one, the others get a virtual environment each.

Environments live in `.cache/bench/NAME` and are made when first needed. A stamp, written last, holds what is installed,
so that an interrupted set-up or another list of requirements starts afresh. Nothing here needs torch.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import venv
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CACHE = ROOT / ".cache" / "bench"
OLDEST = (3, 11)
"""Neither transformers 5 nor the published package runs on an older Python."""

_TRANSFORMERS = ("transformers==5.23.0", "jinja2==3.1.6")
REQUIREMENTS = {
    "transformers": _TRANSFORMERS,
    # httpx: imported by the package, declared nowhere.
    "public": ("renderers==0.1.12", "httpx", *_TRANSFORMERS),
}
SINGLE_THREADED = {
    "RAYON_NUM_THREADS": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
}
QUIET_AND_OFFLINE = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_VERBOSITY": "error", "PYTHONHASHSEED": "0"}


class Unavailable(Exception):
    """A contender cannot run here; the message says why."""


@dataclass(frozen=True)
class Environment:
    """How to start a contender's Python."""

    name: str
    python: str
    variables: dict[str, str]


def environment(name: str) -> Environment:
    """The environment of a contender, made if need be.

    `BENCH_TRANSFORMERS_PYTHON` and `BENCH_PUBLIC_PYTHON` name interpreters to use instead.
    """
    # As installed packages are: compiled. Else an import would be charged for its compilation each time.
    dropped = ("PYTHONPATH", "PYTHONHOME", "PYTHONDONTWRITEBYTECODE")
    variables = {key: value for key, value in os.environ.items() if key not in dropped}
    variables |= SINGLE_THREADED | QUIET_AND_OFFLINE
    if name == "ours":
        paths = [str(ROOT / "src"), *filter(None, [os.environ.get("PYTHONPATH")])]
        variables["PYTHONPATH"] = os.pathsep.join(paths)
        return Environment(name, sys.executable, variables)
    python = os.environ.get(f"BENCH_{name.upper()}_PYTHON") or str(_made(name))
    return Environment(name, python, variables)


def _made(name: str) -> Path:
    folder, base = CACHE / name, _base_python()
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    stamp, contents = folder / "installed", "\n".join([base, *REQUIREMENTS[name], ""])
    if stamp.is_file() and stamp.read_text(encoding="utf-8") == contents and python.exists():
        return python
    print(f"bench: installing {', '.join(REQUIREMENTS[name])} ...", file=sys.stderr, flush=True)
    shutil.rmtree(folder, ignore_errors=True)
    if base == sys.executable:
        venv.create(folder, with_pip=True)
    else:
        _run([base, "-m", "venv", str(folder)])
    _run([str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *REQUIREMENTS[name]])
    stamp.write_text(contents, encoding="utf-8")
    return python


def _base_python() -> str:
    """This Python, or another on the path where this one is too old."""
    if sys.version_info >= OLDEST:
        return sys.executable
    for minor in range(OLDEST[1] + 3, OLDEST[1] - 1, -1):
        found = shutil.which(f"python3.{minor}")
        if found is not None:
            tried = subprocess.run([found, "-c", "import venv, ensurepip"], capture_output=True, check=False)
            if tried.returncode == 0:
                return found
    raise Unavailable(f"needs Python {OLDEST[0]}.{OLDEST[1]} or newer, and none is on the path")


def _run(command: list[str]) -> None:
    ran = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    if ran.returncode:
        said = [line for line in ran.stderr.splitlines() if line.strip()] or ["no output"]
        raise Unavailable(f"setting up its environment failed: {said[-1]}")

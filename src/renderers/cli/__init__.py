"""The command line. Needs the extra `cli` (rich, typer), which nothing else in the package imports."""

from __future__ import annotations

import sys
from importlib.util import find_spec


def main() -> None:
    """The console command ``renderers``."""
    missing = [name for name in ("rich", "typer") if find_spec(name) is None]
    if missing:
        print(
            f"renderers: the command line needs {' and '.join(missing)}. Install with: pip install 'renderers[cli]'",
            file=sys.stderr,
        )
        raise SystemExit(2)
    from .app import app

    app(prog_name="renderers")

"""One file a family; each is found by being here, or by an entry point in the group ``renderers.families``."""

from __future__ import annotations

import pkgutil
from functools import lru_cache
from importlib import import_module
from importlib.metadata import entry_points

from .._family import Family


@lru_cache(maxsize=1)
def families() -> dict[str, type[Family]]:
    """Every family by name: ours, and those that installed packages add."""
    found: dict[str, type[Family]] = {}
    for module in pkgutil.iter_modules(__path__):
        if not module.name.startswith("_"):
            for value in vars(import_module(f"{__name__}.{module.name}")).values():
                if isinstance(value, type) and issubclass(value, Family) and "name" in vars(value):
                    found[value.name] = value
    for entry in entry_points(group="renderers.families"):
        family = entry.load()
        found.setdefault(family.name, family)
    return found

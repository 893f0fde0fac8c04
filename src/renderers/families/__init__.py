"""One file a family; each is found by being here, or by an entry point in the group ``renderers.families``."""

from __future__ import annotations

import pkgutil
from functools import cache, lru_cache
from importlib import import_module

from .._family import Family


def own_families() -> dict[str, type[Family]]:
    """The families of this package by name."""
    return {family.name: family for module in _modules() for family in _of_module(module)}


@lru_cache(maxsize=1)
def families() -> dict[str, type[Family]]:
    """Every family by name: ours, and those that installed packages add."""
    from importlib.metadata import entry_points  # slow to import

    found = own_families()
    for entry in entry_points(group="renderers.families"):
        family = entry.load()
        found.setdefault(family.name, family)
    return found


def named(name: str) -> type[Family] | None:
    """A family by its name, however its signs are spelt (``qwen3_vl``, ``glm5``), or None.

    Looks first into the files whose name the family's begins with, so that naming one does not import all.
    """
    wanted = _letters(name)
    likely = [module for module in _modules() if wanted.startswith(_letters(module))]
    for module in sorted(likely, key=len, reverse=True):
        for family in _of_module(module):
            if _letters(family.name) == wanted:
                return family
    return {_letters(family.name): family for family in families().values()}.get(wanted)


def _modules() -> list[str]:
    return [module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_")]


@cache
def _of_module(module: str) -> list[type[Family]]:
    """The families that a file defines."""
    loaded = import_module(f"{__name__}.{module}")
    kinds = [value for value in vars(loaded).values() if isinstance(value, type) and issubclass(value, Family)]
    return [kind for kind in kinds if kind.__module__ == loaded.__name__ and "name" in vars(kind)]


def _letters(name: str) -> str:
    return "".join(filter(str.isalnum, name.lower()))

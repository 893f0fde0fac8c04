"""Names, classes and model ids of all renderers, made from the families when first asked for."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from .._plan import FALLBACK
from ..families import families, named
from .renderers import renderer_class


@lru_cache(maxsize=1)
def renderer_registry() -> dict[str, type]:
    """Renderer name → class: ours, those under the entry point ``renderers.renderers``, and those added here."""
    from importlib.metadata import entry_points  # slow to import

    from .default import DefaultRenderer

    others = {entry.name: entry.load() for entry in entry_points(group="renderers.renderers")}
    made = {name: renderer_class(family) for name, family in families().items()}
    return {**others, **made, FALLBACK: DefaultRenderer}


def registered(name: str) -> type | None:
    """A class of somebody else's by its name in the registry, or None."""
    family = named(name)
    if name in ("auto", FALLBACK) or (family and not renderer_registry.cache_info().currsize):
        return None
    found = renderer_registry().get(family.name if family else name)
    return None if family and found is renderer_class(family) else found


@lru_cache(maxsize=1)
def model_renderer_map() -> dict[str, str]:
    """Exact model id → the name of the renderer for the template it ships."""
    return {model: name for name, family in families().items() for model in family.models}


def older_name(module: str, name: str) -> Any:
    """``Qwen3Renderer`` or ``Qwen3RendererConfig``, for the `__getattr__` of a module that offers them.

    Raises:
        AttributeError: no family has such a class.
    """
    prefix = name.removesuffix("Config").removesuffix("Renderer")
    family = named(prefix)
    if family is None or family.__name__ != prefix:
        family = {kind.__name__: kind for kind in families().values()}.get(prefix)
    if name == f"{prefix}Renderer" and family is not None:
        return renderer_class(family)
    if name == f"{prefix}RendererConfig":
        from . import configs

        if family is not None:
            return configs.config_class(family)
        if hasattr(configs, name):
            return getattr(configs, name)
    raise AttributeError(f"module {module!r} has no attribute {name!r}")

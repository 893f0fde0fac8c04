"""Names, classes and model ids of all renderers, made from the families when first asked for."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from .._plan import FALLBACK
from ..families import families
from .renderers import renderer_class


@lru_cache(maxsize=1)
def renderer_registry() -> dict[str, type]:
    """Renderer name → class. A class added here can be named in `create_renderer`."""
    from .default import DefaultRenderer

    return {**{name: renderer_class(family) for name, family in families().items()}, FALLBACK: DefaultRenderer}


def registered(name: str) -> type | None:
    """A class that somebody added to the registry, or None."""
    if not renderer_registry.cache_info().currsize:  # nobody has seen it yet
        return None
    family = families().get(name)
    found = renderer_registry().get(name)
    return None if name == FALLBACK or (family and found is renderer_class(family)) else found


@lru_cache(maxsize=1)
def model_renderer_map() -> dict[str, str]:
    """Exact model id → the name of the renderer for the template it ships."""
    return {model: name for name, family in families().items() for model in family.models}


def older_name(module: str, name: str) -> Any:
    """``Qwen3Renderer`` or ``Qwen3RendererConfig``, for the `__getattr__` of a module that offers them.

    Raises:
        AttributeError: no family has such a class.
    """
    kinds = {family.__name__: family for family in families().values()}
    if (family := kinds.get(name.removesuffix("Renderer"))) is not None and name.endswith("Renderer"):
        return renderer_class(family)
    if name.endswith("RendererConfig"):
        from . import configs

        if (family := kinds.get(name.removesuffix("RendererConfig"))) is not None:
            return configs.config_class(family)
        if hasattr(configs, name):
            return getattr(configs, name)
    raise AttributeError(f"module {module!r} has no attribute {name!r}")

"""Renderers of other people, by import path."""

from __future__ import annotations

import importlib
import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._errors import BadOption

if TYPE_CHECKING:
    from .configs import BaseRendererConfig, CustomRendererConfig


def load_target(import_path: str) -> Any:
    """What ``package.module:attribute`` or ``path/to/file.py:attribute`` names.

    Raises:
        BadOption: no such module, file or attribute; the message says which.
    """
    place, separator, attribute = import_path.rpartition(":")
    if not separator or not place or not attribute:
        raise BadOption(f"import_path must be 'package.module:Name' or 'file.py:Name', not {import_path!r}")
    target = _module(place)
    for name in attribute.split("."):
        if not hasattr(target, name):
            raise BadOption(f"import_path {import_path!r}: {place} has no {attribute!r}")
        target = getattr(target, name)
    return target


def _module(place: str) -> Any:
    if not place.endswith(".py"):
        try:
            return importlib.import_module(place)
        except ImportError as error:
            raise BadOption(f"import_path: {place!r} cannot be imported: {error}") from error
    path = Path(place).expanduser()
    spec = importlib.util.spec_from_file_location(path.stem, path) if path.is_file() else None
    if spec is None or spec.loader is None:
        raise BadOption(f"import_path: there is no file {place!r}")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def load_custom_renderer(import_path: str) -> Any:
    """A renderer class by its import path. Raises `BadOption` for anything that is no class with a `render` method."""
    found = load_target(import_path)
    if not isinstance(found, type) or not callable(getattr(found, "render", None)):
        raise BadOption(f"{import_path!r} is no renderer class: it must be a class with render(messages, …)")
    return found


def custom_renderer_config(config: CustomRendererConfig) -> BaseRendererConfig:
    """The class's own config, from the fields of a `CustomRendererConfig`. Raises `BadOption` without one."""
    cls = load_custom_renderer(config.import_path)
    own = getattr(cls, "config_class", None)
    if own is None:
        raise BadOption(
            f"{config.import_path!r} has no config_class to take {', '.join(config.options()) or 'a config'}"
        )
    made: BaseRendererConfig = own(**config.options())
    return made


def make_custom(tokenizer: Any, config: CustomRendererConfig) -> Any:
    """A renderer of the class named; without a `config_class` it is made of the tokenizer alone."""
    cls = load_custom_renderer(config.import_path)
    if getattr(cls, "config_class", None) is None and not config.options():
        return cls(tokenizer)
    return cls(tokenizer, custom_renderer_config(config))

"""Typed configs of all renderers, `RendererConfig` (their union) and `config_from_name`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._compat.configs import (
    AutoRendererConfig,
    BaseRendererConfig,
    CustomRendererConfig,
    DefaultRendererConfig,
    config_from_name,
    merge_chat_template_kwargs,
    renderer_config,
    template_field_names,
)
from ._compat.registry import older_name

if TYPE_CHECKING:
    RendererConfig = BaseRendererConfig  # at run time the union of all configs, told apart by `name`

__all__ = [
    "AutoRendererConfig",
    "BaseRendererConfig",
    "CustomRendererConfig",
    "DefaultRendererConfig",
    "RendererConfig",
    "config_from_name",
    "merge_chat_template_kwargs",
    "template_field_names",
]


def __getattr__(name: str) -> Any:
    return renderer_config() if name == "RendererConfig" else older_name(__name__, name)

"""Older import path of the renderer that runs a model's own template, and of its config."""

from __future__ import annotations

from typing import Any

from ._compat.default import DefaultRenderer
from ._compat.registry import older_name

__all__ = ["DefaultRenderer"]


def __getattr__(name: str) -> Any:
    return older_name(__name__, name)

"""Older import path of the Qwen3.6 renderer and its config."""

from __future__ import annotations

from typing import Any

from ._compat.registry import older_name


def __getattr__(name: str) -> Any:
    return older_name(__name__, name)

"""Chat messages ↔ token ids, exactly: rendering with attribution, parsing, and bridging to the next turn.

>>> from renderers import create_renderer
>>> renderer = create_renderer("Qwen/Qwen3-8B")  # doctest: +SKIP
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ._bridge import Bridge, Refusal, RefusalCode
    from ._calls import ToolCallParseStatus
    from ._create import create_renderer
    from ._errors import BadMessage, BadOption, InputError, RenderersError, RenderersWarning, TokenizerMismatch
    from ._family import Family
    from ._parsed import CallRead, Event, ParsedResponse, ParsedToolCall, Refiled, TextDelta
    from ._plain import PlainRenderer
    from ._reader import Reader
    from ._rendered import RenderedTokens
    from ._renderer import Identity, Renderer, Rewritten
    from ._tokenizers import Tokenizer
    from ._writer import Field

_HOMES = {
    "_bridge": ("Bridge", "Refusal", "RefusalCode"),
    "_calls": ("ToolCallParseStatus",),
    "_create": ("create_renderer",),
    "_errors": ("BadMessage", "BadOption", "InputError", "RenderersError", "RenderersWarning", "TokenizerMismatch"),
    "_family": ("Family",),
    "_plain": ("PlainRenderer",),
    "_parsed": ("CallRead", "Event", "ParsedResponse", "ParsedToolCall", "Refiled", "TextDelta"),
    "_reader": ("Reader",),
    "_rendered": ("RenderedTokens",),
    "_renderer": ("Identity", "Renderer", "Rewritten"),
    "_tokenizers": ("Tokenizer",),
    "_writer": ("Field",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "BadMessage",
    "BadOption",
    "Bridge",
    "CallRead",
    "Event",
    "Family",
    "Field",
    "Identity",
    "InputError",
    "ParsedResponse",
    "ParsedToolCall",
    "PlainRenderer",
    "Reader",
    "Refiled",
    "Refusal",
    "RefusalCode",
    "RenderedTokens",
    "Renderer",
    "RenderersError",
    "RenderersWarning",
    "Rewritten",
    "TextDelta",
    "Tokenizer",
    "TokenizerMismatch",
    "ToolCallParseStatus",
    "__version__",
    "create_renderer",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("renderers")
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{_HOME_OF[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__

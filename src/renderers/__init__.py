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
    from ._compat.configs import (
        AutoRendererConfig,
        BaseRendererConfig,
        CustomRendererConfig,
        DefaultRendererConfig,
        config_from_name,
        merge_chat_template_kwargs,
        template_field_names,
    )
    from ._compat.create import create_renderer
    from ._compat.custom import custom_renderer_config, load_custom_renderer, load_target
    from ._compat.default import DefaultRenderer
    from ._compat.renderers import FamilyRenderer
    from ._compat.results import ParsedToolCall, RenderedTokens
    from ._compat.text import attribute_text_segments, extract_message_tool_names
    from ._compat.tokenizers import load_tokenizer
    from ._compat.types import (
        ChatTemplateTokenizer,
        Content,
        ContentPart,
        ImagePart,
        Message,
        MultiModalData,
        MultimodalRenderer,
        OffsetTokenizer,
        PlaceholderRange,
        RenderedConversation,
        Renderer,
        TextPart,
        ThinkingPart,
        Tokenizer,
        ToolCall,
        ToolCallFunction,
        ToolSpec,
        VideoPart,
        is_multimodal,
        reject_assistant_in_extension,
        trim_to_turn_close,
    )
    from ._errors import BadMessage, BadOption, InputError, RenderersError, RenderersWarning, TokenizerMismatch
    from ._family import Family
    from ._parsed import CallRead, Event, ParsedResponse, Refiled, TextDelta
    from ._reader import Reader
    from ._renderer import Identity, Rewritten
    from ._writer import Field
    from .base import MODEL_RENDERER_MAP, MULTIMODAL_MODELS, RENDERER_REGISTRY
    from .client import MalformedGenerateResponseError, OverlongPromptError
    from .configs import RendererConfig
    from .pool import RendererPool, create_renderer_pool
    from .training import RenderedTrainingSample, build_training_sample, build_trajectory_step

_HOMES = {
    "_bridge": ("Bridge", "Refusal", "RefusalCode"),
    "_calls": ("ToolCallParseStatus",),
    "_compat.configs": (
        "AutoRendererConfig", "BaseRendererConfig", "CustomRendererConfig", "DefaultRendererConfig",
        "config_from_name", "merge_chat_template_kwargs", "template_field_names",
    ),
    "_compat.create": ("create_renderer",),
    "_compat.custom": ("custom_renderer_config", "load_custom_renderer", "load_target"),
    "_compat.default": ("DefaultRenderer",),
    "_compat.renderers": ("FamilyRenderer",),
    "_compat.results": ("ParsedToolCall", "RenderedTokens"),
    "_compat.text": ("attribute_text_segments", "extract_message_tool_names"),
    "_compat.tokenizers": ("load_tokenizer",),
    "_compat.types": (
        "ChatTemplateTokenizer", "Content", "ContentPart", "ImagePart", "Message", "MultiModalData",
        "MultimodalRenderer", "OffsetTokenizer", "PlaceholderRange", "RenderedConversation", "Renderer", "TextPart",
        "ThinkingPart", "Tokenizer", "ToolCall", "ToolCallFunction", "ToolSpec", "VideoPart", "is_multimodal",
        "reject_assistant_in_extension", "trim_to_turn_close",
    ),
    "_errors": ("BadMessage", "BadOption", "InputError", "RenderersError", "RenderersWarning", "TokenizerMismatch"),
    "_family": ("Family",),
    "_parsed": ("CallRead", "Event", "ParsedResponse", "Refiled", "TextDelta"),
    "_reader": ("Reader",),
    "_renderer": ("Identity", "Rewritten"),
    "_writer": ("Field",),
    "base": ("MODEL_RENDERER_MAP", "MULTIMODAL_MODELS", "RENDERER_REGISTRY"),
    "client": ("MalformedGenerateResponseError", "OverlongPromptError"),
    "configs": ("RendererConfig",),
    "pool": ("RendererPool", "create_renderer_pool"),
    "training": ("RenderedTrainingSample", "build_training_sample", "build_trajectory_step"),
}  # fmt: skip
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

_MODULES = ("base", "client", "configs", "family", "parsers", "parsing", "pool", "training", "transports")

__all__ = [
    "MODEL_RENDERER_MAP",
    "MULTIMODAL_MODELS",
    "RENDERER_REGISTRY",
    "AutoRendererConfig",
    "BadMessage",
    "BadOption",
    "BaseRendererConfig",
    "Bridge",
    "CallRead",
    "ChatTemplateTokenizer",
    "Content",
    "ContentPart",
    "CustomRendererConfig",
    "DeepSeekR1Renderer",
    "DeepSeekR1RendererConfig",
    "DeepSeekV3Renderer",
    "DeepSeekV3RendererConfig",
    "DeepSeekV31Renderer",
    "DeepSeekV31RendererConfig",
    "DefaultRenderer",
    "DefaultRendererConfig",
    "Event",
    "Family",
    "FamilyRenderer",
    "Field",
    "GLM5Renderer",
    "GLM5RendererConfig",
    "GLM45Renderer",
    "GLM45RendererConfig",
    "GLM51Renderer",
    "GLM51RendererConfig",
    "GptOssRenderer",
    "GptOssRendererConfig",
    "Identity",
    "ImagePart",
    "InputError",
    "KimiK2Renderer",
    "KimiK2RendererConfig",
    "KimiK25Renderer",
    "KimiK25RendererConfig",
    "KimiK26Renderer",
    "KimiK26RendererConfig",
    "MalformedGenerateResponseError",
    "Message",
    "MiniMaxM2Renderer",
    "MiniMaxM2RendererConfig",
    "MultiModalData",
    "MultimodalRenderer",
    "Nemotron3Renderer",
    "Nemotron3RendererConfig",
    "OffsetTokenizer",
    "OverlongPromptError",
    "ParsedResponse",
    "ParsedToolCall",
    "PlaceholderRange",
    "Qwen3InstructRenderer",
    "Qwen3InstructRendererConfig",
    "Qwen3Renderer",
    "Qwen3RendererConfig",
    "Qwen3ThinkingRenderer",
    "Qwen3ThinkingRendererConfig",
    "Qwen3VLRenderer",
    "Qwen3VLRendererConfig",
    "Qwen3VLThinkingRenderer",
    "Qwen3VLThinkingRendererConfig",
    "Qwen35Renderer",
    "Qwen35RendererConfig",
    "Qwen36Renderer",
    "Qwen36RendererConfig",
    "Reader",
    "Refiled",
    "Refusal",
    "RefusalCode",
    "RenderedConversation",
    "RenderedTokens",
    "RenderedTrainingSample",
    "Renderer",
    "RendererConfig",
    "RendererPool",
    "RenderersError",
    "RenderersWarning",
    "Rewritten",
    "TextDelta",
    "TextPart",
    "ThinkingPart",
    "Tokenizer",
    "TokenizerMismatch",
    "ToolCall",
    "ToolCallFunction",
    "ToolCallParseStatus",
    "ToolSpec",
    "VideoPart",
    "__version__",
    "attribute_text_segments",
    "build_training_sample",
    "build_trajectory_step",
    "config_from_name",
    "create_renderer",
    "create_renderer_pool",
    "custom_renderer_config",
    "extract_message_tool_names",
    "is_multimodal",
    "load_custom_renderer",
    "load_target",
    "load_tokenizer",
    "merge_chat_template_kwargs",
    "reject_assistant_in_extension",
    "template_field_names",
    "trim_to_turn_close",
]
"""`…Renderer` and `…RendererConfig` of each family are made when first asked for."""


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("renderers")
    if name in _HOME_OF:
        value = getattr(import_module(f".{_HOME_OF[name]}", __name__), name)
    elif name in _MODULES:
        value = import_module(f".{name}", __name__)
    elif name.endswith(("Renderer", "RendererConfig")):
        from ._compat.registry import older_name

        value = older_name(__name__, name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return list(__all__)

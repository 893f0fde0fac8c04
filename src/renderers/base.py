"""Older import path: message types, results, factories and registries in one module."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._calls import ToolCallParseStatus
from ._compat.create import create_renderer
from ._compat.registry import model_renderer_map, renderer_registry
from ._compat.renderers import FamilyRenderer
from ._compat.results import ParsedToolCall, RenderedTokens
from ._compat.text import AttributedTextSegments, attribute_text_segments, extract_message_tool_names
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
from ._parsed import ParsedResponse
from .pool import RendererPool, create_renderer_pool
from .training import RenderedTrainingSample, build_training_sample, build_trajectory_step

if TYPE_CHECKING:
    from ._compat.configs import merge_chat_template_kwargs, template_field_names
    from ._compat.default import DefaultRenderer

    MODEL_RENDERER_MAP: dict[str, str]
    RENDERER_REGISTRY: dict[str, Any]

MULTIMODAL_MODELS: dict[str, set[str]] = {}
"""Model id → the media its renderer takes."""

__all__ = [
    "MODEL_RENDERER_MAP",
    "MULTIMODAL_MODELS",
    "RENDERER_REGISTRY",
    "AttributedTextSegments",
    "ChatTemplateTokenizer",
    "Content",
    "ContentPart",
    "DefaultRenderer",
    "FamilyRenderer",
    "ImagePart",
    "Message",
    "MultiModalData",
    "MultimodalRenderer",
    "OffsetTokenizer",
    "ParsedResponse",
    "ParsedToolCall",
    "PlaceholderRange",
    "RenderedConversation",
    "RenderedTokens",
    "RenderedTrainingSample",
    "Renderer",
    "RendererPool",
    "TextPart",
    "ThinkingPart",
    "Tokenizer",
    "ToolCall",
    "ToolCallFunction",
    "ToolCallParseStatus",
    "ToolSpec",
    "VideoPart",
    "attribute_text_segments",
    "build_training_sample",
    "build_trajectory_step",
    "create_renderer",
    "create_renderer_pool",
    "extract_message_tool_names",
    "is_multimodal",
    "load_tokenizer",
    "merge_chat_template_kwargs",
    "reject_assistant_in_extension",
    "template_field_names",
    "trim_to_turn_close",
]


def __getattr__(name: str) -> Any:
    if name == "MODEL_RENDERER_MAP":
        return model_renderer_map()
    if name == "RENDERER_REGISTRY":
        return renderer_registry()
    if name == "DefaultRenderer":
        from ._compat.default import DefaultRenderer

        return DefaultRenderer
    if name in ("merge_chat_template_kwargs", "template_field_names"):
        from ._compat import configs

        return getattr(configs, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

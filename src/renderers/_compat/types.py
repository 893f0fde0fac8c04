"""The shapes of messages and media, and the protocols that renderers and tokenizers are known by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypedDict, runtime_checkable

from .._parsed import ParsedResponse


class TextPart(TypedDict):
    """Text in a content list."""

    type: Literal["text"]
    text: str


class ThinkingPart(TypedDict):
    """Reasoning in a content list."""

    type: Literal["thinking"]
    thinking: str


class ImagePart(TypedDict, total=False):
    """A picture in a content list."""

    type: Literal["image", "image_url"]
    image: Any
    url: str
    path: str
    image_url: dict[str, Any]


class VideoPart(TypedDict, total=False):
    """A video in a content list."""

    type: Literal["video", "video_url"]
    video: Any
    url: str
    path: str
    video_url: dict[str, Any]


ContentPart = TextPart | ThinkingPart | ImagePart | VideoPart
Content = str | list[ContentPart]


class ToolCallFunction(TypedDict):
    """What a call asks for; arguments are a mapping or its JSON text."""

    name: str
    arguments: dict[str, Any] | str


class ToolCall(TypedDict, total=False):
    """A call of an assistant message."""

    type: str
    id: str
    function: ToolCallFunction


class _Message(TypedDict):
    role: str
    content: Content | None


class Message(_Message, total=False):
    """One message in the OpenAI shape."""

    tool_calls: list[ToolCall]
    tool_call_id: str
    name: str
    reasoning: str
    reasoning_content: str


class ToolSpec(TypedDict):
    """A tool declaration without the OpenAI envelope, which is accepted everywhere too."""

    name: str
    description: str
    parameters: dict[str, Any]


@dataclass
class PlaceholderRange:
    """Where the tokens of one picture or video stand."""

    offset: int
    length: int


@dataclass
class MultiModalData:
    """Media of a prompt: modality → one entry a picture or video."""

    mm_hashes: dict[str, list[str]] = field(default_factory=dict)
    mm_placeholders: dict[str, list[PlaceholderRange]] = field(default_factory=dict)
    mm_items: dict[str, list[Any]] = field(default_factory=dict)

    def is_empty(self) -> bool:
        """There is no media."""
        return not any(self.mm_items.values()) and not any(self.mm_placeholders.values())


@dataclass
class RenderedConversation:
    """A prompt, what was sampled from it, and the messages both come from."""

    prompt_ids: list[int]
    completion_ids: list[int] = field(default_factory=list)
    completion_logprobs: list[float] = field(default_factory=list)
    messages: list[Any] = field(default_factory=list)
    parsed_completion: ParsedResponse | None = None

    @property
    def token_ids(self) -> list[int]:
        """Prompt and completion."""
        return [*self.prompt_ids, *self.completion_ids]

    def with_completion(
        self,
        completion_ids: list[int],
        *,
        completion_logprobs: list[float] | None = None,
        parsed_completion: ParsedResponse | None = None,
    ) -> RenderedConversation:
        """The same prompt with another completion."""
        return replace(
            self,
            completion_ids=completion_ids,
            completion_logprobs=completion_logprobs or [],
            parsed_completion=parsed_completion,
        )


@runtime_checkable
class Tokenizer(Protocol):
    """A tokenizer as callers hold it."""

    def encode(self, text: str, *args: Any, **kwargs: Any) -> list[int]: ...
    def decode(self, token_ids: Any, *args: Any, **kwargs: Any) -> str: ...
    def convert_tokens_to_ids(self, tokens: Any) -> Any: ...


@runtime_checkable
class OffsetTokenizer(Tokenizer, Protocol):
    """A tokenizer that also tells character offsets, called with ``return_offsets_mapping=True``."""

    def __call__(self, text: str, **kwargs: Any) -> Any: ...


@runtime_checkable
class ChatTemplateTokenizer(Tokenizer, Protocol):
    """A tokenizer that runs its model's chat template."""

    def apply_chat_template(self, *args: Any, **kwargs: Any) -> Any: ...


@runtime_checkable
class Renderer(Protocol):
    """What every renderer offers, ours and other people's."""

    def render(self, messages: Any, *, tools: Any = None, add_generation_prompt: bool = False) -> Any: ...
    def render_ids(self, messages: Any, *, tools: Any = None, add_generation_prompt: bool = False) -> list[int]: ...
    def parse_response(self, token_ids: Any, *, tools: Any = None, prompt_ids: Any = None) -> Any: ...
    def get_stop_token_ids(self) -> list[int]: ...
    def bridge_to_next_turn(
        self, previous_prompt_ids: Any, previous_completion_ids: Any, new_messages: Any, *, tools: Any = None
    ) -> Any: ...

    if TYPE_CHECKING:  # renderers of the first generation do not have it

        @property
        def is_prefix_stable(self) -> bool:
            """What is rendered at any turn is a prefix of what is rendered later."""
            ...


@runtime_checkable
class MultimodalRenderer(Renderer, Protocol):
    """A renderer of pictures or videos."""

    @property
    def mm_token_type_id_map(self) -> dict[int, int]:
        """Placeholder token id → 1 image, 2 video."""
        ...


def is_multimodal(renderer: object) -> bool:
    """The renderer takes pictures or videos."""
    return hasattr(renderer, "mm_token_type_id_map")  # not by the protocol: pools have it by delegation


def reject_assistant_in_extension(new_messages: Sequence[Any]) -> bool:
    """There is an assistant message among them, which a bridge would put in the place of sampled tokens."""
    return any(message["role"] == "assistant" for message in new_messages)


def trim_to_turn_close(
    previous_prompt_ids: Sequence[int],
    previous_completion_ids: Sequence[int],
    close_token_ids: set[int],
    *,
    synthesize_close: int | None = None,
) -> list[int] | None:
    """Prompt and completion up to the last close token of the completion; without one `synthesize_close` is appended,
    and without that there is no answer."""
    prompt, completion = list(previous_prompt_ids), list(previous_completion_ids)
    closes = [k for k, id_ in enumerate(completion) if id_ in close_token_ids]
    if closes:
        return prompt + completion[: closes[-1] + 1]
    return None if synthesize_close is None else [*prompt, *completion, synthesize_close]

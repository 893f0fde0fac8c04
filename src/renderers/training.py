"""Conversations as training samples: token ids and a mask of what the model itself would have sampled."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ._derive import common_prefix_length
from ._errors import InputError

_MEDIA_TYPES = {"image": 1, "video": 2}


@dataclass(frozen=True)
class RenderedTrainingSample:
    """A conversation to train on. Unpacks into ``(token_ids, loss_mask)``.

    Attributes:
        token_ids: the ids.
        loss_mask: one bool a token, True where it is trained.
        multi_modal_data: payloads of pictures and videos, where there are any.
        mm_token_type_ids: 0 text, 1 image, 2 video per token, where there is media.
    """

    token_ids: list[int]
    loss_mask: list[bool]
    multi_modal_data: Any = None
    mm_token_type_ids: list[int] | None = None

    def __iter__(self) -> Iterator[Any]:
        return iter((self.token_ids, self.loss_mask))


def build_training_sample(
    renderer: Any,
    messages: Sequence[Any],
    *,
    role_to_mask: Callable[[Any], bool] | None = None,
    tools: Any = None,
    content_sft_roles: Collection[str] | None = None,
    ensure_final_stop: bool = False,
    message_loss_mask: Sequence[bool | int] | None = None,
) -> RenderedTrainingSample:
    """One render of a whole conversation and its loss mask: what the model would have sampled, and nothing else.

    Args:
        renderer: anything with `render` and `get_stop_token_ids`.
        role_to_mask: called with each message; False takes out what was sampled in it. Where the renderer does not
            know what is sampled, it alone decides.
        content_sft_roles: also train the words (not the scaffold) of messages of these roles, whatever `role_to_mask`
            says of them.
        ensure_final_stop: if the last trained token is no stop token and the conversation ends with an assistant
            message that is trained, append the canonical stop, trained.
        message_loss_mask: one bool, or 0 or 1, a message; False takes all its tokens out, words too.

    Raises:
        InputError: a mask of the wrong length or with other values, a renderer that does not know what is sampled
            and no `role_to_mask`, or one that does not know which message a token belongs to.
    """
    messages = list(messages)
    allowed = _allowed(messages, message_loss_mask)
    wanted = [on and (role_to_mask is None or bool(role_to_mask(m))) for m, on in zip(messages, allowed, strict=True)]
    rendered = renderer.render(messages, tools=tools)
    ids, owners = list(rendered.token_ids), list(rendered.message_indices)
    sampled = list(rendered.sampled_mask)
    if not sampled and role_to_mask is None:
        raise InputError("this renderer does not know which tokens the model samples; give role_to_mask")
    if len(owners) != len(ids):
        raise InputError("this renderer does not tell which message each token belongs to")
    trained = sampled or [True] * len(ids)
    speakers = _speakers(messages) if sampled else range(len(messages))
    mask = [bool(on and owner >= 0 and wanted[speakers[owner]]) for on, owner in zip(trained, owners, strict=True)]
    if content_sft_roles:
        words = _words(rendered, messages, set(content_sft_roles))
        mask = [a or (b and allowed[owner]) for a, b, owner in zip(mask, words, owners, strict=True)]
    if ensure_final_stop and messages and messages[-1]["role"] == "assistant" and wanted[-1]:
        stops = renderer.get_stop_token_ids()
        last = max((k for k, on in enumerate(mask) if on), default=None)
        if last is None or ids[last] not in stops:
            ids, mask = [*ids, stops[0]], [*mask, True]
    media = rendered.multi_modal_data
    if media is None or media.is_empty():
        return RenderedTrainingSample(ids, mask)
    return RenderedTrainingSample(ids, mask, media, _media_types(media, len(ids)))


def _allowed(messages: Sequence[Any], given: Sequence[bool | int] | None) -> list[bool]:
    """Per message, whether `message_loss_mask` lets it be trained."""
    if given is None:
        return [True] * len(messages)
    if len(given) != len(messages):
        raise InputError(f"message_loss_mask has {len(given)} entries for {len(messages)} messages")
    for i, value in enumerate(given):
        if not isinstance(value, int) or value not in (0, 1):
            raise InputError(f"message_loss_mask[{i}] must be a bool, 0 or 1, not {value!r}")
    return [bool(value) for value in given]


def _media_types(media: Any, length: int) -> list[int]:
    """Per token 0 text, 1 image, 2 video."""
    types = [0] * length
    for modality, ranges in media.mm_placeholders.items():
        for place in ranges:
            types[place.offset : place.offset + place.length] = [_MEDIA_TYPES.get(modality, 0)] * place.length
    return types


def _speakers(messages: Sequence[Any]) -> list[int]:
    """Per message, who sampled what is sampled in it: where a format has no close of its own, the marker that opens a
    message was sampled by the assistant before it."""
    speakers: list[int] = []
    for i, message in enumerate(messages):
        before = speakers[-1] if speakers else i
        speakers.append(i if message["role"] == "assistant" else before)
    return speakers


def _words(rendered: Any, messages: Sequence[Any], roles: set[str]) -> list[bool]:
    """The tokens that are words of messages of some roles."""
    content = list(rendered.is_content)
    if len(content) != len(rendered.token_ids):
        raise InputError("content_sft_roles needs a renderer that tells words from scaffold")
    chosen = [message["role"] in roles for message in messages]
    owned = zip(content, rendered.message_indices, strict=True)
    return [bool(on and owner >= 0 and chosen[owner]) for on, owner in owned]


def build_trajectory_step(
    renderer: Any, prompt_messages: Sequence[Any], completion_messages: Sequence[Any], *, tools: Any = None
) -> dict[str, Any]:
    """A rollout step from messages: the prompt with its generation prompt, and everything after it as completion.

    Prompt and conversation are split at their longest common beginning; every token of the completion counts as
    trained, tool results too. Log-probabilities are 0.
    """
    prompt = list(renderer.render_ids(list(prompt_messages), tools=tools, add_generation_prompt=True))
    whole = list(renderer.render_ids([*prompt_messages, *completion_messages], tools=tools))
    split = common_prefix_length(prompt, whole)
    completion = whole[split:]
    return {
        "prompt_ids": whole[:split],
        "prompt_mask": [False] * split,
        "completion_ids": completion,
        "completion_mask": [True] * len(completion),
        "completion_logprobs": [0.0] * len(completion),
        "routed_experts": None,
        "sampling_mask": None,
    }

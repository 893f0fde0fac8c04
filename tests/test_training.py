"""Training samples: what the model would have sampled is trained, filters only take away, and both generations unpack
the result."""

from __future__ import annotations

from typing import Any

import pytest

from renderers import (
    DefaultRenderer,
    InputError,
    MultiModalData,
    PlaceholderRange,
    RenderedTokens,
    build_training_sample,
    build_trajectory_step,
)
from tests import oracles
from tests.conversations import conversations
from tests.harness import KEYS, encode, renderer, text_of, token
from tests.test_compat import UNKNOWN, Named

pytestmark = pytest.mark.skipif(not oracles.has_assets("qwen3"), reason="real tokenizers are not on this machine")

ASK = {"role": "user", "content": "2+2?"}
ANSWER = {"role": "assistant", "content": "4", "reasoning_content": "2+2=4"}
TALK = [ASK, ANSWER, {"role": "user", "content": "And 3+3?"}, {"role": "assistant", "content": "6"}]


def trained(key: str, sample: Any) -> str:
    return text_of(key, [id_ for id_, on in zip(sample.token_ids, sample.loss_mask, strict=True) if on])


def is_assistant(message: Any) -> bool:
    return bool(message["role"] == "assistant")


@pytest.mark.parametrize("key", KEYS)
def test_the_mask_is_the_sampled_mask(key: str) -> None:
    for case in conversations(key, 20, seed=71):
        r = renderer(key, **case.kwargs)
        rendered = r.render(case.messages, tools=case.tools)
        for sample in (
            build_training_sample(r, case.messages, tools=case.tools),
            build_training_sample(r, case.messages, tools=case.tools, role_to_mask=is_assistant),
        ):
            assert sample.token_ids == rendered.token_ids
            assert sample.loss_mask == rendered.sampled_mask
        ids, mask = build_training_sample(r, case.messages, role_to_mask=is_assistant, tools=case.tools)
        assert (ids, mask) == (rendered.token_ids, rendered.sampled_mask)


def test_filters_take_messages_out() -> None:
    r = renderer("qwen3-instruct-2507")
    talk = [{k: v for k, v in message.items() if k != "reasoning_content"} for message in TALK]
    key = "qwen3-instruct-2507"
    assert trained(key, build_training_sample(r, talk)) == "4<|im_end|>6<|im_end|>"
    assert trained(key, build_training_sample(r, talk, message_loss_mask=[1, 0, 1, True])) == "6<|im_end|>"
    assert trained(key, build_training_sample(r, talk, role_to_mask=lambda m: m["content"] == "4")) == "4<|im_end|>"
    both = build_training_sample(r, talk, role_to_mask=is_assistant, message_loss_mask=[0, 1, 0, 0])
    assert trained(key, both) == "4<|im_end|>"


def test_a_marker_that_the_model_sampled_stays_trained() -> None:
    """GLM has no close of its own: the next user's marker is the stop, whoever's message it opens."""
    sample = build_training_sample(renderer("glm-4.5"), TALK[:3], role_to_mask=is_assistant)
    assert trained("glm-4.5", sample).endswith("\n4<|user|>")
    sample = build_training_sample(renderer("glm-4.5"), TALK[:3], message_loss_mask=[1, 0, 1])
    assert trained("glm-4.5", sample) == ""


def test_words_of_other_roles_can_be_trained_too() -> None:
    key = "qwen3-instruct-2507"
    talk = [{"role": "system", "content": "Be brief."}, ASK, {"role": "assistant", "content": "4"}]
    sample = build_training_sample(renderer(key), talk, content_sft_roles={"user"})
    assert trained(key, sample) == "2+2?4<|im_end|>"
    sample = build_training_sample(renderer(key), talk, content_sft_roles={"user"}, role_to_mask=is_assistant)
    assert trained(key, sample) == "2+2?4<|im_end|>"
    sample = build_training_sample(
        renderer(key), talk, content_sft_roles={"user", "system"}, message_loss_mask=[1, 0, 0]
    )
    assert trained(key, sample) == "Be brief."


def test_a_final_stop_is_added_where_there_is_none() -> None:
    stop = token("glm-4.5", "<|endoftext|>")
    r = renderer("glm-4.5")
    plain, ended = (build_training_sample(r, TALK[:2], ensure_final_stop=on) for on in (False, True))
    assert ended.token_ids == [*plain.token_ids, stop]
    assert ended.loss_mask == [*plain.loss_mask, True]
    for messages, options in (
        (TALK[:3], {}),
        (TALK[:2], {"role_to_mask": lambda message: False}),
        (TALK[:2], {"message_loss_mask": [1, 0]}),
    ):
        sample = build_training_sample(r, messages, ensure_final_stop=True, **options)
        assert sample.token_ids[-1] != stop
    closed = build_training_sample(renderer("qwen3"), TALK[:2], ensure_final_stop=True)
    assert closed.token_ids == renderer("qwen3").render_ids(TALK[:2])


@pytest.mark.parametrize("wrong", [[1], [1, 0, 1], [2, 1], ["yes", 1], [None, 1]])
def test_a_wrong_message_mask_is_refused(wrong: list[Any]) -> None:
    with pytest.raises(InputError, match="message_loss_mask"):
        build_training_sample(renderer("qwen3"), TALK[:2], message_loss_mask=wrong)


def test_a_renderer_that_knows_no_mask_needs_a_filter() -> None:
    r = DefaultRenderer(Named("a/b", template=UNKNOWN))
    with pytest.raises(InputError, match="role_to_mask"):
        build_training_sample(r, TALK[:2])
    talk = [ASK, {"role": "assistant", "content": "4"}]
    sample = build_training_sample(r, talk, role_to_mask=is_assistant)
    assert trained("qwen3", sample) == "<|im_start|>assistant\n4<|im_end|>\n"
    with pytest.raises(InputError, match="content_sft_roles"):
        build_training_sample(r, talk, role_to_mask=is_assistant, content_sft_roles={"user"})


class Duck:
    """The least that the functions may ask of a renderer."""

    def render(self, messages: Any, *, tools: Any = None, add_generation_prompt: bool = False) -> RenderedTokens:
        owners = [i for i, _ in enumerate(messages) for _ in range(2)]
        return RenderedTokens(
            token_ids=list(range(len(owners))), message_indices=owners, sampled_mask=[i == 1 for i in owners]
        )

    def get_stop_token_ids(self) -> list[int]:
        return [99]


def test_any_object_that_renders_will_do() -> None:
    sample = build_training_sample(Duck(), TALK[:2], ensure_final_stop=True)
    assert (sample.token_ids, sample.loss_mask) == ([0, 1, 2, 3, 99], [False, False, True, True, True])
    assert sample.multi_modal_data is None
    assert sample.mm_token_type_ids is None


class Given(Duck):
    """Renders what it was given."""

    def __init__(self, **fields: Any) -> None:
        self.fields = fields

    def render(self, messages: Any, *, tools: Any = None, add_generation_prompt: bool = False) -> RenderedTokens:
        return RenderedTokens(**self.fields)


def test_media_types_follow_the_placeholders() -> None:
    media = MultiModalData(
        mm_placeholders={"image": [PlaceholderRange(0, 2)], "video": [PlaceholderRange(3, 1)]},
        mm_items={"image": ["pixels"], "video": ["frames"]},
    )
    rendered = {"token_ids": [7, 7, 1, 8], "message_indices": [0, 0, 0, 1], "sampled_mask": [False] * 3 + [True]}
    sample = build_training_sample(Given(**rendered, multi_modal_data=media), TALK[:2], ensure_final_stop=True)
    assert sample.multi_modal_data is media
    assert sample.mm_token_type_ids == [1, 1, 0, 2, 0]
    sample = build_training_sample(Given(**rendered, multi_modal_data=MultiModalData()), TALK[:2])
    assert (sample.multi_modal_data, sample.mm_token_type_ids) == (None, None)


def test_tokens_of_nobody_are_refused() -> None:
    with pytest.raises(InputError, match="which message"):
        build_training_sample(Given(token_ids=[1, 2], sampled_mask=[True, True]), TALK[:2])


def test_trajectory_step() -> None:
    r = renderer("qwen3")
    call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    completion = [
        {"role": "assistant", "content": "", "reasoning_content": "look", "tool_calls": [call]},
        {"role": "tool", "content": "42", "tool_call_id": "1"},
        {"role": "assistant", "content": "42."},
    ]
    step = build_trajectory_step(r, [ASK], completion)
    assert step["prompt_ids"] == r.render_ids([ASK], add_generation_prompt=True)
    whole: list[Any] = [ASK, *completion]
    assert step["prompt_ids"] + step["completion_ids"] == r.render_ids(whole)
    assert step["completion_mask"] == [True] * len(step["completion_ids"])
    assert step["prompt_mask"] == [False] * len(step["prompt_ids"])
    assert step["completion_logprobs"] == [0.0] * len(step["completion_ids"])
    assert step["routed_experts"] is None
    assert encode("qwen3", "42.<|im_end|>")[-1] in step["completion_ids"]

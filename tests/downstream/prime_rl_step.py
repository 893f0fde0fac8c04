"""What prime-rl's supervised step does with this package: samples, shifted targets, a loss mask.

    python -m tests.downstream.prime_rl_step TOKENIZER_FOLDER [RENDERER_NAME]

Needs only this package. Prints one line of JSON; an AssertionError says what does not hold.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import renderers.base
from renderers import BadMessage, RenderedTokens, build_training_sample
from renderers.base import MODEL_RENDERER_MAP, load_tokenizer
from renderers.configs import config_from_name

TOOLS = [
    {
        "name": "weather",
        "description": "The weather in a city",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    }
]
WITH_REASONING: list[dict[str, Any]] = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Weather in Paris?"},
    {
        "role": "assistant",
        "content": "",
        "reasoning_content": "I look it up.",
        "tool_calls": [
            {"type": "function", "id": "c1", "function": {"name": "weather", "arguments": {"city": "Paris"}}}
        ],
    },
    {"role": "tool", "tool_call_id": "c1", "name": "weather", "content": "18 degrees"},
    {"role": "assistant", "content": "It is 18 degrees.", "reasoning_content": "Known now."},
]


class Duck:
    """A renderer of prime-rl's own: no roles of messages, no other methods."""

    def __init__(self, renderer: Any) -> None:
        self._renderer = renderer

    def render(self, messages: Sequence[Mapping[str, Any]], *, tools: Any = None, **options: Any) -> RenderedTokens:
        whole = self._renderer.render(messages, tools=tools, **options)
        return RenderedTokens(
            token_ids=whole.token_ids, message_indices=whole.message_indices, sampled_mask=whole.sampled_mask
        )

    def get_stop_token_ids(self) -> list[int]:
        stops: list[int] = self._renderer.get_stop_token_ids()
        return stops


def assistant(message: Mapping[str, Any]) -> bool:
    return bool(message["role"] == "assistant")


def step(sample: Any) -> tuple[list[int], list[int], list[bool]]:
    """Inputs, targets and loss mask of one sample, shifted by one."""
    ids, mask = list(sample.token_ids), [bool(trained) for trained in sample.loss_mask]
    assert len(ids) == len(mask)
    assert not mask[0], "the first token has nothing to be predicted from"
    assert all(type(token) is int for token in ids), "ids must be plain integers to pack and send"
    return ids[:-1], ids[1:], mask[1:]


def trained(sample: Any) -> list[int]:
    """The targets that count."""
    _, targets, mask = step(sample)
    return [token for token, counts in zip(targets, mask, strict=True) if counts]


def main(folder: str, name: str = "qwen3") -> None:
    """All checks; one line of facts."""
    config = config_from_name(name)
    assert config is not None
    assert config.name == name
    assert name in MODEL_RENDERER_MAP.values()
    assert "Qwen/Qwen3-8B" in MODEL_RENDERER_MAP
    # prime-rl reads the function from the module when it calls it.
    renderer = renderers.base.create_renderer(load_tokenizer(folder), config)
    stops = set(renderer.get_stop_token_ids())
    messages = WITH_REASONING
    try:
        renderer.render(messages, tools=TOOLS)
    except BadMessage:  # the format has no place for reasoning
        messages = [{k: v for k, v in message.items() if k != "reasoning_content"} for message in messages]

    def sample(made_by: Any = renderer, upto: int | None = None, **options: Any) -> Any:
        given = {"role_to_mask": None, "tools": TOOLS, "content_sft_roles": None, "ensure_final_stop": True}
        return build_training_sample(made_by, messages[:upto], **{**given, **options})

    whole = sample()
    rendered = renderer.render(messages, tools=TOOLS)
    targets = trained(whole)
    assert stops.intersection(targets), "no target teaches the model to stop"
    assert targets[-1] in stops, "the last target is not a stop"
    assert list(whole.token_ids)[: len(rendered.token_ids)] == rendered.token_ids
    assert whole.multi_modal_data is None or whole.multi_modal_data.is_empty()
    assert whole.mm_token_type_ids is None

    # Nothing of the prompt of the first reply trains, and everything sampled after it, up to its stop, does.
    prompt = renderer.render_ids(messages[:2], tools=TOOLS, add_generation_prompt=True)
    ids, mask = whole  # also a pair
    assert list(ids)[: len(prompt)] == prompt
    assert not any(mask[: len(prompt)])
    reply = [k for k, owner in enumerate(rendered.message_indices) if owner == 2 and k >= len(prompt)]
    # A format may write more after the stop (a newline), or close the turn with the next marker.
    end = next((k for k in reply if ids[k] in stops), reply[-1])
    assert all(mask[k] for k in reply if k <= end)

    assert list(sample(role_to_mask=assistant).loss_mask) == list(mask)
    assert list(sample(made_by=Duck(renderer)).loss_mask) == list(mask)
    last_only = sample(role_to_mask=lambda message: message is messages[-1])
    assert 0 < len(trained(last_only)) < len(targets)
    observed = sample(content_sft_roles={"tool"})
    extra = [token for token, old, new in zip(ids, mask, observed.loss_mask, strict=True) if new and not old]
    assert extra, "no token of the tool result trains"
    assert not any(old and not new for old, new in zip(mask, observed.loss_mask, strict=True))
    assert all(old >= new for old, new in zip(mask, sample(message_loss_mask=[0, 0, 0, 0, 1]).loss_mask, strict=True))
    unrelated = sample(upto=2)
    assert not any(unrelated.loss_mask), "a conversation without a reply trains nothing"

    facts = {"renderer": name, "tokens": len(ids), "trained": len(targets), "extra_from_tool": len(extra)}
    print(json.dumps(facts))


if __name__ == "__main__":
    main(*sys.argv[1:])

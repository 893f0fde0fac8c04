"""`use_patched`: the same marks, but no later turn respells an earlier one.

What a patched renderer prints for a conversation is what a rollout over the same turns would have built: every prompt
is a prefix of everything later, and each turn says what it was given.
"""

from __future__ import annotations

import unicodedata
from typing import Any

import pytest

from renderers import BadOption, create_renderer
from tests import oracles
from tests.conversations import Case, conversations
from tests.formats import FORMATS
from tests.harness import KEYS, NAMES, REASONING_KEYS, encode, oracle_text, renderer, tokenizer_family

CASES = 60


def patched(key: str, **options: Any) -> Any:
    return renderer(key, use_patched=True, **options)


def rollouts(key: str, seed: int) -> list[Case]:
    """Generated conversations, and reasoning given apart. DeepSeek has no place for a system text but the start, where
    a later one joins the first; a rollout (and a bridge) has none."""
    cases = (case for case in conversations(key, CASES, seed) if not case.inline_think)
    return [case for case in cases if not (key.startswith("deepseek") and has_later_system(case))]


def has_later_system(case: Case) -> bool:
    return any(message["role"] == "system" for message in case.messages[1:])


@pytest.mark.parametrize("key", KEYS)
def test_every_format_is_prefix_stable(key: str) -> None:
    assert patched(key).is_prefix_stable


@pytest.mark.parametrize("key", KEYS)
def test_every_prompt_and_every_turn_is_a_prefix_of_what_is_rendered_later(key: str) -> None:
    checked = 0
    for case in rollouts(key, seed=51):
        r = patched(key, **case.kwargs)
        whole = r.render_text(case.messages, tools=case.tools)
        whole_ids = r.render_ids(case.messages, tools=case.tools)
        for i, message in enumerate(case.messages):
            asked = any(m["role"] == "user" for m in case.messages[:i])
            if message["role"] != "assistant" or i == 0 or not asked:
                continue
            prompt = r.render_text(case.messages[:i], tools=case.tools, add_generation_prompt=True)
            turn = r.render_text(case.messages[: i + 1], tools=case.tools)
            assert turn.startswith(r.render_text(case.messages[:i], tools=case.tools)), (case, i)
            if case.messages[i - 1]["role"] in ("user", "tool"):
                overlap = len(prompt) if whole.startswith(prompt) else _reasoning_opener(prompt, message)
                assert whole.startswith(prompt[:overlap]), (case, i)
                if overlap == len(prompt):
                    ids = r.render_ids(case.messages[:i], tools=case.tools, add_generation_prompt=True)
                    assert whole_ids[: len(ids)] == ids, (case, i)
                checked += 1
            # Results of one run share a block, which later results may extend; an answer is followed by no result.
            assert whole.startswith(turn), (case, i)
    assert checked > CASES / 4


def _reasoning_opener(prompt: str, message: dict[str, Any]) -> int:
    """Where the part of a generation prompt begins that only a turn of its own mode continues: one without reasoning
    under an open `<think>`, or with reasoning under a closed one, was never sampled from this prompt."""
    reasons = any(message.get(name) for name in oracles.REASONING_KEYS)
    ends = "</think>" if reasons else "<think>"
    if not prompt.rstrip().endswith(ends):
        return len(prompt)
    return len(
        prompt.rstrip().removesuffix("</think>").rstrip().removesuffix("<think>")
    )  # GLM-5 closes without opening


@pytest.mark.parametrize("key", REASONING_KEYS)
def test_reasoning_stays_in_every_turn(key: str) -> None:
    messages = [
        {"role": "user", "content": "one"},
        {"role": "assistant", "content": "first", "reasoning_content": "THOUGHT1"},
        {"role": "user", "content": "two"},
        {"role": "assistant", "content": "second", "reasoning_content": "THOUGHT2"},
    ]
    text = patched(key).render_text(messages)
    assert "THOUGHT1" in text
    assert "THOUGHT2" in text


@pytest.mark.parametrize(
    "key", [key for key in KEYS if FORMATS[key].prints_reasoning_of_answers or not FORMATS[key].reasons]
)
def test_a_lone_exchange_is_what_the_template_prints(key: str) -> None:
    reasoning = {"reasoning_content": "because"} if key in REASONING_KEYS else {}
    case = Case([{"role": "user", "content": "why?"}, {"role": "assistant", "content": "so", **reasoning}])
    assert patched(key).render_text(case.messages) == oracle_text(key, case)


@pytest.mark.parametrize("key", KEYS)
def test_values_are_json_and_json_text_stays_verbatim(key: str) -> None:
    spelt = '{"flag": true, "nothing": null, "n": 1.50, "deep": {"a":[1,2]}, "text": "t"}'
    call = {"id": "functions.f:0", "type": "function", "function": {"name": "f", "arguments": spelt}}
    messages = [{"role": "user", "content": "go"}, {"role": "assistant", "content": None, "tool_calls": [call]}]
    text = patched(key).render_text(messages)
    for word in ("true", "null", "1.50", '{"a":[1,2]}'):
        assert word in text


@pytest.mark.parametrize("key", KEYS)
def test_a_patched_turn_is_read_back(key: str) -> None:
    for case in rollouts(key, seed=52)[:30]:
        r = patched(key, **case.kwargs)
        rendered = r.render(case.messages, tools=case.tools)
        for i, message in enumerate(case.messages):
            if message["role"] != "assistant" or not message.get("content") or message.get("tool_calls"):
                continue
            sampled = [
                id_ for id_, m, s in zip(rendered, rendered.message_indices, rendered.sampled_mask, strict=True)
                if m == i and s
            ]  # fmt: skip
            # Some tokenizers normalise.
            said, read = _text(message["content"]).strip(), r.parse_response(sampled, finish_reason="stop").content
            assert unicodedata.normalize("NFC", said) in unicodedata.normalize("NFC", read)


def _text(content: Any) -> str:
    return content if isinstance(content, str) else "".join(part["text"] for part in content)


def test_parity_and_patched_exclude_each_other() -> None:
    with pytest.raises(BadOption, match="contradict"):
        create_renderer(oracles.tokenizer_for("qwen3"), "qwen3", parity=True, use_patched=True)


def test_it_is_off_by_default() -> None:
    for key in KEYS:
        assert not NAMES[key][1].get("use_patched")
        assert tokenizer_family(key)
    assert encode("qwen3", "a")

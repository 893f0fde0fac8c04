"""GLM-5 and GLM-5.1: what the generated conversations leave out, against the real templates."""

from __future__ import annotations

import copy
import random
from itertools import product
from typing import Any

import pytest

from renderers import BadMessage, Field
from tests.conversations import TOOLS, Case, conversations
from tests.harness import encode, oracle_ids, oracle_text, renderer, text_of

GLM5 = ("glm-4.7", "glm-5", "glm-5.1")
REFERENCE = {"type": "tool_reference", "name": "get_weather"}


def with_references(case: Case, rng: random.Random) -> Case:
    """Some tools deferred or strict, some results that show them."""
    tools, messages = copy.deepcopy(case.tools), [dict(message) for message in case.messages]
    for tool in tools or ():
        more = [("defer_loading", rng.random() < 0.7), ("strict", True)]
        tool["function"].update(pair for pair in more if rng.random() < 0.3)
    for message in messages:
        if tools and message["role"] == "tool" and rng.random() < 0.3:
            names = [rng.choice(tools)["function"]["name"] for _ in range(rng.randint(1, 3))]
            message["content"] = [{"type": "tool_reference", "name": name} for name in names]
    return Case(messages, tools, case.add_generation_prompt)


@pytest.mark.parametrize("key", GLM5)
@pytest.mark.parametrize("parity", [False, True])
def test_every_value_of_the_options(key: str, parity: bool) -> None:
    shown = 0
    for enable, clear in product((True, False), repeat=2):
        options = {"enable_thinking": enable, "clear_thinking": clear}
        r = renderer(key, parity=parity, **options)
        for case in conversations(key, 100, seed=31):
            if key == "glm-5.1":
                case = with_references(case, random.Random(repr(case)))
            case = Case(case.messages, case.tools, case.add_generation_prompt, options)
            got = r.render(case.messages, tools=case.tools, add_generation_prompt=case.add_generation_prompt)
            assert got.token_ids == oracle_ids(key, case)
            shown += "<tool_response><tools>\n{" in oracle_text(key, case)
    assert (shown > 40) == (key == "glm-5.1")


def test_the_templates_of_two_models_print_the_same() -> None:
    for case in conversations("glm-5", 200, seed=32):
        assert oracle_text("glm-4.7", case) == oracle_text("glm-5", case)


def test_a_bridge_shows_a_deferred_tool() -> None:
    """A result that refers to a tool is bridged as it is rendered, and the tool's declaration is no content."""
    tool = copy.deepcopy(TOOLS[0])
    tool["function"]["defer_loading"] = True
    call = {"type": "function", "function": {"name": "search", "arguments": {"q": "weather"}}}
    messages: list[dict[str, Any]] = [
        {"role": "user", "content": "Rain?"},
        {"role": "assistant", "content": "", "reasoning_content": "Which tool?", "tool_calls": [call]},
        {"role": "tool", "content": [REFERENCE]},
    ]
    r = renderer("glm-5.1")
    prompt = r.render_ids(messages[:1], tools=[tool], add_generation_prompt=True)
    assert "get_weather" not in text_of("glm-5.1", prompt)
    reply = "Which tool?</think><tool_call>search<arg_key>q</arg_key><arg_value>weather</arg_value></tool_call>"
    sampled = encode("glm-5.1", reply + "<|observation|>")
    assert r.parse_response(sampled, prompt_ids=prompt).message()["reasoning_content"] == "Which tool?"
    longer = r.bridge_to_next_turn(prompt, sampled, messages[2:], tools=[tool])
    whole = r.render(messages, tools=[tool], add_generation_prompt=True)
    assert longer is not None
    assert longer.token_ids == whole.token_ids == oracle_ids("glm-5.1", Case(messages, [tool], True))
    told = [id_ for k, id_ in enumerate(whole) if whole.field_of(k) is Field.TOOLS and whole.message_indices[k] == 2]
    assert text_of("glm-5.1", told).startswith('{"name": "get_weather", ')
    with pytest.raises(BadMessage) as caught:
        r.render(messages)
    assert caught.value.path == "messages[2].content[0]"


@pytest.mark.parametrize("key", GLM5)
def test_a_turn_without_reasoning_begins_as_the_prompt_does(key: str) -> None:
    """With `use_patched` a turn without reasoning continues the prompt of the present options."""
    messages = [
        {"role": "user", "content": "1"},
        {"role": "assistant", "content": "a"},
        {"role": "user", "content": "2"},
    ]
    for thinking, block in ((True, "<think></think>"), (False, "</think>")):
        r = renderer(key, enable_thinking=thinking, use_patched=True)
        text = r.render_text(messages)
        assert f"<|assistant|>{block}a<|user|>" in text
        assert text.startswith(r.render_text(messages[:1], add_generation_prompt=True))


def test_patched_keeps_reasoning_in_history() -> None:
    """GLM-4.5's template empties it; GLM-5.1's edges stay."""
    messages = [
        {"role": "user", "content": "1"},
        {"role": "assistant", "content": "a", "reasoning_content": " so\n"},
        {"role": "user", "content": "2"},
    ]
    assert "<think>so</think>\na<|user|>" in renderer("glm-4.5", use_patched=True).render_text(messages)
    assert "<think>so</think>a<|user|>" in renderer("glm-5", use_patched=True).render_text(messages)
    assert "<think> so\n</think>a<|user|>" in renderer("glm-5.1", use_patched=True).render_text(messages)

"""Nemotron-3: what the tests of all formats do not reach. Every option, inline thinking, the effort hint, and the XML
definitions of tools, compared with the model's own template.
"""

from __future__ import annotations

import random
from itertools import product
from typing import Any

import pytest

from renderers import BadMessage, BadOption, RefusalCode, create_renderer
from renderers.family import xml_definitions
from tests import oracles
from tests.conversations import conversations
from tests.harness import encode, renderer
from tests.test_schema import MISSHAPEN, random_schema, random_tool

KEYS = ("nemotron-3-nano", "nemotron-3-super")
SUPER = KEYS[1]
ASK = {"role": "user", "content": "q"}
CALLS = [{"type": "function", "function": {"name": "f", "arguments": {"a": True}}}]


@pytest.mark.parametrize("key", KEYS)
def test_every_option_prints_what_the_template_prints(key: str) -> None:
    names = ("enable_thinking", "truncate_history_thinking", *(["low_effort"] if key == SUPER else []))
    for values in product((True, False), repeat=len(names)):
        options: dict[str, Any] = dict(zip(names, values, strict=True))
        r = renderer(key, **options)
        for case in conversations(key, 100, seed=71):
            got = r.render_text(case.messages, tools=case.tools, add_generation_prompt=case.add_generation_prompt)
            want = oracles.template_text(key, case.messages, case.tools, case.add_generation_prompt, **options)
            assert got == want, options


# --- Thinking in the content ----------------------------------------------------------------------------------------

INLINE = (
    "<think>r</think>a", "<think>\nr\n</think>\na ", " <think></think>", "\n<think>r</think>\n\n a\n", "r</think>a",
    "\nr </think>", "<think>r</think>\n",
)  # fmt: skip


@pytest.mark.parametrize("content", INLINE)
def test_inline_thinking_is_printed_as_the_template_prints_it(content: str) -> None:
    """Text and ids, for the last turn and in history, with and without calls, beside no reasoning and blank one."""
    for calls, later, blank, keep in product(([], CALLS), ([], [ASK]), (None, " \n"), (True, False)):
        said = {"role": "assistant", "content": content, "tool_calls": calls, "reasoning_content": blank}
        messages: list[dict[str, Any]] = [ASK, said, *later]
        options: dict[str, Any] = {"truncate_history_thinking": not keep}
        r = renderer(SUPER, **options)
        assert r.render_text(messages) == oracles.template_text(SUPER, messages, **options)
        assert r.render_ids(messages) == oracles.template_ids(SUPER, messages, **options)
        assert renderer(SUPER, parity=True, **options).render_ids(messages) == r.render_ids(messages)


def test_patched_inline_thinking_is_reasoning() -> None:
    r = renderer(SUPER, use_patched=True)
    apart = r.render_ids([ASK, {"role": "assistant", "content": "a", "reasoning_content": "r"}])
    for content in ("<think>r</think>a", "<think>\nr\n</think>\na", "r</think>a"):
        assert r.render_ids([ASK, {"role": "assistant", "content": content}]) == apart


def test_words_around_inline_thinking_are_refused() -> None:
    for content in ("x<think>r</think>a", "<think>r</think>x</think>a"):
        with pytest.raises(BadMessage, match="<think>"):
            renderer(SUPER).render([ASK, {"role": "assistant", "content": content}])


def test_patched_a_turn_without_reasoning_continues_its_prompt_id_by_id() -> None:
    for thinks, text in ((True, "</think>\na<|im_end|>"), (False, "a<|im_end|>")):
        r = renderer(SUPER, use_patched=True, enable_thinking=thinks)
        prompt = r.render_ids([ASK], add_generation_prompt=True)
        whole = r.render([ASK, {"role": "assistant", "content": "a"}])
        assert whole.token_ids == [*prompt, *encode(SUPER, f"{text}\n")]
        assert list(whole.sampled_mask).count(True) == len(encode(SUPER, text))
        assert r.parse_response(encode(SUPER, text)).message() == {"role": "assistant", "content": "a"}


def test_a_lone_think_tag_is_text() -> None:
    """The template makes markup of it; here the turn has its block, and the tag is the caller's word."""
    text = renderer(SUPER).render_text([ASK, {"role": "assistant", "content": "the <think> tag"}])
    assert text.endswith("<|im_start|>assistant\n<think></think>the <think> tag<|im_end|>\n")


HOSTILE = ("the <think> tag", "x<think>r</think>a", "<think>r</think>x</think>a", "r</think>x</think>a", "<think>")


@pytest.mark.parametrize("content", [*HOSTILE, [{"type": "text", "text": "t"}], ["t", {"type": "text", "text": " u"}]])
def test_parity_prints_stray_tags_and_lists_to_the_letter(content: Any) -> None:
    r = renderer(SUPER, parity=True)
    for calls, later, reasoning in product(([], CALLS), ([], [ASK]), (None, "why")):
        said = {"role": "assistant", "content": content, "tool_calls": calls, "reasoning_content": reasoning}
        messages = [ASK, said, {"role": "tool", "content": content}, *later]
        assert r.render_ids(messages) == oracles.template_ids(SUPER, messages)


# --- Roles and turns ------------------------------------------------------------------------------------------------


def test_a_role_is_no_markup() -> None:
    """Any role makes a turn, as in the template; a control string in it stays text."""
    r = renderer(SUPER)
    for role in ("critic", "function"):
        messages = [ASK, {"role": role, "content": "words"}]
        assert r.render_ids(messages) == oracles.template_ids(SUPER, messages)
    hostile = r.render_ids([{"role": "x<|im_end|>", "content": "words"}])
    assert hostile.count(encode(SUPER, "<|im_end|>")[0]) == 2


@pytest.mark.parametrize("tools", [None, [{"name": "f"}]])
def test_results_first_and_a_system_without_content(tools: Any) -> None:
    result = {"role": "tool", "content": "t"}
    for messages in ([result, ASK], [{"role": "system", "content": "s"}, result, result], [{"role": "system"}, ASK]):
        assert renderer(SUPER).render_text(messages, tools=tools) == oracles.template_text(SUPER, messages, tools)


# --- The effort hint ------------------------------------------------------------------------------------------------

HINT = "\n\n{reasoning effort: low}"


def test_nano_has_no_low_effort() -> None:
    tokenizer = oracles.tokenizer_for("nemotron-3")
    with pytest.raises(BadOption, match="low_effort"):
        create_renderer(tokenizer, "nemotron-3", size="nano", low_effort=True)
    assert "low_effort" not in oracles.TEMPLATES[KEYS[0]].path.read_text(encoding="utf-8")


def test_a_bridge_cannot_move_the_hint() -> None:
    """The hint stands behind the last user text: a new one would take it away from the old one. A result does not."""
    r = renderer(SUPER, low_effort=True)
    prompt = r.render_ids([ASK], add_generation_prompt=True)
    completion = encode(SUPER, "why\n</think>\nyes<|im_end|>")
    bridge = r.explain_bridge(prompt, completion, [ASK])
    assert bridge.refusal is not None
    assert bridge.refusal.code is RefusalCode.DEPENDS_ON_HISTORY
    new = [{"role": "tool", "content": "t"}]
    said = {"role": "assistant", "content": "yes", "reasoning_content": "why"}
    assert r.bridge_to_next_turn(prompt, completion, new) == oracles.template_ids(
        SUPER, [ASK, said, *new], None, True, low_effort=True
    )
    assert not renderer(SUPER, low_effort=True, truncate_history_thinking=False).is_prefix_stable


def test_patched_every_question_has_the_hint() -> None:
    r = renderer(SUPER, low_effort=True, use_patched=True)
    assert r.render_text([ASK, {"role": "assistant", "content": "a"}, ASK]).count(HINT) == 2
    assert r.is_prefix_stable
    prompt = r.render_ids([ASK], add_generation_prompt=True)
    completion = encode(SUPER, "why\n</think>\nyes<|im_end|>")
    said = {"role": "assistant", "content": "yes", "reasoning_content": "why"}
    assert r.bridge_to_next_turn(prompt, completion, [ASK]) == r.render_ids(
        [ASK, said, ASK], add_generation_prompt=True
    )


def test_a_call_cut_behind_its_newline_is_closed_once() -> None:
    """What closes a turn with calls begins with a newline, which may have been sampled before the cut."""
    r = renderer(SUPER)
    prompt = r.render_ids([ASK], add_generation_prompt=True)
    call = "why\n</think>\n<tool_call>\n<function=f>\n</function>\n</tool_call>"
    bridges = [r.bridge_to_next_turn(prompt, encode(SUPER, call + end), [ASK]) for end in ("", "\n", "\n<|im_end|>")]
    assert bridges[0] is not None
    assert bridges[0] == bridges[1] == bridges[2]


# --- Tool definitions -----------------------------------------------------------------------------------------------


def printed(tool: dict[str, Any]) -> str:
    """What the template prints between `<tools>` and `</tools>`."""
    text = oracles.template_text(SUPER, [ASK], [tool])
    return text.split("<tools>\n", 1)[1].rsplit("\n</tools>\n\nIf you choose", 1)[0]


def test_xml_definitions_match_the_template() -> None:
    """Random schemas: unions, enums, nulls, keywords of the wrong shape, schemas that are no objects."""
    rng = random.Random(5)
    for number in range(1500):
        tool = random_tool(rng)
        for key in ("description", "parameters"):
            if tool[key] is None or rng.random() < 0.1:
                del tool[key]
        tool |= {"strict": rng.choice(MISSHAPEN)} if rng.random() < 0.2 else {}
        if rng.random() < 0.2:
            properties = {"a": rng.choice(MISSHAPEN), "b": dict.fromkeys(("type", "enum", "default", "name"))}
            tool["parameters"] = {"properties": properties, "$defs": random_schema(rng)}
        if rng.random() < 0.05:
            tool["parameters"] = {"properties": rng.choice(MISSHAPEN), "required": rng.choice(MISSHAPEN)}
        assert xml_definitions([tool]) == printed({"type": "function", "function": tool}), number
        assert xml_definitions([tool]) == printed(tool), number


def test_odd_schemas_have_a_text() -> None:
    spec = {
        "a": {"anyOf": [{"type": "string"}, {"type": "null"}]}, "b": {"$ref": "#/$defs/x"}, "c": True, "d": None,
        "e": {"type": ["string", "null"], "enum": ["x", None], "nullable": True}, "f": [], "g": {"description": None},
    }  # fmt: skip
    text = xml_definitions([{"name": "n", "parameters": {"type": "object", "properties": spec, "required": ["a"]}}])
    assert text == (
        "<function>\n<name>n</name>\n<parameters>\n"
        '<parameter>\n<name>a</name>\n<anyOf>[{"type": "string"}, {"type": "null"}]</anyOf>\n</parameter>\n'
        "<parameter>\n<name>b</name>\n<$ref>#/$defs/x</$ref>\n</parameter>\n"
        "<parameter>\n<name>c</name>\n</parameter>\n<parameter>\n<name>d</name>\n</parameter>\n"
        "<parameter>\n<name>e</name>\n<type>['string', 'null']</type>\n"
        '<enum>["x", null]</enum>\n<nullable>True</nullable>\n</parameter>\n'
        "<parameter>\n<name>f</name>\n</parameter>\n"
        "<parameter>\n<name>g</name>\n<description>None</description>\n</parameter>\n"
        '<required>["a"]</required>\n</parameters>\n</function>'
    )

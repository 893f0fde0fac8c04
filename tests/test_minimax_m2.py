"""MiniMax-M2: what its system message says, and blocks that hold several calls."""

from __future__ import annotations

from typing import Any

import pytest

from renderers import BadMessage, ToolCallParseStatus, create_renderer
from renderers.families.minimax_m2 import MiniMaxM2
from tests import oracles
from tests.harness import encode, renderer, text_of

KEY = "minimax-m2.5"
USER = {"role": "user", "content": "hi"}
HEAD = "\n</think>\n\n"
F = '<invoke name="f">\n<parameter name="x">é</parameter>\n</invoke>\n'
G = '<invoke name="g">\n</invoke>\n'
BEGIN, END = "<minimax:tool_call>", "</minimax:tool_call>"


@pytest.mark.parametrize(
    "system",
    [
        {"content": "Be brief.", "current_date": "2026-01-02", "current_location": "Zürich"},
        {"content": "", "current_date": "2026-01-02"},
        {"content": None, "current_location": "[e~["},
        {"content": [], "current_location": ""},
        {"content": [{"type": "text", "text": ""}], "current_date": None},
    ],
)
def test_the_system_message_is_the_templates(system: dict[str, Any]) -> None:
    """Date and place are its own keys, and the identity stands where it says nothing else."""
    messages = [{"role": "system", **system}, USER]
    assert renderer(KEY).render_text(messages) == oracles.template_text(KEY, messages)
    assert renderer(KEY, parity=True).render_ids(messages) == oracles.template_ids(KEY, messages)


def test_date_and_place_need_a_first_system_message() -> None:
    """They are refused where the template would not read them, and where they are no text."""
    given: list[dict[str, Any]] = [{**USER, "current_date": "today"}, {"role": "system", "current_location": 5}]
    for i, message in enumerate(given):
        with pytest.raises(BadMessage) as caught:
            renderer(KEY).render([message, USER])
        assert caught.value.path == f"messages[0].{('current_date', 'current_location')[i]}"


def test_identity() -> None:
    """The identity is the template's option, and each checkpoint has its own."""
    tokenizer = oracles.tokenizer_for("minimax-m2")
    r = create_renderer(tokenizer, "minimax-m2", model_identity="You are <think>.")
    assert r.render_text([USER]) == oracles.template_text(KEY, [USER], model_identity="You are <think>.")
    assert oracles.control_strings("minimax-m2")["<think>"] not in r.render_ids([USER])
    assert [options.get("model_identity", MiniMaxM2.model_identity)[-31:] for options in MiniMaxM2.models.values()] == [
        "You are a helpful assistant."[-31:],
        "MiniMax-M2.5 and is built by MiniMax."[-31:],
        "MiniMax-M2.7 and is built by MiniMax."[-31:],
    ]


def test_calls_of_a_block_have_their_own_tokens() -> None:
    """Each call has its text and its tokens; together they are the block."""
    ids = encode(KEY, f"{HEAD}So:\n{BEGIN}\n{F}{G}{F}{END}[e~[")
    calls = renderer(KEY).parse_response(ids).tool_calls
    assert [(call.name, call.raw) for call in calls] == [("f", f"\n{F}"), ("g", G), ("f", F)]
    spans = [call.token_span or (0, 0) for call in calls]
    assert [text_of(KEY, ids[slice(*span)]) for span in spans] == [f"{BEGIN}\n{F}", G, f"{F}{END}"]
    assert spans[0][1] == spans[1][0]
    assert spans[1][1] == spans[2][0]


def test_each_call_of_a_block_has_its_status() -> None:
    """A cut leaves its last call unclosed; a broken call, or one of no tool, is told from its neighbours."""
    tools = [{"name": "f"}]
    ids = encode(KEY, f'{HEAD}{BEGIN}\n{F}{G}<invoke name="f">x</invoke>\n{F}')
    for stop, last in ((f"{END}[e~[", "OK"), ("[e~[", "UNCLOSED_BLOCK"), ("", "UNCLOSED_BLOCK")):
        calls = renderer(KEY).parse_response([*ids, *encode(KEY, stop)], tools=tools).tool_calls
        assert [call.status.name for call in calls] == ["OK", "UNKNOWN_TOOL", "MALFORMED_STRUCTURE", last]


def test_a_close_inside_a_value_is_no_close() -> None:
    """The block's own tokens inside a value belong to it, with calls before and behind."""
    value = f"a\n</invoke>\n{END} b {BEGIN}\n{G}{END}[e"
    text = f'{HEAD}{BEGIN}\n{G}<invoke name="f">\n<parameter name="x">{value}</parameter>\n</invoke>\n{G}{END}[e~['
    tools = [{"name": name, "parameters": {"properties": {"x": {"type": "string"}}}} for name in "fg"]
    parsed = renderer(KEY).parse_response(encode(KEY, text), tools=tools)
    assert [(call.name, call.arguments) for call in parsed.tool_calls] == [("g", {}), ("f", {"x": value}), ("g", {})]
    assert all(call.status is ToolCallParseStatus.OK for call in parsed.tool_calls)
    assert parsed.content == ""


def test_a_bridge_answers_every_call_of_a_block() -> None:
    """Results follow a block of calls as in the rendered conversation."""
    r = renderer(KEY)
    prompt = r.render_ids([USER], add_generation_prompt=True)
    sampled = encode(KEY, f"because{HEAD}\n{BEGIN}\n{F}{G}{END}[e~[")
    new = [{"role": "tool", "content": "1"}, {"role": "tool", "content": "2"}]
    longer = r.bridge_to_next_turn(prompt, sampled, new)
    assert longer is not None
    said = r.parse_response(sampled).message()
    assert longer.token_ids == r.render_ids([USER, said, *new], add_generation_prompt=True)

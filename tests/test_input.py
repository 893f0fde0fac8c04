"""Malformed input: one of our errors, with the path of the field, and never a crash or a silent loss."""

from __future__ import annotations

import dataclasses
import pickle
import warnings
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from renderers import BadMessage, RenderersError, RenderersWarning
from tests.formats import FORMATS
from tests.harness import NAMES, renderer

KEYS = [key for key in NAMES if key in FORMATS]

USER = {"role": "user", "content": "hi"}
SURROGATE = "a\ud800b"


def call(**function: Any) -> dict[str, Any]:
    """An assistant message with one call."""
    return {"role": "assistant", "content": None, "tool_calls": [{"id": "c", "type": "function", "function": function}]}


def cycle() -> dict[str, Any]:
    """A mapping that contains itself."""
    value: dict[str, Any] = {}
    value["again"] = value
    return value


BAD: list[tuple[str, Any, Any, str]] = [
    ("no role", [{"content": "x"}], None, "messages[0].role"),
    ("role not text", [{"role": 3, "content": "x"}], None, "messages[0].role"),
    ("unknown role", [USER, {"role": "critic", "content": "x"}], None, "messages[1].role"),
    ("message not a mapping", [USER, "hello"], None, "messages[1]"),
    ("messages a string", "hello", None, "messages"),
    ("messages a mapping", USER, None, "messages"),
    ("messages empty", [], None, "messages"),
    ("content a number", [{"role": "user", "content": 7}], None, "messages[0].content"),
    ("part of unknown type", [{"role": "user", "content": [{"type": "smell"}]}], None, "messages[0].content[0]"),
    ("part not a mapping", [{"role": "user", "content": ["x", 5]}], None, "messages[0].content[1]"),
    ("text part without text", [{"role": "user", "content": [{"type": "text"}]}], None, "messages[0].content[0].text"),
    ("image", [{"role": "user", "content": [{"type": "image", "url": "u"}]}], None, "messages[0].content[0]"),
    ("surrogate in content", [{"role": "user", "content": SURROGATE}], None, "messages[0].content"),
    (
        "surrogate in reasoning",
        [USER, {"role": "assistant", "content": "", "reasoning_content": SURROGATE}],
        None,
        "messages[1].reasoning_content",
    ),
    (
        "reasoning not text",
        [USER, {"role": "assistant", "content": "", "reasoning_content": 1}],
        None,
        "messages[1].reasoning_content",
    ),
    (
        "two reasonings",
        [USER, {"role": "assistant", "content": "", "reasoning_content": "a", "reasoning": "b"}],
        None,
        "messages[1]",
    ),
    (
        "calls not a list",
        [USER, {"role": "assistant", "content": None, "tool_calls": {}}],
        None,
        "messages[1].tool_calls",
    ),
    ("call without name", [USER, call(arguments={})], None, "messages[1].tool_calls[0].function.name"),
    ("call name not text", [USER, call(name=["f"], arguments={})], None, "messages[1].tool_calls[0].function.name"),
    ("arguments a number", [USER, call(name="f", arguments=3)], None, "messages[1].tool_calls[0].function.arguments"),
    (
        "arguments not JSON-like",
        [USER, call(name="f", arguments={"a": {"b": {1, 2}}})],
        None,
        "messages[1].tool_calls[0].function.arguments.a.b",
    ),
    (
        "arguments with a number as key",
        [USER, call(name="f", arguments={1: 2})],
        None,
        "messages[1].tool_calls[0].function.arguments",
    ),
    (
        "arguments cyclic",
        [USER, call(name="f", arguments=cycle())],
        None,
        "messages[1].tool_calls[0].function.arguments.again",
    ),
    (
        "surrogate in arguments",
        [USER, call(name="f", arguments={"a": [SURROGATE]})],
        None,
        "messages[1].tool_calls[0].function.arguments.a[0]",
    ),
    (
        "surrogate in JSON arguments",
        [USER, call(name="f", arguments=SURROGATE)],
        None,
        "messages[1].tool_calls[0].function.arguments",
    ),
    ("tools a mapping", [USER], {"name": "f"}, "tools"),
    ("tool not a mapping", [USER], ["f"], "tools[0]"),
    ("tool without name", [USER], [{"type": "function", "function": {"description": "x"}}], "tools[0].function.name"),
    ("tool parameters not a mapping", [USER], [{"name": "f", "parameters": [1]}], "tools[0].parameters"),
    ("tool cyclic", [USER], [{"name": "f", "parameters": cycle()}], "tools[0].parameters.again"),
    ("surrogate in tool", [USER], [{"name": "f", "description": SURROGATE}], "tools[0].description"),
]


@pytest.mark.parametrize("key", KEYS)
def test_the_path_of_what_is_wrong(key: str) -> None:
    """Every format names the same field for the same mistake."""
    r = renderer(key)
    for name, messages, tools, path in BAD:
        if name == "unknown role" and "critic" not in FORMATS[key].refused_roles:
            continue  # a turn like others in this format
        if isinstance(messages, list):
            messages = list(messages)
        with pytest.raises(BadMessage) as caught:
            r.render(messages, tools=tools)
        assert caught.value.path.startswith(path), f"{name}: {caught.value}"
        assert len(caught.value.problem) > 5


@pytest.mark.parametrize("key", [key for key in KEYS if not FORMATS[key].spelling.is_json])
@pytest.mark.parametrize("arguments", ["{not json", "[1, 2]", '"text"', "[" * 100_000])
def test_arguments_must_be_json_where_each_is_spelt(key: str, arguments: str) -> None:
    """Formats that spell every argument refuse a text that is no JSON object, naming it."""
    with pytest.raises(BadMessage) as caught:
        renderer(key).render([USER, call(name="f", arguments=arguments)])
    assert caught.value.path == "messages[1].tool_calls[0].function.arguments"


@pytest.mark.parametrize(
    "key", [key for key in KEYS if FORMATS[key].spelling.is_json and FORMATS[key].given != "mapping"]
)
def test_arguments_as_text_stay_verbatim(key: str) -> None:
    """Formats that take JSON as it comes write the text unchanged, valid or not."""
    text = renderer(key).render_text([USER, call(name="f", arguments='{"a":  "caf\\u00e9", ')])
    assert '{"a":  "caf\\u00e9", ' in text


def test_a_gpt_oss_result_needs_its_tools_name() -> None:
    """A result whose tool cannot be known is refused with the path of the missing name."""
    with pytest.raises(BadMessage) as caught:
        renderer("harmony").render([USER, {"role": "tool", "content": "x"}])
    assert caught.value.path == "messages[1].name"


def test_messages_need_not_be_dicts() -> None:
    """Dataclasses and objects with `model_dump` are read like mappings; content parts may be plain strings."""

    @dataclasses.dataclass
    class Message:
        role: str
        content: str

    class Model:
        def model_dump(self) -> dict[str, Any]:
            return dict(USER)

    r = renderer("qwen3.5")
    plain = r.render_ids([USER])
    assert r.render_ids([Message("user", "hi")]) == plain  # type: ignore[list-item]
    assert r.render_ids([Model()]) == plain  # type: ignore[list-item]
    assert r.render_ids([{"role": "user", "content": ["h", {"type": "text", "text": "i"}]}]) == plain


def test_thinking_parts_are_reasoning() -> None:
    """Reasoning may come as a part of the content, or under any of its names."""
    r = renderer("qwen3")
    said = [USER, {"role": "assistant", "content": "a", "reasoning_content": "r"}]
    for other in (
        {"content": [{"type": "thinking", "thinking": "r"}, {"type": "text", "text": "a"}]},
        {"content": "a", "reasoning": "r"},
        {"content": "a", "thinking": "r"},
    ):
        assert r.render_ids([USER, {"role": "assistant", **other}]) == r.render_ids(said)


def test_iterators_are_read_once() -> None:
    """A generator does where a list is wanted; read again it is empty, and that is said."""
    r: Any = renderer("qwen3")
    tool = {"name": "f", "description": "d", "parameters": {}}
    asked = {"role": "assistant", "content": "", "tool_calls": [{"function": {"name": "f", "arguments": "{}"}}]}
    wanted = r.render_ids([USER, asked], tools=[tool])
    once = (m for m in [USER, {**asked, "tool_calls": iter(asked["tool_calls"])}])
    assert r.render_ids(once, tools=iter([tool])) == wanted
    with pytest.raises(BadMessage, match="empty"):
        r.render_ids(once)
    parts = [{"role": "user", "content": (part for part in ["a", {"type": "text", "text": "b"}])}]
    assert r.render_ids(parts) == r.render_ids([{"role": "user", "content": "ab"}])


def test_what_has_no_place_is_said_once() -> None:
    """Unknown keys, and tools a format cannot declare, give one warning a renderer."""
    from renderers import create_renderer
    from tests import oracles

    r = create_renderer(oracles.tokenizer_for("deepseek-v3"), "deepseek-v3")
    assert not r.supports_tools
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(3):
            r.render([{**USER, "mood": "good"}], tools=[{"name": "f"}])
    texts = sorted(str(warning.message) for warning in caught)
    assert len(texts) == 2
    assert "tools" in texts[0] + texts[1]
    assert "'mood'" in texts[0] + texts[1]


def test_errors_survive_pickling() -> None:
    """An error raised in a worker process arrives whole."""
    error = pickle.loads(pickle.dumps(BadMessage("messages[1].role", "is wrong")))
    assert (error.path, error.problem, str(error)) == (
        "messages[1].role",
        "is wrong",
        "messages[1].role: is wrong",
    )


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=5), children, max_size=3),
    max_leaves=6,
)
MESSAGE = st.fixed_dictionaries(
    {},
    optional={
        "role": st.sampled_from(["system", "user", "assistant", "tool", "developer"]) | JSON,
        "content": JSON,
        "reasoning_content": JSON,
        "tool_calls": st.lists(st.fixed_dictionaries({}, optional={"function": JSON, "name": JSON, "id": JSON})) | JSON,
        "name": JSON,
        "tool_call_id": JSON,
    },
)


@pytest.mark.parametrize("key", KEYS)
@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(messages=st.lists(MESSAGE | JSON, max_size=4), tools=st.none() | st.lists(JSON, max_size=2) | JSON)
def test_any_json_renders_or_raises_our_error(key: str, messages: Any, tools: Any) -> None:
    """Whatever JSON-like thing is given, it renders, or one of our errors says why not."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RenderersWarning)
        try:
            out = renderer(key).render(messages, tools=tools)
        except RenderersError:
            return
    assert len(out.message_indices) == len(out.sampled_mask) == len(out.is_content) == len(out)

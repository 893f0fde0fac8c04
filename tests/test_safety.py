"""Safety: whatever a caller writes, and wherever, it stays text; control tokens are the format's own and nobody else's.

Every check compares a conversation with the same conversation in harmless words: the control tokens must be the same,
id by id, and the text must be the same but for those words, so nothing is lost either.
"""

from __future__ import annotations

import json
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import pytest

from renderers import RenderersWarning, create_renderer
from tests import oracles
from tests.formats import FORMATS
from tests.harness import NAMES, encode, renderer, text_of, token, tokenizer_family

PLAIN = "harmless"
KEYS = [key for key in NAMES if key in FORMATS]
MODES = [(key, options) for key in KEYS for options in ({}, *FORMATS[key].modes)]

Words = Callable[[str], str]
"""The name of a field → what stands there."""
Given = tuple[list[dict[str, Any]], list[dict[str, Any]]]

FIELDS = (
    "system", "user", "reasoning", "beside calls", "call id", "call type", "call name", "argument key",
    "argument value", "nested key", "nested value", "JSON key", "JSON value", "result", "result name", "answer",
    "last question", "tool name", "tool description", "parameter name", "parameter description", "enum", "default",
)  # fmt: skip


def controls(key: str) -> dict[str, int]:
    """Every added token of the key's tokenizer, those with ``special: false`` among them."""
    return oracles.control_strings(tokenizer_family(key))


def call_of(key: str, w: Words, arguments: Any) -> dict[str, Any]:
    """A call; few formats print its type."""
    kind = w("call type") if FORMATS[key].prints_call_type else "function"
    return {"id": w("call id"), "type": kind, "function": {"name": w("call name"), "arguments": arguments}}


def calling(key: str, w: Words) -> list[dict[str, Any]]:
    """An assistant message with calls in both spellings of arguments, and the results."""
    mapping = {w("argument key"): w("argument value"), "list": [{w("nested key"): [w("nested value"), 1]}]}
    text = json.dumps({w("JSON key"): w("JSON value")}, ensure_ascii=False)
    reasoning = {"reasoning_content": w("reasoning")} if FORMATS[key].reasons else {}
    beside = FORMATS[key].content_beside_calls or not FORMATS[key].calls_beside_content
    content = w("beside calls") if beside else None
    calls = [call_of(key, w, mapping), call_of(key, w, text)]
    link = {"tool_call_id": w("call id")}
    return [
        {"role": "assistant", "content": content, **reasoning, "tool_calls": calls},
        {"role": "tool", "content": w("result"), **link},
        {"role": "tool", "content": w("result"), **link, "name": w("result name")},
    ]


def tools_of(w: Words) -> list[dict[str, Any]]:
    """A tool declaration with words in every place that has room for them."""
    field = {"type": "string", "description": w("parameter description"), "enum": [w("enum"), "b"]}
    properties = {w("parameter name"): {**field, "default": w("default")}}
    parameters = {"type": "object", "properties": properties, "required": [w("parameter name")]}
    function = {"name": w("tool name"), "description": w("tool description"), "parameters": parameters}
    return [{"type": "function", "function": function}]


def conversation(key: str, w: Words) -> Given:
    """Two rounds of calls and two questions, so that kept and stripped reasoning both occur."""
    reasoning = {"reasoning_content": w("reasoning")} if FORMATS[key].reasons else {}
    answer = {"role": "assistant", "content": w("answer"), **reasoning}
    messages = [
        {"role": "system", "content": w("system")},
        {"role": "user", "content": w("user")},
        *calling(key, w),
        answer,
        {"role": "user", "content": w("last question")},
        *calling(key, w),
        answer,
    ]
    return messages, tools_of(w)


def rendered(key: str, given: Given, prompting: bool = False, **options: Any) -> list[int]:
    messages, tools = given
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RenderersWarning)  # DeepSeek-V3 cannot declare tools
        return renderer(key, **options).render_ids(messages, tools=tools, add_generation_prompt=prompting)


def only_controls(key: str, ids: Sequence[int]) -> Counter[int]:
    """How often each control token stands in the ids."""
    known = set(controls(key).values())
    return Counter(id_ for id_ in ids if id_ in known)


def named(key: str, counts: Counter[int]) -> dict[str, int]:
    """Counts by control string, for messages of failed assertions."""
    names = {id_: text for text, id_ in controls(key).items()}
    return {names[id_]: n for id_, n in sorted(counts.items())}


def check_same(key: str, got: Sequence[int], plain: Sequence[int], text: str) -> None:
    """The same control tokens as with harmless words, and the same text but for those words."""
    assert named(key, only_controls(key, got)) == named(key, only_controls(key, plain)), text
    assert text_of(key, got) == text_of(key, plain).replace(PLAIN, text)


@pytest.mark.parametrize(("key", "options"), MODES)
def test_every_control_string_in_every_field_at_once(key: str, options: Mapping[str, Any]) -> None:
    """Each control string of the tokenizer, in every field of every role together, yields no control token."""
    plain = rendered(key, conversation(key, lambda _: PLAIN), **options)
    assert sum(only_controls(key, plain).values()) > 5
    for text in controls(key):
        if text not in FORMATS[key].typed_switches or FORMATS[key].thinks(options):  # see the test of GLM's /nothink
            got = rendered(key, conversation(key, lambda _, text=text: text), **options)  # type: ignore[misc]
            check_same(key, got, plain, text)


def test_a_typed_nothink_does_not_stand_in_for_the_real_one() -> None:
    """GLM's `/nothink` typed by a user is text; with thinking off the control token is still written behind it."""
    for typed in ("/nothink", "hello /nothink", "x/nothink\n"):
        asked = {"role": "user", "content": typed}
        messages = [asked, {"role": "assistant", "content": "a"}, asked]
        assert renderer("glm-4.5").render_ids(messages).count(token("glm-4.5", "/nothink")) == 0
        off = renderer("glm-4.5", enable_thinking=False).render_ids(messages)
        assert off.count(token("glm-4.5", "/nothink")) == 2, typed


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("key", KEYS)
def test_all_control_strings_in_one_field(key: str, field: str) -> None:
    """One field that holds all control strings of the tokenizer, side by side and apart, yields none of them."""
    plain = rendered(key, conversation(key, lambda name: PLAIN if name == field else "x"), prompting=True)
    for glue in ("", " "):
        text = "a" + glue.join(["", *controls(key), ""]) + "b"
        got = rendered(key, conversation(key, lambda name, text=text: text if name == field else "x"), prompting=True)  # type: ignore[misc]
        check_same(key, got, plain, text)


def cuts(text: str) -> Iterator[tuple[str, str]]:
    """A control string in two halves: behind the first character, in the middle, before the last one."""
    for at in sorted({1, len(text) // 2, len(text) - 1}):
        yield text[:at], text[at:]


@pytest.mark.parametrize("key", KEYS)
def test_control_strings_split_across_fields(key: str) -> None:
    """Halves of a control string at the edges of fields that follow each other never join into a control token."""
    plain = rendered(key, conversation(key, lambda _: PLAIN))
    for text in controls(key):
        for head, tail in cuts(text):
            outward = tail + "-" + head  # every field ends with a beginning and begins with an end
            got = rendered(key, conversation(key, lambda _, outward=outward: outward))  # type: ignore[misc]
            check_same(key, got, plain, outward)


@pytest.mark.parametrize("key", KEYS)
def test_control_strings_split_across_parts_and_messages(key: str) -> None:
    """Halves of a control string in neighbouring text parts, thinking parts and messages stay text."""
    for text in controls(key):
        for head, tail in cuts(text):
            parts = [{"type": "text", "text": head}, {"type": "text", "text": tail}]
            thinking = [{"type": "thinking", "thinking": head}, {"type": "thinking", "thinking": tail}]
            spoken = [*(thinking if FORMATS[key].reasons else []), *parts]
            messages: list[dict[str, Any]] = [
                {"role": "system", "content": parts},
                {"role": "user", "content": parts},
                {"role": "user", "content": head},
                {"role": "user", "content": tail},
                {"role": "assistant", "content": spoken},
            ]
            plain: list[dict[str, Any]] = [{"role": message["role"], "content": PLAIN} for message in messages]
            if FORMATS[key].reasons:
                plain[-1]["reasoning_content"] = PLAIN
            got = renderer(key).render_ids(messages)
            assert only_controls(key, got) == only_controls(key, renderer(key).render_ids(plain)), (head, tail)
            assert text_of(key, got) == renderer(key).render_text(messages)


@pytest.mark.parametrize("key", [key for key in KEYS if FORMATS[key].splits_inline])
def test_inline_thinking_is_markup_and_nothing_else_is(key: str) -> None:
    """`<think>…</think>` in assistant content is markup by the template's own rule, which splits it off: it gives the
    tokens that reasoning given apart gives. Any other control string in it stays text."""
    asked = {"role": "user", "content": PLAIN}
    for text in controls(key):
        if text in ("<think>", "</think>"):
            continue
        apart = {"role": "assistant", "content": f"b{text}c", "reasoning_content": f"a{text}d"}
        inline = {"role": "assistant", "content": f"<think>a{text}d</think>b{text}c"}
        unopened = {"role": "assistant", "content": f"a{text}d</think>b{text}c"}
        harmless = {"role": "assistant", "content": PLAIN, "reasoning_content": PLAIN}
        want = renderer(key).render_ids([asked, apart])
        assert only_controls(key, want) == only_controls(key, renderer(key).render_ids([asked, harmless]))
        assert renderer(key).render_ids([asked, inline]) == want
        assert renderer(key).render_ids([asked, unopened]) == want


@pytest.mark.parametrize("key", KEYS)
def test_thinking_tags_are_text_for_everyone_but_the_assistant(key: str) -> None:
    """Think tags, whole and paired, typed by system, user or a tool, or inside reasoning or calls, are text."""
    text = "<think>a</think>b</think>"
    with_tags = conversation(key, lambda name: f"x{text}y" if "answer" not in name and "beside" not in name else PLAIN)
    plain = conversation(key, lambda _: PLAIN)
    assert only_controls(key, rendered(key, with_tags)) == only_controls(key, rendered(key, plain))


def sampled(key: str) -> str:
    """A sampled turn that results and a question can follow."""
    form = FORMATS[key]
    calls = [form.call("f", form.spelling.arguments({}))] if form.results_need_calls else []
    return form.reply("ok" if form.reasons else None, None if calls else "yes", calls, form.thinks({}), "")


@pytest.mark.parametrize("key", KEYS)
def test_control_strings_in_bridged_messages(key: str) -> None:
    """What a bridge adds holds the control tokens of the same messages in harmless words, whatever stands in them."""
    r = renderer(key)
    prompt = r.render_ids([{"role": "user", "content": "x"}], add_generation_prompt=True)
    completion = encode(key, sampled(key))

    def bridged(text: str) -> list[int]:
        result = {"role": "tool", "content": text, "tool_call_id": text, "name": text}
        new = [result, {**result, "content": f"a{text}"}, {"role": "user", "content": text}]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RenderersWarning)
            bridge = r.bridge_to_next_turn(prompt, completion, new, tools=tools_of(lambda _: text))
        assert bridge is not None
        assert bridge[: len(prompt) + len(completion)] == prompt + completion
        return bridge[len(prompt) + len(completion) :]

    plain = bridged(PLAIN)
    for text in controls(key):
        check_same(key, bridged(text), plain, text)
        head, tail = text[:1], text[1:]
        check_same(key, bridged(f"{tail}-{head}"), plain, f"{tail}-{head}")


@pytest.mark.parametrize("family", sorted({tokenizer_family(key) for key in KEYS}))
def test_control_strings_of_the_tokenizer_config(family: str) -> None:
    """A renderer made from a folder also knows the control strings that only tokenizer_config.json names (Qwen3.5)."""
    folder = oracles.model_folder(family)
    config = folder / "tokenizer_config.json"
    added = json.loads(config.read_text(encoding="utf-8")).get("added_tokens_decoder", {}) if config.is_file() else {}
    known = {entry["content"]: int(id_) for id_, entry in added.items()}
    key = next(key for key in KEYS if tokenizer_family(key) == family)
    name, options = NAMES[key]
    r = create_renderer(str(folder), name, **options)
    every = {**known, **oracles.control_strings(family)}
    ids = r.render_ids(conversation(key, lambda _: "a" + "".join(every) + "b")[0])
    plain = r.render_ids(conversation(key, lambda _: PLAIN)[0])
    wanted = set(every.values())
    assert Counter(id_ for id_ in ids if id_ in wanted) == Counter(id_ for id_ in plain if id_ in wanted)


@pytest.mark.parametrize("key", KEYS)
def test_a_control_token_is_a_control_token_only_from_the_format(key: str) -> None:
    """The check can fail: the same text read by the full tokenizer does give control tokens."""
    for text, id_ in controls(key).items():
        assert encode(key, f"a {text} b").count(id_) == 1
        assert token(key, text) == id_

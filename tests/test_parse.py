"""Reading replies: what was sampled comes back, whole, with the state of each call named, and nothing raises."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

import pytest

from renderers import FamilyRenderer, ParsedResponse, ToolCallParseStatus
from renderers._parsed import ParsedToolCall
from tests import oracles
from tests.conversations import JsonObject, conversations
from tests.formats import FORMATS, Call
from tests.harness import NAMES, encode, renderer, text_of, token, tokenizer_family

KEYS = [key for key in NAMES if key in FORMATS]

Status = ToolCallParseStatus
JSON_KEYS = [key for key in KEYS if FORMATS[key].spelling.is_json]
TAGGED_KEYS = [key for key in KEYS if not FORMATS[key].spelling.is_json]
HARMONY_KEYS = [key for key in KEYS if FORMATS[key].is_messages]
MARKED_KEYS = [key for key in KEYS if not FORMATS[key].is_messages]
REASONERS = [key for key in KEYS if FORMATS[key].reasons]
THINK_KEYS = [key for key in REASONERS if FORMATS[key].has_think_tags]
WORDS = re.compile(r"w\d+")


# --- A model's hand --------------------------------------------------------------------------------------------------


def call_text(key: str, name: str, arguments: str) -> str:
    """A call with its tags, as the family's model samples it; tagged spellings take arguments from `tagged`."""
    return FORMATS[key].call(name, arguments)


def tagged(key: str, /, **values: str) -> str:
    """Arguments for a spelling with a tag each."""
    return FORMATS[key].spelling.tagged(values)


def text_argument(key: str, text: str) -> str:
    """One argument that is a text, as spelt; JSON gets its escapes."""
    return FORMATS[key].spelling.text_argument(text)


def spelt(key: str, *parts: str | Call, stop: str | None = None) -> str:
    """A reply behind the generation prompt: content and calls in order, and a stop token."""
    return FORMATS[key].spelt(*parts, stop=stop)


def into_content(key: str) -> str:
    """What a model writes behind the prompt before content or a call."""
    return FORMATS[key].into_content()


def stop_of(key: str) -> str:
    """What ends a turn with calls."""
    return FORMATS[key].stop_before("tool")


def into_reasoning(key: str) -> str:
    """What it writes behind the prompt of `thinker` to reason."""
    return FORMATS[key].into_reasoning


def thinker(key: str) -> FamilyRenderer:
    """The renderer whose prompt lets the model reason."""
    return renderer(key, **FORMATS[key].thinking_on)


def plain(key: str, text: str) -> list[int]:
    """Ids of a text with no control token among them: control strings letter by letter."""
    return [id_ for letter in text for id_ in encode(key, letter)]


def spliced(key: str, text: str, filler: str, ids: Sequence[int]) -> list[int]:
    """Ids of a text in which `filler` stands for other ids."""
    before, after = text.split(filler)
    return [*encode(key, before), *ids, *encode(key, after)]


def parse(key: str, text: str, **given: Any) -> ParsedResponse:
    """What a reply behind the renderer's own prompt says."""
    return renderer(key).parse_response(encode(key, text), **given)


def parse_thinking(key: str, text: str, **given: Any) -> ParsedResponse:
    """What a reply behind a prompt that lets the model reason says."""
    return thinker(key).parse_response(encode(key, text), **given)


def declared(name: str, /, **types: Any) -> list[JsonObject]:
    """A tool whose parameters have these schemas, or these types."""
    properties = {key: {"type": kind} if isinstance(kind, str) else kind for key, kind in types.items()}
    parameters = {"type": "object", "properties": properties}
    return [{"type": "function", "function": {"name": name, "parameters": parameters}}]


def only_call(parsed: ParsedResponse) -> ParsedToolCall:
    """The one call of a reply."""
    (call,) = parsed.tool_calls
    return call


def words_of(parsed: ParsedResponse) -> list[str]:
    """Every numbered word of a parsed reply, sorted."""
    texts = [parsed.content, parsed.reasoning_content or "", *(call.raw for call in parsed.tool_calls)]
    return sorted(WORDS.findall("\n".join(texts)))


# --- What was rendered comes back ------------------------------------------------------------------------------------


def message_text(message: JsonObject) -> str:
    """The content of a message, parts joined."""
    content = message.get("content")
    return "".join(part["text"] for part in content) if isinstance(content, list) else content or ""


def expected_words(key: str, message: JsonObject, printed: str) -> tuple[str | None, str]:
    """Reasoning and content of a turn as its template trims them, reasoning where it stands in the printed turn."""
    calls = bool(message.get("tool_calls"))
    reasoning, text = FORMATS[key].words(oracles.reasoning_of(message), message_text(message), calls, printed)
    return normal_text(key, reasoning or "") or None, normal_text(key, text)


def functions_of(message: JsonObject) -> list[JsonObject]:
    """The calls of a message, unwrapped."""
    return [call.get("function", call) for call in message.get("tool_calls") or ()]


def normal_text(key: str, text: str) -> str:
    """A text as the family's tokenizer spells it: some normalise."""
    normalizer = oracles.tokenizer_for(tokenizer_family(key)).normalizer
    return text if normalizer is None else str(normalizer.normalize_str(text))


def normal(key: str, value: Any) -> Any:
    """A value of a tagged spelling as the tokenizer spells it, containers as JSON."""
    if isinstance(value, str):
        return normal_text(key, value)
    return json.loads(normal_text(key, json.dumps(value, ensure_ascii=False)))


def is_broken_by_normalising(key: str, functions: Sequence[JsonObject]) -> bool:
    """An accent merges with what stands before it: behind an escape it ends that, as ``"\\n"`` and U+0301 make
    ``"\\ń"``, which is no JSON any more; at the start of a value it ends the tag before it, as ``>`` and U+0338 make
    ``≯``."""
    spelling = FORMATS[key].spelling
    try:
        for function in functions:
            given = function["arguments"]
            for value in [given] if isinstance(given, str) else given.values():
                text = value if isinstance(given, str) else json.dumps(value, ensure_ascii=False)
                json.loads(normal_text(key, text))
                if not spelling.is_json:
                    written = spelling.value(value)
                    if normal_text(key, tagged(key, x=written)) != tagged(key, x=normal_text(key, written)):
                        return True
    except ValueError:
        return True
    return False


def type_of(value: Any) -> str:
    """The JSON type of a value."""
    kinds = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array", dict: "object"}
    return kinds.get(type(value), "null")


def is_literal(text: str) -> bool:
    """A text that reads as something other than a text where no schema says what it is."""
    if text.strip() in ("True", "False", "None"):
        return True
    try:
        return not isinstance(json.loads(text.strip()), str)
    except (ValueError, RecursionError):
        return False


def is_ambiguous(key: str, functions: Sequence[JsonObject]) -> bool:
    """A value of a call holds what looks like its own end and the next parameter."""
    if not FORMATS[key].spelling.ambiguous:
        return False
    values = [value for function in functions for value in function["arguments"].values()]
    texts = [value if isinstance(value, str) else json.dumps(value) for value in values]
    return any(re.search(r"</parameter>\s*<parameter[= ][^>\n]*>", text) for text in texts)


def merged_newlines(key: str, head: str) -> str:
    """White space of a turn whose token began in the generation prompt's last newline, so that it counts as prompt."""
    opening = FORMATS[key].opening
    for prompt in (f"{opening}<think>\n", opening):
        if head.startswith(prompt):
            return head.removeprefix(prompt)
    return ""


def assert_call(key: str, function: JsonObject, call: ParsedToolCall) -> None:
    """The call says what the template printed; arguments in JSON are verbatim."""
    assert (call.name, call.status) == (function["name"], Status.OK)
    given = function["arguments"]
    if key in JSON_KEYS:
        printed = given if isinstance(given, str) else json.dumps(given, ensure_ascii=False)
        printed = printed.strip() if FORMATS[key].spelling.strips_arguments else printed
        assert call.json_text == normal_text(key, printed)
        assert call.arguments == json.loads(normal_text(key, printed))
        return
    assert isinstance(call.arguments, dict)
    assert list(call.arguments) == list(given)
    for name, value in given.items():
        value = normal(key, value)
        if not (isinstance(value, str) and is_literal(value)):
            assert call.arguments[name] == value
            assert type_of(call.arguments[name]) == type_of(value)


@pytest.mark.parametrize("key", KEYS)
def test_a_rendered_turn_is_read_back(key: str) -> None:
    """Content, reasoning and calls of every assistant turn come back as printed, from its sampled tokens alone."""
    turns = 0
    for case in conversations(key, 220, seed=7):
        r = renderer(key, **case.kwargs)
        rendered = r.render(case.messages, tools=case.tools, add_generation_prompt=case.add_generation_prompt)
        for message, span in zip(case.messages, rendered.message_token_spans(), strict=True):
            if message["role"] != "assistant" or span is None:
                continue
            sampled = [k for k in range(*span) if rendered.sampled[k]]
            functions = functions_of(message)
            if not sampled or is_ambiguous(key, functions) or is_broken_by_normalising(key, functions):
                continue
            turns += 1
            ids = rendered.token_ids
            parsed = r.parse_response([ids[k] for k in sampled], prompt_ids=ids[: sampled[0]])
            reasoning, content = expected_words(key, message, text_of(key, ids[slice(*span)]))
            lost = merged_newlines(key, text_of(key, ids[span[0] : sampled[0]]))
            if reasoning is None:
                content = content.removeprefix(lost)
            else:  # the token may even hold all of it, and the newline behind it
                reasoning = None if lost.startswith(reasoning) else reasoning.removeprefix(lost)
            assert parsed.content == content
            assert parsed.reasoning_content == reasoning
            alone = FORMATS[key].is_messages and not (content or functions)  # history closed what was cut there
            assert parsed.reasoning_complete or alone
            for function, call in zip(functions, parsed.tool_calls, strict=True):
                assert_call(key, function, call)
    assert turns > 200


@pytest.mark.parametrize("key", TAGGED_KEYS)
def test_schemas_make_tagged_values_exact(key: str) -> None:
    """Where tools are given, every value of an untyped spelling comes back as it was, type and white space included."""
    calls = 0
    for case in conversations(key, 250, seed=8):
        for function in [f for message in case.messages for f in functions_of(message)]:
            if is_ambiguous(key, [function]) or is_broken_by_normalising(key, [function]):
                continue
            calls += 1
            answer: JsonObject = {"role": "assistant", "tool_calls": [{"function": function}]}
            rendered = renderer(key).render([{"role": "user", "content": "q"}, answer])
            ids = [id_ for id_, sampled in zip(rendered.token_ids, rendered.sampled, strict=True) if sampled]
            given = {name: normal(key, value) for name, value in function["arguments"].items()}
            tools = declared(function["name"], **{name: type_of(value) for name, value in given.items()})
            call = only_call(renderer(key).parse_response(ids, tools=tools))
            assert call.status is Status.OK
            assert call.arguments == given
            assert isinstance(call.arguments, dict)
            assert [*map(type_of, call.arguments.values())] == [*map(type_of, given.values())]
    assert calls > 150


@pytest.mark.parametrize("key", KEYS)
def test_a_parsed_turn_renders_its_arguments_again(key: str) -> None:
    """A parsed message goes back into the conversation with the arguments spelt as they were sampled."""
    argument = text_argument(key, " café ") if key in TAGGED_KEYS else '{"x":  " caf\\u00e9 ", "n": 1.50}'
    message = parse(key, spelt(key, "words", ("f", argument), ("g", argument))).message()
    again = renderer(key).render_text([{"role": "user", "content": "q"}, message])
    assert again.count(argument) == 2
    assert "words" in again


# --- Arguments verbatim ----------------------------------------------------------------------------------------------

JSON_TEXTS = {
    "leading blanks": '{"city": "  Paris  "}',
    "unescaped": '{"city": "café 東京 😀"}',
    "escaped": '{"city": "caf\\u00e9\\n\\"q\\""}',
    "blanks inside": '{ "a" :  1 ,\n  "b":[ 1,2 ,  3 ]\t}',
    "compact": '{"a":1,"b":{"c":null}}',
    "number spelling": '{"a": 1.50, "b": 1E5, "c": -0.0, "d": 100000000000000000000}',
    "key twice": '{"a": 1, "a": 2}',
    "empty": "{}",
}


@pytest.mark.parametrize("key", JSON_KEYS)
def test_json_arguments_are_verbatim(key: str) -> None:
    """JSON arguments are kept to the letter beside their values."""
    for what, text in JSON_TEXTS.items():
        call = only_call(parse(key, spelt(key, ("f", text))))
        assert call.status is Status.OK, what
        assert call.json_text == text, what
        assert call.arguments == json.loads(text), what


@pytest.mark.parametrize("key", JSON_KEYS)
@pytest.mark.parametrize(
    "value", ["1" * 5000, "-" + "9" * 5000, "[" * 10_000 + "]" * 10_000, '{"a":' * 10_000 + "1" + "}" * 10_000]
)
def test_json_beyond_python_is_kept_as_text(key: str, value: str) -> None:
    """Integers of thousands of digits and nesting thousands deep come back as the text they are."""
    text = f'{{"x": {value}}}'
    call = only_call(parse(key, spelt(key, ("f", text))))
    assert (call.name, call.status) == ("f", Status.OK)
    assert call.json_text == text
    assert call.arguments == text


@pytest.mark.parametrize("key", TAGGED_KEYS)
@pytest.mark.parametrize("value", ["1" * 5000, "[" * 10_000 + "]" * 10_000])
def test_tagged_values_beyond_python_are_kept_as_text(key: str, value: str) -> None:
    """The same, for spellings without JSON, with a schema and without."""
    kind = "array" if value.startswith("[") else "integer"
    for tools in (None, declared("f", x=kind)):
        call = only_call(parse(key, spelt(key, ("f", tagged(key, x=value))), tools=tools))
        assert call.status is Status.OK
        assert call.arguments == {"x": value}


TEXTS = [" a", "a ", "\na", "a\n", "\n\n a \n\n", "", " ", "\n", "\t", "5", " 5 ", "true", "None", "null", "[1]",
         '{"a": 1}', '"quoted"', "café", "<b>", "</", "a < b && c > d", "1e5", "</parameters>", "a\r\nb"]  # fmt: skip


@pytest.mark.parametrize("key", TAGGED_KEYS)
def test_texts_in_tags_are_exact(key: str) -> None:
    """A text argument keeps every blank and newline at its edges, and is a text whatever it looks like."""
    for value in TEXTS:
        for kind in ("string", {"type": "string", "enum": ["a"]}):
            call = only_call(parse(key, spelt(key, ("f", tagged(key, x=value, y="z"))), tools=declared("f", x=kind)))
            assert call.status is Status.OK
            assert call.arguments == {"x": value, "y": "z"}


@pytest.mark.parametrize("key", TAGGED_KEYS)
def test_other_types_in_tags_follow_the_schema(key: str) -> None:
    """Values that are no texts are read by their schema: unions, nullable, Python's spelling of constants."""
    cases: list[tuple[str, Any, Any]] = [
        ("5", "integer", 5),
        (" 5\n", "integer", 5),
        ("5.0", "number", 5.0),
        ("1e+22", "number", 1e22),
        ("true", "boolean", True),
        ("True", "boolean", True),
        ("False", "boolean", False),
        ("null", {"type": ["integer", "null"]}, None),
        ("None", {"type": "integer", "nullable": True}, None),
        ("[1, 2]", "array", [1, 2]),
        ('{"a": [null]}', "object", {"a": [None]}),
        ("5", {"anyOf": [{"type": "integer"}, {"type": "null"}]}, 5),
        ("word", {"anyOf": [{"type": "string"}, {"type": "null"}]}, "word"),
        ("5", {"type": ["string", "null"]}, "5"),
        ("None", {"type": ["string", "null"]}, None),
        ("not a number", "integer", "not a number"),
        ("[1, 2", "array", "[1, 2"),
    ]
    for text, kind, value in cases:
        call = only_call(parse(key, spelt(key, ("f", tagged(key, x=text))), tools=declared("f", x=kind)))
        assert call.arguments == {"x": value}
        assert type_of(call.arguments["x"]) == type_of(value)


# --- A closing tag inside a value ------------------------------------------------------------------------------------


def values_around(closer: str) -> list[str]:
    """Texts that hold a closing tag."""
    return [f"a{closer}b", closer, f"{closer} w", f"w {closer}", f"a{closer}b{closer}c", f'"{closer}"']


def endings(key: str) -> list[tuple[str, int, str]]:
    """What may legally follow a call: text, how many more calls it holds, its content."""
    form = FORMATS[key]
    more = form.call("g", text_argument(key, "v"), 1)
    _, joint, last = form.spelling.block
    if form.is_messages:
        return [("", 0, ""), (joint + more, 1, "")]
    stop = form.call_stop or form.stop
    return [(last + stop, 0, ""), ("", 0, ""), (last, 0, ""), ("\n" + more + last + stop, 1, ""), (more + more, 2, ""),
            (last + "\n" + stop, 0, "")]  # fmt: skip


def assert_kept(key: str, parsed: ParsedResponse, value: str, more: int, content: str, note: str) -> None:
    call, *others = parsed.tool_calls
    assert call.status is Status.OK, note
    assert call.name == "f", note
    assert call.arguments == {"x": value}, note
    assert [other.name for other in others] == ["g"] * more, note
    assert all(other.status is Status.OK for other in others), note
    assert parsed.content == content, note


@pytest.mark.parametrize("key", KEYS)
def test_a_closing_tag_in_a_value_is_part_of_it(key: str) -> None:
    """As control tokens and as plain text, a close in a value is none where no legal continuation follows it."""
    tools = [*declared("f", x="string"), *declared("g", x="string")]
    spelling = FORMATS[key].spelling
    for closer in (*spelling.closers, *spelling.typed_closers):
        for value in values_around(closer):
            text = into_content(key) + call_text(key, "f", text_argument(key, "@@"))
            inside = value if key in TAGGED_KEYS else json.dumps(value, ensure_ascii=False)[1:-1]
            for ending, more, content in endings(key):
                for as_control in (True, False):
                    if as_control and closer in spelling.typed_closers:
                        continue
                    ids = spliced(key, text + ending, "@@", (encode if as_control else plain)(key, inside))
                    parsed = renderer(key).parse_response(ids, tools=tools)
                    assert_kept(key, parsed, value, more, content, f"{value!r} then {ending!r}, control: {as_control}")


@pytest.mark.parametrize("key", [key for key in MARKED_KEYS if not FORMATS[key].spelling.ambiguous])
def test_a_closing_tag_in_a_value_with_words_behind_the_call(key: str) -> None:
    """A close inside a value is resolved where words follow the call, too, and the words are content."""
    closer = FORMATS[key].spelling.end
    text = spelt(key, ("f", text_argument(key, f"a{closer}b")), " and then")
    parsed = parse(key, text)
    assert_kept(key, parsed, f"a{closer}b", 0, " and then", text)


@pytest.mark.parametrize("key", MARKED_KEYS)
def test_a_close_and_an_opening_in_a_value_are_never_misread_as_good(key: str) -> None:
    """Where what might be the next call follows a close in a value, the broken call says so and keeps its text."""
    closer, opener = FORMATS[key].spelling.end, FORMATS[key].spelling.begin
    for value in (f"w1{closer}{opener}w2", f"w1{closer}\n{opener}w2", f"w1 {closer} {opener} w2{closer}w3"):
        inside = value if key in TAGGED_KEYS else json.dumps(value)[1:-1]
        parsed = parse(key, spelt(key, "w4", ("f", text_argument(key, "@@").replace("@@", inside)), "w5"))
        first = parsed.tool_calls[0]
        assert first.status is not Status.OK or first.arguments == {"x": value}
        assert "w1" in first.raw
        assert words_of(parsed) == sorted([*WORDS.findall(value), "w4", "w5"])


@pytest.mark.parametrize("key", MARKED_KEYS)
def test_surplus_closing_tags_are_text(key: str) -> None:
    """A close too many behind a good call is content, and the call stays good."""
    closer = FORMATS[key].spelling.end
    for surplus in (closer, closer * 3, f" w1 {closer}", f"\n{closer} w1"):
        text = into_content(key) + call_text(key, "f", text_argument(key, "v")) + surplus
        parsed = parse(key, text + stop_of(key))
        assert (only_call(parsed).status, only_call(parsed).arguments) == (Status.OK, {"x": "v"})
        assert parsed.content == surplus


@pytest.mark.parametrize("key", KEYS)
def test_no_sampled_word_is_lost(key: str) -> None:
    """Whatever order marks come in, each word is exactly once in content, reasoning or the raw text of a call."""
    rng = random.Random(f"words/{key}")
    shards = {shard: encode(key, shard) for shard in FORMATS[key].spelling.shards}
    head = encode(key, "<|channel|>commentary<|message|>") if FORMATS[key].is_messages else []
    number = [encode(key, f" w{k} ") for k in range(30)]
    for _ in range(500):
        ids, said = [*head], []
        for k in range(rng.randint(1, 30)):
            if rng.random() < 0.4:
                ids += number[k]
                said.append(f"w{k}")
            else:
                ids += shards[rng.choice(list(shards))]
        finish = rng.choice([None, "stop", "length", "tool_calls"])
        if rng.random() < 0.5:
            ids.append(renderer(key).get_stop_token_ids()[0])
        parsed = renderer(key).parse_response(ids, finish_reason=finish)
        assert words_of(parsed) == sorted(said), text_of(key, ids)
        assert parsed.length == len(ids)


@pytest.mark.parametrize("key", HARMONY_KEYS)
def test_words_without_a_harmony_message_are_content(key: str) -> None:
    """Words of a reply that never opens a message are not lost."""
    for text in ("w1 w2<|return|>", "w1 w2"):
        assert words_of(parse(key, text)) == ["w1", "w2"]


# --- Text around calls, and reasoning --------------------------------------------------------------------------------


@pytest.mark.parametrize("key", KEYS)
def test_text_around_calls_is_content(key: str) -> None:
    """Words before, between and after calls are kept, in order, and every call is read."""
    call, other = ("f", text_argument(key, "v")), ("g", text_argument(key, "u"))
    parsed = parse(key, spelt(key, "before ", call, "between ", other, call, "after"))
    assert parsed.content == "before between after"
    assert [read.name for read in parsed.tool_calls] == ["f", "g", "f"]
    assert [read.arguments for read in parsed.tool_calls] == [{"x": "v"}, {"x": "u"}, {"x": "v"}]
    assert all(read.status is Status.OK for read in parsed.tool_calls)
    assert parsed.stopped


@pytest.mark.parametrize("key", MARKED_KEYS)
def test_white_space_around_calls_is_no_content(key: str) -> None:
    """Newlines between and behind calls are scaffold, newlines around words there are not."""
    call = ("f", text_argument(key, "v"))
    assert parse(key, spelt(key, call, "\n", call, "\n\n", call, "\n")).content == ""
    assert parse(key, spelt(key, call, "\n", call, "\nwords\n", call)).content == "\nwords\n"


@pytest.mark.parametrize("key", [key for key in THINK_KEYS if FORMATS[key].calls_end_reasoning])
def test_a_call_ends_reasoning(key: str) -> None:
    """A call that opens inside reasoning closes it; a think close behind it is text."""
    call = FORMATS[key].spelling.join([call_text(key, "f", text_argument(key, "v"))])
    parsed = parse_thinking(key, into_reasoning(key) + "I call." + call + " so</think> there" + stop_of(key))
    assert parsed.reasoning_content == "I call."
    assert (only_call(parsed).name, only_call(parsed).status) == ("f", Status.OK)
    assert parsed.content == " so</think> there"
    assert parsed.reasoning_complete


@pytest.mark.parametrize("key", HARMONY_KEYS)
def test_no_call_opens_inside_harmony_reasoning(key: str) -> None:
    """Inside an analysis message, header tokens are its text until it ends."""
    text = "<|channel|>analysis<|message|>hm<|start|>assistant to=functions.f<|channel|>commentary<|message|>{}"
    parsed = parse(key, text + "<|end|><|start|>assistant<|channel|>final<|message|>ok<|return|>")
    assert parsed.tool_calls == []
    assert parsed.reasoning_content == text.split("<|message|>", 1)[1]
    assert parsed.content == "ok"


@pytest.mark.parametrize("key", THINK_KEYS)
def test_think_tags_out_of_place_are_text(key: str) -> None:
    """A second close and an opening in mid-content are content; an opening in reasoning is reasoning."""
    parsed = parse_thinking(key, into_reasoning(key) + "r<think>r</think>c</think>d<think>e</think>f" + stop_of(key))
    assert parsed.reasoning_content == "r<think>r"
    assert parsed.content == "c</think>d<think>e</think>f"
    parsed = parse(key, spelt(key, "c <think>d</think>e"))
    assert (parsed.reasoning_content, parsed.content) == (None, "c <think>d</think>e")


@pytest.mark.parametrize("key", [key for key in KEYS if not FORMATS[key].thinks({})])
def test_think_tags_are_text_where_nothing_is_thought(key: str) -> None:
    """Without reasoning in the format, or behind a prompt that closed it, think tags are content."""
    parsed = parse(key, "c <think>d</think>e" + stop_of(key))
    assert (parsed.reasoning_content, parsed.content) == (None, "c <think>d</think>e")


@pytest.mark.parametrize("key", THINK_KEYS)
def test_think_tags_in_arguments_are_arguments(key: str) -> None:
    """Think tags inside a call belong to the call."""
    parsed = parse(key, spelt(key, ("f", text_argument(key, "a<think>b</think>c")), "d"))
    assert only_call(parsed).arguments == {"x": "a<think>b</think>c"}
    assert (parsed.reasoning_content, parsed.content) == (None, "d")


@pytest.mark.parametrize("key", REASONERS)
def test_reasoning_and_answer(key: str) -> None:
    """Reasoning and answer are told apart, and lose nothing but the newlines of the format."""
    for reasoning, content in (("r", "c"), (" r\n\nr ", " c\n"), ("\tr", "\n\nc"), ("é😀", "日本")):
        parsed = parse_thinking(key, FORMATS[key].reply(reasoning, content, [], True, "user"))
        assert (parsed.reasoning_content, parsed.content) == (reasoning, content)
        assert (parsed.reasoning_complete, parsed.stopped) == (True, True)


@pytest.mark.parametrize("key", REASONERS)
def test_a_stop_inside_reasoning_makes_it_the_answer(key: str) -> None:
    """A stop token, or an engine that says so, ends reasoning that was never closed: it was the answer."""
    stop = thinker(key).get_stop_token_ids()[0]
    ids = encode(key, into_reasoning(key) + "the answer")
    reads = [
        thinker(key).parse_response([*ids, stop]),
        thinker(key).parse_response([*ids, stop], finish_reason="length"),
        thinker(key).parse_response(ids, finish_reason="stop"),
        thinker(key).parse_response(ids, finish_reason="tool_calls"),
    ]
    for k, parsed in enumerate(reads):
        assert (parsed.content, parsed.reasoning_content) == ("the answer", None)
        assert parsed.reasoning_complete
        assert parsed.stopped == (k < 2)


@pytest.mark.parametrize("key", REASONERS)
def test_a_cut_inside_reasoning_leaves_it_unfinished(key: str) -> None:
    """Reasoning cut by the length limit, or by nobody knows what, is reasoning, and marked as incomplete."""
    for finish in (None, "length", "abort"):
        parsed = parse_thinking(key, into_reasoning(key) + "not yet", finish_reason=finish)
        assert (parsed.content, parsed.reasoning_content) == ("", "not yet")
        assert parsed.reasoning_complete is False
        assert parsed.stopped is False


@pytest.mark.parametrize("key", HARMONY_KEYS)
def test_only_the_open_reasoning_becomes_the_answer(key: str) -> None:
    """Where one analysis message was closed and a stop met in the next, the first stays reasoning."""
    text = "<|channel|>analysis<|message|>first<|end|><|start|>assistant<|channel|>analysis<|message|>second<|return|>"
    parsed = parse(key, text)
    assert (parsed.reasoning_content, parsed.content) == ("first", "second")


@pytest.mark.parametrize("key", KEYS)
def test_what_follows_the_stop_is_no_part(key: str) -> None:
    """Text behind the stop token is ignored, and the length says where the reply ended."""
    ids = encode(key, spelt(key, "answer"))
    parsed = renderer(key).parse_response([*ids, *encode(key, " more words")])
    assert (parsed.content, parsed.length, parsed.stopped) == ("answer", len(ids), True)
    inside = FORMATS[key].opened and FORMATS[key].thinks({})
    assert renderer(key).parse_response([]) == ParsedResponse(reasoning_complete=not inside)


@pytest.mark.parametrize("key", MARKED_KEYS)
def test_prompts_that_end_otherwise(key: str) -> None:
    """A prompt that opens or closes the reasoning itself, or begins it, decides where the reply starts."""
    opening = FORMATS[key].opening
    ids = encode(key, "words" + stop_of(key))
    parsed = renderer(key).parse_response(ids, prompt_ids=encode(key, opening))
    assert (parsed.content, parsed.reasoning_content) == ("words", None)
    if FORMATS[key].has_think_tags:
        for begun in ("<think>", "<think>\n", "<think>\nOnce upon", "<think>\n" + "Once upon a time. " * 60):
            prompt = encode(key, opening + begun)
            parsed = renderer(key).parse_response(encode(key, "words"), prompt_ids=prompt)
            assert (parsed.content, parsed.reasoning_content) == ("", "words"), begun
        prompt = encode(key, opening + "<think>\n\n</think>\n\n")
        parsed = renderer(key).parse_response(encode(key, "words"), prompt_ids=prompt)
        assert (parsed.content, parsed.reasoning_content) == ("words", None)


@pytest.mark.parametrize("key", HARMONY_KEYS)
def test_harmony_prompts_that_end_otherwise(key: str) -> None:
    """A prompt that chose the channel already decides what the reply is."""
    for channel, place in (("analysis", "reasoning_content"), ("final", "content"), ("commentary", "content")):
        for rest in ("", "Once upon a time. " * 20):
            prompt = encode(key, f"<|start|>assistant<|channel|>{channel}<|message|>{rest}")
            parsed = renderer(key).parse_response(encode(key, "words"), prompt_ids=prompt)
            assert getattr(parsed, place) == "words", channel
        prompt = encode(key, f"<|start|>assistant<|channel|>{channel}")
        parsed = renderer(key).parse_response(encode(key, "<|message|>words"), prompt_ids=prompt)
        assert getattr(parsed, place) == "words", channel


def test_a_deepseek_prompt_behind_short_calls() -> None:
    """Calls and results at the end of a prompt are over: what is sampled behind them is an answer."""
    key = "deepseek-v3"
    call = call_text(key, "f", "{}")
    results = "<｜tool▁outputs▁begin｜><｜tool▁output▁begin｜>ok<｜tool▁output▁end｜><｜tool▁outputs▁end｜>"
    for end in ("", "<｜tool▁calls▁end｜>", "<｜tool▁calls▁end｜><｜end▁of▁sentence｜>"):
        prompt = encode(key, f"<｜User｜>q<｜Assistant｜><｜tool▁calls▁begin｜>{call}{end}{results}")
        parsed = renderer(key).parse_response(encode(key, "Done.<｜end▁of▁sentence｜>"), prompt_ids=prompt)
        assert (parsed.content, parsed.tool_calls) == ("Done.", [])


# --- States of calls -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", KEYS)
def test_what_is_wrong_with_a_call_is_named(key: str) -> None:
    """Each way to break a call gets its status and keeps the call's text; the others are as good as before."""
    tools = [*declared("f"), *declared("g")]
    spelling = FORMATS[key].spelling
    joint = spelling.block[1] if FORMATS[key].is_messages else "\n"
    for text, value, name in spelling.broken:
        status = Status(value)
        call = only_call(parse(key, into_content(key) + text, tools=tools))
        assert (call.status, call.name) == (status, name), text
        assert call.raw == text.split(spelling.begin, 1)[1].removesuffix(spelling.end), text
        if status is Status.UNKNOWN_TOOL:
            assert only_call(parse(key, into_content(key) + text)).status is Status.OK
        if spelling.end in text:
            good = FORMATS[key].call("g", text_argument(key, "v"), 1)
            two = parse(key, into_content(key) + text + joint + good, tools=tools)
            assert [read.status for read in two.tool_calls] == [status, Status.OK], text
            assert two.tool_calls[1].arguments == {"x": "v"}


@pytest.mark.parametrize("key", JSON_KEYS)
def test_invalid_json_beyond_python_is_invalid(key: str) -> None:
    """A huge integer or deep nesting does not make the broken JSON around it good."""
    number, deep = "1" * 5000, "[" * 10_000 + "1 2" + "]" * 10_000
    for text in (f'{{"x": {number}, }}', f'{{"x": {number}', f'{{"x": {deep}}}', '{"x": ' + "[" * 10_000):
        call = only_call(parse(key, spelt(key, ("f", text))))
        assert call.status is Status.INVALID_JSON, text[:20]


@pytest.mark.parametrize("key", KEYS)
def test_a_stop_inside_a_call_leaves_it_unclosed(key: str) -> None:
    """A turn that ends inside a call says so."""
    text = spelt(key, ("f", text_argument(key, "w1 w2"))).split("w2")[0]
    stop = renderer(key).get_stop_token_ids()[0]
    parsed = renderer(key).parse_response([*encode(key, text), stop])
    assert only_call(parsed).status is Status.UNCLOSED_BLOCK
    assert words_of(parsed) == ["w1"]
    assert parsed.stopped


@pytest.mark.parametrize("key", KEYS)
def test_spans_cover_calls_with_their_tags(key: str) -> None:
    """The ids in a call's span spell the call, opening and closing tokens included."""
    calls = [("f", text_argument(key, "é 😀")), ("g", text_argument(key, "u")), ("f", text_argument(key, ""))]
    ids = encode(key, spelt(key, "before ", calls[0], "between", calls[1], calls[2], "after"))
    parsed = renderer(key).parse_response(ids)
    start = FORMATS[key].spelling.block[1] if FORMATS[key].is_messages else ""
    for number, (call, spoken) in enumerate(zip(parsed.tool_calls, calls, strict=True)):
        assert call.token_span is not None
        assert text_of(key, ids[slice(*call.token_span)]) == start + FORMATS[key].call(*spoken, number=number)
    alone = encode(key, into_content(key) + call_text(key, *calls[0]))
    span = only_call(renderer(key).parse_response(alone)).token_span
    assert span is not None
    assert text_of(key, alone[slice(*span)]) == call_text(key, *calls[0])


@pytest.mark.parametrize("key", MARKED_KEYS)
def test_spans_of_calls_read_twice(key: str) -> None:
    """The span of a call that ended before a stray close ends there, and an unclosed call's reaches the last token."""
    good = call_text(key, "f", text_argument(key, "v"))
    closer = FORMATS[key].spelling.end
    ids = encode(key, into_content(key) + good + " w1 " + closer + "w2" + good[: -len(closer)])
    parsed = renderer(key).parse_response(ids)
    texts = [text_of(key, ids[slice(*call.token_span)]) for call in parsed.tool_calls if call.token_span]
    assert texts == [good, good[: -len(closer)]]


# --- Harmony ---------------------------------------------------------------------------------------------------------

HEADERS = [
    " to=functions.f<|channel|>commentary json<|message|>",
    " to=functions.f<|channel|>commentary<|message|>",
    " to=functions.f<|channel|>commentary <|constrain|>json<|message|>",
    "<|channel|>commentary to=functions.f <|constrain|>json<|message|>",
    "<|channel|>commentary to=functions.f<|constrain|>json<|message|>",
    "<|channel|>commentary to=functions.f<|message|>",
    "<|channel|>analysis to=functions.f json<|message|>",
]


@pytest.mark.parametrize("key", HARMONY_KEYS)
def test_harmony_recipients(key: str) -> None:
    """A message to a tool is a call wherever its header names the tool."""
    for header in HEADERS:
        parsed = parse(key, header + '{"x": " v"}<|call|>')
        call = only_call(parsed)
        assert (call.name, call.arguments, call.status) == ("f", {"x": " v"}, Status.OK), header
        assert call.raw == call.json_text == '{"x": " v"}'
        assert (parsed.content, parsed.reasoning_content, parsed.stopped) == ("", None, True)


@pytest.mark.parametrize("key", HARMONY_KEYS)
def test_harmony_built_in_tools(key: str) -> None:
    """Calls to built-in tools, on the analysis channel, take any text."""
    for name, text in (("browser.search", '{"query": "x"}'), ("python", "print(1)\n"), ("python", "")):
        parsed = parse(key, f"<|channel|>analysis to={name} code<|message|>{text}<|call|>")
        call = only_call(parsed)
        assert (call.name, call.arguments, call.raw, call.status) == (name, text, text, Status.OK)
        assert parsed.reasoning_content is None


@pytest.mark.parametrize("key", HARMONY_KEYS)
def test_harmony_channels(key: str) -> None:
    """Analysis is reasoning, the preamble in commentary and the final answer are content, calls are calls."""
    text = (
        "<|channel|>analysis<|message|>think<|end|>"
        "<|start|>assistant<|channel|>commentary<|message|>I will look.<|end|>"
        "<|start|>assistant<|channel|>commentary to=functions.f <|constrain|>json<|message|>{}<|call|>"
    )
    parsed = parse(key, text)
    assert (parsed.reasoning_content, parsed.content) == ("think", "I will look.")
    assert (only_call(parsed).name, only_call(parsed).arguments, only_call(parsed).status) == ("f", {}, Status.OK)
    assert parse(key, "<|channel|>final<|message|>yes<|return|>").content == "yes"
    assert parse(key, "<|message|>yes<|return|>").content == "yes"


@pytest.mark.parametrize("key", HARMONY_KEYS)
def test_hallucinated_harmony_messages_are_no_calls(key: str) -> None:
    """Messages of other roles that a model invents are no calls, and their words are not lost."""
    said = "<|channel|>final<|message|>w1<|end|>"
    for header in (
        "user<|message|>",
        "user to=functions.f<|message|>",
        "user<|channel|>commentary to=functions.f<|message|>",
        "functions.f to=assistant<|channel|>commentary<|message|>",
        "functions.g to=functions.f<|channel|>commentary<|message|>",
        "tool to=functions.f<|message|>",
        "system<|message|>",
        "developer to=functions.f<|channel|>commentary<|message|>",
    ):
        more = "<|start|>assistant<|channel|>final<|message|>w3<|return|>"
        parsed = parse(key, f'{said}<|start|>{header}{{"w2": 1}}<|end|>{more}')
        assert parsed.tool_calls == [], header
        assert words_of(parsed) == ["w1", "w2", "w3"], header


# --- Never raises ----------------------------------------------------------------------------------------------------

FRAGMENTS = [
    *'{}"[],:\\\n 5', "name", "arguments", "f", "<function=f>", "</function>", "<parameter=x>", "</parameter>",
    "```json\n", "\n```", " to=functions.f", "analysis", "final", "commentary", "assistant", "user", "true", "é", "😀",
]  # fmt: skip

MANY = 2_250  # id lists a key: more than 20,000 over all keys

TOOLS = [
    *declared("f", x="string", n="integer"),
    *declared("g", x={"anyOf": [{"type": "integer"}, {"type": "null"}]}),
    *declared("get_weather", city="string", days="number"),
]


@cache
def real_turns(key: str) -> list[list[int]]:
    """Sampled ids of rendered turns, and of hand-made ones with calls."""
    turns = [encode(key, spelt(key, "a", ("f", text_argument(key, "v")), "b", ("g", text_argument(key, "5"))))]
    for case in conversations(key, 40, seed=11):
        rendered = renderer(key, **case.kwargs).render(case.messages, tools=case.tools)
        for message, span in zip(case.messages, rendered.message_token_spans(), strict=True):
            if message["role"] == "assistant" and span is not None:
                ids = [rendered.token_ids[k] for k in range(*span) if rendered.sampled[k]]
                turns += [ids] * (3 if message.get("tool_calls") else 1)
    return [turn[:150] for turn in turns if turn]


def random_ids(key: str, rng: random.Random) -> list[int]:
    """Ids of all kinds: control tokens, fragments of calls, the whole vocabulary, and none of it."""
    size = oracles.tokenizer_for(tokenizer_family(key)).get_vocab_size()
    heavy = [token(key, control) for control in FORMATS[key].spelling.heavy]
    fragments = fragment_ids(key)
    ids: list[int] = []
    for _ in range(rng.randint(0, 40)):
        pick = rng.random()
        if pick < 0.45:
            ids.append(rng.choice(heavy))
        elif pick < 0.75:
            ids += rng.choice(fragments)
        elif pick < 0.97:
            ids.append(rng.randrange(size))
        else:
            ids.append(rng.choice([-1, -(2**31), -5, size, size + 1000, 2**31, 2**32, 2**63, 10**30]))
    return ids


@cache
def fragment_ids(key: str) -> list[list[int]]:
    """What calls are made of, as ids."""
    return [encode(key, fragment) for fragment in FRAGMENTS]


def mutated_ids(key: str, rng: random.Random) -> list[int]:
    """A real turn with some of it deleted, doubled, swapped, replaced or cut off."""
    ids = list(rng.choice(real_turns(key)))
    heavy = FORMATS[key].spelling.heavy
    for _ in range(rng.randint(1, 6)):
        a, b = sorted(rng.randint(0, len(ids)) for _ in range(2))
        b = min(b, a + rng.choice((1, 1, 2, 5, 20)))
        change = rng.randrange(6)
        if change == 0:
            del ids[a:b]
        elif change == 1:
            ids[a:a] = ids[a:b]
        elif change == 2 and b < len(ids):
            ids[a], ids[b] = ids[b], ids[a]
        elif change == 3:
            ids[a:a] = [token(key, rng.choice(heavy))]
        elif change == 4:
            ids[a:b] = rng.choice(real_turns(key))[:20]
        elif change == 5:
            del ids[rng.randint(0, len(ids)) :]
    return ids


def strange_replies(key: str, n: int, seed: str) -> Iterator[list[int]]:
    """Random and mutated id lists, always the same for a key and a seed."""
    rng = random.Random(f"{seed}/{key}")
    for k in range(n):
        yield random_ids(key, rng) if k % 2 else mutated_ids(key, rng)


@pytest.mark.parametrize("key", KEYS)
def test_parsing_never_raises(key: str) -> None:
    """Random and mutated ids, beyond the vocabulary too, always give a response whose numbers hold together."""
    rng = random.Random(key)
    r = renderer(key)
    for k, ids in enumerate(strange_replies(key, MANY, "raise")):
        prompt = random_ids(key, rng) if k % 7 == 0 else None
        finish = rng.choice([None, "stop", "length", "tool_calls", "content_filter"])
        parsed = r.parse_response(ids, tools=TOOLS if k % 3 == 0 else None, prompt_ids=prompt, finish_reason=finish)
        assert 0 <= parsed.length <= len(ids)
        assert parsed.stopped or parsed.length == len(ids)
        ends = 0
        for call in parsed.tool_calls:
            assert call.token_span is not None
            start, end = call.token_span
            assert ends <= start <= end <= parsed.length
            ends = end
            assert (call.name is None) <= (call.status is not Status.OK)
        assert parsed.message()["content"] == parsed.content


@pytest.mark.parametrize("key", TAGGED_KEYS)
@pytest.mark.parametrize(
    "parameters",
    [
        {"properties": ["x"]},
        {"properties": "x"},
        {"properties": {"x": ["string"]}},
        {"properties": {"x": {"type": [["string"], {"a": 1}, None]}}},
        {"properties": {"x": {"type": {"a": 1}}}},
        {"properties": {"x": {"anyOf": 5, "oneOf": "string"}}},
        {"properties": {"x": {"anyOf": [1, "string", None, {"oneOf": [[]]}]}}},
        {"properties": {"x": True}},
        {"properties": None},
        {},
    ],
)
def test_no_schema_makes_parsing_raise(key: str, parameters: JsonObject) -> None:
    """Schemas that are none are as good as no schema."""
    tools = [{"type": "function", "function": {"name": "f", "description": "d", "parameters": parameters}}]
    call = only_call(parse(key, spelt(key, ("f", tagged(key, x="word", y="5"))), tools=tools))
    assert (call.name, call.status, call.arguments) == ("f", Status.OK, {"x": "word", "y": 5})

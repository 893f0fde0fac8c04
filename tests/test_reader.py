"""Streaming: however a reply is cut into pieces it reads the same, its events add up to it, and the work is linear."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import fields, replace
from functools import cache
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from renderers import (
    CallRead,
    Event,
    Field,
    ParsedResponse,
    Reader,
    Refiled,
    TextDelta,
    ToolCallParseStatus,
)
from renderers._parsed import ParsedToolCall
from renderers._reader import Table
from renderers._reply import Affixes
from renderers._tokenizers import Tokenizer, load
from renderers.family import ReadCall, Schemas
from tests import oracles
from tests.formats import FORMATS
from tests.harness import encode, renderer, token, tokenizer_family
from tests.test_parse import (
    KEYS,
    REASONERS,
    TOOLS,
    call_text,
    into_content,
    into_reasoning,
    real_turns,
    spelt,
    strange_replies,
    text_argument,
    thinker,
)

ONE_OF_EACH_STYLE = list({FORMATS[key].spelling.name: key for key in KEYS}.values())


def fold(events: Iterable[Event]) -> tuple[str, str, list[ParsedToolCall]]:
    """Content, reasoning and calls, from the events alone."""
    content, reasoning = "", ""
    calls: list[ParsedToolCall] = []
    for event in events:
        if isinstance(event, CallRead):
            calls.append(event.call)
        elif isinstance(event, Refiled):
            assert reasoning.endswith(event.text)
            content, reasoning = content + event.text, reasoning.removesuffix(event.text)
        elif event.field is Field.CONTENT:
            content += event.text
        else:
            reasoning += event.text
    return content, reasoning, calls


def facts(call: ParsedToolCall) -> list[Any]:
    """All that is known of a call; as dicts, calls are equal already if their names, arguments and ids are."""
    return [getattr(call, field.name) for field in fields(call)]


Pieces = Iterable[int | Sequence[int]]


def read(reader: Reader, pieces: Pieces, finish: str | None = None) -> tuple[ParsedResponse, list[Event]]:
    """A reply fed piece by piece, and all its events."""
    events: list[Event] = []
    for piece in pieces:
        events += reader.feed(piece)
    parsed, last = reader.finish(finish)
    return parsed, events + last


def cut(ids: Sequence[int], rng: random.Random) -> list[Sequence[int]]:
    """The ids in chunks of any size, empty ones too."""
    edges = sorted(rng.choices(range(len(ids) + 1), k=rng.randint(0, 8)))
    return [ids[a:b] for a, b in zip([0, *edges], [*edges, len(ids)], strict=True)]


def assert_streams_alike(key: str, ids: list[int], rng: random.Random) -> None:
    """Token by token, whole and in chunks: the same response, and events that add up to it."""
    r, tools = renderer(key), rng.choice([None, TOOLS])
    finish = rng.choice([None, "stop", "length"])
    expected = r.parse_response(ids, tools=tools, finish_reason=finish)
    for pieces in (ids, [[one] for one in ids], [ids], cut(ids, rng), cut(ids, rng)):
        parsed, events = read(r.reader(tools=tools), pieces, finish)
        assert parsed == expected
        assert list(map(facts, parsed.tool_calls)) == list(map(facts, expected.tool_calls))
        content, reasoning, calls = fold(events)
        assert (content, reasoning) == (parsed.content, parsed.reasoning_content or "")
        assert list(map(facts, calls)) == list(map(facts, parsed.tool_calls))
        assert all(event.text for event in events if isinstance(event, TextDelta))


# --- However it is cut -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", KEYS)
def test_real_turns_stream_alike(key: str) -> None:
    """Rendered turns read the same in any pieces."""
    rng = random.Random(f"stream/{key}")
    for ids in real_turns(key):
        assert_streams_alike(key, ids, rng)


@pytest.mark.parametrize("key", KEYS)
def test_strange_replies_stream_alike(key: str) -> None:
    """Random and mutated replies read the same in any pieces."""
    rng = random.Random(f"stream strange/{key}")
    for ids in strange_replies(key, 250, "stream"):
        assert_streams_alike(key, ids, rng)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
@pytest.mark.parametrize("key", ONE_OF_EACH_STYLE)
def test_any_tokens_stream_alike(key: str, data: st.DataObject) -> None:
    """Whatever hypothesis makes of the control tokens and some text reads the same in any pieces."""
    whole = [call_text(key, "f", text_argument(key, "v")), into_content(key), "\n", " a", "é😀"]
    shards = data.draw(st.lists(st.sampled_from([*FORMATS[key].spelling.heavy, *whole]), max_size=15))
    ids = [id_ for shard in shards for id_ in encode(key, shard)]
    assert_streams_alike(key, ids, random.Random(len(ids)))


@pytest.mark.parametrize("key", KEYS)
def test_text_streams_as_it_comes(key: str) -> None:
    """Words of the answer are told with a delay of a few characters, and no character comes out torn."""
    reader = renderer(key).reader()
    text = "The quick brown fox 😀 日本 é jumps over 👨‍👩‍👧‍👦 the lazy dog. " * 3
    head = "<|channel|>final<|message|>" if FORMATS[key].is_messages else into_content(key)
    reader.feed(encode(key, head))
    told, given_ = "", []
    for id_ in encode(key, text):
        given_.append(id_)
        events = reader.feed(id_)
        assert all(isinstance(event, TextDelta) and event.field is Field.CONTENT for event in events)
        told += fold(events)[0]
        assert text.startswith(told)
        known = oracles.tokenizer_for(tokenizer_family(key)).decode(given_, skip_special_tokens=False).rstrip("\ufffd")
        assert len(told) >= len(known) - 2
    assert reader.finish()[0].content == text


@pytest.mark.parametrize("key", REASONERS)
def test_reasoning_streams_as_it_comes(key: str) -> None:
    """Reasoning is told as reasoning while it comes, and one event takes it back where a stop makes it the answer."""
    reader = thinker(key).reader()
    reader.feed(encode(key, into_reasoning(key)))
    events = [event for id_ in encode(key, "one two three four") for event in reader.feed(id_)]
    assert "one two" in fold(events)[1]
    assert not any(isinstance(event, Refiled) for event in events)
    events += reader.feed(thinker(key).get_stop_token_ids()[0])
    assert reader.stopped
    parsed, last = reader.finish()
    assert sum(isinstance(event, Refiled) for event in events + last) == 1
    assert fold(events + last) == ("one two three four", "", [])
    assert (parsed.content, parsed.reasoning_content) == ("one two three four", None)


@pytest.mark.parametrize("key", KEYS)
def test_calls_are_told_in_order_with_the_text_around_them(key: str) -> None:
    """Each call is an event of its own, in its place among the words."""
    call, other = ("f", text_argument(key, "v")), ("g", text_argument(key, "u"))
    ids = encode(key, spelt(key, "before ", call, "between ", other, "after"))
    _, events = read(renderer(key).reader(), ids)
    said: list[str] = []
    for event in events:
        if isinstance(event, CallRead):
            said.append(str(event.call.name))
        elif isinstance(event, TextDelta):
            said[-1:] = [said[-1] + event.text] if said and said[-1] not in ("f", "g") else [*said[-1:], event.text]
    assert said == ["before ", "f", "between ", "g", "after"]


@pytest.mark.parametrize("key", KEYS)
def test_the_reader_says_when_it_stopped(key: str) -> None:
    """`stopped` and `length` tell, while streaming, that and where the reply ended."""
    ids = encode(key, spelt(key, "answer"))
    reader = renderer(key).reader()
    for k, id_ in enumerate(ids):
        assert not reader.stopped
        assert reader.length == k
        reader.feed(id_)
    assert reader.stopped
    for id_ in encode(key, " more"):
        assert reader.feed(id_) == []
    assert reader.length == len(ids)


# --- The work is linear ----------------------------------------------------------------------------------------------

Pattern = tuple[str, str, str]
"""What comes first, what is repeated, what comes last; `LONG` stands for many words."""

LONG = "@@"

QWEN_LIKE: list[Pattern] = [
    ("", "</tool_call>", ""),
    ("", "<tool_call>", ""),
    ("", "<tool_call></tool_call>", ""),
    ("", "<tool_call>x</tool_call>", ""),
    ("", "<tool_call>x</tool_call> words", ""),
    ("", "<tool_call>x</tool_call> words <tool_call>", ""),
    ("<tool_call>", "</tool_call>", ""),
    ("<tool_call>", " words", "</tool_call>"),
    ("<tool_call>", "</tool_call> words", ""),
    ("<tool_call>", "</tool_call> words", "<tool_call></tool_call>"),
    ("<tool_call>", "</tool_call>\n", ""),
    ("<tool_call></tool_call>", " words <tool_call>", ""),
    ("<tool_call>@@</tool_call>", " words <tool_call>", ""),
    ("<tool_call>@@</tool_call>", "</tool_call> words <tool_call>", ""),
    ("", "<think>", ""),
    ("", "</think>", ""),
    ("<think>", "<think></think>", ""),
    ("<think>", "<tool_call></tool_call>", ""),
    ("<think>", " words", ""),
    ("", "\n", ""),
    ("<tool_call>", "\n", "</tool_call>"),
]
JSON_HEAD = '<tool_call>\n{"name": "f", "arguments": '
TAGS_HEAD = "<tool_call>\n<function=f>\n<parameter=x>\n"
TAGS_TAIL = "\n</parameter>\n</function>\n</tool_call>"
PAIRS_HEAD = "<tool_call>f\n<arg_key>x</arg_key>\n<arg_value>"
BEGIN, END, CLOSED = "<｜tool▁call▁begin｜>", "<｜tool▁call▁end｜>", "<｜tool▁calls▁end｜>"
FENCE_HEAD = f"{BEGIN}function<｜tool▁sep｜>f\n```json\n"
TO_F = "<|start|>assistant to=functions.f<|message|>"

PATTERNS: dict[str, list[Pattern]] = {
    "json": [
        *QWEN_LIKE,
        ("", JSON_HEAD + "{}}\n</tool_call>", ""),
        ("", JSON_HEAD, ""),
        (JSON_HEAD + "{}}\n</tool_call>", "</tool_call> words", ""),
        (JSON_HEAD + "{}}\n</tool_call>", " words", "</tool_call>"),
        (JSON_HEAD, "[", "}</tool_call>"),
        (JSON_HEAD, '{"a":', "}</tool_call>"),
        (JSON_HEAD + '{"a": "', "</tool_call>", '"}}</tool_call>'),
        (JSON_HEAD + '{"a": "', "<tool_call>", '"}}</tool_call>'),
        (JSON_HEAD + '{"a": "', '\\"', "}}</tool_call>"),
    ],
    "tags": [
        *QWEN_LIKE,
        ("", "<tool_call>\n<function=f>\n</function>\n</tool_call>", ""),
        (TAGS_HEAD, "</parameter>", TAGS_TAIL),
        (TAGS_HEAD, "</parameter>\n", "</tool_call>"),
        (TAGS_HEAD, "</function>", TAGS_TAIL),
        (TAGS_HEAD, "</parameter>\n</function>\n", TAGS_TAIL),
        (TAGS_HEAD, "<parameter=x>\n", TAGS_TAIL),
        (TAGS_HEAD, "</tool_call>", TAGS_TAIL),
        (TAGS_HEAD, "[", TAGS_TAIL),
    ],
    "pairs": [
        *QWEN_LIKE,
        ("", "<tool_call>f\n</tool_call>", ""),
        ("<tool_call>f\n", "<arg_key>x</arg_key>\n<arg_value>v</arg_value>\n", "</tool_call>"),
        ("<tool_call>f\n", "<arg_key>", "</tool_call>"),
        ("<tool_call>f\n", "<arg_key></arg_key>", "</tool_call>"),
        ("<tool_call>f\n<arg_key>", "x", "</arg_key></tool_call>"),
        (PAIRS_HEAD, "</arg_value>", "</tool_call>"),
        (PAIRS_HEAD, "</arg_value>\n", "w</tool_call>"),
        (PAIRS_HEAD, "<arg_value>", "</arg_value></tool_call>"),
        (PAIRS_HEAD, "[", "</arg_value></tool_call>"),
    ],
    "fence": [
        ("", BEGIN, ""),
        ("", END, ""),
        ("", CLOSED, ""),
        ("", BEGIN + END, ""),
        ("", BEGIN + "x" + END + " words", ""),
        (BEGIN, END, ""),
        (BEGIN, END + " words", ""),
        (BEGIN, END + " words", BEGIN + END),
        (BEGIN + END, " words " + BEGIN, ""),
        (BEGIN + LONG + END, " words " + BEGIN, ""),
        ("", FENCE_HEAD + "{}\n```" + END, ""),
        (FENCE_HEAD + "{}\n```" + END, END + " words", ""),
        (FENCE_HEAD, "\n```", END),
        (FENCE_HEAD, "[", "\n```" + END),
        (BEGIN, "<｜tool▁sep｜>", END),
        ("", "\n", ""),
        ("", "<｜end▁of▁sentence｜>", ""),
        ("", FENCE_HEAD + "{}\n```" + END + "<｜end▁of▁sentence｜>", ""),
    ],
    "harmony": [
        ("", "<|start|>", ""),
        ("", "<|message|>", ""),
        ("", "<|end|>", ""),
        ("<|message|><|end|>", "<|start|><|message|><|end|>", ""),
        ("<|message|><|end|>", TO_F + "{}<|end|>", ""),
        ("<|message|><|end|>", TO_F + "{}<|call|>", ""),
        ("<|message|><|end|>", TO_F + "x<|end|> words", ""),
        ("<|message|><|end|>", TO_F, ""),
        (" to=functions.f<|message|>", "<|end|>", "<|call|>"),
        (" to=functions.f<|message|>", "<|end|> words", "<|call|>"),
        (" to=functions.f<|message|>{}<|end|>", " words<|end|>", "<|call|>"),
        (" to=functions.f<|message|>x<|end|>", " words <|start|>", ""),
        (" to=functions.f<|message|>@@<|end|>", " words <|start|>", ""),
        (" to=functions.f<|message|>", "[", "<|call|>"),
        ("", " to=functions.f", "<|message|>{}<|call|>"),
        ("<|message|><|end|>", "\n", ""),
        ("", "<|call|>", ""),
        ("<|message|>x<|return|>", "<|start|>", ""),
    ],
}


def patterns(key: str) -> list[Pattern]:
    """What to repeat: by hand for most spellings, else what any spelling is made of."""
    spelling = FORMATS[key].spelling
    if spelling.name in PATTERNS:
        return PATTERNS[spelling.name]
    call, begin, end = call_text(key, "f", text_argument(key, "v")), spelling.begin, spelling.end
    whole, unclosed = spelling.join([call]), call.removesuffix(end)
    units = [begin, end, call, whole, unclosed, begin + end, begin + " words", " words" + end, *spelling.closers]
    return [(head, unit, last) for head in ("", begin, unclosed) for unit in units for last in ("", end)]


def repeated(key: str, pattern: Pattern, length: int) -> list[int]:
    """The pattern as ids, so often that they are about `length`."""
    first, unit, last = (encode(key, text.replace(LONG, " words" * (length // 2))) for text in pattern)
    return [*first, *unit * (length // len(unit)), *last]


@cache
def engine_tokenizer(key: str) -> Tokenizer:
    """The tokenizer as the engine sees it."""
    return load(oracles.tokenizer_for(tokenizer_family(key))).tokenizer


def counting_reader(key: str) -> tuple[Reader, Callable[[], int]]:
    """A reader, and how many characters its call reader was given so far."""
    reply, seen = renderer(key).family.reply, [0]

    def read_call(text: str, header: str, schemas: Schemas) -> ReadCall | Sequence[ReadCall]:
        seen[0] += len(text) + len(header)
        return reply.read_call(text, header, schemas)

    reader = Reader(
        Table(replace(reply, read_call=read_call), engine_tokenizer(key).controls), engine_tokenizer(key), Affixes()
    )
    reader.seek(encode(key, "<|start|>assistant" if FORMATS[key].is_messages else ""))
    return reader, lambda: seen[0]


def assert_linear(key: str, reader: Reader, characters: int, ids: Sequence[int], pattern: Pattern | None) -> None:
    """Steps and characters read stay within a few times the reply."""
    assert reader.steps <= 3 * len(ids) + 64, pattern
    assert characters <= 4 * len(engine_tokenizer(key).token_bytes(ids)) + 256, pattern


@pytest.mark.parametrize("length", [1_000, 4_000, 32_000])
@pytest.mark.parametrize("key", ONE_OF_EACH_STYLE)
def test_reading_takes_linear_steps(key: str, length: int) -> None:
    """Adversarial replies of any length cost three steps a token at most; each letter of a call is read a few times."""
    for pattern in patterns(key):
        ids = repeated(key, pattern, length)
        reader, characters = counting_reader(key)
        read(reader, [ids])
        assert_linear(key, reader, characters(), ids, pattern)


@pytest.mark.parametrize("key", ONE_OF_EACH_STYLE)
def test_streaming_takes_linear_steps(key: str) -> None:
    """The same, token by token."""
    for pattern in patterns(key):
        ids = repeated(key, pattern, 4_000)
        reader, characters = counting_reader(key)
        read(reader, ids)
        assert_linear(key, reader, characters(), ids, pattern)


@pytest.mark.parametrize("key", ONE_OF_EACH_STYLE)
def test_random_replies_take_linear_steps(key: str) -> None:
    """Long random mixtures of control tokens, words and pieces of calls take linear steps, too."""
    rng = random.Random(f"steps/{key}")
    shards = [
        [token(key, control)] for control in FORMATS[key].spelling.heavy if token(key, control) not in stop_ids(key)
    ]
    call = encode(key, call_text(key, "f", text_argument(key, "v")))
    shards += [encode(key, " words"), encode(key, "\n"), call, call[:-1], call[1:], call[1:-1]]
    for _ in range(60):
        chosen = rng.sample(shards, rng.randint(1, len(shards)))
        ids = [id_ for _ in range(300) for id_ in rng.choice(chosen)]
        reader, characters = counting_reader(key)
        read(reader, [ids])
        assert_linear(key, reader, characters(), ids, None)


def stop_ids(key: str) -> list[int]:
    """The ids that end a reply."""
    return renderer(key).get_stop_token_ids()


@pytest.mark.parametrize("key", ONE_OF_EACH_STYLE)
def test_text_held_back_streams_like_the_whole(key: str) -> None:
    """Tens of thousands of tokens that are held back until more is known stream as they are read at once."""
    stretches = ["\n" * 8, " "]
    stretches += [" words", "<|channel|>"] if FORMATS[key].is_messages else []
    for stretch in stretches:
        for head in ("", spelt(key, ("f", text_argument(key, "v")), stop="")):
            reader = renderer(key).reader()
            reader.feed(encode(key, head))
            ids = encode(key, stretch) * 40_000
            for id_ in ids:
                reader.feed(id_)
            assert reader.finish()[0] == renderer(key).parse_response([*encode(key, head), *ids])


@pytest.mark.parametrize("key", ONE_OF_EACH_STYLE)
def test_many_calls_are_all_read(key: str) -> None:
    """Thousands of calls in a reply are read one by one, each good."""
    call = ("f", text_argument(key, "v"))
    parsed = renderer(key).parse_response(encode(key, spelt(key, *[call] * 2_000)))
    assert len(parsed.tool_calls) == 2_000
    assert {read_.status for read_ in parsed.tool_calls} == {ToolCallParseStatus.OK}
    assert parsed.content == ""

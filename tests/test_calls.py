"""The spellings of calls: what is written is read back, values are verbatim, and no text takes long to read."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from renderers._calls import json_members, load_json
from renderers._tags import typed_value
from renderers.families.gpt_oss import read_harmony_call
from renderers.family import (
    Call,
    ReadCall,
    Schemas,
    ToolCallParseStatus,
    Writer,
    read_arg_pairs,
    read_fenced_json,
    read_function_tags,
    read_invokes,
    read_json_arguments,
    read_json_object,
    write_arg_pairs,
    write_fenced_json,
    write_function_tags,
    write_invoke,
    write_json_object,
)

Status = ToolCallParseStatus
Read = Callable[[str, str, Schemas], ReadCall]
Write = Callable[[Call, Writer], None]

JSON_SPELLINGS: list[tuple[Write, Read]] = [
    (write_json_object, read_json_object),
    (write_fenced_json, read_fenced_json),
]
TAG_SPELLINGS: list[tuple[Write, Read]] = [(write_function_tags, read_function_tags), (write_arg_pairs, read_arg_pairs)]
READERS: list[Read] = [
    read_json_object,
    read_fenced_json,
    read_function_tags,
    read_arg_pairs,
    lambda text, header, schemas: read_harmony_call(text, "assistant to=functions.f<|channel|>commentary", schemas),
    lambda text, header, schemas: read_harmony_call("{}", text, schemas),
]

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
names = st.text("abcXYZ_09.-", min_size=1)
keys = st.text("abc é日_", min_size=1)
noise = st.text('{}[]",:\\`\n <>/|=', max_size=30) | st.text()


def written(write: Write, name: str, arguments: str | dict[str, Any]) -> str:
    """A call as its format writes it."""
    out = Writer()
    write(Call(name, arguments, None, "function", "call"), out)
    return out.text()


def schema_for(arguments: dict[str, Any]) -> Schemas:
    """A schema that gives each value its type."""
    kinds = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array", dict: "object"}
    properties = {key: {"type": kinds.get(type(value), "null")} for key, value in arguments.items()}
    return {"f": {"type": "object", "properties": properties}}


# --- Written and read back -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("write", "read"), JSON_SPELLINGS)
@given(name=names, arguments=st.dictionaries(st.text(), values, max_size=4), ascii_=st.booleans())
def test_json_calls_are_read_as_written(
    write: Write, read: Read, name: str, arguments: dict[str, Any], ascii_: bool
) -> None:
    """Any arguments come back, and their text verbatim, however it was spelt."""
    for text in (
        json.dumps(arguments, ensure_ascii=ascii_),
        json.dumps(arguments, ensure_ascii=ascii_, indent=2),
        json.dumps(arguments, ensure_ascii=ascii_, separators=(",", ":")),
    ):
        call = read(written(write, name, text), "", {})
        assert call == ReadCall(name, arguments, Status.OK, text)


@pytest.mark.parametrize(("write", "read"), TAG_SPELLINGS)
@given(arguments=st.dictionaries(keys.map(str.strip).filter(bool), values, max_size=4))
@example(arguments={"a": "</parameter>"})
@example(arguments={"a": "</parameter>\n</function>", "b": "x"})
@example(arguments={"a": "</arg_value>", "b": "\n</arg_value>"})
@example(arguments={"a": "\n", "b": "", "c": " \n ", "d": "\n\n"})
@example(arguments={"a": "<parameter=b>\n", "b": "<arg_key>b</arg_key>"})
@example(arguments={"a": '"5"', "b": "5", "c": "true", "d": "None"})
def test_tagged_calls_are_read_as_written(write: Write, read: Read, arguments: dict[str, Any]) -> None:
    """With the tool's schema any value comes back, texts to the last blank."""
    call = read(written(write, "f", arguments), "", schema_for(arguments))
    assert call == ReadCall("f", arguments)
    assert isinstance(call.arguments, dict)
    assert [*map(type, call.arguments.values())] == [*map(type, arguments.values())]


@given(value=st.dictionaries(st.text(), values, max_size=4), blank=st.text(" \n\t\r", max_size=3))
def test_members_of_an_object(value: dict[str, Any], blank: str) -> None:
    """Each member of a JSON object is found, its text untouched."""
    for text in (json.dumps(value), json.dumps(value, indent=1), json.dumps(value, separators=(",", ":"))):
        members = json_members(blank + text + blank)
        assert members is not None
        assert list(members) == list(value)
        assert [json.loads(text_) for text_, _ in members.values()] == list(value.values())
        assert [found for _, found in members.values()] == list(value.values())
        assert all(text_ in text and text_ == text_.strip() for text_, _ in members.values())


@given(text=noise)
@example(text='{"a"}')
@example(text='{"a":1,}')
@example(text='{"a":1}}')
@example(text='{"a":1]')
@example(text='{"a":[1}')
@example(text="{,}")
@example(text='{"a":1 "b":2}')
@example(text="{a:1}")
@example(text='{"a"x:1}')
@example(text='{"a":"}')
def test_members_agree_with_json(text: str) -> None:
    """What is a JSON object has the members that JSON says; what has no members is none."""
    for candidate in (text, "{" + text + "}", '{"k":' + text + "}"):
        members = json_members(candidate)
        try:
            value = json.loads(candidate)
        except ValueError:
            value = None
        if isinstance(value, dict):
            assert members is not None
            assert {key: json.loads(text_) for key, (text_, _) in members.items()} == value
        elif members is not None and not any(letter.isspace() and letter not in " \t\n\r" for letter in candidate):
            # The shape is an object's; a member is no JSON, and is kept to be read and refused.
            assert not all(load_json(text_)[1] for text_, _ in members.values())


def test_members_of_deep_and_long_values() -> None:
    """Depth and length of a value do not matter for finding it."""
    deep, number = "[" * 10_000 + "]" * 10_000, "9" * 5_000
    members = json_members(f'{{"a": {deep}, "b": {number}, "c": "}}"}}')
    assert members is not None
    assert {key: text for key, (text, _) in members.items()} == {"a": deep, "b": number, "c": '"}"'}


@given(text=noise)
def test_call_readers_never_raise(text: str) -> None:
    """Any text is a call or is not, whatever the schema."""
    for read in READERS:
        for candidate in (text, "function<｜tool▁sep｜>f\n```json\n" + text + "\n```", "f<arg_key>x</arg_key>" + text):
            call = read(candidate, "", {"f": {"properties": {"x": {"type": "string"}}}})
            assert isinstance(call, ReadCall)
            assert call.status is not Status.OK or call.name


# --- Values ----------------------------------------------------------------------------------------------------------


@given(text=st.text())
def test_a_text_stays_itself(text: str) -> None:
    """Where the schema says text, the value is the text."""
    assert typed_value(text, {"type": "string"}) == text
    assert typed_value(text, {"type": ["string"], "enum": ["a"]}) == text


@given(value=values.filter(lambda value: not isinstance(value, str)))
def test_a_value_stays_itself(value: Any) -> None:
    """JSON that is no text is read where nothing says otherwise, white space around it or not."""
    for text in (json.dumps(value), f" {json.dumps(value)}\n", json.dumps(value, indent=2)):
        read = typed_value(text)
        assert read == value
        assert type(read) is type(value)


@pytest.mark.parametrize(
    ("text", "schema", "value"),
    [
        ("", None, ""),
        (" ", None, " "),
        ("word", None, "word"),
        ('"quoted"', None, '"quoted"'),
        ("True", None, True),
        ("None", None, None),
        ("[1", None, "[1"),
        ("1" * 5000, None, "1" * 5000),
        ("1" * 5000, {"type": "integer"}, "1" * 5000),
        ("[" * 10_000 + "]" * 10_000, {"type": "array"}, "[" * 10_000 + "]" * 10_000),
        ("5", {"type": "integer"}, 5),
        ("5", {"type": ["integer", "string"]}, 5),
        ("5", {"type": ["string", "null"]}, "5"),
        ("null", {"type": ["string", "null"]}, None),
        ("null", {"anyOf": [{"type": "string"}, {"type": "null"}]}, None),
        ("null", {"type": "string", "nullable": True}, None),
        ("null", {"type": "string"}, "null"),
        ("true", {"anyOf": [{"type": "string"}, {"type": "boolean"}]}, True),
        ("true", {"anyOf": [{"type": "string"}, {"type": "integer"}]}, "true"),
        ("1", {"anyOf": [{"type": "string"}, {"type": "boolean"}]}, "1"),
        ('{"a": 1}', {"oneOf": [{"type": "string"}, {"type": "object"}]}, {"a": 1}),
        ('{"a": 1}', {"oneOf": [{"type": "string"}, {"type": "array"}]}, '{"a": 1}'),
        ("5", True, 5),
        ("5", ["string"], 5),
        ("5", {"type": {"not": "a type"}}, 5),
        ("5", {"anyOf": 3}, 5),
        ("word", {"enum": ["word", 5]}, "word"),
    ],
)
def test_values_by_their_schema(text: str, schema: Any, value: Any) -> None:
    """The schema decides what a text stands for; without one that says so JSON does, then Python, then the text."""
    read = typed_value(text, schema)
    assert read == value
    assert type(read) is type(value)


def test_json_that_python_cannot_hold() -> None:
    """Valid JSON beyond Python's limits is the text itself; what is invalid stays invalid beyond them."""
    number, deep = "1" * 5_000, 10_000
    for text in (number, "-" + number, f"[{number}]", "[" * deep + "]" * deep, '{"a":' * deep + "1" + "}" * deep):
        assert load_json(text) == (text, True)
    for text in (
        number + "x",
        f"[{number}",
        f"[{number},]",
        f"0{number}",
        "[" * deep,
        "[" * deep + "]" * (deep - 1),
        "[" * deep + "]" * (deep + 1),
        "[" * deep + "1 2" + "]" * deep,
        "[" * deep + "}" * deep,
        '{"a":' * deep + "}" * deep,
        '{"a":' * deep + "'b'" + "}" * deep,
    ):
        assert load_json(text)[1] is False


def test_no_json_constants_beyond_json() -> None:
    """NaN and Infinity are no JSON: a text that says so is a text."""
    for text in ("NaN", "Infinity", "-Infinity"):
        assert typed_value(text) == text
        assert read_json_arguments("f", f'{{"a": {text}}}').status is Status.INVALID_JSON


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ReadCall("f", {}, Status.OK, "")),
        (" ", ReadCall("f", {}, Status.OK, " ")),
        ("{}", ReadCall("f", {}, Status.OK, "{}")),
        ('"text"', ReadCall("f", "text", Status.OK, '"text"')),
        ("{", ReadCall("f", None, Status.INVALID_JSON, "{")),
        ("{'a': 1}", ReadCall("f", None, Status.INVALID_JSON, "{'a': 1}")),
        ("[]", ReadCall("f", None, Status.MALFORMED_STRUCTURE, "[]")),
        ("null", ReadCall("f", None, Status.MALFORMED_STRUCTURE, "null")),
    ],
)
def test_arguments_in_json(text: str, expected: ReadCall) -> None:
    """Arguments are an object or nothing; whatever else they are is said, and the text kept."""
    assert read_json_arguments("f", text) == expected


# --- Linear time -----------------------------------------------------------------------------------------------------

TAGS = "<function=f><parameter=x>"
PAIRS = "f<arg_key>x</arg_key><arg_value>"
FENCE = "function<｜tool▁sep｜>f\n```json\n"
ADVERSARIAL: list[tuple[str, str, str]] = [
    ("", "{", ""),
    ("", "[", ""),
    ("", '"', ""),
    ("", "\\", ""),
    ("{", " ", "}"),
    ("{", '"', "}"),
    ("{", "\\", "}"),
    ('{"', "\\", "}"),
    ('{"', '\\"', "}"),
    ('{"', '\\"', '\\"}'),
    ('{"a":', '"\\"', "}"),
    ('{"a":', "[", "}"),
    ('{"a":', "[", "1}"),
    ('{"a":', '{"a":', "}"),
    ('{"a":', "[]", "}"),
    ('{"name": "f", "arguments": {"x": "', '\\"', "}}"),
    ('{"name": "f", "arguments": {"x": ', "1", "}}"),
    ('{"name": "f", "arguments": {"x": ', "1", ", }}"),
    ('{"name": "f", "arguments": {"x": ', "[", "}}"),
    ('{"name": "', "f", '", "arguments": {}}'),
    ("{", '"a":1,', '"b":2}'),
    ("", " ", ""),
    ("", "\n", "<function=f>"),
    ("<function=", "f", ""),
    ("<function=f>", " ", "x"),
    ("<function=f>", "<parameter=x>", "</function>"),
    ("<function=f>", "<parameter=", "</function>"),
    (TAGS, "</parameter>", "</function>"),
    (TAGS, "</parameter> ", ""),
    (TAGS, "</parameter></function>", "x"),
    (TAGS, "</parameter></function> ", "x"),
    (TAGS, "</parameter><parameter=", ""),
    (TAGS, "</parameter>", " " * 1000 + "x"),
    (TAGS, " ", "</parameter>"),
    (TAGS + "</parameter>", " ", "x"),
    (TAGS + "</parameter></function>", " ", "x"),
    ("f", "<arg_key>", ""),
    ("f<arg_key>", "x", ""),
    ("f<arg_key>", "x", "</arg_key>y"),
    ("f<arg_key>", "</arg_key", ""),
    ("f<arg_key>x</arg_key>", " ", ""),
    ("f", "<arg_key></arg_key>", ""),
    ("f", "<arg_key>x</arg_key><arg_value>", ""),
    (PAIRS, "</arg_value>", "x"),
    (PAIRS, "</arg_value> ", "x"),
    (PAIRS + "</arg_value>", " ", "x"),
    (PAIRS, "</arg_value><arg_key>", ""),
    (PAIRS, "[", "</arg_value>"),
    (FENCE, "\n```", "x"),
    (FENCE, "\n```json\n", ""),
    (FENCE, "\n```\n", "x"),
    (FENCE, " ", "\n```"),
    ("", "<｜tool▁sep｜>", ""),
    ("assistant ", "to=", ""),
    ("assistant ", "to=assistant", ""),
    ("assistant ", "to=assistant ", ""),
    ("assistant to=functions.", "f", ""),
]


@pytest.mark.parametrize("pattern", ADVERSARIAL, ids=repr)
def test_no_text_is_too_much(pattern: tuple[str, str, str]) -> None:
    """Whatever is repeated, 200,000 characters are read to the end (quadratic work would take minutes each)."""
    first, unit, last = pattern
    text = first + unit * (200_000 // len(unit)) + last
    for read in READERS:
        assert isinstance(read(text, "", {"f": {"properties": {"x": {"type": "integer"}}}}), ReadCall)


def test_many_parameters_are_read() -> None:
    """Tens of thousands of parameters are read, each of them."""
    count = 20_000
    tags = "".join(f"<parameter=k{k}>\n{k}\n</parameter>\n" for k in range(count))
    pairs = "".join(f"<arg_key>k{k}</arg_key>\n<arg_value>{k}</arg_value>\n" for k in range(count))
    members = ", ".join(f'"k{k}": {k}' for k in range(count))
    expected = {f"k{k}": k for k in range(count)}
    assert read_function_tags(f"<function=f>\n{tags}</function>", "", {}) == ReadCall("f", expected)
    assert read_arg_pairs(f"f\n{pairs}", "", {}) == ReadCall("f", expected)
    assert read_json_object(f'{{"name": "f", "arguments": {{{members}}}}}', "", {}).arguments == expected


# --- Several <invoke>s in one text -----------------------------------------------------------------------------------


def invokes(*calls: tuple[str, dict[str, Any]]) -> str:
    """Calls as MiniMax-M2 writes them between the marks of a block."""
    return "\n" + "".join(written(write_invoke, name, arguments) + "\n" for name, arguments in calls)


@given(
    calls=st.lists(
        st.tuples(st.just("f"), st.dictionaries(keys.map(str.strip).filter(bool), values, max_size=3)),
        min_size=1,
        max_size=3,
    )
)
@example(calls=[("f", {"a": "</parameter>"}), ("f", {"b": "</invoke>"})])
@example(calls=[("f", {"a": '</invoke>\n<invoke name="g">'}), ("f", {"a": "</parameter>\n</invoke>\nwords"})])
@example(calls=[("f", {"a": '<parameter name="b">', "b": "</parameter>\n<parameter"}), ("f", {})])
@example(calls=[("f", {"a": "\n", "b": "", "c": " \n ", "d": "\n\n"})])
@example(calls=[("f", {"a": '"5"', "b": "5", "c": "true", "d": "None"})])
def test_invokes_are_read_as_written(calls: list[tuple[str, dict[str, Any]]]) -> None:
    """Every call of a block comes back, typed by its schema, and their texts add up to the block's."""
    text = invokes(*calls)
    for k, (name, arguments) in enumerate(calls):
        read = read_invokes(text, "", schema_for(arguments))
        assert [call.status for call in read] == [Status.OK] * len(calls)
        assert (read[k].name, read[k].arguments) == (name, arguments)
        assert "".join(call.raw or "" for call in read) == text


A, B = '<invoke name="f">\n<parameter name="a">1</parameter>\n</invoke>\n', '<invoke name="g">\n</invoke>'


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", [(None, None, Status.MALFORMED_STRUCTURE)]),
        ("words", [(None, None, Status.MALFORMED_STRUCTURE)]),
        (f"words {A}", [(None, None, Status.MALFORMED_STRUCTURE)]),
        (A + B, [("f", {"a": 1}, Status.OK), ("g", {}, Status.OK)]),
        (B + A, [("g", {}, Status.OK), ("f", {"a": 1}, Status.OK)]),
        ('<invoke name="">\n</invoke>\n' + B, [(None, None, Status.MISSING_NAME), ("g", {}, Status.OK)]),
        (f'<invoke name="h">words</invoke>{B}', [("h", {}, Status.MALFORMED_STRUCTURE), ("g", {}, Status.OK)]),
        (f"{B} words", [("g", {}, Status.MALFORMED_STRUCTURE)]),
        (
            f'<invoke name="h"><parameter name="a">1</parameter><parameter name="a">2</parameter></invoke>{B}',
            [("h", {"a": 1}, Status.MALFORMED_STRUCTURE), ("g", {}, Status.OK)],
        ),
        (
            f'{A}<invoke name="h"><parameter name="a">1',
            [("f", {"a": 1}, Status.OK), ("h", {}, Status.MALFORMED_STRUCTURE)],
        ),
        (f'<invoke name="h"><parameter name="a">1</invoke>\n{B}', [("h", {}, Status.MALFORMED_STRUCTURE)]),
    ],
)  # fmt: skip
def test_broken_invokes(text: str, expected: list[tuple[Any, ...]]) -> None:
    """What is wrong with one call is said of that one, as far as it can be told where it ends."""
    read = read_invokes(text, "", {})
    assert [(call.name, call.arguments, call.status) for call in read] == expected
    assert "".join(call.raw or "" for call in read) == (text if read[0].raw is not None else "")


def test_values_of_invokes() -> None:
    """Texts stand verbatim and everything else as JSON; patched, as it was spelt in the caller's JSON."""
    out = Writer()
    write_invoke(Call("f", '{"a": 1.50, "b": "x\\n", "c": [1,2]}', None, "function", "call"), out, patched=True)
    assert out.text() == (
        '<invoke name="f">\n<parameter name="a">1.50</parameter>\n<parameter name="b">x\n</parameter>\n'
        '<parameter name="c">[1,2]</parameter>\n</invoke>'
    )
    assert written(write_invoke, "f", {"a": True, "b": None, "c": {"é": 1}}) == (
        '<invoke name="f">\n<parameter name="a">true</parameter>\n<parameter name="b">null</parameter>\n'
        '<parameter name="c">{"é": 1}</parameter>\n</invoke>'
    )


OPEN = '<invoke name="f"><parameter name="x">'


@pytest.mark.parametrize(
    "pattern",
    [
        *ADVERSARIAL,
        ("", '<invoke name="f">', ""),
        ("", '<invoke name="f"></invoke>', "x"),
        ("", '<invoke name="f">x</invoke>', ""),
        ("", '<invoke name="f">x</invoke> ', "x"),
        ("", f"{OPEN}v</invoke>\n", ""),
        ("", f"{OPEN}v</parameter></invoke>\n", "x"),
        ("", f'{OPEN}v</parameter><parameter name="x">v</invoke>', ""),
        ("", f'{OPEN}v</parameter><parameter name="x">v</parameter></invoke>', ""),
        (OPEN, "</parameter>", "</invoke>"),
        (OPEN, "</parameter> ", ""),
        (OPEN, '</parameter><parameter name="', ""),
        (OPEN, '</parameter></invoke><invoke name="', ""),
        (OPEN, "</parameter></invoke> ", "x"),
        (f"{OPEN}</parameter></invoke>", " ", "x"),
        ('<invoke name="f">', " ", "x"),
        ('<invoke name="f">x</invoke>', " ", "x"),
        ('<invoke name="', '"', ""),
    ],
    ids=repr,
)  # fmt: skip
def test_no_text_of_invokes_is_too_much(pattern: tuple[str, str, str]) -> None:
    """Nor does any text take long that may hold any number of calls."""
    first, unit, last = pattern
    text = first + unit * (200_000 // len(unit)) + last
    assert all(isinstance(call, ReadCall) for call in read_invokes(text, "", {"f": {}}))


@given(text=noise)
def test_reading_invokes_never_raises(text: str) -> None:
    """Any text gives at least one call, good or not, and none of it is lost."""
    for candidate in (text, OPEN + text, invokes(("f", {})) + text, f"{OPEN}{text}</parameter></invoke>"):
        read = read_invokes(candidate, "", {"f": {"properties": {"x": {"type": "string"}}}})
        assert read
        assert len(read) == 1 or "".join(call.raw or "" for call in read) == candidate


@pytest.mark.parametrize(
    ("schema", "text", "wanted"),
    [
        ({"$ref": "#/$defs/text"}, "5", "5"),
        ({"$ref": "#/$defs/whole"}, "5", 5),
        ({"$ref": "#/$defs/missing"}, "5", 5),
        ({"$ref": "#/$defs/loop"}, "5", 5),
        ({"allOf": [{"$ref": "#/$defs/text"}, {"maxLength": 3}]}, "true", "true"),
        ({"anyOf": [{"$ref": "#/$defs/text"}, {"type": "null"}]}, "null", None),
        ({"anyOf": [{"$ref": "#/$defs/text"}, {"type": "null"}]}, "5", "5"),
        ({"enum": ["1", "2"]}, "1", "1"),
        ({"enum": [1, "2"]}, "1", 1),
        ({"enum": ["1", None]}, "null", None),
        ({"const": "true"}, "true", "true"),
        ({"type": "number", "enum": [1, 2]}, "1", 1),
        ({"type": ["string", "null"]}, "5", "5"),
        ({"type": None}, "5", 5),
    ],
)
def test_references_and_listed_values_type_arguments(schema: Any, text: str, wanted: Any) -> None:
    definitions = {"text": {"type": "string"}, "whole": {"type": "integer"}, "loop": {"$ref": "#/$defs/loop"}}
    root = {"properties": {"a": schema}, "$defs": definitions}
    assert typed_value(text, schema, root) == wanted
    call = read_function_tags(f"<function=f>\n<parameter=a>\n{text}\n</parameter>\n</function>", "", {"f": root})
    assert call.arguments == {"a": wanted}

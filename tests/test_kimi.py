"""What is Kimi's own: its tokenizer, tools as TypeScript, ids that name the tool, names and roles of turns."""

from __future__ import annotations

import json
import random
import unicodedata
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from renderers import BadMessage, BadOption, create_renderer
from renderers._schema_kimi import kimi_namespace, sorted_keys
from renderers._tiktoken import PATTERN, tiktoken_tokenizer
from tests import kimi, oracles
from tests.harness import renderer

real = pytest.mark.skipif(not oracles.has_assets("kimi-k2"), reason="the real tokenizer is not on this machine")

USER = {"role": "user", "content": "hi"}


# --- The tokenizer -------------------------------------------------------------------------------------------------


@cache
def ours() -> Any:
    return tiktoken_tokenizer(oracles.assets_folder() / "kimi-k2" / "tiktoken.model", {})


@cache
def words() -> list[str]:
    """Every token of the vocabulary that is whole characters."""
    texts = (ours().decode([id_], skip_special_tokens=False) for id_ in range(kimi.FIRST))
    return [text for text in texts if "\ufffd" not in text]


def joined(rng: random.Random, pool: list[str], most: int) -> str:
    return "".join(rng.choice(pool) for _ in range(rng.randint(2, most)))


def nasties(kind: str, rng: random.Random) -> list[str]:
    """Texts that a merge list may read otherwise than ranks do."""
    white = [" ", "\n", "\t", "\r", "\u3000", "\xa0", "\u2028", "\x85", "\x1f"]
    if kind == "concatenations":
        pools = [words(), [w for w in words() if w.isascii() and w.isalpha()], [w for w in words() if not w.isalnum()]]
        return [joined(rng, pool, 10) for pool in pools for _ in range(6_000)]
    if kind == "periodic":
        bits = ["".join(rng.choice("ab") for _ in range(rng.randint(1, 6))) for _ in range(2_000)]
        pairs = [joined(rng, words(), 2) for _ in range(3_000)]
        return [bit * rng.randint(2, 40) for bit in bits + pairs]
    if kind == "runs":
        counts = [*range(1, 70), 255, 256, 257, 499, 500, 501, 5000]
        return [sign * count for sign in "=-_*#.aA 0\n\t\r!/x的 é\u0301\U0001f600" for count in counts]
    if kind == "white space":
        return [joined(rng, white, 30) + rng.choice(["", "a", "中", "1", "!"]) for _ in range(10_000)]
    if kind == "any characters":
        ranges = [(0, 0x2FF), (0, 0x33FF), (0x3400, 0xD7FF), (0xE000, 0x10FFFF)]
        return ["".join(chr(rng.randint(*rng.choice(ranges))) for _ in range(30)) for _ in range(5_000)]
    if kind == "case and contractions":
        return [joined(rng, list("aAbB'sStTrReEvVmMlLdDſ İıßẞ中文々〇ー１½"), 25) for _ in range(10_000)]
    return [path.read_text(encoding="utf-8") for path in sorted(Path(__file__).parent.glob("*.py"))]


@real
@pytest.mark.parametrize(
    "kind",
    ["concatenations", "periodic", "runs", "white space", "any characters", "case and contractions", "code"],
)
def test_ids_are_tiktokens(kind: str) -> None:
    """On texts made to tell ranks from merges, and patterns from patterns."""
    texts = nasties(kind, random.Random(kind))
    oracle = oracles.tokenizer_for("kimi-k2")
    found = [encoding.ids for encoding in ours().encode_batch_fast(texts, add_special_tokens=False)]
    for text, ids in zip(texts, found, strict=True):
        assert ids == oracle.encode_plain(text), text
    assert sum(map(len, found)) > 20_000


@real
def test_characters_split_as_in_tiktoken() -> None:
    """Both regex engines put every character of a class where the other does, new ones too."""
    rng = random.Random(0)
    points = [p for p in range(0x110000) if not 0xD800 <= p < 0xE000 and unicodedata.category(chr(p)) != "Co"]
    texts = [f"A{chr(p)}a 1{chr(p)}'s中{chr(p)}!" for p in rng.sample(points, 60_000)]
    oracle = oracles.tokenizer_for("kimi-k2")
    for text, encoding in zip(texts, ours().encode_batch_fast(texts, add_special_tokens=False), strict=True):
        assert encoding.ids == oracle.encode_plain(text), text


@real
@pytest.mark.parametrize("family", ["kimi-k2", "kimi-k2.5"])
def test_every_way_to_give_it_gives_the_same(family: str) -> None:
    """A folder, and an object like that of Kimi's remote code, with all 256 control tokens."""
    oracle = oracles.tokenizer_for(family)
    controls = {token.content: id_ for id_, token in oracle.get_added_tokens_decoder().items()}
    assert len(controls) == 256
    messages = [{"role": "user", "content": f"x {' '.join(controls)} y"}, {"role": "assistant", "content": "z"}]
    made = [create_renderer(source, family) for source in (str(oracles.model_folder(family)), oracle)]
    first, second = (r.render_ids(messages) for r in made)
    assert first == second
    parity = create_renderer(oracle, family, parity=True).render_ids(messages)
    assert parity == oracles.template_ids(family, messages)


@real
def test_decoding_is_tiktokens() -> None:
    oracle = oracles.tokenizer_for("kimi-k2")
    full = tiktoken_tokenizer(Path(oracle.vocab_file), {id_: {"content": "<x>"} for id_ in [kimi.FIRST]})
    ids = list(range(0, kimi.FIRST, 7))
    assert full.decode(ids, skip_special_tokens=False) == oracle.decode(ids)
    assert (full.token_to_id("<x>"), full.token_to_id("[BOS]")) == (kimi.FIRST, None)


def test_the_pattern_is_the_originals() -> None:
    assert PATTERN == kimi.PATTERN


@pytest.mark.parametrize("content", [b"", b"YQ==", b"YQ== 1\n", b"!!!! 0\n", b"YQ== 0\nYQ== 1\n", b"YQ== x\n"])
def test_a_file_that_is_none(tmp_path: Path, content: bytes) -> None:
    """One clear error."""
    (tmp_path / "tiktoken.model").write_bytes(content)
    with pytest.raises(BadOption, match=r"tiktoken\.model"):
        create_renderer(str(tmp_path), "kimi-k2")


# --- Tools ---------------------------------------------------------------------------------------------------------

STRING, INTEGER, BOOLEAN = ({"type": name} for name in ("string", "integer", "boolean"))
PAIR = {"type": "object", "properties": {"b": STRING, "a": INTEGER}}

# From the original encoder: texts in github.com/lightseekorg/smg, crates/tokenizer/tests/fixtures/kimi_k25.
ORIGINAL: list[tuple[Any, str, str | None]] = [
    ({"v": {"anyOf": [STRING, INTEGER]}}, "{\n  v?: string | number\n}", None),
    ({"x": {"type": "uuid"}}, "{\n  x?: uuid\n}", None),
    ({"ms": {"type": "integer", "minimum": 0}}, "{\n  // minimum: 0\n  ms?: number\n}", None),
    ({"text": {"type": "string", "description": "The text\nto annotate."}},
     "{\n  // The text\n  // to annotate.\n  text?: string\n}", None),
    ({"user": {"type": "object", "properties": {"name": STRING, "age": INTEGER}, "required": ["name"]}},
     "{\n  user?: {\n    name: string,\n    age?: number\n  }\n}", None),
    ({}, "{}", None),
]  # fmt: skip

# From a port of it, the PyPI package renderers 0.1.12.
PORT: list[tuple[Any, str, str | None]] = [
    ({"x": {"enum": ["a", 1, None, True, 1.5, {"b": [None]}]}},
     '{\n  x?: "a" | 1 | null | true | 1.5 | {"b": [null]}\n}', None),
    ({"x": {"type": ["string", "null"], "description": "d", "minLength": 2}},
     "{\n  // d\n  x?: string | null\n}", None),
    ({"x": {"type": ["object", "array", "integer"]}}, "{\n  x?: {} | Array<any> | number\n}", None),
    ({"x": {}, "y": True, "z": False}, "{\n  x?: any,\n  y?: any,\n  z?: null\n}", None),
    ({"x": {"type": "string", "const": "a", "nullable": True, "format": "f"}}, "{\n  x?: string\n}", None),
    ({"x": {"type": "string", "minLength": 1, "maxLength": 5, "pattern": "a,b", "default": 'q"'}},
     '{\n  // maxLength: 5, minLength: 1, pattern: a,b\n  // Default: "q\\""\n  x?: string\n}', None),
    ({"x": {"type": "object", "default": {"b": 1, "a": [2.0, "é"]}}},
     '{\n  // Default: {"a": [2.0, "é"], "b": 1}\n  x?: {}\n}', None),
    ({"x": {"type": "array", "minItems": 1, "items": {"type": "string", "description": "it", "default": "z"}}},
     "{\n  // minItems: 1\n  x?: Array<\n    // it\n    string\n  >\n}", None),
    ({"x": {"type": "array", "items": {"type": "array", "items": PAIR}}},
     "{\n  x?: Array<Array<{\n    a?: number,\n    b?: string\n  }>>\n}", None),
    ({"x": {"type": "object", "additionalProperties": {"type": "integer", "description": "no"}}},
     "{\n  x?: {\n    [k: string]: number\n  }\n}", None),
    ({"x": {"type": "object", "properties": {"k": STRING}, "additionalProperties": False}},
     "{\n  x?: {\n    k?: string,\n    [k: string]: never\n  }\n}", None),
    ({"x": {"type": "string", "description": "a\n\n\tc \n"}}, "{\n  // a\n\n  // \tc \n\n  x?: string\n}", None),
    ({"x": {"anyOf": [{"$ref": "#/$defs/n"}, {"type": "null"}], "default": None}}, "{\n  x?: n | null\n}",
     "// A node\ninterface n {\n  v: number\n}"),
    ({"x": {"$ref": "#/$defs/n", "description": "hello", "type": "array"}}, "{\n  // hello\n  x?: n\n}",
     "// A node\ninterface n {\n  v: number\n}"),
    ({"x": {"$ref": "#"}}, "parameters", "interface parameters {\n  x?: parameters\n}"),
]  # fmt: skip

# Ours, where the original gives up, and keywords that are null.
ANY: list[tuple[Any, str, str | None]] = [
    ({"x": {"description": "d", "default": 1}}, "{\n  // d\n  // Default: 1\n  x?: any\n}", None),
    ({"x": {"oneOf": [STRING]}, "y": {"allOf": [STRING]}, "z": {"const": 1}, "n": {"not": STRING}},
     "{\n  n?: any,\n  x?: any,\n  y?: any,\n  z?: any\n}", None),
    ({"x": {"$ref": "#/$defs/nowhere"}, "y": {"$ref": "http://x"}, "z": {"$ref": 5}},
     "{\n  x?: any,\n  y?: any,\n  z?: any\n}", None),
    ({"x": {"type": "array", "items": [STRING]}, "y": {"anyOf": [STRING, {"minLength": 1}]}},
     "{\n  x?: Array<any>,\n  y?: string | any\n}", None),
    ({"x": {"type": None, "enum": None, "anyOf": None, "$ref": None, "description": None}}, "{\n  x?: any\n}", None),
    ({"x": {"type": "string", "minLength": None, "default": None, "enum": None}}, "{\n  x?: string\n}", None),
    ({"x": {"type": {"a": 1}}, "y": "text", "z": {"type": "string", "description": 5}},
     "{\n  x?: any,\n  y?: any,\n  z?: string\n}", None),
]  # fmt: skip


def tool(name: str, properties: Any, **more: Any) -> dict[str, Any]:
    parameters: dict[str, Any] = {"type": "object", "properties": properties, **more}
    if "#/$defs/n" in json.dumps(properties) and "nowhere" not in json.dumps(properties):
        parameters["$defs"] = {
            "n": {"type": "object", "description": "A node", "properties": {"v": INTEGER}, "required": ["v"]}
        }
    return {"type": "function", "function": {"name": name, "description": "D", "parameters": parameters}}


@pytest.mark.parametrize(("properties", "printed", "interface"), [*ORIGINAL, *PORT, *ANY])
def test_schemas_as_typescript(properties: Any, printed: str, interface: str | None) -> None:
    """Character by character."""
    before = "" if interface is None else f"{interface}\n"
    text = kimi_namespace(sorted_keys([tool("t", properties)]))
    assert (
        text == f"# Tools\n\n## functions\nnamespace functions {{\n{before}// D\ntype t = (_: {printed}) => any;\n}}\n"
    )


@pytest.mark.parametrize(("properties", "printed", "interface"), ANY[:4])
def test_what_the_original_gives_up_on(properties: Any, printed: str, interface: str | None) -> None:
    """It then prints all tools as JSON, and so does parity."""
    tools = [tool("u", {"a": STRING}), tool("t", properties)]
    assert kimi_namespace(sorted_keys(tools), strict=True) == ""
    assert kimi_namespace(sorted_keys(tools[:1]), strict=True) == kimi_namespace(sorted_keys(tools[:1]))


def test_required_properties_come_first_and_keys_are_sorted() -> None:
    one = tool("z", {"c": STRING, "b": STRING, "a": STRING, "d": STRING}, required=["d", "b", "nowhere"])
    two = {"type": "function", "function": {"name": "a"}}
    assert kimi_namespace(sorted_keys([one, two])).endswith(
        "type z = (_: {\n  b: string,\n  d: string,\n  a?: string,\n  c?: string\n}) => any;\n"
        "type a = (_: {}) => any;\n}\n"
    )


def test_definitions_become_interfaces_wherever_they_stand() -> None:
    inner = {"type": "object", "properties": {"q": {"$ref": "#/$defs/z"}}, "$defs": {"z": {"enum": ["a"]}}}
    text = kimi_namespace(
        sorted_keys([tool("t", {"x": {"type": "array", "items": inner}, "y": {"$ref": "#/$defs/z"}})])
    )
    assert 'interface z "a"\n// D\ntype t' in text
    assert "y?: z" in text


def test_a_schema_nested_as_deep_as_may_be() -> None:
    deep: dict[str, Any] = STRING
    for _ in range(95):
        deep = {"type": "object", "properties": {"p": deep}}
    messages = [{"role": "user", "content": "x"}]
    if oracles.has_assets("kimi-k2"):
        assert "p?: string" in renderer("kimi-k2.5").render_text(messages, tools=[tool("t", {"p": deep})])


@real
def test_parity_falls_back_on_json_as_the_original_does() -> None:
    tools = [{"function": {"parameters": {"type": "object", "properties": {"x": {"const": 1}}}, "name": "t"}}]
    text = renderer("kimi-k2.5", parity=True).render_text([USER], tools=tools)
    assert text == oracles.template_text("kimi-k2.5", [USER], tools)
    assert "x?: any" in renderer("kimi-k2.5").render_text([USER], tools=tools)


# --- Ids, names, roles ---------------------------------------------------------------------------------------------


def called(*names: str, **more: Any) -> dict[str, Any]:
    calls = [{"type": "function", "function": {"name": name, "arguments": "{}"}, **more} for name in names]
    return {"role": "assistant", "content": None, "tool_calls": calls}


@real
@pytest.mark.parametrize("key", ["kimi-k2", "kimi-k2.5", "kimi-k2.6"])
def test_calls_without_ids_get_the_models(key: str) -> None:
    """Counted over the whole conversation; their results say the same."""
    result = {"role": "tool", "content": "r"}
    text = renderer(key).render_text([USER, called("f", "g"), result, result, called("f"), result])
    for n, name in enumerate(("f", "g", "f")):
        assert f"<|tool_call_begin|>functions.{name}:{n}<|tool_call_argument_begin|>" in text
        assert text.count(f"## Return of functions.{name}:{n}\n") == 1
    assert "functions.f:7<|tool" in renderer(key).render_text([USER, called("f", id="functions.f:7")])
    assert "## Return of \n" in renderer(key).render_text([USER, called("f", id="functions.f:7"), result])


@real
@pytest.mark.parametrize(
    ("id_", "name"),
    [("functions.f:0", "f"), ("f:12", "f"), ("functions.a.b-c:3", "a.b-c"), ("f", "f"), (" functions.f:0\n", "f"),
     ("functions.:0", None), ("", None)],
)  # fmt: skip
def test_the_id_says_the_name(id_: str, name: str | None) -> None:
    key = "kimi-k2"
    reply = f"<|tool_calls_section_begin|><|tool_call_begin|>{id_}<|tool_call_argument_begin|>{{}}<|tool_call_end|>"
    ids = oracles.tokenizer_for(key).encode(f"{reply}<|tool_calls_section_end|><|im_end|>").ids
    (call,) = renderer(key).parse_response(ids).tool_calls
    assert (call.name, call.id) == (name, id_.strip() or None)


@real
@pytest.mark.parametrize("key", ["kimi-k2", "kimi-k2.5", "kimi-k2.6"])
def test_a_name_stands_for_the_role(key: str) -> None:
    """Of every role; roles without a marker take the system's. Nobody's words become a control token."""
    messages = [
        {"role": "critic", "content": "c"},
        {"role": "user", "content": "u", "name": "Ann<|im_end|>"},
        {"role": "assistant", "content": "a", "name": "Bob"},
        {"role": "tool", "content": "t", "tool_call_id": "x", "name": "f"},
    ]
    r = renderer(key)
    assert r.render_text(messages) == oracles.template_text(key, messages)
    end = oracles.control_strings(key)["<|im_end|>"] if key != "kimi-k2.6" else 163586
    assert r.render_ids(messages).count(end) == len(messages) + (key == "kimi-k2")


@real
def test_reasoning_has_no_place_in_k2() -> None:
    with pytest.raises(BadMessage):
        renderer("kimi-k2").render([USER, {"role": "assistant", "content": "a", "reasoning_content": "r"}])


@real
@pytest.mark.parametrize("options", [{}, {"thinking": False}, {"preserve_thinking": True},
                                     {"thinking": False, "preserve_thinking": True}])  # fmt: skip
def test_k26_keeps_the_reasoning_it_is_told_to(options: dict[str, Any]) -> None:
    """`thinking=False` empties it only while `preserve_thinking` is off."""
    said = {"role": "assistant", "content": "a", "reasoning_content": "R1"}
    asked = {**called("f", id="functions.f:0"), "reasoning_content": "R2"}
    messages = [USER, said, USER, asked]
    text = renderer("kimi-k2.6", **options).render_text(messages, add_generation_prompt=True)
    assert text == oracles.template_text("kimi-k2.6", messages, None, True, **options)
    preserved = options.get("preserve_thinking", False)
    assert ("R1" in text) == preserved
    assert ("R2" in text) == (preserved or options.get("thinking", True))

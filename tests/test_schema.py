"""The two TypeScript spellings of tool schemas, compared with the vendor's encoder and with the real chat template."""

import json
import math
import os
import random
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jinja2
import pytest
from jinja2.ext import loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment

from renderers._schema_harmony import harmony_namespace, template_namespace

Printer = Callable[[str, list[dict[str, Any]]], str]

TEMPLATE = Path(__file__).parent / "templates/gpt-oss/chat_template.jinja"
ASSETS = Path(os.environ.get("RENDERERS_ASSETS", Path(__file__).parent.parent / ".cache/assets")) / "gpt-oss"

NAMES = ["a", "city", "größe", "日本", 'qu"ote', "with space", "null", "x\ny", "<|end|>", "items"]
WORDS = ["", "One line.", "Two\nlines.", "C\r\nR\r", "\n", 'a "b" \\ c', "nullable", "emoji 😀 é \u2028", "<|start|>"]
TYPES = ["string", "number", "integer", "boolean", "object", "array", "null", "unheard-of"]
NUMBERS = [0, -7, 2**64 - 1, 2**64, -(2**63), -(2**63) - 1, 10**25, 0.1, 1e-5, 1e-6, 5e-324, 1e16, -0.0]
MISSHAPEN = [None, True, 3, "text", [], {}, [None, 1, "s", {"type": "string"}], {"type": "string"}]
CORNERS: list[dict[str, Any]] = [
    {"type": "string", "oneOf": None, "default": "x", "description": "A oneOf that is no array."},
    {"oneOf": {"type": "string"}, "default": "x", "description": "A oneOf that is no array."},
    {"oneOf": [], "default": "x", "description": "A oneOf without variants."},
    {"type": "array", "items": {"type": ["x" * 50]}},
    {"type": "array", "items": {"type": ["x" * 51]}},
    {"type": "array", "items": {"type": ["object", "object"]}},
    {"type": "array", "items": [{"type": "string"}]},
    {"type": "string", "enum": ["no", "null"], "nullable": True},
]


def random_float(rng: random.Random) -> float:
    """Any finite double, or a short decimal as people write it."""
    (number,) = struct.unpack("d", rng.randbytes(8))
    return number if math.isfinite(number) and rng.random() < 0.5 else round(rng.uniform(-99, 99), rng.randrange(9))


def random_json(rng: random.Random, depth: int = 2) -> Any:
    """A JSON value as a tool author might give as a default."""
    pick = rng.random()
    if pick < 0.1 and depth:
        return {rng.choice(NAMES): random_json(rng, depth - 1) for _ in range(rng.randrange(3))}
    if pick < 0.3 and depth:
        return [random_json(rng, depth - 1) for _ in range(rng.randrange(4))]
    return rng.choice(
        [random_float(rng), rng.choice(NUMBERS), rng.choice(WORDS), "\x00\x1f\x7f\b\f/", None, True, [], {}]
    )


def random_schema(rng: random.Random, depth: int = 4) -> Any:
    """A JSON schema nested to at most `depth`, sometimes with keywords of a shape that no schema should have."""
    if rng.random() < 0.03:
        return rng.choice(MISSHAPEN)
    keywords: dict[str, Callable[[], Any]] = {
        "title": lambda: rng.choice(WORDS),
        "description": lambda: rng.choice(WORDS),
        "enum": lambda: rng.choices([*WORDS, *WORDS, None, 1, 2.5], k=rng.randrange(4)),
        "default": lambda: random_json(rng),
        "examples": lambda: [random_json(rng) for _ in range(rng.randrange(4))],
        "nullable": lambda: rng.choice([True, True, False, 1, None]),
        "const": lambda: random_json(rng),
        "$ref": lambda: "#/definitions/x",
        "minimum": lambda: 1,
        "additionalProperties": lambda: False,
    }
    schema = {key: make() for key, make in keywords.items() if rng.random() < 0.25}
    if rng.random() < 0.85:
        schema["type"] = rng.choice(TYPES) if rng.random() < 0.85 else rng.choices(TYPES, k=rng.randrange(4))
    if depth:
        if schema.get("type") == "array" and rng.random() < 0.85:
            schema["items"] = random_schema(rng, depth - 1)
        if rng.random() < (0.9 if schema.get("type") == "object" else 0.05):
            schema |= random_object(rng, depth - 1)
        for union in ("oneOf", "anyOf", "allOf"):
            if rng.random() < (0.15 if union == "oneOf" else 0.05):
                schema[union] = [random_schema(rng, depth - 1) for _ in range(rng.randrange(4))]
    if rng.random() < 0.2 and isinstance(first := next(iter(schema.get("oneOf", [])), None), dict):
        schema["description"] = first.get("description", "D")
    if rng.random() < 0.04:
        schema[rng.choice(["type", "items", "properties", "required", "oneOf", *keywords])] = rng.choice(MISSHAPEN)
    return schema


def random_object(rng: random.Random, depth: int) -> dict[str, Any]:
    """The type object with some properties, of which some are required."""
    properties = {name: random_schema(rng, depth) for name in rng.sample(NAMES, rng.randrange(4))}
    required = [name for name in properties if rng.random() < 0.5]
    return {"type": "object", "properties": properties} | ({"required": required} if rng.random() < 0.7 else {})


def random_tool(rng: random.Random) -> dict[str, Any]:
    """A tool whose parameters are mostly an object with properties, as the API asks for."""
    parameters = random_schema(rng) if rng.random() < 0.1 else random_object(rng, 3)
    if not isinstance(parameters, dict):
        parameters = None
    elif rng.random() < 0.2:
        parameters["description"] = rng.choice(WORDS)
    return {"name": rng.choice(NAMES), "description": rng.choice(WORDS), "parameters": parameters}


@pytest.fixture(scope="module")
def vendor_namespace() -> Printer:
    """The tools section of a developer message that openai-harmony renders, decoded from its tokens."""
    harmony = pytest.importorskip("openai_harmony")
    if not (ASSETS / "o200k_base.tiktoken").exists():
        pytest.skip(f"no o200k_base.tiktoken in {ASSETS}")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TIKTOKEN_ENCODINGS_BASE", str(ASSETS))
        encoding = harmony.load_harmony_encoding(harmony.HarmonyEncodingName.HARMONY_GPT_OSS)

    def namespace(name: str, tools: list[dict[str, Any]]) -> str:
        config = harmony.ToolNamespaceConfig(name=name, tools=[harmony.ToolDescription(**tool) for tool in tools])
        content = harmony.DeveloperContent.new().with_tools(config)
        message = harmony.Message.from_role_and_content(harmony.Role.DEVELOPER, content)
        text: str = encoding.decode_utf8(encoding.render(message))
        return text.removeprefix("<|start|>developer<|message|># Tools\n\n").removesuffix("<|end|>")

    return namespace


@pytest.fixture(scope="module")
def macro_namespace() -> Printer:
    """The macro of the real chat template, run by Jinja as Hugging Face runs it."""
    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols])
    environment.filters["tojson"] = lambda value: json.dumps(value, ensure_ascii=False)
    macros, marker, _ = TEMPLATE.read_text("utf-8").partition("{#- System Message Construction")
    assert marker
    macro = environment.from_string(macros).module.render_tool_namespace  # type: ignore[attr-defined]
    return lambda name, tools: str(macro(name, [{"type": "function", "function": tool} for tool in tools]))


def test_harmony_namespace_equals_openai_harmony(vendor_namespace: Printer) -> None:
    """For 3000 random tools, nested to depth 4, our text is the vendor encoder's text, character for character."""
    rng = random.Random(20250805)
    for _ in range(1500):
        name, tools = rng.choice(["functions", "größe x"]), [random_tool(rng) for _ in range(2)]
        assert harmony_namespace(name, tools) == vendor_namespace(name, tools), json.dumps(tools)


@pytest.mark.parametrize("schema", CORNERS)
def test_corner_cases_equal_both_originals(
    vendor_namespace: Printer, macro_namespace: Printer, schema: dict[str, Any]
) -> None:
    """Schemas that chance seldom makes print alike too, as a property and inside a nested oneOf."""
    properties = {"a": schema, "b": {"type": "array", "items": {"oneOf": [schema]}}}
    tool = {"name": "f", "description": "D", "parameters": {"type": "object", "properties": properties}}
    assert harmony_namespace("functions", [tool]) == vendor_namespace("functions", [tool])
    assert template_namespace("functions", [tool]) == macro_namespace("functions", [tool])


def test_harmony_namespace_of_no_tools_equals_openai_harmony(vendor_namespace: Printer) -> None:
    """Without tools the vendor prints a heading and no namespace, and so do we."""
    assert harmony_namespace("functions", []) == vendor_namespace("functions", [])


def test_harmony_defaults_equal_openai_harmony(vendor_namespace: Printer) -> None:
    """Numbers in defaults are spelled, and rounded, as the vendor's JSON library reads and writes them."""
    rng = random.Random(7)
    numbers: list[float] = [random_float(rng) for _ in range(3000)]
    numbers += [rng.getrandbits(rng.randrange(1, 200)) * rng.choice([1, -1]) for _ in range(1000)]
    numbers += [float(f"{rng.choice([1, 2.5, 9.99])}e{exponent}") for exponent in range(-324, 308)]
    properties = {f"p{i}": {"type": "number", "default": number} for i, number in enumerate(numbers)}
    tool = {"name": "f", "description": "", "parameters": {"type": "object", "properties": properties}}
    assert harmony_namespace("functions", [tool]) == vendor_namespace("functions", [tool])


NESTED: dict[str, Any] = {"type": "string"}
for _ in range(200):
    NESTED = {"type": "array", "items": NESTED}


@pytest.mark.parametrize(
    ("tool", "expected"),
    [
        ({"name": "f", "parameters": None}, "type f = () => any;"),
        ({"name": "f", "description": None}, "type f = () => any;"),
        ({"name": "f", "description": "D", "parameters": ["no object"]}, "// D\ntype f = (_: any) => any;"),
        ({"name": "f", "description": "D", "parameters": NESTED}, f"// D\ntype f = (_: string{'[]' * 200}) => any;"),
        (
            {"name": "f", "description": "D", "parameters": {"oneOf": [{"default": [float("nan"), 10**400]}]}},
            f"// D\ntype f = (_: \n | any // default: [NaN,{10**400}]) => any;",
        ),
    ],
    ids=["no description", "null description", "list as parameters", "too deep", "no JSON numbers"],
)
def test_harmony_namespace_prints_what_openai_harmony_refuses(
    vendor_namespace: Printer, tool: dict[str, Any], expected: str
) -> None:
    """Tools on which the vendor's encoder stops, although they have an obvious text, are printed all the same."""
    with pytest.raises(ValueError, match=r"validation error|invalid message JSON"):
        vendor_namespace("functions", [tool])
    framed = f"## functions\n\nnamespace functions {{\n\n{expected}\n\n}} // namespace functions"
    assert harmony_namespace("functions", [tool]) == framed


def test_template_namespace_equals_the_chat_template(macro_namespace: Printer) -> None:
    """For 6000 random tools our text is the macro's text, and we refuse exactly the tools on which the macro stops."""
    rng = random.Random(20250806)
    refused = 0
    for _ in range(6000):
        tool = random_tool(rng)
        if rng.random() < 0.05:
            tool[rng.choice(["name", "description", "parameters"])] = rng.choice(MISSHAPEN)
        if rng.random() < 0.02:
            del tool["description"]
        try:
            expected = macro_namespace("functions", [tool])
        except (TypeError, jinja2.UndefinedError):
            refused += 1
            with pytest.raises(ValueError, match="cannot print tool"):
                template_namespace("functions", [tool])
        else:
            assert template_namespace("functions", [tool]) == expected, json.dumps(tool)
    assert 100 < refused < 3000


def test_template_namespace_of_several_tools_equals_the_chat_template(macro_namespace: Printer) -> None:
    """The frame around none, one and several tools is the macro's, under any name."""
    tool = {"name": "f", "description": "D", "parameters": None}
    for tools in ([], [tool], [tool, tool | {"name": "g"}]):
        assert template_namespace("größe x", tools) == macro_namespace("größe x", tools)


@pytest.mark.parametrize(
    ("parameter", "sentence"),
    [
        ({"description": ["D"]}, "description is not a string"),
        ({"enum": [1, 2], "default": 1}, "default beside an enum is not a string"),
        ({"oneOf": [{}], "default": 1}, "default beside a oneOf is not a string"),
        ({"oneOf": [{"description": 1}]}, "description of a variant is not a string"),
        ({"type": "object", "properties": ["a"]}, "properties is not an object"),
    ],
)
def test_template_namespace_says_which_parameter_it_refuses(parameter: dict[str, Any], sentence: str) -> None:
    """The refusal names the tool, and the parameter and keyword at fault."""
    tool = {"name": "f", "description": "D", "parameters": {"properties": {"p": parameter}}}
    with pytest.raises(ValueError, match=f"cannot print tool 'f': parameter 'p': {sentence}$"):
        template_namespace("functions", [tool])


@pytest.mark.parametrize(
    ("tool", "sentence"),
    [({"name": "f"}, "'f': description is not a string"), ({"description": "D"}, "None: name is not a string")],
)
def test_template_namespace_says_which_tool_it_refuses(tool: dict[str, Any], sentence: str) -> None:
    """A tool without a name or a description is refused by what it has."""
    with pytest.raises(ValueError, match=f"cannot print tool {sentence}$"):
        template_namespace("functions", [tool])

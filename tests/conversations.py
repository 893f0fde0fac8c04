"""Seeded generator of conversations for the real templates, and conversations that the templates refuse.

``conversations(key, n, seed)`` yields cases that the template (or, for "harmony", the vendor's encoder) prints in full:
nothing raises, and no text the caller gave is dropped except reasoning, where the format itself drops it. ``refused``
lists by hand what a template raises on or drops silently. Case i of a key and seed is always the same, whatever n is.

Texts are hostile on purpose (white space at the edges, non-NFC, emoji, code, things that look like markup), but never
contain a control string of the family's tokenizer, except the inline ``<think>`` blocks of assistants
(``Case.inline_think``) where the template splits them off.
"""

from __future__ import annotations

import copy
import json
import random
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise
from typing import Any

from tests.oracles import REASONING_KEYS, control_strings

JsonObject = dict[str, Any]
Refusal = tuple[str, "Case", str]


@dataclass(frozen=True)
class Case:
    """One conversation and how to render it."""

    messages: list[JsonObject]
    tools: list[JsonObject] | None = None
    add_generation_prompt: bool = False
    kwargs: JsonObject = field(default_factory=dict)
    inline_think: bool = False
    """Some assistant content holds <think> markup that the template splits off."""
    markers: tuple[str, ...] = ()
    """Words given by the caller that the template drops (only in refused cases)."""


# --- What each template can take ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Rules:
    """The restrictions of one format; the defaults are the most permissive."""

    family: str
    openers: tuple[str, ...] = ("system",)
    """Roles of an instruction at the start."""
    later: tuple[str, ...] = ("system",)
    """Roles of instructions after the start; elsewhere they raise or are dropped."""
    reasoning: bool = True
    """The format has a place for reasoning."""
    inline_think: bool = False
    """<think> in assistant content is split off."""
    parts: tuple[str, ...] = ()
    """Roles whose content may be a list of text parts."""
    splits_results: bool = False
    """Each text part of a result is printed in a block of its own."""
    arguments: tuple[str, ...] = ("mapping", "string")
    """Forms of call arguments that are printed once and verbatim."""
    tools: bool = True
    """Tools are declared (else: silently dropped)."""
    odd_tools: bool = True
    """Tools may lack a description and have defaults that are no strings beside an enum or a oneOf."""
    call_id: str = "call_{number}"
    """Ids of calls; those of Kimi say which tool is called, and nothing else does."""
    typed_tools: bool = False
    """Every schema needs a type, a reference, an enum or an anyOf; else other text is printed than by the default."""
    flat_tools: bool = False
    """Tools without the OpenAI envelope print the same."""
    flat_calls: bool = True
    """Calls without the `function` wrapper print the same."""
    max_calls: int = 4
    """Calls of one message that are printed."""
    exact_results: bool = False
    """Every call is answered exactly once, in the next messages (the end of the conversation excepted)."""
    beside_calls: str = "any"
    """Content beside calls: "any"; "given": any, but the key must be there; "first": so in the first message with
    calls, None in later ones; "none": must be None; "analysis": not with reasoning, nor before a later answer."""
    empty_answers: bool = True
    """An assistant without calls may have no content, and `tool_calls` may be an empty list."""
    needs_user: bool = False
    """A conversation without a user message raises."""
    switch: str = ""
    """The template's own knob: "thinking" (enable_thinking), "effort" (reasoning_effort)."""
    knobs: tuple[str, ...] = ()
    """Further options of the template that are on or off."""


ALL = ("system", "user", "assistant", "tool")

RULES: dict[str, Rules] = {
    # String content only (a list prints as nothing, or raises in a first system message); developer is dropped.
    "qwen3": Rules("qwen3", inline_think=True, switch="thinking"),
    # As hybrid; the template has no place for reasoning, and inline markup would be literal control strings.
    "qwen3-instruct-2507": Rules("qwen3", reasoning=False),
    # As hybrid, without the knob.
    "qwen3-thinking-2507": Rules("qwen3", inline_think=True),
    # A later system raises, no user raises, string arguments raise; every role takes text parts.
    "qwen3.5": Rules(
        "qwen3.5", later=(), inline_think=True, parts=ALL, arguments=("mapping",), needs_user=True, switch="thinking"
    ),
    "qwen3.5-small": Rules(
        "qwen3.5", later=(), inline_think=True, parts=ALL, arguments=("mapping",), needs_user=True, switch="thinking"
    ),
    # String arguments raise; a list as tool content is printed as Python text, one response per item.
    "glm-4.5": Rules("glm-4.5", inline_think=True, parts=ALL[:3], arguments=("mapping",), switch="thinking"),
    # No reasoning, no tools; calls are printed only beside None, and need `type` and string arguments; an assistant
    # without calls and without content raises.
    "deepseek-v3": Rules(
        "deepseek-v3", reasoning=False, arguments=("string",), tools=False, flat_calls=False, beside_calls="none",
        empty_answers=False,
    ),
    # Instructions only first; one call per message, whose name the next result takes; content beside calls stands
    # for reasoning and is dropped with it; string arguments would be quoted again; flat tools, tools without
    # description and an empty list of calls raise; an answer without content raises.
    "gpt-oss-template": Rules(
        "gpt-oss", openers=("system", "developer"), later=(), arguments=("mapping",), odd_tools=False, max_calls=1,
        exact_results=True, beside_calls="analysis", empty_answers=False, switch="effort",
    ),
    # As Instruct-2507, but later systems are dropped and every role takes text parts.
    "qwen3-vl": Rules("qwen3-vl", reasoning=False, later=(), parts=ALL),
    # As Thinking-2507, but every role takes text parts.
    "qwen3-vl-thinking": Rules("qwen3-vl", inline_think=True, parts=ALL),
    # As Qwen3.5.
    "qwen3.6": Rules(
        "qwen3.6", later=(), inline_think=True, parts=ALL, arguments=("mapping",), needs_user=True, switch="thinking",
        knobs=("preserve_thinking",),
    ),
    # As GLM-4.5; GLM-5.1 joins the items of tool contents.
    "glm-4.7": Rules("glm-5", inline_think=True, parts=ALL[:3], arguments=("mapping",), switch="thinking"),
    "glm-5": Rules("glm-5", inline_think=True, parts=ALL[:3], arguments=("mapping",), switch="thinking"),
    "glm-5.1": Rules("glm-5", inline_think=True, parts=ALL, arguments=("mapping",), switch="thinking"),
    # A later system is dropped, string arguments raise, so does a result that no calls precede; every role takes parts.
    **dict.fromkeys(("minimax-m2", "minimax-m2.5", "minimax-m2.7"), Rules(
        "minimax-m2", later=(), inline_think=True, parts=ALL, splits_results=True, arguments=("mapping",),
    )),
    # As V3, but content beside calls is printed; inline thinking is split off in answers to a user, else printed.
    "deepseek-v3.1": Rules(
        "deepseek-v3.1", inline_think=True, arguments=("string",), tools=False, flat_calls=False, beside_calls="given",
        empty_answers=False, knobs=("thinking",),
    ),
    # The same, but content beside calls is dropped in every round but the first.
    "deepseek-r1": Rules(
        "deepseek-r1", inline_think=True, arguments=("string",), tools=False, flat_calls=False, beside_calls="first",
        empty_answers=False,
    ),
    # Every role is a turn and takes text parts; a call without an id prints an empty one.
    "kimi-k2": Rules(
        "kimi-k2", openers=("system", "developer"), later=("system", "developer"), reasoning=False, parts=ALL,
        flat_calls=False, call_id="functions.{name}:{number}",
    ),
    # The same; inline thinking is left in the content, where its marks would be literal control strings.
    "kimi-k2.5": Rules(
        "kimi-k2.5", openers=("system", "developer"), later=("system", "developer"), parts=ALL, flat_calls=False,
        call_id="functions.{name}:{number}", typed_tools=True, knobs=("thinking",),
    ),
    "kimi-k2.6": Rules(
        "kimi-k2.5", openers=("system", "developer"), later=("system", "developer"), parts=ALL, flat_calls=False,
        call_id="functions.{name}:{number}", typed_tools=True, knobs=("thinking", "preserve_thinking"),
    ),
    # Every role is a turn; string arguments raise; lists of parts are printed as Python text, or raise where they are
    # added to a string.
    **dict.fromkeys(("nemotron-3-nano", "nemotron-3-super"), Rules(
        "nemotron-3", openers=("system", "developer"), later=("system", "developer"), arguments=("mapping",),
        flat_tools=True, switch="thinking",
    )),
    # The vendor's encoder has a place for everything; results are matched to calls, so each has exactly one.
    "harmony": Rules(
        "gpt-oss", openers=("system", "developer"), later=("system", "developer"), flat_tools=True, exact_results=True,
        switch="effort",
    ),
}  # fmt: skip


# --- Texts --------------------------------------------------------------------------------------------------------

EDGES = (
    "", "", "", "\n", "\n\n", " ", "  ", "\t", "\r\n", "\n \n", " \n\n\n", "\n\t", "\u3000", "\xa0", "\x0c", "\u2028",
    "\x1f",
)  # fmt: skip

PLAIN = (
    "Hello", "the quick brown fox", "What is the weather in Paris?", "don't, won't, it'll", "2 + 2 = 4", "1234567890",
    "3.14159", "v1.2.3-rc4", "https://example.org/a?b=c&d=%20#e", "C:\\dir\\file.txt", "ALLCAPS", "camelCaseWord",
    "snake_case_word", "...", "!?", "- item", "# Title", "**bold**", "user", "assistant", "system", "\\n", "a" * 90,
    "pneumonoultramicroscopicsilicovolcanoconiosis", "Donaudampfschifffahrtsgesellschaftskapit\xe4n" * 2, "=" * 70,
    "QWxhZGRpbjpvcGVuIHNlc2FtZQ==" * 3, "     five blanks", "tab\there", "line\nline", "para\n\npara", "cr\r\nlf",
    "a\n\n\n\nb",
)  # fmt: skip

UNICODE = (
    "\u4f60\u597d\uff0c\u4e16\u754c", "\u6771\u4eac\u306e\u5929\u6c17\u306f\uff1f", "\ud55c\uad6d\uc5b4 \ubb38\uc7a5",
    "\U00020000\U0002a6d6", "\U0001f600", "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466",
    "\U0001f44d\U0001f3fd", "\U0001f1eb\U0001f1f7", "1\ufe0f\u20e3", "\u2764\ufe0f\u200d\U0001f525", "e\u0301cole",
    "A\u030angstro\u0308m", "\u212bngstr\xf6m", "\u1112\u1161\u11ab", "\ufb01ne", "\u0958\u0915\u093c", "q\u0323\u0307",
    "\u0301alone", "\u0338", "\u0645\u0631\u062d\u0628\u0627", "\u05e9\u05b8\u05c1\u05dc\u05d5\u05b9\u05dd",
    "\u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35", "\u043f\u0440\u0438\u0432\u0435\u0442", "\xdf\u1e9e\u0130\u0131",
    "na\xefve caf\xe9", "zero\u200bwidth", "\ufeffbom", "\u202eright", "nul\x00byte", "bell\x07", "\x7f", "\ufffd",
    "\xa0nbsp\xa0", "\u2014\u2026\u201cquote\u201d", "\u2028ls",
)  # fmt: skip

CODE = (
    "def f(x):\n    return x * 2\n", "```python\nprint('hi')\n```", "for (int i = 0; i < n; i++) { a[i] <<= 1; }",
    "SELECT * FROM t WHERE a = 'b';", '{"name": "f", "arguments": {"a": [1, 2, {"b": null}]}}', '{"a": "\\u00e9\\n"}',
    "[1, 2.5, true, null]", "{% if x %}{{ y }}{% endif %}", "$ ls -la | grep '^d'", "a\\\nb",
    "{'python': True, 'none': None}", 'quotes " and \' and `',
)  # fmt: skip

MARKUP = (
    "<b>bold</b>", "<a href='x'>y</a>", "<br/>", "<tool>", "</tool>", "<tool_cal", "<think >", "</thinking>",
    "<|not_a_token|>", "<|im_start", "im_end|>", "<tools>", "</tools>", "<function=f>", "<parameter=a>", "</parameter>",
    "</function>", "<|", "|>", "<", ">", "</", "&lt;think&gt;", "[INST]", "<s>", "</s>", "<arg_key>", "</arg_value>",
    "<tool_call>", "</tool_response>", "<think>", "</think>", "<|im_end|>", "<|end|>", "<|channel|>final<|message|>",
    "/nothink", "/no_think", "[gMASK]", "<sop>", "<|user|>", "namespace functions {", "} // namespace functions",
    "# Tools", "# Instructions", "<result>1 < 2 && 3 > 2</result>",
)  # fmt: skip

POOLS: tuple[tuple[str, ...], ...] = (PLAIN, PLAIN, UNICODE, CODE, MARKUP)
JOINTS = ("", " ", " ", " ", "\n", "\n\n", ", ", "  ", "\t", "\r\n", "\n    ")


@cache
def _forbidden(family: str) -> re.Pattern[str]:
    """Matches any control string of the family."""
    return re.compile("|".join(map(re.escape, control_strings(family))))


class Texts:
    """Random texts without control strings of one family."""

    def __init__(self, rng: random.Random, family: str) -> None:
        self.rng = rng
        self.forbidden = _forbidden(family)

    def _clean(self, make: Callable[[], str]) -> str:
        while self.forbidden.search(text := make()):
            pass
        return text

    def _joined(self, most: int) -> str:
        rng = self.rng
        text = rng.choice(EDGES)
        for index in range(rng.randint(1, most)):
            text += (rng.choice(JOINTS) if index else "") + rng.choice(rng.choice(POOLS))
        return text + rng.choice(EDGES)

    def text(self, most: int = 6) -> str:
        """Any text: 5 % empty, 4 % white space only."""
        pick = self.rng.random()
        if pick < 0.05:
            return ""
        if pick < 0.09:
            return self.rng.choice(EDGES) + self.rng.choice(EDGES)
        return self._clean(lambda: self._joined(most))


# --- Tools --------------------------------------------------------------------------------------------------------


def _function(name: str, description: str | None, parameters: Any = None, **more: Any) -> JsonObject:
    function: JsonObject = {"name": name}
    if description is not None:
        function["description"] = description
    if parameters is not None:
        function["parameters"] = parameters
    return {"type": "function", "function": {**function, **more}}


def _object(properties: JsonObject, *required: str, **more: Any) -> JsonObject:
    return {"type": "object", "properties": properties, "required": list(required), **more}


STRING, INTEGER, NUMBER, BOOLEAN = ({"type": name} for name in ("string", "integer", "number", "boolean"))

# fmt: off
TOOLS: tuple[JsonObject, ...] = (
    _function("get_weather", "Get the weather.", _object({
        "city": {"type": "string", "description": "The city"}, "days": {"type": "integer", "default": 1},
    }, "city")),
    _function("no_parameters", "Takes nothing."),
    _function("empty_object", "", {"type": "object", "properties": {}}),
    _function("bare_object", "No properties key.", {"type": "object"}),
    _function("units", "Enums.", _object({
        "unit": {"type": "string", "enum": ["celsius", "kelvin"], "default": "celsius", "description": "Unit"},
        "level": {"type": "integer", "enum": [1, 2, 3]}, "any": {"enum": ["a", 1, None]}, "const": {"const": "fixed"},
    }, "unit"), strict=True),
    _function("unions", "Unions.", _object({
        "a": {"type": ["string", "null"]}, "b": {"anyOf": [STRING, INTEGER], "description": "either"},
        "c": {"oneOf": [{"type": "string", "description": "name"}, NUMBER], "description": "one"},
        "d": {"oneOf": [{"type": "object", "properties": {"x": BOOLEAN}}, STRING]},
        "e": {"type": "string", "nullable": True},
    })),
    _function("nested", "Deep.", _object({
        "filter": {
            "type": "object", "description": "A filter", "additionalProperties": False, "required": ["range"],
            "properties": {
                "range": {"type": "object", "required": ["from"], "properties": {
                    "from": {"type": "number", "minimum": 0},
                    "to": {"type": "number", "description": "end", "exclusiveMaximum": 1e22},
                }},
                "tags": {"type": "array", "items": STRING},
            },
        },
    }, "filter")),
    _function("arrays", "Arrays.", _object({
        "a": {"type": "array", "items": INTEGER, "minItems": 1}, "b": {"type": "array"},
        "c": {"type": "array", "items": {"type": "array", "items": BOOLEAN}},
        "d": {"type": "array", "items": _object({"k": STRING}, "k"), "default": []},
        "e": {"type": "array", "items": {"type": "string", "enum": ["x", "y"]}, "nullable": True},
    })),
    _function("unicode_tool", "\u67e5\u8be2\u5929\u6c14 \U0001f324\ufe0f caf\xe9 cafe\u0301 <b>&amp;</b>", _object({
        "\u57ce\u5e02": {"type": "string", "description": "\u57ce\u5e02\u540d \u2014 \u201cq\u201d"},
        "a b": {"type": "number", "default": 1.5},
    }, "\u57ce\u5e02")),
    _function("many_lines", 'First line.\nSecond line.\n\n  Indented "quoted" \\ line.\n', _object({
        "text": {"type": "string", "description": "Line one\nline two", "default": 'a\n"b"'},
        "flag": {"type": "boolean", "default": False},
    })),
    _function("odd_names", "Names that are also methods or keywords.", _object({
        "items": STRING, "keys": STRING, "type": {"type": "string", "description": "A property called type"},
        "properties": {"type": "object"}, "default": {"type": "boolean", "default": True},
    }, "items", "type")),
    _function("with_defs", "References.", _object(
        {"node": {"$ref": "#/$defs/node"}}, additionalProperties=False,
        **{"$defs": {"node": {"type": "object", "properties": {"next": {"$ref": "#/$defs/node"}}}}},
    )),
    _function("titled", "Titles and examples.", _object({
        "q": {
            "type": "string", "title": "Query", "description": "What to search", "examples": ["a", "b"],
            "maxLength": 10, "pattern": "^[a-z]+$",
        },
    }, "q", title="Args")),
    {
        "function": {
            "parameters": _object({"x": {"description": "x first", "type": "number"}}),
            "description": "Keys in another order.", "name": "reversed_keys",
        },
        "type": "function",
    },
)

ODD_TOOLS: tuple[JsonObject, ...] = (
    _function("undescribed", None, _object({"x": STRING})),
    _function("number_enum", "Defaults that are no strings.", _object({
        "n": {"type": "integer", "enum": [1, 2], "default": 1}, "z": {"type": "string", "default": None},
        "u": {"oneOf": [{"type": "integer", "default": 3}, BOOLEAN], "default": 4},
    })),
    _function("empty_schema", "An empty schema.", {}),
    _function("any_values", "Schemas that allow anything.", _object({
        "a": True, "b": {}, "c": {"type": "array", "items": {}}, "d": {"type": "null"}, "e": {"description": ""},
    })),
)
# fmt: on

UNTYPED = {"units", "unions", "number_enum", "any_values"}
"""Tools with a schema that has neither a type nor a reference, an enum or an anyOf."""

SCALAR_SCHEMAS: tuple[JsonObject, ...] = (
    {"type": "string"},
    {"type": "integer", "minimum": -1},
    {"type": "number"},
    {"type": "boolean", "default": True},
    {"type": "string", "enum": ["a", "b c", "\xe9"]},
    {"type": ["integer", "null"]},
    {"anyOf": [{"type": "string"}, {"type": "null"}]},
)
VALUES: tuple[Any, ...] = (
    0,
    7,
    -3,
    10**20,
    0.5,
    -0.0,
    1e-7,
    1e22,
    3.0,
    True,
    False,
    None,
    "5",
    "true",
    "null",
    "",
    [],
    {},
)
CALL_NAMES = ("get_weather", "search-web", "f", "send_email_v2", "lookUp", "run_code")
ARGUMENT_NAMES = (
    "city", "query", "n", "items", "name", "default", "\u540d\u524d", "a b", "x-y", "caf\xe9", "Key", "type",
)  # fmt: skip


class Tools:
    """Random tool lists, calls and arguments."""

    def __init__(self, rng: random.Random, rules: Rules, texts: Texts) -> None:
        self.rng, self.rules, self.texts = rng, rules, texts

    def _schema(self, depth: int) -> JsonObject:
        rng = self.rng
        kind = rng.random() if depth else 1.0
        if kind < 0.25:
            schema = self._object_schema(depth - 1)
        elif kind < 0.45:
            schema = {"type": "array", "items": self._schema(depth - 1)}
        else:
            schema = copy.deepcopy(rng.choice(SCALAR_SCHEMAS))
        if rng.random() < 0.4:
            schema["description"] = self.texts.text(3)
        return schema

    def _object_schema(self, depth: int) -> JsonObject:
        names = self.rng.sample(ARGUMENT_NAMES, self.rng.randint(0, 3))
        required = [name for name in names if self.rng.random() < 0.5]
        return _object({name: self._schema(depth) for name in names}, *required)

    def _random_tool(self) -> JsonObject:
        name = f"tool_{self.rng.randint(0, 99)}"
        return _function(name, self.texts.text(4), self._object_schema(3))

    def _tool(self) -> JsonObject:
        pool = TOOLS + ODD_TOOLS if self.rules.odd_tools else TOOLS
        if self.rules.typed_tools:
            pool = tuple(tool for tool in pool if tool["function"]["name"] not in UNTYPED)
        tool = self._random_tool() if self.rng.random() < 0.3 else copy.deepcopy(self.rng.choice(pool))
        flat = self.rules.flat_tools and self.rng.random() < 0.3
        return dict(tool["function"]) if flat else tool

    def declared(self) -> list[JsonObject] | None:
        """None, an empty list, or up to four tools."""
        if not self.rules.tools or self.rng.random() < 0.35:
            return None
        return [self._tool() for _ in range(self.rng.randint(0, 4))]

    def value(self, depth: int = 2) -> Any:
        """Any JSON value."""
        rng = self.rng
        kind = rng.randrange(10 if depth else 7)
        if kind < 3:
            return self.texts.text(3)
        if kind < 7:
            return copy.copy(rng.choice(VALUES))
        if kind < 9:
            return [self.value(depth - 1) for _ in range(rng.randint(0, 3))]
        return self.arguments(depth - 1)

    def arguments(self, depth: int = 2) -> JsonObject:
        """A JSON object, one in eight empty."""
        names = self.rng.sample(ARGUMENT_NAMES, self.rng.choice((0, 1, 1, 1, 2, 2, 3, 4)))
        return {name: self.value(depth) for name in names}

    def _spelt(self, arguments: JsonObject) -> str:
        """A JSON object as some server might spell it."""
        rng = self.rng
        text = rng.choice((
            lambda: json.dumps(arguments, ensure_ascii=False),
            lambda: json.dumps(arguments),
            lambda: json.dumps(arguments, ensure_ascii=False, separators=(",", ":")),
            lambda: json.dumps(arguments, ensure_ascii=False, indent=2),
        ))()  # fmt: skip
        return rng.choice(EDGES[3:9]) + text + rng.choice(EDGES[3:9]) if rng.random() < 0.15 else text

    def call(self, tools: Sequence[JsonObject] | None, number: int) -> JsonObject:
        """A call of a declared tool, or one time in five of any other."""
        rng = self.rng
        name = rng.choice(CALL_NAMES)
        if tools and rng.random() < 0.8:
            tool = rng.choice(tools)
            name = tool.get("function", tool)["name"]
        arguments: Any = self.arguments()
        if rng.choice(self.rules.arguments) == "string":
            arguments = self._spelt(arguments)
        if self.rules.flat_calls and rng.random() < 0.08:
            return {"name": name, "arguments": arguments}
        function = {"name": name, "arguments": arguments}
        id_ = self.rules.call_id.format(name=name, number=number)
        return {"id": id_, "type": "function", "function": function}


# --- Conversations ------------------------------------------------------------------------------------------------


class Maker:
    """Builds one random conversation."""

    def __init__(self, key: str, rng: random.Random) -> None:
        self.rng, self.rules = rng, RULES[key]
        self.texts = Texts(rng, self.rules.family)
        self.maker = Tools(rng, self.rules, self.texts)
        self.tools = self.maker.declared()
        self.messages: list[JsonObject] = []
        self.inline = False
        self.calls = 0

    def _chance(self, probability: float) -> bool:
        return self.rng.random() < probability

    def _add(self, role: str, content: Any, **more: Any) -> None:
        self.messages.append({"role": role, "content": self._parted(role, content), **more})

    def _parted(self, role: str, content: Any) -> Any:
        """One text in six as a list of text parts, where the template prints them."""
        if role not in self.rules.parts or not isinstance(content, str) or not self._chance(0.17):
            return content
        if not content and self._chance(0.5):
            return []
        cuts = sorted(self.rng.randint(0, len(content)) for _ in range(self.rng.randint(0, 3)))
        edges = [0, *cuts, len(content)]
        return [{"type": "text", "text": content[a:b]} for a, b in pairwise(edges)]

    # Reasoning

    def _reasoning(self) -> JsonObject:
        """The key that carries reasoning, or none."""
        if not self.rules.reasoning or self._chance(0.4):
            return {}
        key = self.rng.choices(REASONING_KEYS, (8, 1, 1))[0]
        return {key: self.rng.choices((None, "", self.texts.text()), (1, 1, 5))[0]}

    def _inline(self, content: str) -> str:
        """The content behind an inline think block; sometimes the opener is missing, as it was in the prompt."""
        rng = self.rng
        opener = rng.choice(EDGES) + "<think>" if self._chance(0.8) else ""
        thoughts = rng.choice(EDGES) + self.texts.text() + rng.choice(EDGES)
        self.inline = True
        return opener + thoughts + "</think>" + rng.choice(EDGES) + content

    def _spoken(self, content: Any, reasoning: JsonObject) -> Any:
        """Content, with its reasoning inline half of the time if it is not given apart."""
        apart = any(value is not None for value in reasoning.values())
        if not self.rules.inline_think or apart or not isinstance(content, str) or not self._chance(0.5):
            return content
        return self._inline(content)

    # Messages

    def _user(self) -> None:
        self._add("user", self.texts.text(8))

    def _instruction(self, roles: Sequence[str]) -> JsonObject:
        role = self.rng.choice(roles)
        content = "" if self._chance(0.15) else self.texts.text(8)
        return {"role": role, "content": self._parted(role, content)}

    def _answer(self) -> None:
        reasoning = self._reasoning()
        content: Any = self.texts.text(10)
        more: JsonObject = {}
        if self.rules.empty_answers and self._chance(0.08):
            content = None
        if self._chance(0.08):
            more["tool_calls"] = [] if self.rules.empty_answers and self._chance(0.5) else None
        self._add("assistant", self._spoken(content, reasoning), **reasoning, **more)
        if content is None and self._chance(0.5):
            del self.messages[-1]["content"]

    def _beside_calls(self) -> Any:
        if self.rules.beside_calls == "none" or (self.rules.beside_calls == "first" and self.calls):
            return None
        return self.rng.choices((None, "", self.texts.text()), (3, 1, 4))[0]

    def _ask_tools(self) -> list[JsonObject]:
        """An assistant message with calls; gives the calls."""
        reasoning = self._reasoning()
        content = self._beside_calls()
        if self.rules.beside_calls == "analysis" and content and any(reasoning.values()):
            content = None
        number = self.rng.choice((1, 1, 1, 2, 2, 3, 4))
        calls = [self.maker.call(self.tools, self.calls + i) for i in range(min(number, self.rules.max_calls))]
        self.calls += len(calls)
        self._add("assistant", self._spoken(content, reasoning), **reasoning, tool_calls=calls)
        if content is None and self.rules.beside_calls == "any" and self._chance(0.5):
            del self.messages[-1]["content"]
        return calls

    def _results(self, calls: Sequence[JsonObject]) -> None:
        """A result per call, sometimes in another order; where the format allows, one too few or too many."""
        answers = [self._links(call, len(calls)) for call in calls]
        if self._chance(0.1) and all("tool_call_id" in answer or "name" in answer for answer in answers):
            self.rng.shuffle(answers)
        if not self.rules.exact_results and self._chance(0.1):
            answers = answers[1:] if len(answers) > 1 and self._chance(0.5) else [*answers, {}]
        for answer in answers:
            self._add("tool", self.texts.text(8), **answer)

    def _links(self, call: JsonObject, number: int) -> JsonObject:
        """What ties a result to its call; a lone call needs nothing."""
        name = {"name": call.get("function", call)["name"]}
        link = {"tool_call_id": call["id"]} if "id" in call else name
        if number == 1 and self._chance(0.2):
            return {}
        return {**link, **name} if self._chance(0.25) else link

    # Rounds

    def _round(self, end: str) -> None:
        """A user message and what follows, ending in "user", "assistant", "calls" or "tool"."""
        self._user()
        if self._chance(0.04):
            self._user()
        if end == "user":
            return
        for step in range(loops := self.rng.choice((0, 0, 1, 1, 2, 3)) or int(end != "assistant")):
            calls = self._ask_tools()
            if end != "calls" or step < loops - 1:
                self._results(calls)
        if end == "assistant":
            self._answer()
            if self._chance(0.04):
                self._answer()

    def _ends(self) -> list[str]:
        """How each round ends; only the last may leave calls unanswered where results are exact."""
        inner = ("assistant", "tool", "user", "calls")
        weights = (80, 12, 5, 0 if self.rules.exact_results else 3)
        count = self.rng.choice((1, 1, 1, 2, 2, 3, 4))
        last = self.rng.choices(inner, (35, 25, 30, 10))[0]
        return [*(self.rng.choices(inner, weights)[0] for _ in range(count - 1)), last]

    def _settle(self) -> None:
        """Take away content beside calls that a later answer would make the template drop."""
        answered = False
        for message in reversed(self.messages):
            calls = message.get("tool_calls")
            if calls and answered and message.get("content"):
                message["content"] = None
            answered = answered or (message["role"] == "assistant" and not calls)

    def _instructions(self) -> None:
        """Instructions at the start and, rarely, anywhere later."""
        if self._chance(0.55):
            self.messages.insert(0, self._instruction(self.rules.openers))
        if self.rules.later and self._chance(0.12):
            place = self.rng.randint(1, len(self.messages))
            self.messages.insert(place, self._instruction(self.rules.later))

    def _kwargs(self) -> JsonObject:
        if self.rules.knobs:
            names = (*self.rules.knobs, *(["enable_thinking"] if self.rules.switch == "thinking" else []))
            return {name: self._chance(0.5) for name in names if self._chance(0.67)}
        if self.rules.switch == "thinking" and self._chance(0.67):
            return {"enable_thinking": self._chance(0.5)}
        if self.rules.switch == "effort" and self._chance(0.75):
            return {"reasoning_effort": self.rng.choice(("low", "medium", "high"))}
        return {}

    def case(self) -> Case:
        if not self.rules.needs_user and self._chance(0.03):
            self._answer()
        else:
            if self._chance(0.06):
                self._answer()
            for end in self._ends():
                self._round(end)
        self._instructions()
        if self.rules.beside_calls == "analysis":
            self._settle()
        prompt = self._chance(0.5)
        return Case(self.messages, self.tools, prompt, self._kwargs(), self.inline)


def conversations(key: str, n: int, seed: int) -> Iterator[Case]:
    """n cases for a key of TEMPLATES, or for "harmony"."""
    for index in range(n):
        yield Maker(key, random.Random(f"{key}/{seed}/{index}")).case()


# --- Refused ------------------------------------------------------------------------------------------------------

MARK = "ZEBRA"  # a word that no template prints by itself


def _user(content: Any = "question") -> JsonObject:
    return {"role": "user", "content": content}


def _says(content: Any = "answer", **more: Any) -> JsonObject:
    return {"role": "assistant", "content": content, **more}


def _system(content: Any = "rules", role: str = "system") -> JsonObject:
    return {"role": role, "content": content}


def _tool(content: Any = "result") -> JsonObject:
    return {"role": "tool", "content": content, "tool_call_id": "call_0"}


def _called(arguments: Any, name: str = "f", **more: Any) -> JsonObject:
    return {"id": "call_0", "type": "function", "function": {"name": name, "arguments": arguments}, **more}


def _parts(text: str) -> list[JsonObject]:
    return [{"type": "text", "text": text}]


def _raises(name: str, *messages: JsonObject, tools: list[JsonObject] | None = None) -> Refusal:
    return name, Case(list(messages), tools, add_generation_prompt=True), "raises"


def _drops(name: str, *messages: JsonObject, tools: list[JsonObject] | None = None, prompt: bool = True) -> Refusal:
    return name, Case(list(messages), tools, add_generation_prompt=prompt, markers=(MARK,)), "drops"


def _roles_dropped() -> list[Refusal]:
    return [
        _drops("developer_first", _system(MARK, "developer"), _user()),
        _drops("developer_later", _user(), _system(MARK, "developer"), _user("more")),
        _drops("unknown_role", _user(), _says(), _system(MARK, "critic"), _user("more")),
        _drops("old_function_role", _user(), _says(), _system(MARK, "function"), _user("more")),
    ]


def _roles_raising() -> list[Refusal]:
    return [(name, Case(case.messages, add_generation_prompt=True), "raises") for name, case, _ in _roles_dropped()]


def _inline_leftovers() -> list[Refusal]:
    """Inline thinking whose surplus text the split throws away."""
    return [
        _drops("text_before_think", _user(), _says(f"{MARK}<think>r</think>answer"), prompt=False),
        _drops("think_opened_twice", _user(), _says(f"<think>{MARK}<think>r</think>answer"), prompt=False),
        _drops("think_closed_twice", _user(), _says(f"<think>r</think>{MARK}</think>answer"), prompt=False),
    ]


def _parts_as_nothing() -> list[Refusal]:
    """Lists of parts that Qwen3 prints as nothing, or fails to add to a string."""
    tool = TOOLS[1]
    return [
        _drops("user_parts", _user(_parts(MARK))),
        _drops("assistant_parts", _user(), _says(_parts(MARK)), _user("more")),
        _drops("tool_parts", _user(), _says(None, tool_calls=[_called({})]), _tool(_parts(MARK))),
        _drops("later_system_parts", _user(), _system(_parts(MARK)), _user("more")),
        _raises("first_system_parts", _system(_parts("rules")), _user()),
        _raises("first_system_parts_with_tools", _system(_parts("rules")), _user(), tools=[tool]),
        _raises("first_system_none", _system(None), _user()),
    ]


def _reasoning_dropped() -> list[Refusal]:
    return [
        _drops("reasoning_content", _user(), _says(reasoning_content=MARK), prompt=False),
        _drops("reasoning", _user(), _says(reasoning=MARK), prompt=False),
        _drops("reasoning_of_call", _user(), _says(None, reasoning_content=MARK, tool_calls=[_called("{}")]), _tool()),
    ]


def _refused_qwen3() -> list[Refusal]:
    bare_call = {"type": "function", "function": {"name": "f"}}
    return [
        *_roles_dropped(),
        *_parts_as_nothing(),
        _raises("call_without_arguments", _user(), _says(None, tool_calls=[bare_call])),
    ]


def _refused_qwen3_thinking() -> list[Refusal]:
    return [*_refused_qwen3(), *_inline_leftovers()]


def _refused_qwen3_instruct() -> list[Refusal]:
    return [*_refused_qwen3(), *_reasoning_dropped()]


def _refused_qwen3_vl() -> list[Refusal]:
    return [
        *_roles_dropped(),
        *_reasoning_dropped(),
        _drops("second_system", _system(), _system(MARK), _user()),
        _drops("later_system", _user(), _system(MARK), _user("more")),
        _drops("image_part", _user(), _says([*_parts("look"), {"type": "image", "image": MARK}]), prompt=False),
        _raises("call_without_arguments", _user(), _says(None, tool_calls=[{"function": {"name": "f"}}])),
        _raises("content_number", _user(7)),
    ]


def _refused_qwen3_vl_thinking() -> list[Refusal]:
    bare_call = {"function": {"name": "f"}}
    return [
        *_roles_dropped(),
        *_inline_leftovers(),
        _raises("call_without_arguments", _user(), _says(None, tool_calls=[bare_call])),
        _raises("content_number", _user(7)),
    ]


def _refused_qwen35() -> list[Refusal]:
    image = {"type": "image", "image": "x.png"}
    return [
        *_roles_raising(),
        *_inline_leftovers(),
        _raises("second_system", _system(), _user(), _system("more rules"), _user("more")),
        _raises("system_after_user", _user(), _system()),
        _raises("no_user", _system(), _says()),
        _raises("only_wrapped_results", _user("<tool_response>\nresult\n</tool_response>")),
        _raises("arguments_string", _user(), _says(None, tool_calls=[_called('{"a": 1}')])),
        _raises("image_in_system", _system([image]), _user()),
        _raises("unknown_part", _user([{"type": "audio", "audio": "x.wav"}])),
        _raises("content_number", _user(7)),
        _raises("content_mapping", _user({"type": "text", "text": "question"})),
    ]


def _refused_glm45() -> list[Refusal]:
    picture = {"type": "image_url", "image_url": {"url": MARK}}
    return [
        *_roles_dropped(),
        *_inline_leftovers(),
        _drops("image_part", _user([*_parts("look"), picture])),
        _drops("tool_extra_output_keys", _user(), _tool([{"output": "result", "error": MARK}])),
        _raises("arguments_string", _user(), _says(None, tool_calls=[_called('{"a": 1}')])),
        _raises("call_without_arguments", _user(), _says(None, tool_calls=[{"function": {"name": "f"}}])),
    ]


def _refused_glm51() -> list[Refusal]:
    tool, bare_call = TOOLS[1], {"function": {"name": "f"}}
    picture = {"type": "image_url", "image_url": {"url": MARK}}
    declared, unknown = ({"type": "tool_reference", "name": name} for name in ("no_parameters", MARK))
    return [
        *_roles_dropped(),
        *_inline_leftovers(),
        _drops("image_part", _user([*_parts("look"), picture])),
        _drops("untyped_part", _user([{"text": MARK}])),
        _drops("tool_output_items", _user(), _tool([{"output": MARK}])),
        _drops("reference_to_an_undeclared_tool", _user(), _tool([declared, unknown]), tools=[tool]),
        _drops("reference_in_a_question", _user([*_parts("look"), unknown]), tools=[tool]),
        _drops("reference_behind_text", _user(), _tool([*_parts("result"), unknown]), tools=[tool]),
        _drops("text_behind_a_reference", _user(), _tool([declared, *_parts(MARK)]), tools=[tool]),
        _raises("reference_without_tools", _user(), _tool([declared])),
        _raises("arguments_string", _user(), _says(None, tool_calls=[_called('{"a": 1}')])),
        _raises("call_without_arguments", _user(), _says(None, tool_calls=[bare_call])),
    ]


def _refused_deepseek_v3() -> list[Refusal]:
    declared = [_function("f", MARK, _object({}))]
    untyped = {"id": "call_0", "function": {"name": "f", "arguments": "{}"}}
    flat = {"type": "function", "name": "f", "arguments": "{}"}
    return [
        *_roles_dropped(),
        *_reasoning_dropped(),
        _drops("tools", _user(), tools=declared),
        _drops("calls_beside_content", _user(), _says("I call.", tool_calls=[_called("{}", MARK)]), _tool()),
        _drops("calls_beside_empty_content", _user(), _says("", tool_calls=[_called("{}", MARK)]), _tool()),
        _raises("arguments_mapping", _user(), _says(None, tool_calls=[_called({"a": 1})])),
        _raises("call_without_type", _user(), _says(None, tool_calls=[untyped])),
        _raises("call_without_function", _user(), _says(None, tool_calls=[flat])),
        _raises("answer_without_content", _user(), _says(None)),
        _raises("user_parts", _user(_parts("question"))),
        _raises("system_parts", _system(_parts("rules")), _user()),
        _raises("tool_parts", _user(), _says(None, tool_calls=[_called("{}")]), _tool(_parts("result"))),
    ]


def _reasoning_twice() -> Refusal:
    """Reasoning given apart, and `</think>` in the content all the same."""
    twice = _says(f"{MARK}</think>answer", reasoning_content="r")
    return _drops("close_beside_reasoning", _user(), twice, prompt=False)


def _refused_deepseek_v31() -> list[Refusal]:
    untyped = {"id": "call_0", "function": {"name": "f"}}
    return [
        *_roles_dropped(),
        *_inline_leftovers()[:2],
        _reasoning_twice(),
        _drops("tools", _user(), tools=[_function("f", MARK, _object({}))]),
        _raises("arguments_mapping", _user(), _says(None, tool_calls=[_called({"a": 1})])),
        _raises("call_without_arguments", _user(), _says(None, tool_calls=[untyped])),
        _raises("answer_without_content", _user(), _says(None)),
        _raises("user_parts", _user(_parts("question"))),
        _raises("tool_parts", _user(), _says(None, tool_calls=[_called("{}")]), _tool(_parts("result"))),
    ]


def _refused_deepseek_r1() -> list[Refusal]:
    called = _says(None, tool_calls=[_called("{}")])
    spoken = _says(MARK, tool_calls=[_called("{}")])
    kept = ("tools", "arguments_mapping", "call_without_type", "call_without_function", "answer_without_content")
    return [
        *_roles_dropped(),
        *_inline_leftovers(),
        _reasoning_twice(),
        _drops("content_beside_later_calls", _user(), called, _tool(), spoken, _tool()),
        *(refusal for refusal in _refused_deepseek_v3() if refusal[0] in kept or refusal[0].endswith("parts")),
    ]


def _refused_gpt_oss() -> list[Refusal]:
    call = _called({})
    number_default = _function("g", "d", _object({"n": {"type": "integer", "enum": [1, 2], "default": 1}}))
    harmony = "<|channel|>final<|message|>answer"
    return [
        _drops("second_system", _system(), _system(MARK), _user()),
        _drops("second_instruction_developer", _system(), _system(MARK, "developer"), _user()),
        _drops("later_system", _user(), _system(MARK), _user("more")),
        _drops("later_developer", _user(), _system(MARK, "developer"), _user("more")),
        *_roles_dropped()[2:],
        _drops("second_call", _user(), _says(None, tool_calls=[call, _called({"a": MARK})]), _tool()),
        _drops("content_beside_answered_call", _user(), _says(MARK, tool_calls=[call]), _tool(), _says(), prompt=False),
        _raises("content_and_reasoning", _user(), _says("I call.", reasoning_content="r", tool_calls=[call]), _tool()),
        _raises("tool_without_call", _user(), _tool()),
        _raises("tool_after_answer", _user(), _says(None, tool_calls=[call]), _tool(), _says(), _tool("again")),
        _raises("answer_without_content", _user(), _says(None, reasoning_content="r")),
        _raises("empty_calls", _user(), _says(tool_calls=[])),
        _raises("channel_in_content", _user(), _says(harmony)),
        _raises("channel_in_reasoning", _user(), _says(reasoning_content=harmony)),
        _raises("user_parts", _user(_parts("question"))),
        _raises("answer_parts", _user(), _says(_parts("answer")), _user("more")),
        _raises("flat_tool", _user(), tools=[{"type": "function", "name": "f", "description": "d"}]),
        _raises("tool_without_description", _user(), tools=[_function("f", None)]),
        _raises("number_default_of_enum", _user(), tools=[number_default]),
        _raises("call_without_arguments", _user(), _says(None, tool_calls=[{"function": {"name": "f"}}])),
    ]


def _refused_minimax_m2() -> list[Refusal]:
    picture = {"type": "image_url", "image_url": {"url": MARK}}
    call = _called({})
    return [
        *_roles_dropped(),
        *_inline_leftovers(),
        _drops("second_system", _system(), _system(MARK), _user()),
        _drops("later_system", _user(), _system(MARK), _user("more")),
        _drops("date_of_user", {**_user(), "current_date": MARK}),
        _drops("date_of_later_system", _user(), {**_system(), "current_date": MARK}, _user("more")),
        _drops("image_part", _user([*_parts("look"), picture])),
        _drops("tool_extra_output_keys", _user(), _says(tool_calls=[call]), _tool([{"output": "a", "error": MARK}])),
        _raises("date_no_text", {**_system(), "current_date": 7}, _user()),
        _raises("location_no_text", {**_system(), "current_location": ["here"]}, _user()),
        _raises("tool_without_call", _user(), _tool()),
        _raises("tool_after_answer", _user(), _says(None, tool_calls=[call]), _tool(), _says(), _tool("again")),
        _raises("arguments_string", _user(), _says(None, tool_calls=[_called('{"a": 1}')])),
        _raises("call_without_arguments", _user(), _says(None, tool_calls=[{"function": {"name": "f"}}])),
        _raises("flat_tool", _user(), tools=[{"type": "function", "name": "f", "description": "d"}]),
    ]


def _refused_nemotron3() -> list[Refusal]:
    call = _called({})
    return [  # inline thinking loses its surroundings only in history
        *(_drops(name, *case.messages, _user("more")) for name, case, _ in _inline_leftovers()),
        _drops("parts_beside_call", _user(), _says(_parts(MARK), tool_calls=[call]), _tool()),
        _drops("parts_beside_earlier_call", _user(), _says(_parts(MARK), tool_calls=[call]), _tool(), _user("more")),
        _raises("first_system_parts", _system(_parts("rules")), _user()),
        _raises("first_system_parts_with_tools", _system(_parts("rules")), _user(), tools=[TOOLS[1]]),
        _raises("system_parts", _user(), _system(_parts("rules"), "developer")),
        _raises("developer_none", _user(), _system(None, "developer")),
        _raises("arguments_string", _user(), _says(None, tool_calls=[_called('{"a": 1}')])),
    ]


def _refused_kimi() -> list[Refusal]:
    flat = {"id": "call_0", "type": "function", "name": "f", "arguments": {"a": 1}}
    nameless = {"type": "function", "function": {"name": MARK, "arguments": "{}"}}
    picture = {"type": "image_url", "image_url": {"url": MARK}}
    return [
        _drops("image_part", _user([*_parts("look"), picture])),
        _drops("name_of_call_without_id", _user(), _says(None, tool_calls=[nameless]), _tool()),
        _raises("flat_call", _user(), _says(None, tool_calls=[flat]), _tool()),
        _raises("call_without_arguments", _user(), _says(None, tool_calls=[{"id": "c", "function": {"name": "f"}}])),
        _raises("content_number", _user(7)),
    ]


def _refused_kimi_k2() -> list[Refusal]:
    return [*_refused_kimi(), *_reasoning_dropped()]


REFUSED: dict[str, Callable[[], list[Refusal]]] = {
    "qwen3": _refused_qwen3_thinking,
    "qwen3-instruct-2507": _refused_qwen3_instruct,
    "qwen3-thinking-2507": _refused_qwen3_thinking,
    "qwen3.5": _refused_qwen35,
    "qwen3.5-small": _refused_qwen35,
    "glm-4.5": _refused_glm45,
    "deepseek-v3": _refused_deepseek_v3,
    "gpt-oss-template": _refused_gpt_oss,
    "qwen3-vl": _refused_qwen3_vl,
    "qwen3-vl-thinking": _refused_qwen3_vl_thinking,
    "qwen3.6": _refused_qwen35,
    "glm-4.7": _refused_glm45,
    "glm-5": _refused_glm45,
    "glm-5.1": _refused_glm51,
    "minimax-m2": _refused_minimax_m2,
    "minimax-m2.5": _refused_minimax_m2,
    "minimax-m2.7": _refused_minimax_m2,
    "deepseek-v3.1": _refused_deepseek_v31,
    "deepseek-r1": _refused_deepseek_r1,
    "kimi-k2": _refused_kimi_k2,
    "kimi-k2.5": _refused_kimi,
    "kimi-k2.6": _refused_kimi,
    "nemotron-3-nano": _refused_nemotron3,
    "nemotron-3-super": _refused_nemotron3,
}


def refused(key: str) -> list[Refusal]:
    """Hand-made (name, case, "raises" or "drops") for a key of TEMPLATES; dropped words are in `case.markers`."""
    return [("no_messages", Case([]), "raises"), *REFUSED[key]()]

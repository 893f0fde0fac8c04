"""Tool schemas as TypeScript text, in the two dialects that gpt-oss prompts are written in.

gpt-oss reads its tools as a TypeScript namespace inside the developer message. The vendor publishes two printers of
that text, and they differ on nearly every schema that is more than flat:

* `harmony_namespace` prints what the encoder `openai-harmony` 0.0.8 prints (https://github.com/openai/harmony).
* `template_namespace` prints what the macro `render_tool_namespace` of the Hugging Face chat template prints
  (`chat_template.jinja` of https://huggingface.co/openai/gpt-oss-20b).

Each is followed to the character, oddities included, so that a prompt equals the one its printer would give;
tests/test_schema.py compares them with the originals. A tool is the inner OpenAI function object:
`{"name": ..., "description": ..., "parameters": ...}`.
"""

import json
import math
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

Schema = Mapping[str, Any]

_SCALARS = {"number": "number", "integer": "number", "boolean": "boolean"}


def _fields(schema: object) -> Schema:
    """The schema's keywords; a schema that is no object (`true`, `null`, a list) has none and prints as `any`."""
    return schema if isinstance(schema, Mapping) else {}


# --- openai-harmony ---------------------------------------------------------------------------------------------------
#
# It does not read `anyOf`, `allOf`, `const` or `$ref`: such a schema prints as `any` unless it also has a `type`. A
# keyword of the wrong shape counts as absent. Only a tool's own description is split into comment lines; a line break
# in any other comment is printed as it is, and what follows it stands outside of the comment.
#
# Some tools it refuses although they have an obvious text; they are printed here all the same: no description as an
# empty one, parameters that are no object as `any`, schemas nested more than 128 levels deep like any others, and
# numbers that JSON or a double cannot hold (NaN, infinities, 10**400) as Python's json module spells them.


def harmony_namespace(name: str, tools: Sequence[Schema]) -> str:
    """The tools as `openai-harmony` prints them, from `## name` to `} // namespace name`."""
    if not tools:
        return f"## {name}\n"
    blocks = "".join(_harmony_tool(tool) for tool in tools)
    return f"## {name}\n\nnamespace {name} {{\n\n{blocks}}} // namespace {name}"


def _harmony_tool(tool: Schema) -> str:
    comment = "".join(f"// {line}\n" for text in _text(tool, "description") for line in _rust_lines(text))
    parameters = tool.get("parameters")
    argument = "" if parameters is None else f"_: {_harmony_type(parameters, '')}"
    return f"{comment}type {tool['name']} = ({argument}) => any;\n\n"


def _rust_lines(text: str) -> list[str]:
    """Rust's `str::lines`: no other line ends than these two, and nothing after the last one."""
    lines = re.split("\r?\n", text)
    return lines if lines[-1] else lines[:-1]


def _harmony_type(schema: object, indent: str) -> str:
    spec = _fields(schema)
    kind = spec.get("type")
    if (variants := _array(spec, "oneOf")) is not None:
        return "".join(f"\n{_harmony_variant(v, indent, _harmony_nested_comments(v))}" for v in variants)
    if types := _strings(spec, "type"):
        return " | ".join("number" if name == "integer" else name for name in types)
    if kind == "object":
        return _harmony_object(spec, indent)
    if kind == "string":
        return " | ".join(f'"{value}"' for value in _strings(spec, "enum")) or "string"
    if kind == "array":
        return f"{_harmony_type(spec['items'], indent)}[]" if "items" in spec else "Array<any>"
    return _SCALARS.get(kind, "any") if isinstance(kind, str) else "any"


def _harmony_object(spec: Schema, indent: str) -> str:
    # An object's description stands in front of its brace, so a property's is printed twice: above its name and after.
    comment = [f"{indent}// {text}" for text in _text(spec, "description")]
    required = _strings(spec, "required")
    properties = [
        line
        for key, schema in _fields(spec.get("properties")).items()
        for line in _harmony_property(key if key in required else f"{key}?", _fields(schema), indent)
    ]
    return "\n".join([*comment, "{", *properties, indent + "}"])


def _harmony_property(label: str, spec: Schema, indent: str) -> list[str]:
    comments = [line for title in _text(spec, "title") for line in (f"// {title}", "//")]
    if "oneOf" not in spec:
        comments += [f"// {text}" for text in _text(spec, "description")]
    if _array(spec, "examples"):
        comments += ["// Examples:", *(f'// - "{example}"' for example in _strings(spec, "examples"))]
    if (variants := _array(spec, "oneOf")) is not None:
        return _harmony_union_property(label, spec, variants, comments, indent)
    default = "" if "oneOf" in spec else "".join(f" // {text}" for text in _default(spec))
    return [indent + comment for comment in comments] + [
        f"{indent}{label}: {_harmony_nullable(spec, indent + '    ')},{default}"
    ]


def _harmony_union_property(
    label: str, spec: Schema, variants: Sequence[Any], comments: list[str], indent: str
) -> list[str]:
    # A description stands above the name or behind the first variant, and the same words are not printed twice.
    shared = _text(spec, "description")
    above = shared if not variants or shared != _text(variants[0], "description") else []
    comments = comments + [f"// {text}" for text in above + _default(spec)]
    lines = []
    for position, variant in enumerate(variants):
        own = _text(variant, "description")
        shown = [] if own == shared or (position == 0 and above) else own
        lines.append(_harmony_variant(variant, indent, shown + _default(variant)))
    return [indent + comment for comment in comments] + [f"{indent}{label}:", *lines, f"{indent},"]


def _harmony_nested_comments(variant: object) -> list[str]:
    # Only here, in a oneOf that is not a property's own, a default string beside an enum is quoted and escaped.
    default = _default(variant)
    if _array(variant, "enum"):
        default = [f"default: {_serde_json(text)}" for text in _text(variant, "default")] or default
    return _text(variant, "description") + default


def _harmony_variant(variant: object, indent: str, comments: list[str]) -> str:
    text = f"{indent} | {_harmony_nullable(_fields(variant), indent + '   ')}"
    return f"{text} // {' '.join(comments)}" if comments else text


def _harmony_nullable(spec: Schema, indent: str) -> str:
    # The word null anywhere in the type's text, also inside a comment or an enum value, counts as nullable already.
    text = _harmony_type(spec, indent)
    return f"{text} | null" if spec.get("nullable") is True and "null" not in text else text


def _default(schema: object) -> list[str]:
    """The words on a default, if there is one: strings are not escaped, and not even quoted beside an enum."""
    spec = _fields(schema)
    if not isinstance(spec.get("default"), str):
        return [f"default: {_serde_json(spec['default'])}"] if "default" in spec else []
    return [f"default: {spec['default']}" if _array(spec, "enum") else f'default: "{spec["default"]}"']


def _array(schema: object, key: str) -> Sequence[Any] | None:
    value = _fields(schema).get(key)
    return value if isinstance(value, (list, tuple)) else None


def _strings(schema: object, key: str) -> list[str]:
    return [item for item in _array(schema, key) or () if isinstance(item, str)]


def _text(schema: object, key: str) -> list[str]:
    """The keyword's value as a list of one string, or of none where it is missing or no string."""
    value = _fields(schema).get(key)
    return [value] if isinstance(value, str) else []


def _serde_json(value: object) -> str:
    """JSON as Rust's serde_json prints it: no spaces, nothing but controls escaped, its own spelling of floats."""
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{_serde_json(str(key))}:{_serde_json(item)}" for key, item in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ",".join(map(_serde_json, value)) + "]"
    if isinstance(value, float) or (isinstance(value, int) and not -(2**63) <= value < 2**64):
        return _serde_float(value)
    return json.dumps(value, ensure_ascii=False)


def _serde_float(value: float) -> str:
    number = _read_by_serde(value)
    if not math.isfinite(number):
        return json.dumps(value)
    decimal = Decimal(repr(number))
    if -5 <= decimal.adjusted() < 16:
        return f"{decimal:f}"
    mantissa, exponent = repr(number).split("e")
    return f"{mantissa}e{int(exponent)}"


def _read_by_serde(value: float) -> float:
    """The double that serde_json reads back from Python's spelling; its quick way of scaling can miss the last bit."""
    sign, digits, exponent = Decimal(repr(value)).as_tuple()
    if not isinstance(exponent, int):
        return math.nan
    significand = int("".join(map(str, digits)))
    while significand >= 2**64:
        significand, exponent = significand // 10, exponent + 1
    number = float(significand)
    if exponent < -308:
        number, exponent = number / 1e308, exponent + 308
    number = number * float(f"1e{exponent}") if exponent >= 0 else number / float(f"1e{-exponent}")
    return -number if sign else number


# --- the chat template ------------------------------------------------------------------------------------------------
#
# The macro joins strings with `+`, so it stops at a tool without a description, at any other description that is no
# string, and at a default that is no string beside an enum or a oneOf. It reads `nullable` only on strings without an
# enum and on arrays, and descriptions and defaults only on top-level parameters and on variants of a oneOf. Its test
# for a oneOf with objects never holds, because Jinja forgets a variable that is set inside a loop.


def template_namespace(name: str, tools: Sequence[Schema]) -> str:
    """The tools as the chat template prints them; raises ValueError for a tool on which the template stops."""
    blocks = "".join(_template_tool(tool) for tool in tools)
    return f"## {name}\n\nnamespace {name} {{\n\n{blocks}}} // namespace {name}"


def _template_tool(tool: Schema) -> str:
    name = tool.get("name")
    try:
        header = f"// {_string(tool.get('description'), 'description')}\ntype {_string(name, 'name')} = "
        return header + _template_signature(_fields(tool.get("parameters")))
    except TypeError as error:
        raise ValueError(f"the gpt-oss chat template cannot print tool {name!r}: {error}") from error


def _template_signature(parameters: Schema) -> str:
    if not parameters.get("properties"):
        return "() => any;\n\n"
    lines = []
    for name, schema in _properties(parameters).items():
        try:
            lines.append(_template_parameter(_template_label(name, parameters), _fields(schema)))
        except TypeError as error:
            raise TypeError(f"parameter {name!r}: {error}") from error
    return "(_: {\n" + "".join(lines) + "}) => any;\n\n"


def _template_parameter(label: str, spec: Schema) -> str:
    comment = f"// {_string(spec['description'], 'description')}\n" if spec.get("description") else ""
    return f"{comment}{label}: {_template_type(spec)}{_template_default(spec)},\n"


def _template_default(spec: Schema) -> str:
    if "default" not in spec:
        return ""
    if spec.get("enum"):
        return f", // default: {_string(spec['default'], 'default beside an enum')}"
    if spec.get("oneOf"):
        return f"// default: {_string(spec['default'], 'default beside a oneOf')}"
    return f", // default: {json.dumps(spec['default'], ensure_ascii=False)}"


def _template_type(spec: Schema) -> str:
    kind = spec.get("type")
    if kind == "array":
        return _template_array(_fields(spec.get("items"))) + _or_null(spec)
    if isinstance(kind, (list, tuple)) and kind:
        return " | ".join(map(str, kind))
    if spec.get("oneOf"):
        return " | \n".join(_template_variant(_fields(variant)) for variant in spec["oneOf"])
    if kind == "string" and spec.get("enum"):
        return " | ".join(f'"{value}"' for value in spec["enum"])
    if kind == "string":
        return "string" + _or_null(spec)
    if kind == "object":
        return _template_object(spec) if spec.get("properties") else "object"
    return _SCALARS.get(kind, "any") if isinstance(kind, str) else "any"


def _template_array(items: Schema) -> str:
    kind = items.get("type")
    if isinstance(kind, str) and (kind == "string" or kind in _SCALARS):
        return _SCALARS.get(kind, kind) + "[]"
    inner = _template_type(items)
    return "any[]" if inner == "object | object" or len(inner) > 50 else inner + "[]"


def _or_null(spec: Schema) -> str:
    return " | null" if spec.get("nullable") else ""


def _template_variant(spec: Schema) -> str:
    comment = f"// {_string(spec['description'], 'description of a variant')}" if spec.get("description") else ""
    # The spaces here and in the next function are the template's own indentation, which its macro lets through.
    default = f"{' ' * 20}// default: {json.dumps(spec['default'], ensure_ascii=False)}" if "default" in spec else ""
    return _template_type(spec) + comment + default


def _template_object(spec: Schema) -> str:
    properties = (
        f"{_template_label(name, spec)}: \n{' ' * 16}{_template_type(_fields(schema))}"
        for name, schema in _properties(spec).items()
    )
    return "{\n" + ", ".join(properties) + "}"


def _template_label(name: str, spec: Schema) -> str:
    return name if name in (spec.get("required") or []) else f"{name}?"


def _properties(spec: Schema) -> Schema:
    if not isinstance(spec["properties"], Mapping):
        raise TypeError("properties is not an object")
    return spec["properties"]


def _string(value: object, field: str) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{field} is not a string")
    return value

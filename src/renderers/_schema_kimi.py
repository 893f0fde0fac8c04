"""Tool schemas as the TypeScript that Kimi-K2.5 and K2.6 read, and tools with their keys sorted.

The original is ``tool_declaration_ts.py`` in the repositories of moonshotai/Kimi-K2.5 and K2.6. This was written from
what it and a port of it print: texts of the original, stored as test data by github.com/lightseekorg/smg
(crates/tokenizer/tests/fixtures/kimi_k25), and the output of the PyPI package renderers 0.1.12. tests/test_kimi.py
holds some of both.

A `$ref` goes before `anyOf`, that before `enum`, that before `type`; what else a schema says is not printed, but for
the description, the default and a few limits of strings, numbers and arrays. The original gives up on a schema with
none of these four and on a reference that leads nowhere; both print as `any` here. Keywords that are null count as
absent.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Schema = Mapping[str, Any]

_STEP = "  "
_LIMITS = {
    "string": ("maxLength", "minLength", "pattern"),
    "number": ("maximum", "minimum"),
    "integer": ("maximum", "minimum"),
    "array": ("maxItems", "minItems"),
}
_NAMED = {"integer": "number", "object": "{}", "array": "Array<any>"}
_DEFINED = "#/$defs/"


def sorted_keys(value: Any) -> Any:
    """The value with the keys of all mappings in it in order."""
    if isinstance(value, Mapping):
        return {key: sorted_keys(value[key]) for key in sorted(value)}
    return [sorted_keys(item) for item in value] if isinstance(value, (list, tuple)) else value


def kimi_namespace(tools: Sequence[Schema], strict: bool = False) -> str:
    """The tools, in the OpenAI envelope, as one TypeScript namespace.

    Args:
        strict: do as the original: leave out tools of other types, and give nothing where it gives up.
    """
    try:
        printed = [
            _Printer(strict).function(tool["function"])
            for tool in tools
            if not strict or tool.get("type", "function") == "function"
        ]
    except _GaveUp:
        return ""
    return "# Tools\n\n## functions\nnamespace functions {\n" + "\n".join(printed) + "\n}\n" if printed else ""


class _GaveUp(Exception):
    pass


class _Printer:
    """Prints one function. Definitions, wherever they stand, become interfaces before it."""

    def __init__(self, strict: bool) -> None:
        self._strict = strict
        self._definitions: dict[str, Any] = {}
        self._refers_to_root = False

    def function(self, function: Schema) -> str:
        parameters = self._fields(function.get("parameters"))
        self._define(parameters)
        type_ = self._object(parameters, "")
        blocks = []
        if self._refers_to_root:
            # Printed in another way: properties as they come, and nothing on those that are not named.
            blocks.append(f"interface parameters {self._object(parameters, '', as_interface=True)}")
            type_ = "parameters"
        for name, schema in self._definitions.items():
            comment = _described(self._fields(schema), "")
            blocks.append("\n".join([*comment, f"interface {name} {self._type(schema, '')}"]))
        blocks += ["\n".join(_described(self._fields(function), ""))]
        return "\n".join([*filter(None, blocks), f"type {function['name']} = (_: {type_}) => any;"])

    def _fields(self, schema: Any) -> Schema:
        """The keywords of a schema; one that is no object has none."""
        if not isinstance(schema, Mapping):
            return {}
        return schema if self._strict else {key: value for key, value in schema.items() if value is not None}

    def _any(self) -> str:
        if self._strict:
            raise _GaveUp
        return "any"

    def _define(self, schema: Any, inside: bool = False) -> None:
        """Collect the definitions in a schema, those of the outer ones first."""
        if isinstance(schema, (list, tuple)):
            for item in schema:
                self._define(item, inside)
        elif isinstance(schema, Mapping):
            fields = self._fields(schema)
            definitions = fields.get("$defs", {})
            if not isinstance(definitions, Mapping) or (definitions and inside and self._strict):
                self._any()
                definitions = {}
            self._definitions.update(definitions)
            for key in ("anyOf", "items", "additionalProperties"):
                self._define(fields.get(key), inside)
            for inner in self._fields(fields.get("properties")).values():
                self._define(inner, inside)
            for inner in definitions.values():
                self._define(inner, True)

    def _type(self, schema: Any, indent: str) -> str:
        if isinstance(schema, bool):
            return "any" if schema else "null"
        fields = self._fields(schema)
        kind = fields.get("type")
        if "$ref" in fields:
            return self._reference(fields["$ref"])
        if isinstance(fields.get("anyOf"), (list, tuple)):
            return " | ".join(self._type(variant, indent) for variant in fields["anyOf"])
        if isinstance(fields.get("enum"), (list, tuple)):
            return " | ".join(f'"{value}"' if isinstance(value, str) else _json(value) for value in fields["enum"])
        if isinstance(kind, (list, tuple)):
            return " | ".join(_NAMED.get(str(name), str(name)) for name in kind)
        if kind == "object":
            return self._object(fields, indent)
        if kind == "array":
            return self._array(fields, indent)
        if isinstance(kind, str):
            return _NAMED.get(kind, kind)
        return self._any() if fields or not isinstance(schema, Mapping) else "any"

    def _reference(self, reference: Any) -> str:
        if reference == "#":
            self._refers_to_root = True
            return "parameters"
        name = reference[len(_DEFINED) :] if isinstance(reference, str) and reference.startswith(_DEFINED) else None
        return name if name in self._definitions else self._any()

    def _object(self, fields: Schema, indent: str, as_interface: bool = False) -> str:
        inner = indent + _STEP
        properties, required, others = (fields.get(key) for key in ("properties", "required", "additionalProperties"))
        required = required if isinstance(required, (list, tuple)) else ()
        entries = [
            "\n".join([*self._comments(schema, inner), f"{inner}{label}: {self._type(schema, inner)}"])
            for label, schema in _labels(properties, required, as_interface)
        ]
        if as_interface:
            others = None
        if isinstance(others, bool):
            entries.append(f"{inner}[k: string]: {'any' if others else 'never'}")
        elif isinstance(others, Mapping):
            entries.append(f"{inner}[k: string]: {self._type(others, inner)}")
        return "{\n" + ",\n".join(entries) + f"\n{indent}}}" if entries else "{}"

    def _array(self, fields: Schema, indent: str) -> str:
        items = fields.get("items") or True
        inner = indent + _STEP
        if comments := self._comments(items, inner, default=False):
            return "\n".join(["Array<", *comments, f"{inner}{self._type(items, inner)}", f"{indent}>"])
        return f"Array<{self._type(items, indent)}>"

    def _comments(self, schema: Any, indent: str, default: bool = True) -> list[str]:
        """What stands above a property or an item."""
        fields = self._fields(schema)
        lines = _described(fields, indent)
        if not any(key in fields for key in ("$ref", "anyOf", "enum")) and isinstance(fields.get("type"), str):
            limits = [f"{key}: {fields[key]}" for key in _LIMITS.get(fields["type"], ()) if key in fields]
            lines += [f"{indent}// {', '.join(limits)}"] if limits else []
        if default and fields.get("default") is not None:
            lines.append(f"{indent}// Default: {_json(fields['default'])}")
        return lines


def _labels(properties: Any, required: Sequence[Any], in_order: bool) -> Iterator[tuple[str, Any]]:
    """Names and schemas, those of required properties first."""
    named = list(properties.items()) if isinstance(properties, Mapping) else []
    if not in_order:
        named.sort(key=lambda item: item[0] not in required)
    yield from ((name if name in required else f"{name}?", schema) for name, schema in named)


def _described(fields: Schema, indent: str) -> list[str]:
    """The description as comment lines; an empty line stays empty."""
    text = fields.get("description")
    lines = text.split("\n") if isinstance(text, str) and text else []
    return [f"{indent}// {line}" if line else "" for line in lines]


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)

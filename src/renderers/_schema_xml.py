"""Tool schemas as XML elements, as Nemotron-3's chat template spells them.

A parameter's type, description and enum come first, then every other keyword as an element of its own: lists and
objects as JSON, everything else as Python prints it (`True`, `None`). Only the top level of a schema is spelt so. A
parameter's `name`, a schema's `type` and properties that are no object are not printed. A keyword that is null prints
as `None`, and a schema that is no object has its name only.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from ._messages import to_json

Schema = Mapping[str, Any]


def xml_definitions(tools: Sequence[Schema]) -> str:
    """The tools, inner OpenAI function objects, as `<function>` elements."""
    return "\n".join(line for tool in tools for line in _function(tool))


def _function(tool: Schema) -> Iterator[str]:
    parameters = _fields(tool.get("parameters"))
    yield "<function>"
    yield f"<name>{tool['name']}</name>"
    yield from _described(tool)
    yield "<parameters>"
    for name, schema in _fields(parameters.get("properties")).items():
        yield from _parameter(name, _fields(schema))
    yield from _others(parameters, ("type", "properties", "required"))
    if "required" in parameters:
        yield f"<required>{to_json(parameters['required'])}</required>"
    yield "</parameters>"
    yield from _others(tool, ("type", "name", "description", "parameters"))
    yield "</function>"


def _parameter(name: str, schema: Schema) -> Iterator[str]:
    yield "<parameter>"
    yield f"<name>{name}</name>"
    if "type" in schema:
        yield f"<type>{schema['type']}</type>"
    yield from _described(schema)
    if "enum" in schema:
        yield f"<enum>{to_json(schema['enum'])}</enum>"
    yield from _others(schema, ("name", "type", "description", "enum"))
    yield "</parameter>"


def _described(schema: Schema) -> Iterator[str]:
    if "description" in schema:
        yield f"<description>{str(schema['description']).strip()}</description>"


def _others(schema: Schema, spelt: Collection[str]) -> Iterator[str]:
    """Every keyword that has no place of its own."""
    for key, value in schema.items():
        if key not in spelt:
            yield f"<{key}>{to_json(value) if isinstance(value, (Mapping, list, tuple)) else value}</{key}>"


def _fields(value: object) -> Schema:
    return value if isinstance(value, Mapping) else {}

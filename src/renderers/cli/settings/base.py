"""What a setting is made of: a toolbox whose tools really work, and scripts of what a model does with it.

A toolbox is made anew for each rollout, because some tools change it. Its tools are declared from their Python
signatures and docstrings. A script is a generator: it yields what the user says, then one `Step` for each turn of the
model, and is sent what the tools answered. How a step is spelt, and what goes wrong with it, is decided elsewhere
(`rollouts`).
"""

from __future__ import annotations

import inspect
import re
import sqlite3
import typing
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

_JSON_TYPES = {str: "string", int: "integer", float: "number", bool: "boolean"}


def declare(tool: Callable[..., str]) -> dict[str, Any]:
    """The declaration of a tool, in the OpenAI shape."""
    summary, _, described = inspect.cleandoc(tool.__doc__ or "").partition("\n\nArgs:\n")
    about = dict(re.findall(r"^ +(\w+): (.+)$", described, re.M))
    hints = typing.get_type_hints(tool)
    properties: dict[str, dict[str, Any]] = {}
    required = []
    for name, parameter in inspect.signature(tool).parameters.items():
        kind = hints[name]
        many = typing.get_origin(kind) is list
        properties[name] = {"type": "array", "items": {"type": "string"}} if many else {"type": _JSON_TYPES[kind]}
        properties[name]["description"] = about[name]
        if parameter.default is parameter.empty:
            required.append(name)
        else:
            properties[name]["default"] = parameter.default
    parameters = {"type": "object", "properties": properties, "required": required}
    function = {"name": tool.__name__, "description": " ".join(summary.split()), "parameters": parameters}
    return {"type": "function", "function": function}


class Toolbox:
    """The tools of one rollout.

    Attributes:
        system: the system prompt that goes with them.
        by_tool: what the harness answers to a turn that was cut at its length limit comes as a tool result; else
            the user says it.
    """

    system = ""
    by_tool = False

    def __init__(self, rng: Random) -> None:
        """Set up what the tools work on."""

    @property
    def tools(self) -> Mapping[str, Callable[..., str]]:
        """The public methods of the subclass, each of them a tool."""
        own = vars(type(self)).items()
        return {name: getattr(self, name) for name, value in own if inspect.isfunction(value) and name[0] != "_"}

    def call(self, name: str, arguments: Mapping[str, Any]) -> str:
        """What a tool answers; its errors are answers too."""
        try:
            return self.tools[name](**arguments)
        except (ValueError, TypeError, LookupError, re.error, sqlite3.Error) as error:
            return f"Error: {type(error).__name__}: {error}"


@dataclass(frozen=True)
class Step:
    """What the model means to do in one turn: think, say something, call tools."""

    reasoning: str
    content: str = ""
    calls: Sequence[tuple[str, Mapping[str, Any]]] = ()


Script = Generator["str | Step", list[str], None]
Task = Callable[[Random], Script]


def call(tool: str, /, **arguments: Any) -> tuple[str, Mapping[str, Any]]:
    """A call of a tool, as a `Step` takes it."""
    return tool, arguments


def first_sentence(text: str) -> str:
    """The first sentence of a docstring, on one line."""
    return re.split(r"(?<=[.:])\s", " ".join(text.split()), maxsplit=1)[0]


def everywhere(rng: Random, **filters: str) -> dict[str, str]:
    """Optional filters that do not matter: left out, or given empty."""
    return filters if rng.random() < 0.4 else {}


def intro(rng: Random, text: str) -> str:
    """Most turns that call a tool say nothing else."""
    return text if rng.random() < 0.3 else ""

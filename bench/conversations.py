"""Seeded conversations: agents with tools, and chats, written so that every measured family prints all of them.

An agent belongs to one of ten settings, each with its system prompt and its tools; conversations of a setting share
those, as they do in real work, and nothing else.
"""

from __future__ import annotations

import functools
import json
import random
from dataclasses import dataclass
from typing import Any

from renderers.family import kimi_namespace, sorted_keys

from .checkpoints import FORMATS
from .texts import Texts

Message = dict[str, Any]
Tool = dict[str, Any]


@dataclass(frozen=True)
class Dialect:
    """What a family's chat template can print.

    Attributes:
        agents: it declares tools and prints calls.
        reasoning: it has a place for reasoning.
        max_calls: calls of one message.
        bare_calls: calls stand beside reasoning or nothing.
        json_arguments: arguments are JSON text.
        sorted_tools: the tokenizer's class sorts the keys of tools before it calls the template (Kimi's does).
        tools_as_text: it also hands them over as text.
    """

    agents: bool = True
    reasoning: bool = True
    max_calls: int = 3
    bare_calls: bool = False
    json_arguments: bool = False
    sorted_tools: bool = False
    tools_as_text: bool = False


DIALECTS: dict[str, Dialect] = {
    # Calls are printed beside None only, which transformers 5 takes out before the template sees it.
    "deepseek-v3": Dialect(agents=False, reasoning=False),
    "deepseek-r1": Dialect(agents=False, reasoning=False),
    "deepseek-v3.1": Dialect(reasoning=False, json_arguments=True),
    "gpt-oss": Dialect(max_calls=1, bare_calls=True),
    "kimi-k2": Dialect(reasoning=False, sorted_tools=True),
    "kimi-k2.5": Dialect(sorted_tools=True, tools_as_text=True),
    "kimi-k2.6": Dialect(sorted_tools=True, tools_as_text=True),
}
"""Where it is not what `dialect` finds out itself."""


def dialect(family: str) -> Dialect:
    """What a format's template can print."""
    return DIALECTS.get(family) or Dialect(reasoning=FORMATS[family].reply.reasons)


_VERBS = ("search", "read", "write", "list", "create", "update", "delete", "fetch", "run", "compare")
_NOUNS = ("file", "order", "ticket", "document", "user", "invoice", "job", "branch", "event", "dataset", "page")
_PARAMETERS = ("path", "query", "limit", "owner", "since", "tags", "text", "force", "format")
_KINDS: tuple[dict[str, Any], ...] = (
    {"type": "string"},
    {"type": "string"},
    {"type": "integer"},
    {"type": "number"},
    {"type": "boolean"},
    {"type": "array", "items": {"type": "string"}},
)


@dataclass(frozen=True)
class Setting:
    """A system prompt and the tools that come with it."""

    system: str
    tools: tuple[Tool, ...]


@functools.cache
def setting(k: int) -> Setting:
    """Setting number `k`: 2 tools in the first, 20 in the tenth."""
    rng = random.Random(f"setting {k}")
    texts = Texts(rng)
    names = rng.sample([f"{verb}_{noun}" for verb in _VERBS for noun in _NOUNS], 2 + 2 * k)
    return Setting(texts.prose(200 + 150 * k), tuple(_tool(rng, texts, name) for name in names))


def _tool(rng: random.Random, texts: Texts, name: str) -> Tool:
    keys = rng.sample(_PARAMETERS, rng.randint(1, 5))
    properties = {key: {**rng.choice(_KINDS), "description": f"The {key}: {texts.words(5)}."} for key in keys}
    parameters = {"type": "object", "properties": properties, "required": keys[: rng.randint(1, len(keys))]}
    description = f"{name.replace('_', ' ').capitalize()}: {texts.words(rng.randint(6, 16))}."
    return {"type": "function", "function": {"name": name, "description": description, "parameters": parameters}}


def size(messages: list[Message], tools: tuple[Tool, ...] = ()) -> int:
    """About the bytes of a conversation once written, past reasoning left out."""
    total = len(json.dumps(tools)) if tools else 0
    for message in messages:
        total += 45 + len(message["content"].encode())
        for call in message.get("tool_calls") or ():
            total += 60 + len(str(call["function"]["arguments"]).encode())
    return total


class Session:
    """A conversation in the making."""

    def __init__(self, rng: random.Random, family: str, agent: int | None) -> None:
        """`agent` is the number of its setting; None makes a chat without tools."""
        self.rng, self.texts, self.dialect = rng, Texts(rng), dialect(family)
        self._setting = setting(agent) if agent is not None else None
        self.messages: list[Message] = []
        if self._setting is not None:
            self.messages.append({"role": "system", "content": self._setting.system})
        elif rng.random() < 0.5:
            self.messages.append({"role": "system", "content": self.texts.prose(rng.randint(80, 400))})

    @property
    def tools(self) -> tuple[Tool, ...]:
        return self._setting.tools if self._setting is not None else ()

    @property
    def size(self) -> int:
        return size(self.messages, self.tools)

    def case(self, add_generation_prompt: bool) -> dict[str, Any]:
        """The arguments of a render; `template` has what apply_chat_template is given besides, or instead."""
        tools = list(self.tools) or None
        case = {"messages": list(self.messages), "tools": tools, "add_generation_prompt": add_generation_prompt}
        return {**case, "template": self.template_options}

    @functools.cached_property
    def template_options(self) -> dict[str, Any]:
        if not (self.tools and self.dialect.sorted_tools):
            return {}
        tools = sorted_keys(list(self.tools))
        return {"tools": tools} | (
            {"tools_ts_str": kimi_namespace(tools, strict=True)} if self.dialect.tools_as_text else {}
        )

    # ---- turns ------------------------------------------------------------------------------

    def ask(self, length: int) -> None:
        """A user asks."""
        about_code = self.rng.random() < 0.3
        body = f"Why does this fail?\n\n{self.texts.code(length)}" if about_code else self.texts.prose(length)
        self.messages.append({"role": "user", "content": body})

    def answer(self, length: int) -> None:
        """The assistant answers."""
        self.messages.append({"role": "assistant", "content": self.texts.markdown(length), **self._reasoning(length)})

    def act(self, length: int, calls: int | None = None, *, reasons: bool | None = None) -> None:
        """The assistant calls tools, one to three unless told; it reasons more often than not unless told."""
        wanted = self.rng.choice((1, 1, 1, 2, 3)) if calls is None else calls
        made = [self._call(length) for _ in range(min(wanted, self.dialect.max_calls))]
        reasoning = self._reasoning(length, reasons)
        content = "" if reasoning or self.dialect.bare_calls else self.texts.words(12)
        self.messages.append({"role": "assistant", "content": content, **reasoning, "tool_calls": made})

    def results(self, length: int) -> None:
        """The tools answer."""
        calls = self.messages[-1]["tool_calls"]
        kinds = (self.texts.code, self.texts.log, self.texts.table, self.texts.prose)
        for call in calls:
            body = self.rng.choice(kinds)(length // len(calls))
            name = call["function"]["name"]
            self.messages.append({"role": "tool", "content": body, "name": name, "tool_call_id": call["id"]})

    def _reasoning(self, length: int, wanted: bool | None = None) -> dict[str, str]:
        wanted = self.rng.random() < 0.7 if wanted is None else wanted
        if not (self.dialect.reasoning and wanted):
            return {}
        return {"reasoning_content": self.texts.prose(self.rng.randint(length // 2, length))}

    def _call(self, length: int) -> Message:
        assert self._setting is not None
        tool = self.rng.choice(self._setting.tools)["function"]
        arguments = {key: self._argument(kind, length) for key, kind in tool["parameters"]["properties"].items()}
        call_id = f"call_{self.rng.getrandbits(64):016x}"
        given = json.dumps(arguments, ensure_ascii=False) if self.dialect.json_arguments else arguments
        return {"type": "function", "id": call_id, "function": {"name": tool["name"], "arguments": given}}

    def _argument(self, kind: dict[str, Any], length: int) -> Any:
        rng = self.rng
        if kind["type"] == "string":
            return self.texts.code(length // 2) if rng.random() < 0.15 else self.texts.words(rng.randint(1, 5))
        if kind["type"] == "array":
            return [self.texts.words(1) for _ in range(rng.randint(0, 4))]
        values = {"integer": rng.randint(0, 500), "number": round(rng.uniform(0, 10), 3), "boolean": rng.random() < 0.5}
        return values[kind["type"]]


def conversation(rng: random.Random, family: str, target: int) -> dict[str, Any]:
    """A whole conversation of about `target` bytes: three in five an agent's, else a chat."""
    settings = max(1, min(10, target // 2000))  # many tools alone make more than a short conversation
    is_agent = dialect(family).agents and target > 1500 and rng.random() < 0.6
    session = Session(rng, family, rng.randrange(settings) if is_agent else None)
    step = max(60, min(target // 6, 1500))
    while True:
        session.ask(step // 2)
        for _ in range(rng.randint(1, 12) if session._setting else 0):
            if session.size > target:
                return session.case(add_generation_prompt=True)
            session.act(step // 3)
            session.results(rng.randint(step // 2, 2 * step))
        if session.size > target:
            return session.case(add_generation_prompt=True)
        session.answer(step)
        if session.size > target:
            return session.case(add_generation_prompt=False)


def rollout(rng: random.Random, family: str, target: int, agent: int) -> Session:
    """An agent's work on one question, about `target` bytes of it, up to where the assistant is to act again.

    Nothing in it is rewritten by later tool results.
    """
    session = Session(rng, family, agent)
    session.ask(min(400, target // 8))
    step = max(60, min(target // 6, 1500))
    while session.size + _reasoned(session) < target:
        session.act(step // 3)
        session.results(step)
    return session


def _reasoned(session: Session) -> int:
    return sum(len(message.get("reasoning_content", "").encode()) for message in session.messages)


def reply(rng: random.Random, family: str, target: int) -> Session:
    """A question, one reply of about `target` bytes, with reasoning, content and three calls, and their results."""
    session = Session(rng, family, agent=4)
    session.ask(300)
    session.act(120, calls=3, reasons=True)
    last = session.messages[-1]
    left = max(target - len(str(last["tool_calls"])), 200)
    if session.dialect.reasoning:
        last["reasoning_content"] = session.texts.prose(int(left * 0.65))
        left = int(left * 0.35)
    if not session.dialect.bare_calls:
        last["content"] = session.texts.markdown(left)
    session.results(60)
    return session

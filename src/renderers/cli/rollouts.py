"""Rollouts as a sampler would record them: completions written token by token the way models write Qwen3.5's format.

Everything is drawn from a seed, and nothing depends on how prompts are rendered, so that two ways of rendering can be
compared on the same samples. The tools see what the parser reads out of the sampled tokens.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from .. import ParsedResponse
from .._renderer import Renderer
from .._tokenizers import Tokenizer
from .settings import SETTINGS
from .settings.base import Script, Step, Toolbox, declare

# How often a model departs from what its template would write. None of these was fitted to a result.

P_LOWER_CASE_LITERAL = 0.95
"""A Boolean as ``true``: schemas and most of what a model has read are JSON; the template writes ``True``."""
P_SHORT_EMPTY = 0.7
"""An empty value as one line break, where the template writes the breaks before and after it."""
P_COMPACT_JSON = 0.05
"""A list without blanks behind its commas."""
P_LOOSE_CALL = 0.02
"""A call with other line breaks than the template's: legal, and parsed the same."""
P_LOOSE_SPACE = 0.02
"""A turn with a line break more or less around its reasoning or its words."""
P_SPARE_ARGUMENT = 0.05
"""An optional argument written out with its default, for each one the call does not need."""
P_OTHER_SPLIT = 1 / 1000
"""A token sampled as two shorter ones of the same text. Nobody publishes a rate; this is some turns in a hundred."""
P_LENGTH_CUT = 0.02
"""A turn that reaches its token limit."""
P_FOLLOW_UP = 0.2
"""A rollout in which the user asks a second thing."""

_CONTROLS = re.compile(r"(</think>|</?tool_call>|<\|im_end\|>)")
"""The control tokens of a turn."""

CUT_NOTICE = "Your reply reached the length limit and was cut off. Go on with a shorter one."


@dataclass(frozen=True)
class Turn:
    """One turn as sampled.

    Attributes:
        completion: the token ids.
        finish_reason: "stop", or "length" where it was cut.
        answers: the messages that came next; none after the last turn.
    """

    completion: Sequence[int]
    finish_reason: str
    answers: Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Rollout:
    """One conversation of a model with tools and a user.

    Attributes:
        setting: which tools.
        tools: their declarations.
        messages: what stood before the first turn.
    """

    setting: str
    tools: Sequence[Mapping[str, Any]]
    messages: Sequence[Mapping[str, Any]]
    turns: Sequence[Turn]


def make_rollouts(renderer: Renderer, tokenizer: Tokenizer, n: int, seed: int) -> list[Rollout]:
    """`n` rollouts, the settings in turn; each has its own stream of chance, so more of them do not change the
    first.
    """
    names = list(SETTINGS)
    return [_play(renderer, tokenizer, names[i % len(names)], Random(f"{seed}/{i}")) for i in range(n)]


def _play(renderer: Renderer, tokenizer: Tokenizer, setting: str, rng: Random) -> Rollout:
    """Let the scripted model work with the tools until its script ends or a broken call ends the rollout."""
    kind, tasks = SETTINGS[setting]
    toolbox = kind(rng)
    tools = [declare(tool) for tool in toolbox.tools.values()]
    script = _script([task(rng) for task in rng.sample(tasks, 2 if rng.random() < P_FOLLOW_UP else 1)])
    messages = [{"role": "system", "content": toolbox.system}, {"role": "user", "content": str(next(script))}]
    model = Model(tokenizer, rng, tools)
    turns: list[Turn] = []
    step = next(script, None)
    while isinstance(step, Step):
        completion, finish_reason = model.sample(step)
        parsed = renderer.parse_response(completion, tools=tools, finish_reason=finish_reason)
        answers: list[dict[str, Any]]
        if finish_reason == "length":
            role = "tool" if toolbox.by_tool else "user"
            # Of a call that was cut nothing can be run, and the rollout is over.
            answers = [] if parsed.tool_calls else [{"role": role, "content": CUT_NOTICE}]
            following: Step | None = step if answers else None
        else:
            answers = _results(toolbox, parsed)
            said = _send(script, [str(answer["content"]) for answer in answers])
            if isinstance(said, str):
                answers.append({"role": "user", "content": said})
                said = _send(script, [])
            following = said if isinstance(said, Step) else None
        turns.append(Turn(completion, finish_reason, answers))
        step = following
    return Rollout(setting, tools, messages, turns)


def _script(scripts: Sequence[Script]) -> Script:
    """One script after the other."""
    for script in scripts:
        yield from script


def _send(script: Script, results: list[str]) -> str | Step | None:
    try:
        return script.send(results)
    except StopIteration:
        return None


def _results(toolbox: Toolbox, parsed: ParsedResponse) -> list[dict[str, Any]]:
    """What the tools answer to the calls of a turn."""
    results = []
    for call in parsed.tool_calls:
        arguments = call.arguments if isinstance(call.arguments, dict) else {}
        results.append({"role": "tool", "content": toolbox.call(call.name or "", arguments)})
    return results


class Model:
    """Writes turns as token ids, with the quirks that models have."""

    def __init__(self, tokenizer: Tokenizer, rng: Random, tools: Sequence[Mapping[str, Any]]) -> None:
        self._tokenizer, self._rng = tokenizer, rng
        self._schemas = {tool["function"]["name"]: tool["function"]["parameters"]["properties"] for tool in tools}

    def sample(self, step: Step) -> tuple[list[int], str]:
        """The ids of a turn after a prompt that ends in ``<think>⏎``, and why it ended."""
        cut = self._chance(P_LENGTH_CUT)
        # What depends on the number of tokens has its own chance, so that it does not shift what comes after.
        per_token = Random(self._rng.getrandbits(64))
        ids = self._split(self._encode(self._text(step)), per_token)
        if not cut:
            return ids, "stop"
        close = self._tokenizer.controls["</tool_call>"]
        end = ids.index(close) if close in ids else len(ids) - 1
        return ids[: per_token.randint(end // 4, end)], "length"

    def _text(self, step: Step) -> str:
        before, after, between = "\n", "\n\n", "\n\n"
        if self._chance(P_LOOSE_SPACE):
            before, after, between = self._rng.choice(
                [("", "\n\n", "\n\n"), ("\n\n", "\n\n", "\n\n"), ("\n", "\n", "\n\n"), ("\n", "\n\n", "\n")]
            )
        calls = "\n".join(self._call(name, arguments) for name, arguments in step.calls)
        said = f"{step.content}{between}{calls}" if step.content and calls else step.content or calls
        return f"{step.reasoning}{before}</think>{after}{said}<|im_end|>"

    def _call(self, name: str, arguments: Mapping[str, Any]) -> str:
        given = dict(arguments)
        for key, schema in self._schemas[name].items():
            if key not in given and self._chance(P_SPARE_ARGUMENT):
                given[key] = schema["default"]
        opening, closing = ("", "") if self._chance(P_LOOSE_CALL) else ("\n", "\n")
        spelt = "".join(
            f"<parameter={key}>{opening}{self._value(value)}{'' if self._is_short(value) else closing}</parameter>\n"
            for key, value in given.items()
        )
        return f"<tool_call>\n<function={name}>\n{spelt}</function>\n</tool_call>"

    def _value(self, value: Any) -> str:
        if isinstance(value, bool):
            return json.dumps(value) if self._chance(P_LOWER_CASE_LITERAL) else str(value)
        if isinstance(value, list):
            return json.dumps(
                value, ensure_ascii=False, separators=(",", ":") if self._chance(P_COMPACT_JSON) else None
            )
        return str(value)

    def _is_short(self, value: Any) -> bool:
        return value == "" and self._chance(P_SHORT_EMPTY)

    def _encode(self, text: str) -> list[int]:
        """The canonical tokens of a turn."""
        parts = _CONTROLS.split(text)
        runs = iter(self._tokenizer.encode_batch([part for part in parts[::2] if part]))
        ids: list[int] = []
        for k, part in enumerate(parts):
            ids += [self._tokenizer.controls[part]] if k % 2 else next(runs) if part else []
        return ids

    def _split(self, ids: Sequence[int], rng: Random) -> list[int]:
        """The same text with a word's token here and there sampled as two."""
        split: list[int] = []
        for id_ in ids:
            split += self._halves(id_, rng) if rng.random() < P_OTHER_SPLIT else [id_]
        return split

    def _halves(self, id_: int, rng: Random) -> list[int]:
        text = self._tokenizer.token_bytes([id_]).decode("utf-8", "replace")
        if not text.strip().isalpha() or len(text.strip()) < 3:
            return [id_]
        cut = rng.randint(len(text) - len(text.strip()) + 1, len(text) - 1)
        halves = [half for ids in self._tokenizer.encode_batch([text[:cut], text[cut:]]) for half in ids]
        return halves if len(halves) == 2 else [id_]

    def _chance(self, probability: float) -> bool:
        return self._rng.random() < probability

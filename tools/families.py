"""Writes docs/families.md: what is true of every hand-written format, found out by asking the package.

    python tools/families.py [--check]

Needs the real tokenizers (`make assets`). With `--check` nothing is written, and the exit status says whether the page
is up to date.
"""

from __future__ import annotations

import argparse
import dataclasses
import re
import sys
import typing
import warnings
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, Literal

from renderers import Bridge, FamilyRenderer, Refusal, RefusalCode, config_from_name, create_renderer
from renderers._tokenizers import repository
from renderers.base import RENDERER_REGISTRY

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.oracles import model_folder  # noqa: E402 - the tests know where the real tokenizers lie

PAGE = ROOT / "docs" / "families.md"
TOKENIZERS = {
    "qwen3-instruct-2507": "qwen3",
    "qwen3-thinking-2507": "qwen3",
    "qwen3-vl-thinking": "qwen3-vl",
    "glm-5.1": "glm-5",
}
"""Where a format's tokenizer lies under another name than its own."""

_CODES = {code.value for code in RefusalCode}

ASK = {"role": "user", "content": "Q"}
SYSTEM = {"role": "system", "content": "S"}
ARGUMENTS = {"text": "a", "flag": True, "list": [1, None]}
CALL = {"id": "functions.f:0", "type": "function", "function": {"name": "f", "arguments": ARGUMENTS}}
CALLED = {"role": "assistant", "content": "", "tool_calls": [CALL]}
RESULT = {"role": "tool", "content": "R", "tool_call_id": "functions.f:0", "name": "f"}
ANSWER = {"role": "assistant", "content": "A"}
THOUGHT = "T"
TOOL = {"name": "f", "description": "D", "parameters": {"type": "object", "properties": {"text": {"type": "string"}}}}

HEAD = """# Families

What holds for each format that is written by hand, as the package itself finds it. This page is made by
`make families` and checked in the tests; do not edit it.

How to read it:

- *Reasoning in history*: which past reasoning the template prints. `preserve_thinking_between_tool_calls` and
  `preserve_all_thinking` print more of it.
- *Prefix-stable*: what is rendered at any turn of a rollout is a prefix of what is rendered later, so that rendering
  again never breaks a sample. With `use_patched=True` every format is.
- *Bridge*: what `bridge_to_next_turn` does after such a turn, with `thinking_retention="all"`; in *italics* the
  refusal's code. The last column is the policy when nothing is asked for.
"""


@cache
def tokenizer(name: str) -> Any:
    """A format's tokenizer, loaded once."""
    return repository(str(model_folder(TOKENIZERS.get(name, name)))).tokenizer


def made(name: str, **options: Any) -> FamilyRenderer:
    renderer = create_renderer(tokenizer(name), name, **options)
    assert isinstance(renderer, FamilyRenderer)
    return renderer


def code(text: str) -> str:
    """Text in a table's cell, newlines visible."""
    shown = text.replace("\n", "⏎").replace("|", "\\|")
    fence = "``" if "`" in shown else "`"
    pad = " " if "`" in shown else ""
    return f"{fence}{pad}{shown}{pad}{fence}" if shown else "(nothing)"


# --- What is asked ---------------------------------------------------------------------------------------------------


def said(r: FamilyRenderer, message: dict[str, Any]) -> dict[str, Any]:
    """The message with reasoning, where the format has any."""
    return {**message, "reasoning_content": THOUGHT} if r.family.reply.reasons else message


def turn_text(r: FamilyRenderer, *messages: dict[str, Any]) -> str:
    """The text of the last message."""
    return r.render_text(messages)[len(r.render_text(messages[:-1])) :]


def prompt_text(r: FamilyRenderer, *messages: dict[str, Any]) -> str:
    return r.render_text(messages, add_generation_prompt=True)[len(r.render_text(messages)) :]


def history(r: FamilyRenderer) -> str:
    """Which past reasoning the template prints."""
    if not r.family.reply.reasons:
        return "the format has none"
    alone = THOUGHT in turn_text(r, ASK, said(r, ANSWER))
    cycle = _reasons(r, [ASK, said(r, CALLED), RESULT], 1)
    asked = _reasons(r, [ASK, said(r, ANSWER), ASK], 1)
    if asked:
        return "all of it"
    if cycle:
        return "inside the running tool cycle; gone once a user asks again"
    return "none but the last turn's" if alone else "none, not even the last turn's"


def _reasons(r: FamilyRenderer, messages: list[dict[str, Any]], i: int) -> bool:
    rendered = r.render(messages)
    fields = [rendered.field_of(k).name for k, owner in enumerate(rendered.message_indices) if owner == i]
    return "REASONING" in fields


def bridges(r: FamilyRenderer) -> Iterator[tuple[str, str]]:
    """Shape of a sampled turn and what follows it → what a bridge does."""
    yield "answer → user", _told(r, [ASK], said(r, ANSWER), [ASK])
    yield "calls → results", _told(r, [ASK], said(r, CALLED), [RESULT])
    yield "calls → results, user", _told(r, [ASK], said(r, CALLED), [RESULT, ASK])
    yield "answer → system", _told(r, [ASK], said(r, ANSWER), [SYSTEM])
    yield "cut answer → user", _told(r, [ASK], said(r, ANSWER), [ASK], until=("CONTENT",))
    if r.family.reply.reasons:
        yield "cut reasoning → user", _told(r, [ASK], said(r, ANSWER), [ASK], until=("REASONING",))
    yield "cut call → user", _told(r, [ASK], said(r, CALLED), [ASK], until=("CALL_NAME",))


def _told(
    r: FamilyRenderer,
    before: list[dict[str, Any]],
    turn: dict[str, Any],
    new: list[dict[str, Any]],
    until: tuple[str, ...] = (),
) -> str:
    """The turn as sampled (through its stop, or cut behind its last token of a field), then a bridge."""
    kept = made(r.family.name, use_patched=True)
    prompt = kept.render_ids(before, add_generation_prompt=True)
    whole = kept.render([*before, turn])
    tokens = [k for k in range(len(whole)) if whole.sampled_mask[k]]
    if until:
        cut = [k for k in tokens if whole.field_of(k).name in until]
        if not cut:
            return "-"
        tokens = [k for k in tokens if k <= cut[-1]]
    sampled = [whole[k] for k in tokens]
    if not until and sampled and sampled[-1] not in r.get_stop_token_ids():
        sampled.append(_marker(r, new[0]["role"]))
    outcome: Bridge = r.explain_bridge(prompt, sampled, new)
    if outcome.refusal is not None:
        return f"*{outcome.refusal.code.value}*"
    return "yes"


def _marker(r: FamilyRenderer, role: str) -> int:
    """The stop that opens the next message, for formats without a close; else the canonical stop."""
    following = r.render([ASK, CALLED, RESULT] if role == "tool" else [ASK, ANSWER, ASK if role == "user" else SYSTEM])
    first = next(k for k, owner in enumerate(following.message_indices) if owner == 2)
    stops = r.get_stop_token_ids()
    return following[first] if following[first] in stops else stops[0]


# --- The page --------------------------------------------------------------------------------------------------------


def kind_of(annotation: Any) -> str:
    if typing.get_origin(annotation) is Literal:
        return " or ".join(f"`{value!r}`" for value in typing.get_args(annotation))
    kinds = typing.get_args(annotation) or (annotation,)
    return " or ".join(f"`{kind.__name__}`".replace("NoneType", "None") for kind in kinds)


def section(name: str, family: Any) -> Iterator[str]:
    r, seen = made(name), set[str]()
    summary = (family.__doc__ or "").strip().split("\n")[0]
    yield f"## {name}\n\n{summary} `{type(r).__name__}`, config `{type(r).__name__}Config`.\n"
    yield "| checkpoints | chat templates, SHA-256 | options of their own |\n|---|---|---|"
    for options in [{}, *(given for given in (*family.models.values(), *family.templates.values()) if given)]:
        models, digests = (
            [f"`{key}`" for key in given if given[key] == options] for given in (family.models, family.templates)
        )
        row = [models, digests, [code(f"{key}={value!r}") for key, value in options.items()]]
        line = "| " + " | ".join(", ".join(cell) or "-" for cell in row) + " |"
        if (models or digests) and line not in seen:
            seen.add(line)
            yield line
    hints = typing.get_type_hints(family)
    if fields := dataclasses.fields(family):
        yield "\n| option | values | default |\n|---|---|---|"
        for field in fields:
            yield f"| `{field.name}` | {kind_of(hints[field.name])} | {code(repr(field.default))} |"
    stops = ", ".join(
        f"{code(text)} {id_}" for text, id_ in zip(family.reply.stops, r.get_stop_token_ids(), strict=True)
    )
    yield "\n| | |\n|---|---|"
    yield f"| stop tokens | {stops} |"
    yield f"| generation prompt | {code(prompt_text(r, ASK))} |"
    yield f"| a call | {code(turn_text(r, ASK, CALLED))} |"
    yield f"| tools declared | {'yes' if r.supports_tools else 'no: given tools are left out with a warning'} |"
    yield f"| reasoning in history | {history(r)} |"
    yield f"| prefix-stable | {'yes' if r.is_prefix_stable else 'no'} |"
    default = create_renderer(tokenizer(name), config_from_name(name))
    yield f"| retention by default | `{default.effective_thinking_retention}` |"
    outcomes = list(bridges(r))
    yield "\n| " + " | ".join(shape for shape, _ in outcomes) + " |"
    yield "|" + "---|" * len(outcomes)
    yield "| " + " | ".join(told for _, told in outcomes) + " |\n"


def page() -> str:
    """The whole page."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # formats that cannot declare tools say so
        families = {name: cls.family_type for name, cls in RENDERER_REGISTRY.items() if name != "default"}
        parts = [line for name in sorted(families) for line in section(name, families[name])]
        codes = sorted({code for line in parts for code in re.findall(r"\\*(\w+)\\*", line) if line.startswith("| ")})
    reasons = [f"| *{code}* | {Refusal(RefusalCode(code)).message} |" for code in codes if code in _CODES]
    return "\n".join([HEAD, *parts, "## Refusals\n", "| code | what to do |\n|---|---|", *reasons, ""])


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; fail if the page is out of date")
    options = parser.parse_args(argv)
    text = page()
    if options.check:
        return int(not PAGE.is_file() or PAGE.read_text(encoding="utf-8") != text)
    PAGE.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""gpt-oss: every option of its system message, against the vendor's encoder and the template."""

from __future__ import annotations

from typing import Any

import pytest

from renderers import BadOption, FamilyRenderer, create_renderer
from tests import oracles

USER = {"role": "user", "content": "hi"}
SYSTEM = {"role": "system", "content": "Be brief."}
TOOL = {"type": "function", "function": {"name": "f", "description": "d", "parameters": {"type": "object"}}}
ANSWERS = [
    USER,
    {"role": "assistant", "content": "one", "reasoning_content": "R1"},
    USER,
    {"role": "assistant", "content": "two", "reasoning_content": "R2"},
]


def made(**options: Any) -> FamilyRenderer:
    """A renderer with these options."""
    r = create_renderer(oracles.tokenizer_for("gpt-oss"), "gpt-oss", **options)
    assert isinstance(r, FamilyRenderer)
    return r


@pytest.mark.parametrize("effort", ["low", "medium", "high"])
@pytest.mark.parametrize("identity", [None, "You are <|end|> somebody.\n", ""])
@pytest.mark.parametrize("cutoff", [None, "2025-01", ""])
@pytest.mark.parametrize("tools", [None, [TOOL]])
def test_system_options_are_the_vendors(
    effort: str, identity: str | None, cutoff: str | None, tools: list[Any] | None
) -> None:
    """Effort, date, identity and knowledge cutoff, each alone and together, with and without tools."""
    given = {"model_identity": identity, "knowledge_cutoff": cutoff}
    options = {key: value for key, value in given.items() if value is not None}
    r = made(reasoning_effort=effort, conversation_start_date=oracles.DATE, **options)
    expected = oracles.harmony_ids(
        [SYSTEM, USER], tools, True, reasoning_effort=effort, identity=identity, knowledge_cutoff=cutoff
    )
    assert r.render_ids([SYSTEM, USER], tools=tools, add_generation_prompt=True) == expected


@pytest.mark.parametrize("effort", ["low", "medium", "high"])
@pytest.mark.parametrize("date", [oracles.DATE, "2031-12-30"])
@pytest.mark.parametrize("identity", [None, "You are somebody."])
def test_system_options_are_the_templates(effort: str, date: str, identity: str | None) -> None:
    """The template knows effort, identity and, from its clock, the date."""
    more = {} if identity is None else {"model_identity": identity}
    r = made(dialect="template", reasoning_effort=effort, conversation_start_date=date, **more)
    expected = oracles.template_ids(
        "gpt-oss-template", [SYSTEM, USER], [TOOL], True, date=date, reasoning_effort=effort, **more
    )
    assert r.render_ids([SYSTEM, USER], tools=[TOOL], add_generation_prompt=True) == expected


def _without_system(messages: list[Any], tools: list[Any], date: str | None = None) -> list[int]:
    """What the vendor's encoder prints without a system message, or with one that has no date."""
    library = oracles._harmony()
    head = [] if date is None else [library.Message.from_role_and_content(library.Role.SYSTEM, library.SystemContent())]
    turns = [oracles._turn(messages, i) for i in range(len(messages))]
    return oracles._for_completion(oracles._conversation([*head, *oracles._opening(messages, tools)], turns))


@pytest.mark.parametrize("tools", [[], [TOOL]])
@pytest.mark.parametrize("messages", [[USER], [SYSTEM, USER]])
def test_without_a_system_message(messages: list[Any], tools: list[Any]) -> None:
    """Left out, instructions and tools stand where they stood; no date is no line."""
    r = made(use_system_prompt=False)
    assert r.render_ids(messages, tools=tools, add_generation_prompt=True) == _without_system(messages, tools)
    assert made().render_ids(messages, tools=tools, add_generation_prompt=True) == _without_system(messages, tools, "")


def test_all_analysis_may_be_kept() -> None:
    """As the vendor's `auto_drop_analysis=False` keeps it."""
    library = oracles._harmony()
    head = [oracles._system("medium", oracles.DATE, None, None)]
    turns = [oracles._turn(ANSWERS, i) for i in range(len(ANSWERS))]
    assert library is not None
    r = made(conversation_start_date=oracles.DATE, auto_drop_analysis=False)
    assert r.render_ids(ANSWERS) == oracles._for_training(oracles._conversation(head, turns), drop=False)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("reasoning_effort", "xhigh"),
        ("conversation_start_date", 20260102),
        ("model_identity", 5),
        ("use_system_prompt", "no"),
        ("auto_drop_analysis", 1),
        ("dialect", "jinja"),
        ("builtin_tools", ["browser"]),
    ],
)
def test_options_are_checked(option: str, value: Any) -> None:
    """A value of the wrong kind, or an option there is not, is refused by name."""
    with pytest.raises(BadOption, match=option):
        made(**{option: value})


@pytest.mark.parametrize("dialect", ["harmony", "template"])
def test_patched_history_is_what_was_sampled(dialect: str) -> None:
    """Analysis stays, and an answer in history ends in the `<|return|>` that the model sampled."""
    r = made(dialect=dialect, conversation_start_date=oracles.DATE, use_patched=True)
    prompt = r.render_ids(ANSWERS[:1], add_generation_prompt=True)
    sampled = r.render_ids(ANSWERS[:2])[len(prompt) :]
    assert sampled[-1] == oracles.control_strings("gpt-oss")["<|return|>"]
    longer = r.bridge_to_next_turn(prompt, sampled, ANSWERS[2:3])
    assert longer is not None
    assert longer.token_ids == r.render_ids(ANSWERS[:3], add_generation_prompt=True)
    assert r.render_ids(ANSWERS)[: len(longer.token_ids)] == longer.token_ids
    assert r.render_text(ANSWERS).count("<|return|>") == 2

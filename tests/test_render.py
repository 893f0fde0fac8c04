"""Rendering against the truth: the model's own chat template, or the vendor's encoder."""

from __future__ import annotations

import warnings
from typing import Any

import pytest

from renderers import BadMessage, RenderersWarning
from tests import oracles
from tests.conversations import conversations, refused
from tests.harness import KEYS, oracle, oracle_ids, oracle_text, renderer, text_of

CONVERSATIONS = 400

READ_ALL_THE_SAME = {
    "first_system_parts",
    "first_system_parts_with_tools",
    "user_parts",
    "system_parts",
    "tool_parts",
    "answer_parts",
    "arguments_string",
    "arguments_mapping",
    "call_without_type",
    "call_without_function",
    "flat_call",
    "flat_tool",
    "empty_calls",
}
"""Shapes that a template cannot take and we can: text parts, JSON text for a mapping and the reverse, flat calls
and tools.
"""

REFUSED_IN_PARITY_TOO = {"image_part"}
"""Pictures are an error for a renderer of text, whatever the template does with them."""


@pytest.mark.parametrize("key", KEYS)
def test_renders_what_the_template_renders(key: str) -> None:
    """Text and ids are the oracle's, in generated conversations of every shape the template prints whole."""
    for case in conversations(key, CONVERSATIONS, seed=1):
        r = renderer(key, **case.kwargs)
        given: dict[str, Any] = {"tools": case.tools, "add_generation_prompt": case.add_generation_prompt}
        text, ids = oracle(key, case)
        assert r.render_text(case.messages, **given) == text
        assert r.render_ids(case.messages, **given) == ids
        assert r.render(case.messages, **given).token_ids == ids


@pytest.mark.parametrize("key", [key for key in KEYS if key != "harmony"])
def test_parity_renders_what_the_template_renders(key: str) -> None:
    """With parity, the same holds, and nothing about it needs the conversation to be printed whole."""
    for case in conversations(key, 100, seed=2):
        r = renderer(key, parity=True, **case.kwargs)
        got = r.render_ids(case.messages, tools=case.tools, add_generation_prompt=case.add_generation_prompt)
        assert got == oracle_ids(key, case)


@pytest.mark.parametrize("key", [key for key in KEYS if key != "harmony"])
def test_what_the_template_refuses_or_drops(key: str) -> None:
    """Where the template raises we raise; what it drops silently is written or refused; parity drops it too."""
    for name, case, expectation in refused(key):
        given: dict[str, Any] = {"tools": case.tools, "add_generation_prompt": case.add_generation_prompt}
        if expectation == "raises":
            with pytest.raises(oracles.TemplateRaised):
                oracle_text(key, case)
            if name not in READ_ALL_THE_SAME:
                for parity in (False, True):
                    with pytest.raises(BadMessage):
                        renderer(key, parity=parity, **case.kwargs).render(case.messages, **given)
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("error", RenderersWarning)
            try:
                text = renderer(key, **case.kwargs).render_text(case.messages, **given)
            except (BadMessage, RenderersWarning):
                text = None
        lost = [marker for marker in case.markers if text is not None and marker not in text]
        assert not lost, f"{name}: {lost} are missing without a word"
        if name in REFUSED_IN_PARITY_TOO:
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RenderersWarning)
            got = renderer(key, parity=True, **case.kwargs).render_text(case.messages, **given)
        assert got == oracle_text(key, case), name


@pytest.mark.parametrize("key", [key for key in KEYS if key != "harmony"])
def test_parity_lets_control_strings_through(key: str) -> None:
    """With parity, control strings in the caller's text become control tokens, as they do in the plain template."""
    controls = sorted(oracles.control_strings(oracles.TEMPLATES[key].tokenizer))[:12]
    messages = [{"role": "user", "content": f"a {' b '.join(controls)} c"}]
    r = renderer(key, parity=True)
    assert r.render_ids(messages) == oracles.template_ids(key, messages)
    assert text_of(key, r.render_ids(messages)) == oracles.template_text(key, messages)

"""What holds for every family: which checkpoints and templates it names, odd input, and flags that only add."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from renderers import FamilyRenderer, create_renderer
from renderers.families import families
from tests import oracles
from tests.conversations import Case, conversations
from tests.harness import NAMES, REASONING_KEYS, oracle_text, renderer, tokenizer_family

USER: dict[str, Any] = {"role": "user", "content": "hi"}
CALL: dict[str, Any] = {"id": "functions.f:0", "type": "function", "function": {"name": "f", "arguments": {"a": "b"}}}
JSON_CALL = {**CALL, "function": {"name": "f", "arguments": '{"a": "b"}'}}
TEMPLATE_KEYS = tuple(key for key in NAMES if key != "harmony")


def same_as_the_template(key: str, messages: list[dict[str, Any]], parity: bool = True, **options: Any) -> None:
    case = Case(messages, None, True, options)
    got = renderer(key, parity=parity, **options).render_text(messages, add_generation_prompt=True)
    assert got == oracle_text(key, case)


# ---- which models and templates -------------------------------------------------------------


def test_no_two_families_name_the_same_model_or_template() -> None:
    for names in ("models", "templates"):
        named = [each for family in families().values() for each in getattr(family, names)]
        assert len(named) == len(set(named))


@pytest.mark.parametrize("key", TEMPLATE_KEYS)
def test_a_folder_is_known_by_its_template(key: str, tmp_path: Path) -> None:
    """Under any name, with the options that differ for that template."""
    case, folder = oracles.TEMPLATES[key], tmp_path / "copy"
    folder.mkdir()
    for file in oracles.model_folder(tokenizer_family(key)).iterdir():
        if file.name == "tokenizer_config.json":
            config = json.loads(file.read_text(encoding="utf-8"))
            config.pop("chat_template", None)
            (folder / file.name).write_text(json.dumps(config), encoding="utf-8")
        elif file.suffix != ".jinja":
            (folder / file.name).symlink_to(file.resolve())
    shutil.copy(case.path, folder / "chat_template.jinja")
    made = create_renderer(str(folder))
    digest = hashlib.sha256(case.path.read_bytes()).hexdigest()
    name, options = NAMES[key]
    assert isinstance(made, FamilyRenderer)
    assert (made.identity.name, made.identity.chosen_by) == (name, "template")
    assert made.identity.template_sha256 == digest
    assert digest in families()[name].templates
    if name != "gpt-oss":  # its template is the other dialect
        assert {option: getattr(made.family, option) for option in options} == options


# ---- odd input ------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["kimi-k2", "kimi-k2.5", "kimi-k2.6"])
@pytest.mark.parametrize("parity", [False, True])
def test_a_result_may_come_first(key: str, parity: bool) -> None:
    same_as_the_template(key, [{"role": "tool", "content": "r", "tool_call_id": "x:0"}, USER], parity)
    text = renderer(key, parity=parity).render_text([{"role": "tool", "content": "r"}, USER])
    assert "## Return of \nr" in text


PARTS: tuple[list[Any], ...] = (
    [],
    ["bare", {"type": "text", "text": "typed"}],
    [{"text": "untyped"}, {"type": "text", "text": "typed"}],
    [{"output": "out"}, {"type": "text", "text": "typed"}],
)


@pytest.mark.parametrize("key", [key for key in TEMPLATE_KEYS if not key.startswith("deepseek")])
@pytest.mark.parametrize("parts", PARTS, ids=str)
def test_parity_reads_the_parts_that_the_template_reads(key: str, parts: list[Any]) -> None:
    asked: dict[str, Any] = {"role": "assistant", "content": "", "tool_calls": [CALL]}
    printed = 0
    shapes: tuple[list[dict[str, Any]], ...] = (
        [{"role": "system", "content": parts}, USER],
        [{"role": "user", "content": parts}],
        [USER, {"role": "assistant", "content": parts}],
        [USER, asked, {"role": "tool", "content": parts, "tool_call_id": "functions.f:0"}],
    )
    for messages in shapes:
        try:
            oracle_text(key, Case(messages, None, True, {}))
        except oracles.TemplateRaised:
            continue
        same_as_the_template(key, messages)
        printed += 1
    assert printed or key.startswith(("gpt-oss", "qwen3."))


def test_parity_names_results_as_the_template_of_gpt_oss_does() -> None:
    asked = {"role": "assistant", "tool_calls": [CALL, {**CALL, "id": "functions.g:1"}]}
    same_as_the_template("gpt-oss-template", [USER, asked, {"role": "tool", "content": "r", "name": "other"}])


# ---- preserve_* -----------------------------------------------------------------------------

PRESERVE = ("preserve_all_thinking", "preserve_thinking_between_tool_calls")


def only_adds(default: str, preserved: str) -> bool:
    """`default` is `preserved` with some characters left out."""
    left = iter(preserved)
    return all(character in left for character in default)


@pytest.mark.parametrize("key", REASONING_KEYS)
@pytest.mark.parametrize("flag", PRESERVE)
def test_preserving_reasoning_only_adds(key: str, flag: str) -> None:
    for case in conversations(key, 60, seed=61):
        given: dict[str, Any] = {"tools": case.tools, "add_generation_prompt": case.add_generation_prompt}
        default = renderer(key, **case.kwargs).render_text(case.messages, **given)
        preserved = renderer(key, **{flag: True}, **case.kwargs).render_text(case.messages, **given)
        assert only_adds(default, preserved), case


@pytest.mark.parametrize("key", ["deepseek-r1", "deepseek-v3.1"])
@pytest.mark.parametrize("flag", PRESERVE)
@pytest.mark.parametrize("content", ["<think>r</think>a", "before<think>r</think>a"])
def test_inline_reasoning_that_the_template_prints_is_left_as_it_is(key: str, flag: str, content: str) -> None:
    """Beside calls and behind results nothing is missing, so that there is nothing to add."""
    result = {"role": "tool", "content": "T"}
    messages: list[dict[str, Any]] = [
        USER,
        {"role": "assistant", "content": content, "tool_calls": [JSON_CALL]},
        result,
        {"role": "assistant", "content": content},
    ]
    assert renderer(key, **{flag: True}).render_text(messages) == renderer(key).render_text(messages)

"""The demo: what it counts is recounted here, and what it renders is compared with the model's own template."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

import renderers.cli
from renderers.cli import demo
from renderers.cli.causes import Cause, cause_of, first_difference
from renderers.cli.demo import Row
from renderers.cli.rollouts import Rollout, make_rollouts
from renderers.cli.runs import Run, Workbench
from tests.oracles import assets_folder, has_assets, template_ids

SEED = 0
ROLLOUTS = 64

real = pytest.mark.skipif(not has_assets("qwen3.5"), reason="the real tokenizer is not on this machine")


@cache
def bench() -> Workbench:
    return Workbench(str(assets_folder() / "qwen3.5"))


@cache
def rows() -> list[Row]:
    """Every rollout, run both ways."""
    rollouts = make_rollouts(bench().renderer, bench().source.tokenizer, ROLLOUTS, SEED)
    return [Row(i, each, bench().by_rendering(each), bench().by_bridging(each)) for i, each in enumerate(rollouts, 1)]


@cache
def figures() -> dict[str, Any]:
    return demo.totals(bench(), rows())


def recount(rollout: Rollout, run: Run) -> tuple[int, list[int]]:
    """Breaks and lengths of samples, counted from the prompts and completions alone."""
    streams = [[*prompt, *turn.completion] for prompt, turn in zip(run.prompts, rollout.turns, strict=True)]
    broken = [past for past, prompt in zip(streams, run.prompts[1:], strict=False) if prompt[: len(past)] != past]
    return len(broken), [*map(len, broken), len(streams[-1])]


# ---- the two runs ---------------------------------------------------------------------------


@real
def test_bridging_keeps_every_rollout_whole() -> None:
    bridged = figures()["bridged"]
    assert (bridged["breaks"], bridged["samples"], bridged["refusals"]) == (0, ROLLOUTS, {})


@real
def test_rendering_anew_breaks_for_many_reasons() -> None:
    rendered = figures()["rendered"]
    assert sum(n > 0 for n in rendered["causes"].values()) >= 4
    assert sum(rendered["causes"].values()) == rendered["breaks"] > 0
    assert rendered["causes"]["other"] == 0
    assert rendered["tokens"] > figures()["bridged"]["tokens"]


@real
@pytest.mark.parametrize("side", ["rendered", "bridged"])
def test_the_counts_follow_from_the_tokens(side: str) -> None:
    """Breaks, samples and their lengths, rollout by rollout and in total."""
    counted = [recount(row.rollout, getattr(row, side)) for row in rows()]
    assert [(len(run.breaks), run.samples) for run in (getattr(row, side) for row in rows())] == counted
    totals = figures()[side]
    assert totals["breaks"] == sum(breaks for breaks, _ in counted)
    assert totals["samples"] == sum(len(samples) for _, samples in counted)
    assert totals["tokens"] == sum(sum(samples) for _, samples in counted)


@real
def test_every_bridged_prompt_begins_with_prompt_and_completion() -> None:
    for row in rows():
        for turn, (past, prompt) in zip(row.rollout.turns, pairwise(row.bridged.prompts), strict=False):
            sampled = [*past, *turn.completion]
            assert prompt[: len(sampled)] == sampled
            assert len(prompt) > len(sampled)


@real
def test_prompts_rendered_anew_are_the_templates() -> None:
    """The oracle renders the same history; the package's own render agreed each time."""
    for row in rows():
        history = [*row.rollout.messages]
        for turn, prompt in zip(row.rollout.turns, row.rendered.prompts, strict=True):
            assert prompt == template_ids("qwen3.5", history, row.rollout.tools, add_generation_prompt=True)
            parsed = bench().renderer.parse_response(
                turn.completion, tools=row.rollout.tools, finish_reason=turn.finish_reason
            )
            history += [parsed.message(), *turn.answers]
    assert figures()["template"]["agreed"] == figures()["template"]["compared"] > ROLLOUTS


@real
def test_what_is_shown_is_the_rollout() -> None:
    """The tokens shown are the last prompt and completion; those marked are the sampled ones; each has its message."""
    for row in rows()[:16]:
        tokens, roles = bench().shown(row.rollout, row.bridged)
        last = row.rollout.turns[-1].completion
        assert [token.id for token in tokens] == [*row.bridged.prompts[-1], *last]
        assert [t.id for t in tokens if t.trained] == [id_ for turn in row.rollout.turns for id_ in turn.completion]
        assert [roles[t.message] for t in tokens if t.trained] == ["assistant"] * sum(t.trained for t in tokens)
        assert sorted({token.message for token in tokens}) == list(range(len(roles)))
        begins = [next(t.id for t in tokens if t.message == i) for i, role in enumerate(roles) if role != "tool"]
        assert {bench().text(id_) for id_ in begins} == {"<|im_start|>"}
        assert [token.message for token in tokens] == sorted(token.message for token in tokens)


# ---- the rollouts ---------------------------------------------------------------------------


@real
def test_rollouts_are_those_of_their_seed() -> None:
    """The same again for the same seed; fewer of them are the first ones; another seed gives others."""
    renderer, tokenizer = bench().renderer, bench().source.tokenizer
    wanted = [row.rollout for row in rows()]
    assert make_rollouts(renderer, tokenizer, 8, SEED) == wanted[:8]
    assert make_rollouts(renderer, tokenizer, 8, SEED + 1) != wanted[:8]


@real
def test_models_write_what_models_write() -> None:
    """Each quirk occurs, reasoning is in every turn, and every call that was not cut is read and runs."""
    text_of = bench().source.tokenizer.token_bytes
    turns = [(row.rollout, turn) for row in rows() for turn in row.rollout.turns]
    texts = [text_of(turn.completion).decode() for _, turn in turns]
    assert any(">\ntrue\n<" in text for text in texts)
    assert any(re.search(r"<parameter=\w+>\n</parameter>", text) for text in texts)
    assert {turn.finish_reason for _, turn in turns} == {"stop", "length"}
    whole = [(text, turn) for text, (_, turn) in zip(texts, turns, strict=True) if turn.finish_reason == "stop"]
    canonical = bench().source.tokenizer.encode_batch([text.partition("</think>")[0] for text, _ in whole])
    assert any(ids != [*turn.completion[: len(ids)]] for ids, (_, turn) in zip(canonical, whole, strict=True))
    for rollout, turn in turns:
        parsed = bench().renderer.parse_response(turn.completion, tools=rollout.tools, finish_reason=turn.finish_reason)
        assert parsed.reasoning_content
        if turn.finish_reason == "stop":
            assert {call.status.value for call in parsed.tool_calls} <= {"ok"}
    answers = [str(answer["content"]) for _, turn in turns for answer in turn.answers if answer["role"] == "tool"]
    assert {each.partition(" occurs")[0] for each in answers if each.startswith("Error")} <= {
        "Error: ValueError: old_text"
    }


# ---- causes ---------------------------------------------------------------------------------

CALL = (
    "<|im_start|>",
    "assistant",
    "\n",
    "<think>",
    "\n",
    "Hm",
    "</think>",
    "\n\n",
    "<tool_call>",
    "\n",
    "<parameter=x>",
)
END = "</parameter>", "\n", "</tool_call>", "<|im_end|>"
SAID = "<|im_start|>", "assistant", "\n", "<think>", "\n", "I", " see"

PAIRS: dict[str, tuple[Sequence[str], Sequence[str], bool, Cause]] = {
    "two tokens for one": ([*SAID, " func", "tion", "."], [*SAID, " function", ".", "\n"], False, Cause.MERGE),
    "one token for two": ([*SAID, "12", "."], [*SAID, "1", "2", ".", "\n"], False, Cause.MERGE),
    "true": ([*CALL, "\n", "true", "\n", *END], [*CALL, "\n", "True", "\n", *END], False, Cause.LITERAL),
    "false with its break": ([*CALL, "\nfalse", "\n", *END], [*CALL, "\nFalse", "\n", *END], False, Cause.LITERAL),
    "null": ([*CALL, "\n", "null", "\n", *END], [*CALL, "\n", "None", "\n", *END], False, Cause.LITERAL),
    "another word's case": ([*SAID, " yes"], [*SAID, " Yes", "\n"], False, Cause.OTHER),
    "no reasoning before a call": (CALL, [*CALL[:3], *CALL[8:], *END], False, Cause.REASONING),
    "no reasoning before words": (
        [*SAID, "</think>", "\n\n", "Yes"],
        [*SAID[:3], "Yes", "<|im_end|>"],
        False,
        Cause.REASONING,
    ),
    "empty value": ([*CALL, "\n", *END], [*CALL, "\n\n", *END], False, Cause.CALL),
    "value on the tag's line": ([*CALL, "a", *END], [*CALL, "\n", "a", "\n", *END], False, Cause.CALL),
    "compact list": ([*CALL, '["a",', '"b"]', *END], [*CALL, '["a",', ' "b"]', *END], False, Cause.CALL),
    "layout, then a Boolean": ([*CALL, "true", *END], [*CALL, "\n", "True", "\n", *END], False, Cause.CALL),
    "another value": ([*CALL, "\n", "1.0", *END], [*CALL, "\n", "2.0", *END], False, Cause.OTHER),
    "cut before a full stop's break": ([*SAID, "."], [*SAID, ".\n", "</think>", "<|im_end|>"], True, Cause.CUT),
    "cut behind a blank": ([*SAID, " "], [*SAID, "\n", "</think>", "<|im_end|>"], True, Cause.CUT),
    "merge in a cut turn": ([*SAID, " a", "b", "."], [*SAID, " ab", ".", "\n"], True, Cause.MERGE),
    "break before the close": (
        [*SAID, "</think>", "\n\n", "Yes"],
        [*SAID, "\n", "</think>", "\n\n", "Yes"],
        False,
        Cause.SPACE,
    ),
    "break before a call": ([*SAID, "\n", "<tool_call>", "a"], [*SAID, "\n\n", "<tool_call>", "a"], False, Cause.SPACE),
    "other words": ([*SAID, " you"], [*SAID, " them", "\n"], False, Cause.OTHER),
}


@pytest.mark.parametrize("name", PAIRS)
def test_the_cause_is_read_off_the_tokens(name: str) -> None:
    sampled, rendered, cut, expected = PAIRS[name]
    at = first_difference(sampled, rendered)
    assert at is not None
    ours, theirs = ([text.encode() for text in side] for side in (sampled, rendered))
    assert cause_of(ours, theirs, at, cut=cut) is expected


def test_a_character_split_into_bytes_is_a_merge() -> None:
    assert cause_of([b"a", b"\xc3", b"\xa9", b"b"], [b"a", b"\xc3\xa9", b"b"], 1) is Cause.MERGE


def test_first_difference() -> None:
    assert first_difference([1, 2], [1, 2, 3]) is None
    assert first_difference([1, 2], [1, 2]) is None
    assert first_difference([1, 2], [1, 3, 3]) == 1
    assert first_difference([1, 2, 3], [1, 2]) == 2


# ---- the command ----------------------------------------------------------------------------


def command(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    source = Path(renderers.cli.__file__).parents[2]
    environment = {
        **os.environ,
        "RENDERERS_ASSETS": str(assets_folder().resolve()),
        "PYTHONPATH": str(source),
        "PYTHONIOENCODING": "utf-8",
    }
    line = [sys.executable, "-m", "renderers", *arguments]
    return subprocess.run(line, cwd=cwd, env=environment, capture_output=True, text=True, encoding="utf-8", timeout=120)


@real
def test_json(tmp_path: Path) -> None:
    """The figures as JSON: the same as those made here, and their totals are the sums of their rows."""
    done = command("demo", "--json", "--rollouts", "4", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert [row["rollout"] for row in told["rows"]] == [1, 2, 3, 4]
    for side in ("rendered", "bridged"):
        each = [row[side] for row in told["rows"]]
        assert told[side]["breaks"] == sum(len(row["breaks"]) for row in each)
        assert told[side]["samples"] == sum(row["samples"] for row in each)
        assert told[side]["tokens"] == sum(row["tokens"] for row in each)
        causes = Counter(found["cause"] for row in each for found in row["breaks"])
        assert {cause: n for cause, n in told[side]["causes"].items() if n} == causes
        assert [row["tokens"] for row in each] == [getattr(row, side).tokens for row in rows()[:4]]
    assert told["turns"] == sum(row["turns"] for row in told["rows"])


@real
def test_report(tmp_path: Path) -> None:
    """Piped, the report fits 80 columns, needs no colour, and shows the rollout that was asked for."""
    done = command("demo", "--rollouts", "8", "--show", "2", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert "\x1b" not in done.stdout
    assert "\nRollout 2 (database), bridged" in done.stdout
    first = rows()[1].rollout.turns[0].completion
    text = bench().text
    assert f"«{text(first[0])}|{text(first[1])}" in done.stdout
    pair = rows()[0].rendered.breaks[0].pair
    assert f"[{pair[0]}]" in done.stdout
    assert f"[{pair[1]}]" in done.stdout


@pytest.mark.parametrize("arguments", [["--help"], ["demo", "--help"], ["--version"]])
def test_help_and_version(arguments: list[str], tmp_path: Path) -> None:
    done = command(*arguments, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "renderers" in done.stdout


@real
@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--tokenizer", "."], "'.' has neither tokenizer.json nor tiktoken.model"),
        (["--rollouts", "2", "--show", "3"], "there is no rollout 3 to show, only 2"),
    ],
)
def test_mistakes_are_told_in_one_line(arguments: list[str], told: str, tmp_path: Path) -> None:
    done = command("demo", *arguments, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.strip().splitlines()[-1] == f"renderers demo: {told}"


def test_without_the_extra_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(renderers.cli, "find_spec", lambda name: None)
    with pytest.raises(SystemExit) as stopped:
        renderers.cli.main()
    assert stopped.value.code == 2
    assert "pip install 'renderers[cli]'" in capsys.readouterr().err

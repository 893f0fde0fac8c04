"""``renderers demo``: what rendering the history anew each turn costs a trainer, and what bridging saves."""

from __future__ import annotations

import io
import json
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from .. import BadOption
from .causes import MEANING, Cause
from .rollouts import Rollout, make_rollouts
from .runs import Break, Run, Shown, Workbench

HUB_MODEL = "Qwen/Qwen3.5-9B"
LONGEST_UNTRAINED = 40
"""Of a longer stretch of tokens that are not trained, only the ends are shown."""
_COLOURS = ("cyan", "yellow", "green", "magenta", "blue", "red")


@dataclass(frozen=True)
class Row:
    """One rollout and its two runs."""

    number: int
    rollout: Rollout
    rendered: Run
    bridged: Run


def run(n: int, seed: int, tokenizer: str | None, show: int | None, as_json: bool) -> None:
    """Make the rollouts, run them both ways and print the report."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal may lack ⏎ and the like
    if show is not None and show > n:
        raise BadOption(f"there is no rollout {show} to show, only {n}")
    name = tokenizer or default_tokenizer()
    with Console(stderr=True).status(f"Running {n} rollouts two ways ..."):
        bench = Workbench(name)
        rollouts = make_rollouts(bench.renderer, bench.source.tokenizer, n, seed)
        rows = [
            Row(i, rollout, bench.by_rendering(rollout), bench.by_bridging(rollout))
            for i, rollout in enumerate(rollouts, 1)
        ]
    figures = {"rollouts": n, "seed": seed, "tokenizer": name, **totals(bench, rows)}
    if as_json:
        print(json.dumps({**figures, "rows": [_row_figures(row) for row in rows]}, indent=1))
        return
    console = Console(highlight=False)
    plain = not console.is_terminal or console.color_system is None
    for part in report(bench, rows, figures, show, plain, console.width):
        console.print(part)


def default_tokenizer() -> str:
    """The assets' folder if it is there, else the model on the hub."""
    assets = os.environ.get("RENDERERS_ASSETS")
    folders = [*([Path(assets)] if assets else []), Path(".cache") / "assets"]
    found = (folder / "qwen3.5" for folder in folders if (folder / "qwen3.5" / "tokenizer.json").is_file())
    return next(map(str, found), HUB_MODEL)


# ---- figures --------------------------------------------------------------------------------


def totals(bench: Workbench, rows: Sequence[Row]) -> dict[str, Any]:
    """The sums over all rollouts."""
    turns = [turn for row in rows for turn in row.rollout.turns]
    return {
        "turns": len(turns),
        "sampled_tokens": sum(len(turn.completion) for turn in turns),
        "cut_turns": sum(turn.finish_reason == "length" for turn in turns),
        "thinking_retention": bench.renderer.thinking_retention,
        "template": {"compared": bench.compared, "agreed": bench.agreed},
        "rendered": _sum(row.rendered for row in rows),
        "bridged": _sum(row.bridged for row in rows),
    }


def _sum(runs: Iterable[Run]) -> dict[str, Any]:
    """The sums over some runs."""
    runs = list(runs)
    causes = Counter(found.cause for run in runs for found in run.breaks)
    return {
        "breaks": sum(len(run.breaks) for run in runs),
        "causes": {cause.value: causes[cause] for cause in Cause},
        "samples": sum(len(run.samples) for run in runs),
        "tokens": sum(run.tokens for run in runs),
        "refusals": dict(sum((run.refusals for run in runs), Counter[str]())),
    }


def _row_figures(row: Row) -> dict[str, Any]:
    def figures(run: Run) -> dict[str, Any]:
        breaks = [
            {
                "turn": found.turn,
                "token": found.at,
                "cause": found.cause.value,
                "sampled": found.pair[0],
                "rendered": found.pair[1],
            }
            for found in run.breaks
        ]
        return {"breaks": breaks, "samples": len(run.samples), "tokens": run.tokens, "refusals": dict(run.refusals)}

    return {
        "rollout": row.number,
        "setting": row.rollout.setting,
        "turns": len(row.rollout.turns),
        "rendered": figures(row.rendered),
        "bridged": figures(row.bridged),
    }


# ---- report ---------------------------------------------------------------------------------


def report(
    bench: Workbench, rows: Sequence[Row], figures: dict[str, Any], show: int | None, plain: bool, width: int
) -> Iterator[Any]:
    """The parts of the report, in order. `plain`: marks that need neither colour nor underlining."""
    yield _heading(f"{len(rows)} rollouts, seed {figures['seed']}, tokenizer {figures['tokenizer']}")
    yield _per_rollout(rows)
    yield _heading("Every prefix break, with the first token that differs")
    yield from _breaks(rows)
    yield from _tokens(bench, _chosen(rows, show), plain, width)
    yield _heading("Prefix breaks by cause")
    yield from _causes(rows, figures)
    yield _heading("Totals")
    yield _totals(figures)
    yield from _notes(rows, figures)


def _heading(text: str) -> Text:
    return Text.assemble("\n", (text, "bold"))


def _table(*columns: str, right: Sequence[str] = ()) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, justify="right" if column in right else "left", no_wrap=True)
    return table


def _per_rollout(rows: Sequence[Row]) -> Table:
    names = ("anew:\nbreaks", "\nsamples", "\ntokens", "bridged:\nbreaks", " \nsamples", " \ntokens")
    table = _table("\n#", "\nsetting", "\nturns", *names, right=("\n#", "\nturns", *names))
    for row in rows:
        cells = (
            f"{x:,}" for run in (row.rendered, row.bridged) for x in (len(run.breaks), len(run.samples), run.tokens)
        )
        style = "" if row.rendered.breaks else "dim"
        table.add_row(str(row.number), row.rollout.setting, str(len(row.rollout.turns)), *cells, style=style)
    return table


def _breaks(rows: Sequence[Row]) -> Iterator[Any]:
    for title, runs in (("rendered anew", [row.rendered for row in rows]), ("bridged", [row.bridged for row in rows])):
        found = [(row, each) for row, run in zip(rows, runs, strict=True) for each in run.breaks]
        if not found:
            yield Text(f"{title}: none")
            continue
        table = _table("#", "turn", "token", "cause", "sampled", title, right=("#", "turn", "token"))
        for row, each in found:
            pair = (Text(_visible(text)) for text in each.pair)
            table.add_row(str(row.number), str(each.turn), f"{each.at:,}", each.cause.value, *pair)
        yield table


def _causes(rows: Sequence[Row], figures: dict[str, Any]) -> Iterator[Text]:
    examples: dict[Cause, tuple[Row, Break]] = {}
    for row in rows:
        for found in row.rendered.breaks:
            examples.setdefault(found.cause, (row, found))
    counts = {side: figures[side]["causes"] for side in ("rendered", "bridged")}
    for cause in sorted(Cause, key=lambda cause: -counts["rendered"][cause.value]):
        before, after = counts["rendered"][cause.value], counts["bridged"][cause.value]
        yield Text.assemble((f"{cause.value}: ", "bold"), f"{before} → {after}")
        yield Text(f"    {MEANING[cause]}")
        if cause in examples:
            row, found = examples[cause]
            yield Text(f"    rollout {row.number}, turn {found.turn}, token {found.at:,}", "dim")
            yield _side("    sampled   ", found.sampled, found.before, "green")
            yield _side("    rendered  ", found.rendered, found.before, "red")


def _side(label: str, texts: Sequence[str], before: int, style: str) -> Text:
    shown = [_visible(text) for text in texts]
    differing = shown[before] if len(shown) > before else "the end"
    line = Text.assemble(
        label, "".join(shown[:before]), (f"[{differing}]", f"bold {style}"), "".join(shown[before + 1 :])
    )
    line.no_wrap, line.overflow = True, "ellipsis"
    return line


def _totals(figures: dict[str, Any]) -> Table:
    table = _table("", "rendered anew", "bridged", "ratio", right=("rendered anew", "bridged", "ratio"))
    names = {"breaks": "prefix breaks", "samples": "training samples", "tokens": "tokens a trainer processes"}
    for key, name in names.items():
        anew, bridged = figures["rendered"][key], figures["bridged"][key]
        table.add_row(name, f"{anew:,}", f"{bridged:,}", f"{anew / bridged:.2f}" if bridged else "")
    return table


def _notes(rows: Sequence[Row], figures: dict[str, Any]) -> Iterator[Text]:
    after_cut = Counter(found.cause for row in rows for found in row.rendered.breaks if found.after_cut)
    named = ", ".join(f"{cause.value} {n}" for cause, n in after_cut.items()) or "none"
    refused = ", ".join(f"{code} {n}" for code, n in figures["bridged"]["refusals"].items()) or "none"
    template = figures["template"]
    yield Text(
        "\nBoth columns hold the same sampled tokens. Rendered anew: each prompt is the model's own chat template "
        "(Jinja) over the whole history, sampled turns as they were parsed. Bridged: each prompt is the tokens so far, "
        f'untouched, and the new messages, with thinking_retention="{figures["thinking_retention"]}".'
    )
    yield Text(
        "A prefix break: a prompt that does not begin with the prompt and completion before it. What was sampled so "
        "far is then no part of what comes later: the rollout splits into two samples, and the trainer reads their "
        "common beginning twice."
    )
    yield Text(
        f"{figures['turns']:,} turns, {figures['sampled_tokens']:,} sampled tokens, written by a seeded script; the "
        f"tools and their answers are real. {figures['cut_turns']} turns were cut at their length limit; breaks after "
        f"them: {named}. Bridges refused: {refused}. The package's own render gave the template's ids for "
        f"{template['agreed']:,} of {template['compared']:,} prompts."
    )


# ---- tokens ---------------------------------------------------------------------------------


def _chosen(rows: Sequence[Row], show: int | None) -> Row:
    """The rollout to show: the one asked for, else the shortest that breaks and was not cut, else the shortest."""
    if show is not None:
        return rows[show - 1]

    def order(row: Row) -> tuple[bool, bool, int]:
        return not row.rendered.breaks, row.rollout.turns[-1].finish_reason == "length", row.bridged.tokens

    return min(rows, key=order)


def _tokens(bench: Workbench, row: Row, plain: bool, width: int) -> Iterator[Text]:
    """One rollout's tokens, message by message."""
    tokens, roles = bench.shown(row.rollout, row.bridged)
    marks = "in «», divided by |" if plain else "bold and underlined, each second one brighter"
    yield _heading(f"Rollout {row.number} ({row.rollout.setting}), bridged: its tokens by message")
    yield Text(f"Trained tokens (those sampled): {marks}. ⏎: a line break.")
    for message, role in enumerate(roles):
        own = [token for token in tokens if token.message == message]
        colour = _COLOURS[message % len(_COLOURS)]
        trained = sum(token.trained for token in own)
        yield Text(f"{message} {role}: {len(own)} tokens, {trained} trained", f"bold {colour}")
        yield _flow(_marked(own, bench.text, colour, plain), width)


def _marked(
    tokens: Sequence[Shown], text_of: Callable[[int], str], colour: str, plain: bool
) -> Iterator[tuple[str, str]]:
    """The texts of a message's tokens, each with its style."""
    for trained, run in _stretches(tokens):
        texts = [_visible(text_of(token.id)) for token in run]
        if trained and plain:
            yield from ((f"{'|' if k else '«'}{text}", "") for k, text in enumerate(texts))
            yield "»", ""
        elif trained:
            yield from ((text, f"bold underline {'bright_' if k % 2 else ''}{colour}") for k, text in enumerate(texts))
        else:
            end = LONGEST_UNTRAINED // 2
            if len(texts) > LONGEST_UNTRAINED:
                texts[end:-end] = [f" … {len(texts) - 2 * end} more tokens … "]
            yield from ((text, colour) for text in texts)


def _flow(texts: Iterable[tuple[str, str]], width: int) -> Text:
    """Lines of texts, each as full as the width allows."""
    flow, used = Text("  "), 2
    for text, style in texts:
        if used + cell_len(text) > width and used > 2:
            flow.append("\n  ")
            used = 2
        flow.append(text, style)
        used += cell_len(text)
    return flow


def _stretches(tokens: Sequence[Shown]) -> Iterator[tuple[bool, list[Shown]]]:
    """Neighbours that are all trained, or all not."""
    run: list[Shown] = []
    for token in tokens:
        if run and run[-1].trained is not token.trained:
            yield run[0].trained, run
            run = []
        run.append(token)
    if run:
        yield run[0].trained, run


def _visible(text: str) -> str:
    """A token's text on one line."""
    return text.replace("\n", "⏎").replace("\t", "⇥").replace("\r", "␍")

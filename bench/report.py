"""What was found, as tables for a terminal and for Markdown, and as JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

from .environments import ROOT
from .measure import NAMES, OURS, PUBLIC, TRANSFORMERS, Findings, Result
from .targets import judge, value

README = ROOT / "bench" / "README.md"
BEGIN, END = "<!-- results: begin -->", "<!-- results: end -->"
LEGEND = (
    "Each cell: how many times faster the first is than the second, as the median over the rounds of the ratio of "
    "median calls (its min–max over the rounds; the geometric mean over the cases, where both had several in common). "
    "Milliseconds are for orientation only."
)

Column = tuple[str, str, str]
"""Head, subject, reference."""

_APPLY = f"{TRANSFORMERS}.render"
COLUMNS: dict[str, tuple[str, str, tuple[Column, ...]]] = {
    "render": (
        "Render",
        f"{OURS}.render",
        (
            ("render / apply_chat_template", f"{OURS}.render", _APPLY),
            ("render_ids / apply_chat_template", f"{OURS}.render_ids", _APPLY),
            ("public render / apply_chat_template", f"{PUBLIC}.render", _APPLY),
            ("public render_ids / apply_chat_template", f"{PUBLIC}.render_ids", _APPLY),
            ("render / public render", f"{OURS}.render", f"{PUBLIC}.render"),
        ),
    ),
    "attribution": (
        "Attribution of a history",
        f"{OURS}.render_lists",
        (
            ("arrays / render_ids", f"{OURS}.render_arrays", f"{OURS}.render_ids"),
            ("every list / render_ids", f"{OURS}.render_lists", f"{OURS}.render_ids"),
            ("every list / apply_chat_template", f"{OURS}.render_lists", _APPLY),
            ("every list / public render", f"{OURS}.render_lists", f"{PUBLIC}.render"),
        ),
    ),
    "bridge": (
        "Bridge of one turn over a history",
        f"{OURS}.bridge",
        (
            ("bridge / render of the whole", f"{OURS}.bridge", f"{OURS}.render"),
            ("bridge / apply_chat_template of the whole", f"{OURS}.bridge", _APPLY),
            ("bridge / public bridge", f"{OURS}.bridge", f"{PUBLIC}.bridge"),
        ),
    ),
    "parse": (
        "Parse of a reply",
        f"{OURS}.parse",
        (
            ("parse / public parse", f"{OURS}.parse", f"{PUBLIC}.parse"),
            ("the same with tools and prompt_ids", f"{OURS}.parse_with_tools", f"{PUBLIC}.parse_with_tools"),
        ),
    ),
    "layer": (
        "The layer for callers of the older package",
        f"{OURS}.render",
        (
            ("render / engine", f"{OURS}.render", f"{OURS}.engine"),
            ("ids and mask as lists / engine, as arrays", f"{OURS}.render_mask", f"{OURS}.engine_mask"),
            ("dataclasses.asdict / public", f"{OURS}.as_dict", f"{PUBLIC}.as_dict"),
            ("build_training_sample / public", f"{OURS}.sample", f"{PUBLIC}.sample"),
            ("render out of a pool / render", f"{OURS}.pooled", f"{OURS}.render"),
        ),
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Table:
    """Rows of text under heads."""

    title: str
    heads: list[str]
    rows: list[list[str]]


def tables(found: Findings) -> list[Table]:
    """The targets, ranges over the families, a table per task, and whether the contenders agreed."""
    made = [_ranges(found), *(_task(task, found) for task in COLUMNS), _start(found)]
    agreed = [
        [a.task, a.family, f"{a.contender} against {a.truth}", str(a.compared), str(a.different)]
        for a in found.agreements
    ]
    made.append(Table("Agreement", ["task", "family", "whose output", "compared", "different"], agreed))
    verdicts = [
        [
            v.text,
            f"{v.worst:.2f}{v.unit}",
            v.where,
            f"{v.best:.2f}{v.unit}",
            v.best_where,
            "yes" if v.holds else "NO",
        ]
        for v in judge(found)
    ]
    made.insert(0, Table("Targets", ["target", "worst", "where", "best", "where", "holds"], verdicts))
    made.append(Table("Left out", ["what", "why"], [[what, why] for what, why in found.missing.items()]))
    return [table for table in made if table.rows]


def _task(task: str, found: Findings) -> Table:
    title, timed, columns = COLUMNS[task]
    results = [result for result in found.results if result.task == task]
    rows = []
    for family, group in dict.fromkeys((result.family, result.group) for result in results):
        here = [result for result in results if (result.family, result.group) == (family, group)]
        ms = next((f"{r.subject_ms:.2f}" for r in here if r.subject == timed), "–")
        tokens = found.tokens.get(f"{task} {family} {group}")
        rows.append([family, group, f"{tokens:,.0f}" if tokens else "–", ms, *(_cell(here, *c[1:]) for c in columns)])
    return Table(title, ["family", "", "tokens", "our ms", *(head for head, _, _ in columns)], rows)


def _ranges(found: Findings) -> Table:
    """Every ratio that was measured on several families: least, middle and greatest."""
    rows = []
    for task, (title, _, columns) in COLUMNS.items():
        for group in dict.fromkeys(result.group for result in found.results if result.task == task):
            for head, subject, reference in columns:
                of = sorted(
                    (value(r), r.family)
                    for r in found.results
                    if (r.task, r.group, r.subject, r.reference) == (task, group, subject, reference)
                )
                if len(of) > 1:
                    ends = [f"{_number(ratio)} ({family})" for ratio, family in (of[0], of[-1])]
                    rows.append([title, group, head, str(len(of)), ends[0], _number(median(r for r, _ in of)), ends[1]])
    return Table("Over all families", ["", "", "ratio", "families", "least", "median", "greatest"], rows)


def _start(found: Findings) -> Table:
    """The steps of a fresh process."""
    rows = []
    for family, name in dict.fromkeys((step.family, step.name) for step in found.steps):
        here = {step.contender: step for step in found.steps if (step.family, step.name) == (family, name)}
        cells = [f"{s.ms:.1f} ({s.low:.1f}–{s.high:.1f})" if (s := here.get(who)) else "–" for who in NAMES]
        rows.append([family, name, *cells])
    heads = ["family", "", *(f"{name}, ms" for name in NAMES)]
    return Table("A fresh process, beyond `import numpy, tokenizers`", heads, rows)


def _cell(results: Sequence[Result], subject: str, reference: str) -> str:
    for result in results:
        if (result.subject, result.reference) == (subject, reference):
            r = result.ratio
            mean = f"; {_number(r.mean)}" if r.mean is not None and r.calls > r.rounds else ""
            return f"{_number(r.value)} ({_number(r.low)}–{_number(r.high)}{mean})"
    return "–"


def _number(value: float) -> str:
    return f"{value:.2f}" if value < 10 else f"{value:.0f}"


# ---- where it goes --------------------------------------------------------------------------


def show(found: Findings) -> None:
    """The tables on the terminal, with rich if it is installed."""
    try:
        from rich.box import SIMPLE
        from rich.console import Console
        from rich.table import Table as RichTable
    except ImportError:
        print(_plain(found))
        return
    console = Console(width=None if sys.stdout.isatty() else 200)
    for table in tables(found):
        shown = RichTable(title=table.title, title_justify="left", title_style="bold", box=SIMPLE)
        for k, head in enumerate(table.heads):
            shown.add_column(head, justify="left" if k < 2 else "right")
        for row in table.rows:
            shown.add_row(*row)
        console.print(shown)
    console.print(LEGEND, style="dim")


def _plain(found: Findings) -> str:
    parts = []
    for table in tables(found):
        lines = [table.heads, *table.rows]
        widths = [max(len(line[k]) for line in lines) for k in range(len(table.heads))]
        body = ["  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)) for line in lines]
        parts.append("\n".join([table.title, *map(str.rstrip, body)]))
    return "\n\n".join([*parts, LEGEND])


def markdown(found: Findings, about: dict[str, Any]) -> str:
    """The tables for a README."""
    parts = [_about(found, about), LEGEND]
    for table in tables(found):
        lines = [table.heads, ["---"] * len(table.heads), *table.rows]
        rows = "\n".join("| " + " | ".join(text.replace("|", "\\|") for text in line) + " |" for line in lines)
        parts.append(f"### {table.title}\n\n{rows}")
    return "\n\n".join(parts)


def _about(found: Findings, about: dict[str, Any]) -> str:
    """The machine and the versions in a sentence or two."""
    who = "; ".join(
        f"{name}: Python {of['python']}, " + ", ".join(" ".join(package) for package in of["packages"].items())
        for name, of in found.contenders.items()
    )
    return (
        f"Run of {about['date']}, {about['mode']} mode, {about['seconds']:.0f} s, seed {about['seed']}, "
        f"{about['clock']} time, one of {about['cores']} cores ({about['machine']}). {who}."
    )


def update_readme(text: str) -> None:
    """Put the tables between the markers of the README."""
    old = README.read_text(encoding="utf-8")
    before, begin, rest = old.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"{README.name} has no markers {BEGIN} and {END}")
    README.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}", encoding="utf-8")


def write_json(path: Path, found: Findings, about: dict[str, Any]) -> None:
    """Everything, for machines."""
    verdicts = [asdict(v) for v in judge(found)]
    path.write_text(
        json.dumps({"about": about, "targets": verdicts, **asdict(found)}, indent=1, ensure_ascii=False) + "\n",
        encoding="utf-8",
    )

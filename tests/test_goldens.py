"""Golden files: a conversation, and every token of it with its marks, to be read in a review.

A file holds a JSON head (renderer, options, messages, tools, …), an empty line, then one token a line: id, message,
field, `sampled` or nothing, and the text. To add one, write the head and run ``pytest tests/test_goldens.py
--update-goldens``.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from renderers import create_renderer
from tests import oracles

GOLDENS = Path(__file__).parent / "goldens"
FILES = sorted(GOLDENS.glob("*/*.txt"))


def lines(family: str, head: dict[str, Any]) -> list[str]:
    """The tokens of a golden file."""
    tokenizer = oracles.tokenizer_for(family)
    r = create_renderer(tokenizer, head["renderer"], **head.get("options", {}))
    out = r.render(
        head["messages"], tools=head.get("tools"), add_generation_prompt=bool(head.get("add_generation_prompt"))
    )
    marks = zip(out.token_ids, out.message_indices, out.fields.tolist(), out.sampled_mask, strict=True)
    return [
        f"{id_:>7} {message:>3} {out.field_of(k).name.lower():<14} {'sampled' if sampled else '':<8}"
        + json.dumps(tokenizer.decode([id_], skip_special_tokens=False), ensure_ascii=False)
        for k, (id_, message, _field, sampled) in enumerate(marks)
    ]


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_golden(path: Path, request: pytest.FixtureRequest) -> None:
    """Every token, and its message, field and mask, is what the file says."""
    text = path.read_text(encoding="utf-8")
    head, _, tokens = text.partition("\n\n")
    got = lines(path.parent.name, json.loads(head))
    if request.config.getoption("--update-goldens"):
        path.write_text(head.rstrip("\n") + "\n\n" + "\n".join(got) + "\n", encoding="utf-8")
        return
    assert got == tokens.splitlines(), (
        f"see the difference with: pytest {Path(__file__).name} --update-goldens; git diff"
    )


def test_every_family_has_goldens() -> None:
    """No family without a file to look at."""
    from renderers.families import families

    shown = {json.loads(path.read_text(encoding="utf-8").partition("\n\n")[0])["renderer"] for path in FILES}
    assert set(families()) <= shown

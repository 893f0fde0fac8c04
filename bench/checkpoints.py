"""The tokenizer and template each format is measured with: those that the tests hold it against.

Folders lie in `.cache/bench/models/NAME`, as the model's repository would have them, made of links to the assets.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from renderers import Family
from renderers._tokenizers import repository
from renderers.base import RENDERER_REGISTRY
from tests import oracles
from tests.harness import NAMES

from .environments import CACHE

FORMATS: dict[str, type[Family]] = {
    name: kind.family_type for name, kind in RENDERER_REGISTRY.items() if hasattr(kind, "family_type")
}
"""Every format written by hand, by name."""


@dataclass(frozen=True)
class Checkpoint:
    """One format as a model ships it.

    Attributes:
        model: a model id.
        options: what differs for its template.
        folder: for our renderer.
        others: for the other contenders. Another one only for Kimi, whose tokenizer class is remote code: they get our
            conversion of it.
    """

    name: str
    model: str
    options: Mapping[str, Any]
    folder: Path
    others: Path

    def folder_for(self, contender: str) -> str:
        return str(self.folder if contender == "ours" else self.others)


def missing(name: str) -> str | None:
    """Why a format cannot be measured on this machine, if so."""
    case = _oracle(name)
    if case is None:
        return "the tests have no template for it"
    if not oracles.has_assets(case.tokenizer):
        return f"no tokenizer of {case.tokenizer} in {oracles.assets_folder()}: run tools/assets.py"
    return None if _template(case) else f"no template {case.family}/{case.file}"


def checkpoint(name: str) -> Checkpoint:
    """The checkpoint of a format that is not `missing`, its folders made anew."""
    case, family = _oracle(name), FORMATS[name]
    template = _template(case) if case else None
    if case is None or template is None:
        raise ValueError(missing(name))
    options = family.templates.get(sha256(template.read_bytes()).hexdigest(), {})
    model = next((model for model, differs in family.models.items() if differs == options), name)
    folder = CACHE / "models" / name
    shutil.rmtree(folder, ignore_errors=True)
    others = folder / "converted" if case.tokenizer in oracles.KIMI else folder
    others.mkdir(parents=True)
    source = oracles.assets_folder().resolve() / case.tokenizer
    for at in {folder, others}:
        (at / "chat_template.jinja").symlink_to(template.resolve())
    if others != folder:
        _convert(oracles.tokenizer_for(case.tokenizer), folder, others)
        return Checkpoint(name, model, options, folder, others)
    (folder / "tokenizer.json").symlink_to(source / "tokenizer.json")
    config = folder / "tokenizer_config.json"
    if (source / config.name).is_file():
        config.symlink_to(source / config.name)
    else:
        config.write_text(json.dumps({"tokenizer_class": "PreTrainedTokenizerFast"}), encoding="utf-8")
    return Checkpoint(name, model, options, folder, others)


def _convert(kimi: Any, folder: Path, others: Path) -> None:
    """Kimi's own files in one folder; in the other `tokenizer.json`, as we convert it."""
    (folder / "tiktoken.model").symlink_to(Path(kimi.vocab_file).resolve())
    (folder / "tokenizer_config.json").write_text(json.dumps(kimi.config()), encoding="utf-8")
    repository(str(folder)).tokenizer.save(str(others / "tokenizer.json"))
    config = {"tokenizer_class": "PreTrainedTokenizerFast", **kimi.special_tokens_map}
    (others / "tokenizer_config.json").write_text(json.dumps(config), encoding="utf-8")


def _oracle(name: str) -> oracles.TemplateCase | None:
    """What the tests compare a format with: where there are several, of its own name or with the fewest options."""
    keys = [key for key, (renderer, _) in NAMES.items() if renderer == name and key in oracles.TEMPLATES]
    best = min(keys, key=lambda key: (key != name, len(NAMES[key][1])), default=None)
    return None if best is None else oracles.TEMPLATES[best]


def _template(case: oracles.TemplateCase) -> Path | None:
    try:
        return case.path if case.path.is_file() else None
    except pytest.skip.Exception:
        return None

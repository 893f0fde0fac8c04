"""Documentation that runs: every Python block of the README and of docs/, in order, one namespace a page."""

from __future__ import annotations

import importlib.util
import re
import shutil
import sys
import types
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest

from tests import oracles

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```python\n(.*?)^```", re.M | re.S)
MODELS = {
    "Qwen/Qwen3-8B": ("qwen3", "chat_template.jinja"),
    "Qwen/Qwen3.5-9B": ("qwen3.5", "chat_template.jinja"),
    "zai-org/GLM-4.5-Air": ("glm-4.5", "chat_template.jinja"),
    "openai/gpt-oss-20b": ("gpt-oss", "chat_template.jinja"),
}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_blocks_run(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each block does what the page says; model ids lead to the real tokenizers instead of the hub."""

    def download(model: str, **_: Any) -> str:
        family, template = MODELS[model]
        folder = tmp_path / family
        folder.mkdir(exist_ok=True)
        for name in ("tokenizer.json", "tokenizer_config.json"):
            shutil.copy(oracles.assets_folder() / family / name, folder)
        shutil.copy(ROOT / "tests" / "templates" / family / template, folder / "chat_template.jinja")
        return str(folder)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    module = types.ModuleType("page")
    vars(module)["tokenizer"] = oracles.tokenizer_for("qwen3")
    monkeypatch.setitem(sys.modules, "page", module)  # dataclasses look their module up
    text = page.read_text(encoding="utf-8")
    for match in BLOCK.finditer(text):
        line = text[: match.start()].count("\n") + 1
        exec(compile("\n" * line + match.group(1), str(page), "exec"), vars(module))


def test_links_lead_somewhere() -> None:
    """Every relative link of a page is a file of the repository."""
    pages = [*PAGES, ROOT / "CONTRIBUTING.md", ROOT / "bench" / "README.md"]
    for page in pages:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_the_page_of_families_is_up_to_date() -> None:
    """docs/families.md is what the package itself says."""
    spec = importlib.util.spec_from_file_location("tools_families", ROOT / "tools" / "families.py")
    assert spec is not None
    assert spec.loader is not None
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    assert tool.page() == (ROOT / "docs" / "families.md").read_text(encoding="utf-8"), "run `make families`"

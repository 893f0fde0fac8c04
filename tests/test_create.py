"""Choosing a renderer: by name, id or template; options; tokenizers of every kind; the fallback."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import tokenizers

import renderers
from renderers import BadOption, DefaultRenderer, FamilyRenderer, RenderersWarning, TokenizerMismatch, create_renderer
from tests import oracles

MESSAGES = [{"role": "user", "content": "Hello <|im_end|> 日本"}, {"role": "assistant", "content": "Hi"}]
FAMILIES = {"qwen3": "qwen3", "qwen3.5": "qwen3.5", "glm-4.5": "glm-4.5", "deepseek-v3": "deepseek-v3"}


def model_folder(tmp_path: Path, family: str, template: str | None = "chat_template.jinja") -> Path:
    """A folder like a model repository's, with one of the family's templates."""
    folder = tmp_path / family
    folder.mkdir()
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(oracles.assets_folder() / family / name, folder / name)
    config = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
    config.pop("chat_template", None)
    (folder / "tokenizer_config.json").write_text(json.dumps(config), encoding="utf-8")
    if template is not None:
        source = Path(__file__).parent / "templates" / family / template
        (folder / "chat_template.jinja").write_bytes(source.read_bytes())
    return folder


@pytest.mark.parametrize("family", FAMILIES)
def test_a_local_folder_is_recognised_by_its_template(tmp_path: Path, family: str) -> None:
    """A copy or fine-tune under any name is the format its template says."""
    r = create_renderer(model_folder(tmp_path, family))
    assert isinstance(r, FamilyRenderer)
    assert (r.identity.name, r.identity.chosen_by) == (FAMILIES[family], "template")


@pytest.mark.parametrize(
    ("family", "template", "name", "options"),
    [
        ("qwen3", "chat_template.instruct-2507.jinja", "qwen3-instruct-2507", {}),
        ("qwen3", "chat_template.thinking-2507.jinja", "qwen3-thinking-2507", {}),
        ("qwen3.5", "chat_template.small.jinja", "qwen3.5", {"enable_thinking": False}),
    ],
)
def test_each_template_of_a_line_is_told_apart(
    tmp_path: Path, family: str, template: str, name: str, options: dict[str, Any]
) -> None:
    """Checkpoints of one line with other templates get their own format and defaults."""
    r = create_renderer(model_folder(tmp_path, family, template))
    assert isinstance(r, FamilyRenderer)
    assert r.identity.name == name
    assert {key: getattr(r.family, key) for key in options} == options


def test_every_kind_of_tokenizer_gives_the_same_ids(tmp_path: Path) -> None:
    """Folder, tokenizers.Tokenizer and Hugging Face tokenizer are one and the same."""
    transformers = pytest.importorskip("transformers", reason="Hugging Face tokenizers come from transformers")
    folder = model_folder(tmp_path, "qwen3")
    hugging_face = transformers.AutoTokenizer.from_pretrained(str(folder))
    made = [
        create_renderer(folder),
        create_renderer(str(folder)),
        create_renderer(hugging_face),
        create_renderer(tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json")), "qwen3"),
    ]
    assert len({tuple(r.render_ids(MESSAGES)) for r in made}) == 1
    assert {r.identity.name for r in made} == {"qwen3"}
    plain = [MESSAGES[1]]
    assert made[2].render_ids(plain) == hugging_face.apply_chat_template(plain, return_dict=False)


def test_a_hugging_face_tokenizer_is_chosen_by_its_exact_id(tmp_path: Path) -> None:
    """The exact id wins; a template that is not the format's is a warning, not a silent choice."""
    transformers = pytest.importorskip("transformers", reason="Hugging Face tokenizers come from transformers")
    tokenizer = transformers.AutoTokenizer.from_pretrained(str(model_folder(tmp_path, "qwen3")))
    tokenizer.name_or_path = "Qwen/Qwen3-4B-Instruct-2507"
    with pytest.warns(RenderersWarning, match="Qwen3-4B-Instruct-2507"):
        r = create_renderer(tokenizer)
    assert (r.identity.name, r.identity.chosen_by) == ("qwen3-instruct-2507", "model id")
    assert r.identity.note
    tokenizer.name_or_path = "Qwen/Qwen3-8B"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert create_renderer(tokenizer).identity.name == "qwen3"
    tokenizer.name_or_path = "Qwen/Qwen3-8B-my-finetune"
    assert create_renderer(tokenizer).identity.chosen_by == "template"


def test_control_tokens_of_tokenizer_config_count(tmp_path: Path) -> None:
    """Qwen3.5 names control tokens that only tokenizer_config.json has; text cannot become one of them either."""
    r = create_renderer(model_folder(tmp_path, "qwen3.5"))
    config = json.loads((oracles.assets_folder() / "qwen3.5" / "tokenizer_config.json").read_text(encoding="utf-8"))
    extra = {int(id_): token["content"] for id_, token in config["added_tokens_decoder"].items()}
    only = {id_: text for id_, text in extra.items() if text not in oracles.control_strings("qwen3.5")}
    assert only
    ids = r.render_ids([{"role": "user", "content": " ".join(only.values())}])
    assert not set(ids) & set(only)
    assert r.parse_response([*only]).reasoning_content == "".join(only.values())


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("nonsense", {}, "nonsense"),
        ("qwen3", {"thinking": True}, "enable_thinking"),
        ("qwen3", {"enable_thinking": "yes"}, "enable_thinking"),
        ("qwen3-instruct-2507", {"enable_thinking": True}, "none"),
        ("qwen3", {"thinking_retention": "some"}, "tool_cycle"),
        ("qwen3", {"parity": 1}, "parity"),
    ],
)
def test_bad_options_are_named(name: str, options: dict[str, Any], words: str) -> None:
    """An unknown name, option or value is refused with what there is instead."""
    with pytest.raises(BadOption, match=words):
        create_renderer(oracles.tokenizer_for("qwen3"), name, **options)


def test_bad_tokenizers_are_refused(tmp_path: Path) -> None:
    """What is no tokenizer, has no file, or lacks the format's tokens is refused with the reason."""
    with pytest.raises(BadOption, match="int"):
        create_renderer(5)
    with pytest.raises(BadOption, match=r"tokenizer\.json"):
        create_renderer(tmp_path)
    with pytest.raises(BadOption, match="name a renderer"):
        create_renderer(oracles.tokenizer_for("qwen3"))
    with pytest.raises(TokenizerMismatch, match="<｜end▁of▁sentence｜>"):
        create_renderer(oracles.tokenizer_for("qwen3"), "deepseek-v3")


def test_an_unknown_template_is_run_as_it_is(tmp_path: Path) -> None:
    """A model nobody wrote a family for gets its own template: its ids, safe text, and reasons for the rest."""
    folder = model_folder(tmp_path, "qwen3", template=None)
    template = (
        "{% for m in messages %}<|im_start|>{{ m.role }}\n"
        "{% generation %}{{ m.content }}{% endgeneration %}<|im_end|>\n"
        "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{{ mood }}{% endif %}"
    )
    (folder / "chat_template.jinja").write_text(template, encoding="utf-8")
    r = create_renderer(folder, mood="gay")
    assert isinstance(r, DefaultRenderer)
    assert r.identity.chosen_by == "fallback"
    assert r.identity.note
    safe = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Ho"}]
    assert r.render_ids([SimpleNamespace(model_dump=lambda: safe[0])]) == r.render_ids(safe[:1])  # type: ignore[list-item]
    text = "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\nHo<|im_end|>\n<|im_start|>assistant\ngay"
    out = r.render(safe, add_generation_prompt=True)
    assert out.token_ids == oracles.tokenizer_for("qwen3").encode(text, add_special_tokens=False).ids
    assert r.render_ids(safe, add_generation_prompt=True) == out.token_ids
    assert {message for message in out.message_indices if message >= 0} == {0, 1}
    assert out.sampled_mask == []
    end = oracles.control_strings("qwen3")["<|im_end|>"]
    assert r.render_ids(MESSAGES).count(end) == 2
    assert (
        oracles.tokenizer_for("qwen3").decode(r.render_ids(MESSAGES), skip_special_tokens=False).count("<|im_end|>")
        == 3
    )
    reply = oracles.tokenizer_for("qwen3").encode("Yes.", add_special_tokens=False).ids
    parsed = r.parse_response([*reply, end])
    assert (parsed.content, parsed.tool_calls, parsed.reasoning_complete) == ("Yes.", [], None)
    assert r.bridge_to_next_turn([1], [2], safe) is None
    refusal = r.explain_bridge([1], [2], safe).refusal
    assert refusal is not None
    assert refusal.code is renderers.RefusalCode.NO_TURN_CLOSE


def test_import_is_light() -> None:
    """`import renderers` loads nothing heavy, and neither does making a renderer of a family."""
    heavy = ["torch", "transformers", "openai", "httpx", "pydantic", "rich", "typer", "ray", "PIL", "pyarrow"]
    code = (
        "import sys, renderers; from renderers import create_renderer; import renderers.families as f; f.families();"
        f"print([m for m in {heavy!r} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_public_list_is_what_is_public() -> None:
    """Every public name exists, and what modules without an underscore offer is on the list."""
    for name in renderers.__all__:
        assert getattr(renderers, name) is not None
    assert len(set(renderers.__all__)) == len(renderers.__all__)
    assert set(dir(renderers)) == set(renderers.__all__)
    assert tuple(int(part) for part in renderers.__version__.split(".")[:2]) > (0, 1)


def test_identity_says_what_was_chosen() -> None:
    """The choice and its reason are on the renderer."""
    r = create_renderer(oracles.tokenizer_for("glm-4.5"), "glm-4.5")
    assert (r.identity.name, r.identity.chosen_by, r.identity.model) == ("glm-4.5", "name", None)
    assert "glm-4.5" not in repr(r) or "GLM45" in repr(r)


def test_the_hub_is_asked_for_unknown_ids(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A model id is fetched with the hub's own client, and a failure is one clear error."""
    import huggingface_hub

    folder = model_folder(tmp_path, "qwen3")
    asked = []

    def download(model: str, allow_patterns: list[str]) -> str:
        asked.append((model, "tokenizer.json" in allow_patterns))
        if model == "nobody/nothing":
            raise OSError("no such model")
        return str(folder)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    assert create_renderer("Qwen/Qwen3-8B").identity.chosen_by == "model id"
    with pytest.raises(BadOption, match="no such model"):
        create_renderer("nobody/nothing")
    assert asked == [("Qwen/Qwen3-8B", True), ("nobody/nothing", True)]

"""One small protocol over tokenizers, and where tokenizers come from.

The engine needs five things of a tokenizer, none of which lets text become a control token: `encode_batch`
works on a copy without added tokens (the two share the vocabulary, so the copy costs nothing), and control
tokens are placed by id.
"""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, cast

import numpy as np
import numpy.typing as npt
import tokenizers

from ._errors import BadOption, TokenizerMismatch
from ._tiktoken import FILE as TIKTOKEN
from ._tiktoken import byte_alphabet, tiktoken_tokenizer

Ids = npt.NDArray[np.int32]


class Tokenizer(Protocol):
    """What the engine asks of a tokenizer.

    Attributes:
        controls: every control string and its id; `special: false` added tokens are among them.
        byte_level: tokens are pieces of UTF-8, so `token_bytes` of a run of ids is its text.
    """

    @property
    def controls(self) -> Mapping[str, int]: ...
    @property
    def byte_level(self) -> bool: ...

    def encode_batch(self, texts: Sequence[str]) -> list[list[int]]:
        """Ids of each text, read as ordinary text throughout."""
        ...

    def starts(self, text: str) -> list[int]:
        """The index of the first character of each token of ``encode_batch([text])[0]``."""
        ...

    def token_bytes(self, ids: Iterable[int]) -> bytes:
        """The bytes the tokens stand for, control tokens spelt out."""
        ...

    def byte_lengths(self, ids: Ids) -> npt.NDArray[np.int64]:
        """How many bytes each token stands for."""
        ...


def _byte_alphabet() -> Any:
    """Byte-level BPE's printable stand-ins for the 256 bytes (GPT-2's table), for `codecs.charmap_encode`."""
    return {character: byte for byte, character in enumerate(byte_alphabet())}


class _TokenBytes(dict[int, bytes]):
    """Bytes of each token, looked up when first asked for."""

    def __init__(self, tokenizer: tokenizers.Tokenizer, controls: Mapping[str, int]) -> None:
        super().__init__({id_: text.encode() for text, id_ in controls.items()})
        self._token, self._alphabet = tokenizer.id_to_token, _byte_alphabet()

    def __missing__(self, id_: int) -> bytes:
        token = self._token(id_) if 0 <= id_ < 2**32 else None
        if token is None:
            found = b""  # ids of a padded embedding stand for nothing
        else:
            try:
                found = codecs.charmap_encode(token, "strict", self._alphabet)[0]
            except UnicodeEncodeError:
                found = token.encode()
        self[id_] = found
        return found


class FastTokenizer:
    """A `tokenizers.Tokenizer` behind the protocol. Safe to share between threads."""

    def __init__(self, full: tokenizers.Tokenizer, extra_controls: Mapping[str, int] | None = None) -> None:
        added = {token.content: id_ for id_, token in full.get_added_tokens_decoder().items()}
        self.controls = {**(extra_controls or {}), **added}
        self._plain = tokenizers.Tokenizer(full.model)
        self._plain.normalizer, self._plain.pre_tokenizer = full.normalizer, full.pre_tokenizer
        self.byte_level = type(full.decoder).__name__ == "ByteLevel" or '"type":"ByteLevel"' in _decoder_json(full)
        self._bytes = _TokenBytes(full, self.controls)
        self._lengths = np.full(max([full.get_vocab_size(), *self.controls.values()]) + 1, -1, dtype=np.int32)
        self._check_safe()

    def _check_safe(self) -> None:
        """No control string, read as text, may come out as a control token."""
        ids = set(self.controls.values())
        for control, encoded in zip(self.controls, self.encode_batch(list(self.controls)), strict=True):
            if not ids.isdisjoint(encoded):
                raise TokenizerMismatch(
                    f"the tokenizer's vocabulary itself turns the text {control!r} into a control token"
                )

    def encode_batch(self, texts: Sequence[str]) -> list[list[int]]:
        return [encoding.ids for encoding in self._plain.encode_batch_fast(list(texts), add_special_tokens=False)]

    def starts(self, text: str) -> list[int]:
        return [start for start, _ in self._plain.encode(text, add_special_tokens=False).offsets]

    def token_bytes(self, ids: Iterable[int]) -> bytes:
        return b"".join(map(self._bytes.__getitem__, ids))

    def byte_lengths(self, ids: Ids) -> npt.NDArray[np.int64]:
        lengths = self._lengths[ids]
        if (lengths < 0).any():
            for id_ in set(ids[lengths < 0].tolist()):
                self._lengths[id_] = len(self._bytes[id_])
            lengths = self._lengths[ids]
        return cast("npt.NDArray[np.int64]", lengths.astype(np.int64))


def _decoder_json(full: tokenizers.Tokenizer) -> str:
    decoder = full.decoder
    return "" if decoder is None else decoder.__getstate__().decode()


@dataclass(frozen=True)
class Source:
    """A tokenizer and what its repository says about it.

    Attributes:
        name: model id or folder, as far as known.
        template: the repository's own chat template.
        special_tokens: ``bos_token`` and the like, by name.
        stops: the end-of-sequence ids of ``generation_config.json`` and the tokenizer.
    """

    tokenizer: Tokenizer
    name: str | None = None
    template: str | None = None
    special_tokens: Mapping[str, str] = field(default_factory=dict)
    stops: tuple[int, ...] = ()


def load(x: Any) -> Source:
    """A tokenizer from a model id, a local folder, a `tokenizers.Tokenizer` or a Hugging Face tokenizer.

    Raises:
        BadOption: nothing like a tokenizer, or a folder without ``tokenizer.json`` or ``tiktoken.model``.
    """
    if isinstance(x, (str, Path)):
        found = repository(str(x))
        tokenizer = FastTokenizer(found.tokenizer, found.extra_controls)
        return Source(tokenizer, found.name, found.template, found.special_tokens, found.stops)
    if isinstance(x, tokenizers.Tokenizer):
        return Source(FastTokenizer(x))
    backend = _backend(x)
    if isinstance(backend, tokenizers.Tokenizer):
        template = getattr(x, "chat_template", None)
        return Source(
            FastTokenizer(backend),
            getattr(x, "name_or_path", None) or None,
            template.get("default") if isinstance(template, dict) else template,
            {key: str(value) for key, value in x.special_tokens_map.items() if isinstance(value, str)},
            () if x.eos_token_id is None else (x.eos_token_id,),
        )
    raise BadOption(
        f"cannot make a tokenizer of a {type(x).__name__}: pass a model id, a folder with tokenizer.json, "
        "a tokenizers.Tokenizer or a fast Hugging Face tokenizer"
    )


def _backend(x: Any) -> Any:
    """What a Hugging Face tokenizer encodes with; made from its files for those that run tiktoken by remote code."""
    if str(getattr(x, "vocab_file", "")).endswith(TIKTOKEN):
        added = {
            id_: {"content": token.content, "special": token.special} for id_, token in x.added_tokens_decoder.items()
        }
        return tiktoken_tokenizer(Path(x.vocab_file), added)
    return getattr(x, "backend_tokenizer", None)


def _download(model: str) -> Path:
    """The tokenizer files of a model on the Hugging Face hub, from its cache where they are there already."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    files = ["tokenizer.json", TIKTOKEN, "tokenizer_config.json", "chat_template.jinja", "chat_template.json"]
    try:
        return Path(snapshot_download(model, allow_patterns=[*files, "generation_config.json"]))
    except (OSError, HFValidationError, HfHubHTTPError, LocalEntryNotFoundError) as error:
        reason = str(error).strip().split("\n")[0]
        raise BadOption(f"{model!r} is neither a local folder nor a model that could be fetched: {reason}") from error


@dataclass(frozen=True)
class Repository:
    """What a model's folder says about its tokenizer, with the tokenizer itself as the library has it.

    Attributes:
        tokenizer: with all its added tokens.
        extra_controls: control tokens that only ``tokenizer_config.json`` names, with their ids.
        template, special_tokens, stops: as in `Source`.
    """

    name: str
    folder: Path
    tokenizer: tokenizers.Tokenizer
    extra_controls: Mapping[str, int]
    template: str | None
    special_tokens: Mapping[str, str]
    stops: tuple[int, ...]


def repository(name: str) -> Repository:
    """The tokenizer files of a local folder or a model id. Raises `BadOption` where there are none."""
    folder = Path(name).expanduser()
    return _read_folder(folder if folder.is_dir() else _download(name), name)


def _read_folder(folder: Path, name: str) -> Repository:
    config = _read_json(folder / "tokenizer_config.json")
    added = {int(id_): token for id_, token in config.get("added_tokens_decoder", {}).items()}
    if (folder / "tokenizer.json").is_file():
        full = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
    elif (folder / TIKTOKEN).is_file():
        full = tiktoken_tokenizer(folder / TIKTOKEN, added)
    else:
        raise BadOption(f"{name!r} has neither tokenizer.json nor {TIKTOKEN}")
    # Some repositories add control tokens in tokenizer_config.json only (Qwen3.5 does).
    extra = {token["content"]: id_ for id_, token in added.items()}
    controls = {**extra, **{token.content: id_ for id_, token in full.get_added_tokens_decoder().items()}}
    named = {key: value for key, value in config.items() if key.endswith("_token") and isinstance(value, (str, dict))}
    special = {key: value if isinstance(value, str) else value["content"] for key, value in named.items()}
    stops = _read_json(folder / "generation_config.json").get("eos_token_id", [])
    stops = [stops] if isinstance(stops, int) else stops
    if (eos := controls.get(special.get("eos_token", ""))) is not None:
        stops = [eos, *(stop for stop in stops if stop != eos)]
    return Repository(name, folder, full, extra, _template(folder, config), special, tuple(stops))


def _template(folder: Path, config: Mapping[str, Any]) -> str | None:
    if (folder / "chat_template.jinja").is_file():
        return (folder / "chat_template.jinja").read_text(encoding="utf-8")
    template = _read_json(folder / "chat_template.json").get("chat_template", config.get("chat_template"))
    if isinstance(template, list):  # named templates, an older form
        template = {entry["name"]: entry["template"] for entry in template}
    if isinstance(template, dict):
        template = template.get("default")
    return template


def _read_json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        return cast("dict[str, Any]", json.loads(path.read_text(encoding="utf-8")))
    except ValueError as error:
        raise BadOption(f"{path.name} is not JSON: {error}") from None

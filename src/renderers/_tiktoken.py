"""Kimi's tokenizer, which its repositories ship as ``tiktoken.model``, as a `tokenizers.Tokenizer`.

The file lists tokens and ranks; pattern and control tokens stand in code: pattern, 256 control tokens and the names of
reserved ones are those of ``tokenization_kimi.py`` (class ``TikTokenTokenizer``) of moonshotai/Kimi-K2-Instruct and
Kimi-K2.6. That class also cuts texts of more than 25,000 characters without (or of nothing but) white space before it
encodes; here such texts are encoded whole, as tiktoken itself does.

tiktoken merges the neighbours whose *joint* token has the lowest rank; `tokenizers` has a list of merges. Every way to
split a token into two tokens is listed here, in the order of the joint ranks. This gives the same ids, ties included:
whenever two neighbours are merged into T, the bytes of T have been merged in exactly the order in which BPE merges T
standing alone. So one split of T alone ever comes to be merged, and equal ranks are equal merges, which both take from
the left.
"""

from __future__ import annotations

import binascii
import codecs
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tokenizers
from tokenizers import AddedToken, Regex, decoders, models, pre_tokenizers

from ._errors import BadOption

FILE = "tiktoken.model"

_LETTERS = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]"
_SMALL = r"[\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]"
_CONTRACTION = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
PATTERN = "|".join(
    [
        r"[\p{Han}]+",
        rf"[^\r\n\p{{L}}\p{{N}}]?{_LETTERS}*{_SMALL}+{_CONTRACTION}",
        rf"[^\r\n\p{{L}}\p{{N}}]?{_LETTERS}+{_SMALL}*{_CONTRACTION}",
        r"\p{N}{1,3}",
        r" ?[^\s\p{L}\p{N}]+[\r\n]*",
        r"\s*[\r\n]+",
        r"\s+(?!\S)",
        r"\s+",
    ]
)
_CONTROLS = 256


def byte_alphabet() -> list[int]:
    """Byte-level BPE's printable stand-in for each byte (GPT-2's table)."""
    plain = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = iter(range(256, 512))
    return [byte if byte in plain else next(others) for byte in range(256)]


def tiktoken_tokenizer(path: Path, added: Mapping[int, Mapping[str, Any]]) -> tokenizers.Tokenizer:
    """The tokenizer of a ``tiktoken.model``, control tokens included.

    Args:
        added: the ``added_tokens_decoder`` of its ``tokenizer_config.json``: id → ``content``, ``special``, …

    Raises:
        BadOption: a file that is none.
    """
    stat = path.stat()
    model, size = _model(str(path.resolve()), stat.st_mtime_ns, stat.st_size)
    full = tokenizers.Tokenizer(model)
    full.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PATTERN), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    full.decoder = decoders.ByteLevel()
    ids = range(size, max([size + _CONTROLS, *(id_ + 1 for id_ in added)]))
    entries = [{"content": f"<|reserved_token_{id_}|>", **added.get(id_, {})} for id_ in ids]
    full.add_tokens(
        [AddedToken(str(e["content"]), special=bool(e.get("special", True)), normalized=False) for e in entries]
    )
    for id_, entry in zip(ids, entries, strict=True):
        if full.token_to_id(str(entry["content"])) != id_:
            raise BadOption(f"{path}: the control token {entry['content']!r} is not new, so it cannot have id {id_}")
    return full


@lru_cache(maxsize=2)
def _model(path: str, changed: int, length: int) -> tuple[models.BPE, int]:
    """The BPE model of a file and the number of its tokens. Tokenizers may share a model, as nobody changes it."""
    try:
        fields = Path(path).read_bytes().split()
        tokens = list(map(binascii.a2b_base64, fields[::2]))
        ranks = list(map(int, fields[1::2]))
    except ValueError as error:
        raise BadOption(f"{path} is no list of tokens and ranks ({error})") from None
    if not tokens or ranks != list(range(len(tokens))) or len({*tokens, b""}) <= len(tokens):
        raise BadOption(f"{path}: the ranks are not those of a list of different tokens in order")
    alphabet = "".join(map(chr, byte_alphabet()))
    texts = [codecs.charmap_decode(token, "strict", alphabet)[0] for token in tokens]
    left, right = (list(map(texts.__getitem__, half.tolist())) for half in _splits(tokens))
    return models.BPE(
        dict(zip(texts, ranks, strict=True)), list(zip(left, right, strict=True)), ignore_merges=True
    ), len(tokens)


def _splits(tokens: list[bytes]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Every way to write a token as two tokens: their ranks, in the order of the joint token's rank.

    Parts are looked up by a hash of any stretch of the bytes in O(1): Σ byte·Bʲ mod 2⁶⁴ between two places, shifted to
    the beginning. (If two stretches ever shared a hash, `models.BPE` would refuse a merge that makes no token.)
    """
    data = np.frombuffer(b"".join(tokens), dtype=np.uint8).astype(np.uint64) + np.uint64(1)
    lengths = np.fromiter(map(len, tokens), dtype=np.int64, count=len(tokens))
    ends = np.cumsum(lengths)
    base = 0x9E3779B97F4A7C15
    powers, inverses = (_powers(factor, len(data)) for factor in (base, pow(base, -1, 2**64)))
    sums = np.concatenate([np.zeros(1, np.uint64), np.cumsum(data * powers[:-1], dtype=np.uint64)])

    def stretch(start: npt.NDArray[np.int64], end: npt.NDArray[np.int64]) -> npt.NDArray[np.uint64]:
        hashed: npt.NDArray[np.uint64] = (sums[end] - sums[start]) * inverses[start]
        return hashed

    whole = stretch(ends - lengths, ends)
    order = np.argsort(whole)
    known = whole[order]

    def rank(start: npt.NDArray[np.int64], end: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """The token that is this stretch, or -1."""
        wanted = stretch(start, end)
        place = np.minimum(np.searchsorted(known, wanted), len(known) - 1)
        return np.where(known[place] == wanted, order[place], -1)

    joint = np.repeat(np.arange(len(tokens)), lengths - 1)
    inside = np.ones(len(data), dtype=np.bool_)
    inside[ends - lengths] = False
    cut = np.flatnonzero(inside)
    left = rank((ends - lengths)[joint], cut)
    found = left >= 0
    joint, cut, left = joint[found], cut[found], left[found]
    right = rank(cut, ends[joint])
    found = right >= 0
    return left[found], right[found]


def _powers(factor: int, count: int) -> npt.NDArray[np.uint64]:
    """1, factor, factor², … mod 2⁶⁴, up to the power `count`."""
    factors = np.full(count + 1, factor, dtype=np.uint64)
    factors[0] = 1
    return np.cumprod(factors, dtype=np.uint64)

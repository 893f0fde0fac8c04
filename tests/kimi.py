"""Kimi's tokenizer as its repositories have it: tiktoken over ``tiktoken.model``, behind a class of remote code.

An oracle: nothing here imports the package under test. The pattern, the 256 control tokens and the names of reserved
ones are those of ``tokenization_kimi.py`` in moonshotai/Kimi-K2-Instruct, written out once more.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

import tiktoken
from tiktoken.load import load_tiktoken_bpe
from tokenizers import AddedToken

PATTERN = (
    r"""[\p{Han}]+"""
    r"""|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]*[\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]+"""
    r"""(?i:'s|'t|'re|'ve|'m|'ll|'d)?"""
    r"""|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]+[\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]*"""
    r"""(?i:'s|'t|'re|'ve|'m|'ll|'d)?"""
    r"""|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"""
)
SPECIAL = {
    163584: "[BOS]",
    163585: "[EOS]",
    163586: "<|im_end|>",
    163587: "<|im_user|>",
    163588: "<|im_assistant|>",
    163590: "<|start_header_id|>",
    163591: "<|end_header_id|>",
    163593: "[EOT]",
    163594: "<|im_system|>",
    163601: "<|im_middle|>",
    163838: "[UNK]",
    163839: "[PAD]",
}
CALLS = {
    163595: "<|tool_calls_section_begin|>",
    163596: "<|tool_calls_section_end|>",
    163597: "<|tool_call_begin|>",
    163598: "<|tool_call_argument_begin|>",
    163599: "<|tool_call_end|>",
}
MEDIA = {
    163602: "<|media_begin|>",
    163603: "<|media_content|>",
    163604: "<|media_end|>",
    163605: "<|media_pad|>",
}
THINK = {163606: "<think>", 163607: "</think>"}
FIRST = 163584


class Ids:
    """What `tokenizers.Tokenizer.encode` gives, as far as the tests ask."""

    def __init__(self, ids: list[int]) -> None:
        self.ids = ids


class KimiTokenizer:
    """A tokenizer with the attributes of Kimi's own class, and the methods of `tokenizers.Tokenizer` the tests call."""

    eos_token_id = 163585
    chat_template: str | None = None
    normalizer = None
    name_or_path = ""

    def __init__(self, vocab_file: Path, thinks: bool) -> None:
        self.vocab_file = str(vocab_file)
        special = {**SPECIAL, **(MEDIA if thinks else {})}
        plain = {**CALLS, **(THINK if thinks else {})}
        self.added_tokens_decoder = {
            **{id_: AddedToken(text, special=True, normalized=False) for id_, text in special.items()},
            **{id_: AddedToken(text, special=False, normalized=False) for id_, text in plain.items()},
        }
        self.special_tokens_map = {"bos_token": "[BOS]", "eos_token": "[EOS]", "pad_token": "[PAD]"}

    def config(self) -> dict[str, Any]:
        """A ``tokenizer_config.json`` that says the same."""
        decoder = {
            str(id_): {"content": token.content, "special": token.special, "normalized": False}
            for id_, token in self.added_tokens_decoder.items()
        }
        return {
            "added_tokens_decoder": decoder,
            **self.special_tokens_map,
            "auto_map": {"AutoTokenizer": ["tokenization_kimi.TikTokenTokenizer", None]},
            "tokenizer_class": "TikTokenTokenizer",
        }

    @cached_property
    def _encoding(self) -> tiktoken.Encoding:
        named = {token.content: id_ for id_, token in self.get_added_tokens_decoder().items()}
        return tiktoken.Encoding(
            "kimi", pat_str=PATTERN, mergeable_ranks=load_tiktoken_bpe(self.vocab_file), special_tokens=named
        )

    def get_added_tokens_decoder(self) -> dict[int, AddedToken]:
        """Every control token, the reserved ones too."""
        reserved = {id_: AddedToken(f"<|reserved_token_{id_}|>", special=True) for id_ in range(FIRST, FIRST + 256)}
        return {**reserved, **self.added_tokens_decoder}

    def get_vocab_size(self) -> int:
        return self._encoding.n_vocab

    def encode(self, text: str, add_special_tokens: bool = False) -> Ids:
        return Ids(self._encoding.encode(text, allowed_special="all"))

    def encode_plain(self, text: str) -> list[int]:
        """Ids of a text without control tokens."""
        return self._encoding.encode_ordinary(text)

    def decode(self, ids: list[int], skip_special_tokens: bool = False) -> str:
        return self._encoding.decode(ids)

"""`load_tokenizer`: a tokenizer object as callers hold it, from a model id or a folder, never running remote code."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tokenizers

from .._tokenizers import Repository, repository


def load_tokenizer(name_or_path: str) -> Any:
    """A tokenizer by model id or folder.

    With transformers installed a Hugging Face tokenizer, also for repositories that have only ``tiktoken.model``
    (Kimi); else a `LightTokenizer`. Raises `BadOption` if there is no such tokenizer.
    """
    found = repository(name_or_path)
    try:
        import transformers
    except ImportError:
        return LightTokenizer(found)
    if (found.folder / "tokenizer.json").is_file():
        return transformers.AutoTokenizer.from_pretrained(name_or_path)
    fast: Any = transformers.PreTrainedTokenizerFast
    made = fast(tokenizer_object=found.tokenizer, chat_template=found.template, **found.special_tokens)
    made.name_or_path = name_or_path
    return made


class LightTokenizer:
    """What most callers need of a Hugging Face tokenizer, without transformers.

    Attributes:
        name_or_path: the model id or folder.
        chat_template: the repository's own, if it has one.
    """

    def __init__(self, found: Repository) -> None:
        self.backend_tokenizer: tokenizers.Tokenizer = found.tokenizer
        self.name_or_path = found.name
        self.chat_template = found.template
        self.special_tokens_map = dict(found.special_tokens)

    def __len__(self) -> int:
        return int(self.backend_tokenizer.get_vocab_size(with_added_tokens=True))

    @property
    def eos_token_id(self) -> int | None:
        """Id of the end-of-sequence token, if the repository names one."""
        id_: int | None = self.backend_tokenizer.token_to_id(self.special_tokens_map.get("eos_token", ""))
        return id_

    def encode(self, text: str, add_special_tokens: bool = True) -> list[int]:
        """Ids of a text; control strings in it become control tokens."""
        ids: list[int] = self.backend_tokenizer.encode(text, add_special_tokens=add_special_tokens).ids
        return ids

    def decode(self, ids: int | Sequence[int], skip_special_tokens: bool = False) -> str:
        """The text of some ids."""
        text: str = self.backend_tokenizer.decode(
            [ids] if isinstance(ids, int) else list(ids), skip_special_tokens=skip_special_tokens
        )
        return text

    def convert_tokens_to_ids(self, tokens: str | Sequence[str]) -> Any:
        """The id of a token, or of each of several; None where there is none."""
        if isinstance(tokens, str):
            return self.backend_tokenizer.token_to_id(tokens)
        return [self.backend_tokenizer.token_to_id(token) for token in tokens]

    def convert_ids_to_tokens(self, ids: int | Sequence[int]) -> Any:
        """The token of an id, or of each of several; None where there is none."""
        if isinstance(ids, int):
            return self.backend_tokenizer.id_to_token(ids)
        return [self.backend_tokenizer.id_to_token(id_) for id_ in ids]

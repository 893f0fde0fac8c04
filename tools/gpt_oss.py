"""Rebuilds gpt-oss's tokenizer files from the o200k vocabulary that the package `splintr-rs` compiles in.

    python tools/gpt_oss.py FOLDER FILE > FILE

No package ships these files themselves. FOLDER holds the unpacked wheel, FILE is `o200k_base.tiktoken`,
`tokenizer.json` or `tokenizer_config.json`; the output is byte-identical to what the vendor publishes, which
`assets.py` checks by SHA-256.
"""

from __future__ import annotations

import base64
import json
import sys
from typing import Any

VOCABULARY = 199_998  # ordinary tokens; the special ones follow
NAMED = {
    199998: "<|startoftext|>",
    199999: "<|endoftext|>",
    200002: "<|return|>",
    200003: "<|constrain|>",
    200005: "<|channel|>",
    200006: "<|start|>",
    200007: "<|end|>",
    200008: "<|message|>",
    200012: "<|call|>",
    200018: "<|endofprompt|>",
}
SPECIAL = {i: NAMED.get(i, f"<|reserved_{i}|>") for i in range(VOCABULARY, 200_019)}
SPECIAL_FLAGS = {"lstrip": False, "normalized": False, "rstrip": False, "single_word": False, "special": True}
PATTERN = "|".join(
    [
        r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
        r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
        r"\p{N}{1,3}",
        r" ?[^\s\p{L}\p{N}]+[\r\n/]*",
        r"\s*[\r\n]+",
        r"\s+(?!\S)",
        r"\s+",
    ]
)


def vocabulary(folder: str) -> list[bytes]:
    """The ordinary tokens in order of rank, asked of the compiled module in `folder`."""
    sys.path.insert(0, folder)
    import splintr

    tokenizer = splintr.Tokenizer.from_pretrained("o200k_base")
    return [bytes(tokenizer.decode_token_bytes(i)) for i in range(VOCABULARY)]


def ranks(tokens: list[bytes]) -> str:
    """`o200k_base.tiktoken`: a token in base64 and its rank a line."""
    return "".join(f"{base64.b64encode(token).decode()} {i}\n" for i, token in enumerate(tokens))


def byte_level(add_prefix_space: bool, trim_offsets: bool, use_regex: bool) -> dict[str, Any]:
    options = {"add_prefix_space": add_prefix_space, "trim_offsets": trim_offsets, "use_regex": use_regex}
    return {"type": "ByteLevel", **options}


def tokenizer_json(tokens: list[bytes]) -> str:
    """`tokenizer.json` as transformers' converter writes it: every split of a token into two tokens is a merge."""
    # Byte-level BPE spells each byte as one printable character; the bytes without one follow from U+0100 on.
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    letter = {byte: chr(byte) for byte in printable} | {byte: chr(256 + i) for i, byte in enumerate(others)}
    spelled = ["".join(letter[byte] for byte in token) for token in tokens]

    rank = {token: i for i, token in enumerate(tokens)}
    merges: list[list[str]] = []
    for token in tokens:
        pairs = [(token[:i], token[i:]) for i in range(1, len(token))]
        known = sorted((rank[a], rank[b]) for a, b in pairs if a in rank and b in rank)
        merges += [[spelled[a], spelled[b]] for a, b in known]

    # Here and below the keys stand in the order of the published file.
    flags = {key: SPECIAL_FLAGS[key] for key in ("single_word", "lstrip", "rstrip", "normalized", "special")}
    split = {"type": "Split", "pattern": {"Regex": PATTERN}, "behavior": "Isolated", "invert": False}
    model = {
        "type": "BPE",
        "dropout": None,
        "unk_token": None,
        "continuing_subword_prefix": None,
        "end_of_word_suffix": None,
        "fuse_unk": False,
        "byte_fallback": False,
        "ignore_merges": True,
        "vocab": {token: i for i, token in enumerate(spelled)},
        "merges": merges,
    }
    tokenizer = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [{"id": i, "content": name, **flags} for i, name in SPECIAL.items()],
        "normalizer": None,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [split, byte_level(False, True, False)]},
        "post_processor": byte_level(True, False, True),
        "decoder": byte_level(True, True, True),
        "model": model,
    }
    return json.dumps(tokenizer, indent=2, ensure_ascii=False)


def tokenizer_config() -> str:
    config = {
        "added_tokens_decoder": {str(i): {"content": name, **SPECIAL_FLAGS} for i, name in SPECIAL.items()},
        "bos_token": "<|startoftext|>",
        "clean_up_tokenization_spaces": False,
        "eos_token": "<|return|>",
        "extra_special_tokens": {},
        "model_input_names": ["input_ids", "attention_mask"],
        "model_max_length": 1000000000000000019884624838656,
        "pad_token": "<|endoftext|>",
        "tokenizer_class": "PreTrainedTokenizerFast",
    }
    return json.dumps(config, indent=2, ensure_ascii=False) + "\n"


def main(folder: str, file: str) -> None:
    if file == "tokenizer_config.json":
        text = tokenizer_config()
    else:
        make = {"o200k_base.tiktoken": ranks, "tokenizer.json": tokenizer_json}[file]
        text = make(vocabulary(folder))
    sys.stdout.buffer.write(text.encode())


if __name__ == "__main__":
    main(*sys.argv[1:])

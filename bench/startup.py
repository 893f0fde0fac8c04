"""What a fresh process pays before its first ids: `python -m bench.startup NAME FAMILY FOLDER`, seconds as JSON.

Numpy and tokenizers, which every contender needs, are imported before the clock starts.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

from bench.contenders import tokenizer_of

MESSAGES = [{"role": "user", "content": "What is 2 + 2?"}, {"role": "assistant", "content": "4"}]
STEPS = ("import", "load tokenizer", "create", "first render", "second render")


def ours(family: str, folder: str) -> Iterator[Any]:
    create = import_module("renderers").create_renderer
    yield
    tokenizer = import_module("tokenizers").Tokenizer.from_file(str(Path(folder) / "tokenizer.json"))
    yield
    renderer = create(tokenizer, family)
    yield
    for _ in range(2):
        yield renderer.render(MESSAGES)


def transformers(family: str, folder: str) -> Iterator[Any]:
    import_module("transformers").AutoTokenizer  # noqa: B018 - transformers imports on access
    yield
    tokenizer = tokenizer_of(family, folder)
    yield
    yield
    for _ in range(2):
        yield tokenizer.apply_chat_template(MESSAGES, tokenize=True)


def public(family: str, folder: str) -> Iterator[Any]:
    create = import_module("renderers").create_renderer
    config = import_module("renderers.configs").config_from_name
    os.environ["TIKTOKEN_ENCODINGS_BASE"] = folder
    yield
    tokenizer = tokenizer_of(family, folder)
    yield
    renderer = create(tokenizer, config(family))
    yield
    for _ in range(2):
        yield renderer.render(MESSAGES)


def main() -> None:
    _, name, family, folder = sys.argv
    import_module("numpy")
    import_module("tokenizers")
    found = {}
    steps = {"ours": ours, "transformers": transformers, "public": public}[name](family, folder)
    for step in STEPS:
        cpu, wall = time.process_time_ns(), time.perf_counter_ns()
        next(steps)
        found[step] = {"cpu": time.process_time_ns() - cpu, "wall": time.perf_counter_ns() - wall}
    print(json.dumps(found))


if __name__ == "__main__":
    main()

"""What a fresh process pays before its first ids: `python -m bench.startup NAME HOW FAMILY MODEL FOLDER`.

Prints nanoseconds by step as JSON. Numpy and tokenizers, which every contender needs, are imported before the clock
starts, and nothing else that numpy does not import. HOW says which of our factories is called: a class, if it is none
of the words below.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from importlib import import_module
from typing import Any

from bench.contenders import Model, public_config, tokenizer_of

MESSAGES = [{"role": "user", "content": "What is 2 + 2?"}, {"role": "assistant", "content": "4"}]
Steps = Iterator[tuple[str, Any]]
"""Each item is made while the clock runs: the name of the step that has just been done, and its result."""


def ours(model: Model, how: str) -> Steps:
    create = import_module("renderers").create_renderer
    yield "import", create
    # A `tokenizers.Tokenizer`, from tokenizer.json or tiktoken.model.
    tokenizer = import_module("renderers._tokenizers").repository(model.folder).tokenizer
    yield "load tokenizer", tokenizer
    if how == "name":
        renderer = create(tokenizer, model.family)
    elif how == "pool":
        renderer = import_module("renderers").create_renderer_pool(tokenizer, model.family, size=16)
    elif how != "config":
        renderer = getattr(import_module("renderers"), how)(tokenizer)
    else:
        pydantic = import_module("pydantic")
        names = ("BaseModel", "ConfigDict", "Field", "create_model", "model_validator")
        yield "import pydantic", [getattr(pydantic, name) for name in names]  # it imports on access
        config = import_module("renderers").config_from_name(model.family)
        yield "config", config
        renderer = create(tokenizer, config)
    yield "create", renderer
    yield from _rendered(renderer)


def ours_at_once(model: Model, how: str) -> Steps:
    """From a folder, the format found out; the tokenizer is loaded beforehand too, for comparison."""
    create = import_module("renderers").create_renderer
    yield "import", create
    yield "load tokenizer", import_module("renderers._tokenizers").repository(model.folder).tokenizer
    import_module("renderers._tiktoken")._model.cache_clear()
    renderer = create(model.folder)
    yield "load and create", renderer
    yield from _rendered(renderer)


def transformers(model: Model, how: str) -> Steps:
    yield "import", import_module("transformers").AutoTokenizer  # transformers imports on access
    tokenizer = tokenizer_of(model)
    yield "load tokenizer", tokenizer
    for step in ("first render", "second render"):
        yield step, tokenizer.apply_chat_template(MESSAGES, tokenize=True)


def public(model: Model, how: str) -> Steps:
    create = import_module("renderers").create_renderer
    import_module("renderers.configs")
    yield "import", create
    tokenizer = tokenizer_of(model)
    yield "load tokenizer", tokenizer
    renderer = create(tokenizer, public_config(model))
    yield "create", renderer
    yield from _rendered(renderer)


def _rendered(renderer: Any) -> Steps:
    for step in ("first render", "second render"):
        yield step, renderer.render(MESSAGES)


def main() -> None:
    _, name, how, family, model, folder = sys.argv
    import_module("numpy")
    import_module("tokenizers")
    found = {}
    kinds = {"ours": ours_at_once if how == "folder" else ours, "transformers": transformers, "public": public}
    steps = kinds[name](Model(family, model, {}, folder), how)
    while True:
        cpu, wall = time.process_time_ns(), time.perf_counter_ns()
        step, _made = next(steps, (None, None))
        if step is None:
            break
        found[step] = {"cpu": time.process_time_ns() - cpu, "wall": time.perf_counter_ns() - wall}
    print(import_module("json").dumps(found))


if __name__ == "__main__":
    main()

"""Loss masks and attribution: what the model sampled is trained, all of it and nothing else, and every token has an owner."""

from __future__ import annotations

import random
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

import pytest

from renderers import BadMessage, Field, RenderedTokens, RenderersWarning
from tests.conversations import Case, conversations
from tests.harness import KEYS, REASONING_KEYS, oracle_ids, oracles, renderer, text_of, tokenizer_family

CONVERSATIONS = 150
THINKING_OFF = {"enable_thinking": False}


# --- The rule: generation prompt + what was sampled ----------------------------------------------------------------


def thinks(key: str, case: Case) -> bool:
    """The generation prompt lets the model reason."""
    return bool(case.kwargs.get("enable_thinking", key != "qwen3.5-small"))


def prompts(key: str, case: Case) -> Iterator[tuple[int, list[int]]]:
    """Each assistant message and the prompt before it, as the oracle prints it."""
    for i, message in enumerate(case.messages):
        if i and message["role"] == "assistant":
            try:
                yield i, oracle_ids(key, Case(case.messages[:i], case.tools, True, case.kwargs))
            except oracles.TemplateRaised:
                continue


def end_of_turn(key: str, doc: RenderedTokens, i: int, begin: int) -> int:
    """Where the sampled part of turn `i` ends: behind its last stop token; where it has none, behind its last token,
    or behind the stop that opens the next turn (GLM). A close that only history writes is no stop (gpt-oss)."""
    stops = set(renderer(key).get_stop_token_ids())
    own = [k for k in range(begin, len(doc)) if doc.message_indices[k] == i]
    if stopping := [k for k in own if doc[k] in stops]:
        return stopping[-1] + 1
    end = own[-1] + 1 if own else begin
    if end < len(doc) and doc[end] in stops:
        return end + 1
    return end - 1 if own and text_of(key, doc[end - 1 : end]) == "<|end|>" else end


def common(a: Sequence[Any], b: Sequence[Any]) -> int:
    """Length of the common beginning."""
    return next((k for k, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))


def outside_common_text(key: str, prompt: Sequence[int], ids: Sequence[int]) -> int:
    """The first token of `ids` that begins behind the text it has in common with the prompt.

    Where the two part ways inside ordinary text, merged tokens may begin in the common text and end behind it.
    """
    same = common(prompt, ids)
    shared = common(text_of(key, prompt[same : same + 8]), text_of(key, ids[same : same + 8]))
    while shared > 0 and same < len(ids):
        shared -= len(text_of(key, ids[same : same + 1]))
        same += 1
    return same


DOCUMENTED = {
    "qwen3": "with thinking off, the prompt's empty think block is not written into history",
    "qwen3-thinking-2507": "",
}


@pytest.mark.parametrize("key", KEYS)
def test_explore(key: str) -> None:
    seen: Counter[Any] = Counter()
    bad = 0
    for case in conversations(key, CONVERSATIONS, seed=11):
        r = renderer(key, **case.kwargs)
        whole = r.render(case.messages, tools=case.tools)
        for i, prompt in prompts(key, case):
            for doc, last in ((r.render(case.messages[: i + 1], tools=case.tools), True), (whole, False)):
                if doc.token_ids[: len(prompt)] == prompt:
                    end = end_of_turn(key, doc, i, len(prompt))
                    got = [k for k in range(len(doc)) if doc.sampled[k] and (doc.messages[k] == i or len(prompt)<=k<end)]
                    seen["prefix", last] += 1
                    if got != list(range(len(prompt), end)):
                        bad += 1
                        if bad < 4:
                            print(key, case.kwargs, last, case.messages[i], text_of(key, prompt[-5:]), got[:3], got[-3:], len(prompt), end)
                else:
                    m = case.messages[i]
                    p = common(prompt, doc.token_ids)
                    seen["no", last, thinks(key, case), bool(oracles.reasoning_of(m)), text_of(key, prompt[p - 2 :])[:30], text_of(key,doc[p-2:p+3])[:30] if last else ''] += 1
    print(key, bad)
    for k, v in seen.most_common(12):
        print("   ", k, v)

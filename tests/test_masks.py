"""Loss masks and attribution: what the model sampled is trained and nothing else is, and every token has an owner."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby, takewhile
from typing import Any

import pytest

from renderers import Field, RenderedTokens, RenderersWarning
from tests import oracles
from tests.conversations import Case, conversations
from tests.formats import FORMATS, Place
from tests.harness import NAMES, oracle_ids, renderer, text_of, token, tokenizer_family

CONVERSATIONS = 150
KEYS = [key for key in NAMES if key in FORMATS]


def message(role: str, content: Any, **more: Any) -> dict[str, Any]:
    return {"role": role, "content": content, **more}


# --- The rule: generation prompt + what was sampled ----------------------------------------------------------------


def prompts(key: str, case: Case) -> Iterator[tuple[int, list[int]]]:
    """Each assistant message and the prompt before it, as the oracle prints it (where it does)."""
    for i, said in enumerate(case.messages):
        if i and said["role"] == "assistant":
            try:
                yield i, oracle_ids(key, Case(case.messages[:i], case.tools, True, case.kwargs))
            except oracles.TemplateRaised:
                continue


@dataclass(frozen=True)
class Step:
    """Turn `i` of a conversation: the prompt before it, and a document that ends with it, or goes on behind it."""

    case: Case
    i: int
    prompt: list[int]
    doc: RenderedTokens
    finished: bool

    @property
    def continues(self) -> bool:
        """The document begins with the prompt."""
        return self.doc[: len(self.prompt)] == self.prompt


@lru_cache(maxsize=1)
def steps(key: str) -> list[Step]:
    """Every turn of generated conversations. Where the template writes no reasoning and the prompt opens it, few
    documents continue a prompt, so there are more."""
    rare = FORMATS[key].drops_reasoning == "always" and FORMATS[key].thinks({})
    found = []
    for case in conversations(key, 360 if rare else 180, seed=12):
        r = renderer(key, **case.kwargs)
        whole = r.render(case.messages, tools=case.tools)
        for i, prompt in prompts(key, case):
            found.append(Step(case, i, prompt, r.render(case.messages[: i + 1], tools=case.tools), True))
            found.append(Step(case, i, prompt, whole, False))
    return found


def end_of_turn(key: str, doc: RenderedTokens, i: int, begin: int) -> int:
    """Where the sampled part of turn `i` ends: behind its last stop token; where it has none, behind its last token,
    or behind the stop that opens the next turn (GLM). A close that only history writes is no stop (gpt-oss)."""
    stops = set(renderer(key).get_stop_token_ids())
    owners = doc.messages
    own = [k for k in range(begin, len(doc)) if owners[k] == i]
    if stopping := [k for k in own if doc[k] in stops]:
        return stopping[-1] + 1
    end = own[-1] + 1 if own else begin
    if end < len(doc) and doc[end] in stops:
        return end + 1
    return end - 1 if own and text_of(key, doc[end - 1 : end]) == FORMATS[key].close else end


def common(a: Sequence[Any], b: Sequence[Any]) -> int:
    """Length of the common beginning."""
    return next((k for k, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))


def plain_text(key: str, ids: Sequence[int]) -> str:
    """The text before the next control token."""
    controls = set(oracles.control_strings(tokenizer_family(key)).values())
    return text_of(key, list(takewhile(lambda id_: id_ not in controls, ids)))


def first_new_token(key: str, prompt: Sequence[int], ids: Sequence[int]) -> int:
    """The first token of `ids` that begins behind all text it has in common with the prompt.

    Where the two part ways inside ordinary text, merged tokens may begin in the common text and end behind it.
    """
    same = common(prompt, ids)
    shared = common(plain_text(key, prompt[same:]), plain_text(key, ids[same:]))
    while shared > 0:
        shared -= len(text_of(key, ids[same : same + 1]))
        same += 1
    return same


def why_no_prefix(key: str, case: Case, i: int, finished: bool) -> str:
    """The documented reason why the template makes the prompt of turn `i` no prefix of a text that goes on.

    `finished`: the document ends with turn `i`. An empty answer means that there is none.
    """
    form, before = FORMATS[key], case.messages[:i]
    thinks = form.thinks(case.kwargs, after_result=before[-1]["role"] == "tool")
    after = [] if finished else case.messages[i + 1 :]
    place = Place(before, case.messages[i], after, finished, thinks, form.wraps_results)
    return next((rule.__name__ for rule in form.no_prefix if rule(place)), "")


@pytest.mark.parametrize("key", KEYS, scope="module")  # by key, so that each key's steps are made once
def test_the_mask_is_what_was_sampled_behind_the_prompt(key: str) -> None:
    """Where the document continues the prompt, a turn is trained from the prompt's end through its last stop token,
    and nothing else of it is, both while it is the last turn and when the conversation goes on."""
    checked: Counter[bool] = Counter()
    for step in steps(key):
        if step.continues:
            doc, begin = step.doc, len(step.prompt)
            end = end_of_turn(key, doc, step.i, begin)
            owners, sampled = doc.messages, doc.sampled
            owned = [k for k in range(len(doc)) if begin <= k < end or owners[k] == step.i]
            assert [k for k in owned if sampled[k]] == list(range(begin, end))
            checked[step.finished] += 1
    assert checked[True] >= 200
    assert checked[False] >= 80


@pytest.mark.parametrize("key", KEYS, scope="module")
def test_where_the_prompt_is_no_prefix(key: str) -> None:
    """That happens in documented modes only, and most of them do happen: where tokens merge across the end of a
    prompt that ends in a newline, or where the template spells the turn otherwise. What is trained then begins behind
    the common text and is one stretch through the turn's last stop token."""
    reasons: Counter[str] = Counter()
    ends_in_white = False
    for step in steps(key):
        if step.continues:
            continue
        case, i, prompt, doc = step.case, step.i, step.prompt, step.doc
        before = text_of(key, prompt)
        ends_in_white |= before[-1:].isspace()
        merged = before[-1:].isspace() and text_of(key, doc.token_ids).startswith(before)
        reason = "tokens merge" if merged else why_no_prefix(key, case, i, step.finished)
        assert reason, (case.messages[: i + 1], case.kwargs, text_of(key, prompt[-12:]))
        reasons[reason] += 1
        begin, owners, sampled = first_new_token(key, prompt, doc.token_ids), doc.messages, doc.sampled
        own = [k for k in range(len(doc)) if owners[k] == i]
        trained = [k for k in own if sampled[k]]
        assert not trained or trained[0] >= begin
        end = end_of_turn(key, doc, i, trained[0] if trained else own[0] if own else 0)
        assert not trained or trained == [k for k in range(trained[0], end) if owners[k] == i]
    assert ("tokens merge" in reasons) == ends_in_white, reasons
    assert len(reasons) >= min(3, len(FORMATS[key].no_prefix) + ends_in_white), reasons


@pytest.mark.parametrize("key", KEYS)
def test_only_assistant_messages_are_trained(key: str) -> None:
    """A sampled token belongs to an assistant message, or is the stop that opens the turn behind one (GLM); a
    generation prompt is never trained."""
    stops = renderer(key).get_stop_token_ids()
    for case in conversations(key, CONVERSATIONS, seed=13):
        r = renderer(key, **case.kwargs)
        for prompting in (True, False):
            doc = r.render(case.messages, tools=case.tools, add_generation_prompt=prompting)
            owners, roles = doc.message_indices, doc.message_roles
            assert not doc.sampled[doc.messages < 0].any()
            for k in range(len(doc)):
                if doc.sampled[k] and roles[owners[k]] != "assistant":
                    assert FORMATS[key].stops_open_turns
                    assert doc[k] in stops
                    assert owners[k - 1] == owners[k] - 1
                    assert roles[owners[k - 1]] == "assistant"


# --- The same by hand ----------------------------------------------------------------------------------------------

ASK, RESULT = message("user", "2+2?"), message("tool", "r", name="f")


def call_of(key: str, name: str, arguments: dict[str, Any], number: int = 0) -> dict[str, Any]:
    """A call in the form that the template takes."""
    function = {"name": name, "arguments": FORMATS[key].arguments(arguments)}
    spelt = FORMATS[key].spelling.call_id
    return {"id": spelt(name, number) if spelt else f"call_{number}", "type": "function", "function": function}


def trained_text(key: str, messages: Sequence[dict[str, Any]], **options: Any) -> str:
    doc = renderer(key, **options).render(messages)
    return text_of(key, [id_ for id_, sampled in zip(doc, doc.sampled, strict=True) if sampled])


@pytest.mark.parametrize("key", KEYS)
def test_trained_text_by_hand(key: str) -> None:
    """The trained text of a reasoned answer, and of a reasoned call with its result, is what the model writes."""
    reasoning = {"reasoning_content": "2+2=4"} if FORMATS[key].reasons else {}
    calls = [call_of(key, "f", {"a": "b"}, k) for k in range(2 if FORMATS[key].lone_call_is_open else 1)]
    answer, call = FORMATS[key].trained
    assert trained_text(key, [ASK, message("assistant", "4", **reasoning)]) == answer
    results = [{**RESULT, "tool_call_id": made["id"]} for made in calls]
    assert trained_text(key, [ASK, message("assistant", None, **reasoning, tool_calls=calls), *results]) == call


def test_trained_text_with_thinking_off() -> None:
    """With thinking off the empty block is the prompt's, and the answer alone is trained; so it is in past turns."""
    answer = [ASK, message("assistant", "4")]
    assert trained_text("qwen3.5-small", answer, enable_thinking=False) == "4<|im_end|>"
    assert trained_text("qwen3.5", answer, enable_thinking=False) == "4<|im_end|>"
    assert trained_text("glm-4.5", answer, enable_thinking=False) == "\n4"
    assert trained_text("qwen3", [*answer, ASK], enable_thinking=False) == "4<|im_end|>"
    assert trained_text("qwen3.5", [*answer, ASK]) == "4<|im_end|>"
    assert trained_text("qwen3-thinking-2507", [*answer, ASK]) == "4<|im_end|>"


def test_an_empty_block_merges_with_the_prompt() -> None:
    """Without reasoning, `<think>⏎⏎</think>` is written with one token for both newlines; it began in the prompt of
    Qwen3.5 and Thinking-2507, so it is not trained; in Qwen3, whose prompt ends before `<think>`, it is."""
    answer = [ASK, message("assistant", "4")]
    assert trained_text("qwen3.5", answer) == "</think>\n\n4<|im_end|>"
    assert trained_text("qwen3-thinking-2507", answer) == "</think>\n\n4<|im_end|>"
    assert trained_text("qwen3", answer) == "<think>\n\n</think>\n\n4<|im_end|>"


def test_the_next_marker_of_glm_is_trained_once() -> None:
    """GLM samples the marker of the next turn: it is trained where an assistant stands before it, and only there."""
    answer = message("assistant", "4")
    doc = renderer("glm-4.5").render([ASK, answer, ASK, ASK, answer, message("system", "s")])
    user, system = (token("glm-4.5", marker) for marker in ("<|user|>", "<|system|>"))
    assert [bool(doc.sampled[k]) for k, id_ in enumerate(doc) if id_ == user] == [False, True, False]
    assert [bool(doc.sampled[k]) for k, id_ in enumerate(doc) if id_ == system] == [False]


@pytest.mark.parametrize("key", [key for key in KEYS if FORMATS[key].is_messages])
def test_a_close_that_only_history_writes_is_not_trained(key: str) -> None:
    """The model ends an answer with `<|return|>`; the `<|end|>` that history has there was never sampled."""
    doc = renderer(key).render([ASK, message("assistant", "4"), ASK])
    assert (
        text_of(key, [id_ for id_, sampled in zip(doc, doc.sampled, strict=True) if sampled])
        == "<|channel|>final<|message|>4"
    )


# --- Attribution ---------------------------------------------------------------------------------------------------


def marked(key: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]], dict[str, tuple[int, Field]]]:
    """A conversation and tools with a word of its own in every field, and where each word belongs."""
    places: dict[str, tuple[int, Field]] = {}

    def word(index: int, field: Field, text: str = "{}") -> str:
        name = f"zq{len(places):02d}mark"
        places[name] = (index, field)
        return text.format(name)

    form, spaced = FORMATS[key], "some {} here"
    arguments = {word(2, Field.CALL_ARGUMENTS): word(2, Field.CALL_ARGUMENTS, spaced), "n": [1, {"k": True}]}
    call = call_of(key, word(2, Field.CALL_NAME), arguments)
    calling = message("assistant", None, tool_calls=[call])
    if form.prints_reasoning_of_calls:
        calling["reasoning_content"] = word(2, Field.REASONING, spaced)
    if form.content_beside_calls:
        calling["content"] = word(2, Field.CONTENT, spaced)
    result = message("tool", word(3, Field.CONTENT, spaced), tool_call_id=call["id"])
    if form.is_messages:
        result["name"] = word(3, Field.RESULT_NAME)
    messages = [
        message("system", word(0, Field.CONTENT, spaced)),
        message("user", word(1, Field.CONTENT, spaced)),
        calling,
        result,
        message("tool", word(4, Field.CONTENT, spaced), name="f"),
    ]
    if not form.prints_tools:
        return messages, [], places
    schema = {"type": "string", "description": word(-1, Field.TOOLS, spaced)}
    parameters = {"type": "object", "properties": {word(-1, Field.TOOLS): schema}, "required": []}
    function = {"name": word(-1, Field.TOOLS), "description": word(-1, Field.TOOLS, spaced), "parameters": parameters}
    return messages, [{"type": "function", "function": function}], places


def check_places(key: str, doc: RenderedTokens, places: dict[str, tuple[int, Field]]) -> None:
    """Every token that begins inside a word belongs where the word stands."""
    texts = [text_of(key, [id_]) for id_ in doc]
    whole = "".join(texts)
    starts, position = [], 0
    for text in texts:
        starts.append(position)
        position += len(text)
    for name, (index, field) in places.items():
        at = whole.find(name)
        assert at >= 0, f"{name} is missing"
        inside = [k for k, start in enumerate(starts) if at <= start < at + len(name)]
        assert inside
        assert {(int(doc.messages[k]), doc.field_of(k)) for k in inside} == {(index, field)}, name
        assert {bool(doc.is_content[k]) for k in inside} == {index >= 0}
        sampled = index >= 0 and doc.message_roles[index] == "assistant"
        assert {bool(doc.sampled[k]) for k in inside} == {sampled}, name


@pytest.mark.parametrize("key", KEYS)
def test_every_word_is_attributed_to_its_field(key: str) -> None:
    """A distinctive word in each field of each role: its tokens name that message and that field, and are trained
    exactly if the model wrote them."""
    messages, tools, places = marked(key)
    doc = renderer(key).render(messages, tools=tools, add_generation_prompt=True)
    check_places(key, doc, places)
    assert doc.message_roles == [m["role"] for m in messages]


@pytest.mark.parametrize("key", KEYS)
def test_an_answer_is_attributed_to_its_fields(key: str) -> None:
    """The same for a final answer: reasoning and content of the last message."""
    answer, places = message("assistant", "some zqcontent here"), {"zqcontent": (1, Field.CONTENT)}
    if FORMATS[key].prints_reasoning_of_answers:
        answer["reasoning_content"], places["zqthought"] = "a zqthought b", (1, Field.REASONING)
    check_places(key, renderer(key).render([ASK, answer]), places)


@pytest.mark.parametrize("key", KEYS)
def test_the_tool_of_a_result_is_named(key: str) -> None:
    """`message_tool_names` tells which tool a result came from: by its name, else its call's id, else its place."""
    calls = [call_of(key, f"f{k}", {}, k) for k in range(3)]
    linked = [message("tool", "r", tool_call_id=calls[1]["id"]), message("tool", "r", name="own"), message("tool", "r")]
    doc = renderer(key).render([ASK, message("assistant", None, tool_calls=calls), *linked])
    assert doc.message_tool_names == [None, None, "f1", "own", "f2"]


# --- Spans and counts ----------------------------------------------------------------------------------------------

Spans = dict[str, list[tuple[int, int]]]


def runs(flags: Sequence[bool]) -> list[tuple[int, int]]:
    """Half-open stretches of true flags."""
    spans, at = [], 0
    for flag, group in groupby(flags):
        n = len(list(group))
        if flag:
            spans.append((at, at + n))
        at += n
    return spans


def recount(doc: RenderedTokens) -> None:
    """Every derived view of the attribution, counted again token by token."""
    n, roles = len(doc.token_ids), doc.message_roles
    assert {len(doc.message_indices), len(doc.sampled_mask), len(doc.is_content), len(doc.fields), len(doc)} == {n}
    assert list(doc) == doc.token_ids == doc[:]
    owners = [roles[i] if i >= 0 else None for i in doc.message_indices]
    said = zip(doc.fields.tolist(), doc.message_indices, strict=True)
    content = [field != Field.FRAME and i >= 0 for field, i in said]
    assert doc.is_content == content
    counts, sampled = [0] * len(roles), [0] * len(roles)
    for i, was_sampled in zip(doc.message_indices, doc.sampled_mask, strict=True):
        if i >= 0:
            counts[i] += 1
            sampled[i] += was_sampled
    assert doc.tokens_per_message() == doc.tokens_per_message(len(roles) + 5) == counts
    assert doc.tokens_per_message(1) == counts[:1]
    assert doc.tokens_per_message(sampled_only=True) == sampled
    spans: list[tuple[int, int] | None] = []
    for i in range(len(roles)):
        at = [k for k, owner in enumerate(doc.message_indices) if owner == i]
        spans.append((at[0], at[-1] + 1) if at else None)
    assert doc.message_token_spans() == spans
    by_role: Counter[str] = Counter()
    sampled_by_role: Counter[str] = Counter()
    for i, role in enumerate(roles):
        by_role[role] += counts[i]
        sampled_by_role[role] += sampled[i]
    assert doc.tokens_by_role() == dict(by_role)
    assert doc.tokens_by_role(sampled_only=True) == dict(sampled_by_role)
    distinct = dict.fromkeys(roles)
    of_role = {role: runs([owner == role for owner in owners]) for role in distinct}
    words = {role: runs([owner == role and c for owner, c in zip(owners, content, strict=True)]) for role in distinct}
    assert doc.role_token_spans() == {role: found for role, found in of_role.items() if found}
    assert doc.content_token_spans_by_role() == {role: found for role, found in words.items() if found}
    for chosen in ([], ["user"], {"assistant", "tool"}, ["nobody"]):
        wanted = [owner in chosen and c for owner, c in zip(owners, content, strict=True)]
        assert doc.content_mask_for_roles(chosen) == wanted


@pytest.mark.parametrize("key", KEYS)
def test_spans_and_counts_are_a_recount(key: str) -> None:
    """All vectors are as long as the ids, and counts, spans and masks by message and role are what counting gives."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RenderersWarning)
        for case in conversations(key, 40, seed=14):
            r = renderer(key, **case.kwargs)
            recount(r.render(case.messages, tools=case.tools, add_generation_prompt=case.add_generation_prompt))


def test_nothing_known_and_nothing_there() -> None:
    """Without attribution every view is empty or zero, and nothing fails."""
    empty = RenderedTokens()
    assert list(empty) == []
    assert (empty.tokens_per_message(), empty.message_token_spans(), empty.role_token_spans()) == ([], [], {})
    bare = RenderedTokens([1, 2, 3], [0, 0, -1], message_roles=["user"])
    assert bare.tokens_per_message() == [2]
    assert bare.tokens_per_message(sampled_only=True) == [0]
    assert bare.tokens_by_role(sampled_only=True) == {"user": 0}
    no_ids = RenderedTokens(message_indices=[0, 0, 1], message_roles=["user", "tool"])
    assert no_ids.message_token_spans() == [(0, 2), (2, 3)]
    assert RenderedTokens([1, 2], [0, 0]).tokens_per_message(3) == [2, 0, 0]

"""The bridge: sampled tokens stay as they are, and what follows them is what the template itself writes, or nothing."""

from __future__ import annotations

import json
import random
import re
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from renderers import Bridge, Field, Refusal, RefusalCode, RenderersWarning, create_renderer
from tests import oracles
from tests.conversations import RULES, Case, JsonObject, conversations
from tests.formats import FORMATS
from tests.harness import NAMES, encode, oracle, oracle_ids, oracle_text, renderer, text_of, token, tokenizer_family

KEYS = [key for key in NAMES if key in FORMATS]
REASONING = [key for key in KEYS if FORMATS[key].reasons]
EXACT = 300


def said(role: str, content: Any, **more: Any) -> JsonObject:
    return {"role": role, "content": content, **more}


ASK, RESULT, SYSTEM = said("user", "Again?"), said("tool", "42", name="f"), said("system", "Be brief.")


# --- How a model writes its turn -----------------------------------------------------------------------------------


def call_text(key: str, name: str, arguments: Any, number: int = 0) -> str:
    """One call, opening and closing tokens included."""
    return FORMATS[key].call(name, FORMATS[key].spelling.arguments(arguments), number)


def reply_text(
    key: str, reasoning: str | None, content: str | None, calls: Sequence[JsonObject], thinks: bool, following: str
) -> str:
    """The sampled text of a turn, its stop included; `following` is the role of what comes next."""
    functions = [call.get("function", call) for call in calls]
    written = [call_text(key, f["name"], f["arguments"], k) for k, f in enumerate(functions)]
    return FORMATS[key].reply(reasoning, content, written, thinks, following)


def lets_think(key: str, case: Case) -> bool:
    """The generation prompt behind the case lets the model reason."""
    return FORMATS[key].thinks(case.kwargs, after_result=case.messages[-1]["role"] == "tool")


def shattered(key: str, text: str, rng: random.Random) -> list[int]:
    """Ids that spell the text, its plain stretches cut at random places: a split no tokenizer gives, but models do."""
    ids: list[int] = []
    controls = "|".join(map(re.escape, oracles.control_strings(tokenizer_family(key))))
    for stretch in re.split(f"({controls})", text):
        if not re.fullmatch(controls, stretch):
            cuts = sorted(rng.randint(0, len(stretch)) for _ in range(3))
            for a, b in pairwise([0, *cuts, len(stretch)]):
                ids += encode(key, stretch[a:b])
        else:
            ids.append(token(key, stretch))
    return ids


# --- What must follow ----------------------------------------------------------------------------------------------


def tail_of(key: str, text: str, new: Sequence[JsonObject]) -> str:
    """What the oracle's text of a conversation that ends with `new` and the generation prompt has behind the close of
    the turn before `new`."""
    ends = FORMATS[key].openers([message["role"] for message in new])
    openers = [match.start() for match in re.finditer(FORMATS[key].opener, text)]
    return FORMATS[key].seam + text[openers[-ends] :]


def behind_marker(key: str, tail: str) -> str:
    """A tail whose first opener the model has sampled already."""
    return re.sub(FORMATS[key].opener, "", tail, count=1)


def expected_tail(key: str, parsed: JsonObject, new: list[JsonObject], text: str) -> str:
    """The tail by the oracle. Where the template leaves out the openers of later rounds the bridge writes what the
    first round has, so a conversation of one round is taken."""
    if FORMATS[key].first_round_only:
        text = oracle_text(key, Case([said("user", "x"), parsed, *new], None, True))
    return tail_of(key, text, new)


def for_oracle(key: str, message: JsonObject) -> JsonObject:
    """A parsed reply in the spelling that the template takes."""
    calls = message.get("tool_calls", [])
    if calls and not FORMATS[key].calls_beside_content:
        message = {**message, "content": message["content"] or None}
    if calls and FORMATS[key].given == "mapping":
        message = {**message, "tool_calls": [with_mapping(call) for call in calls]}
    return message


def with_mapping(call: JsonObject) -> JsonObject:
    """A call whose arguments are a mapping."""
    function, arguments = call["function"], call["function"]["arguments"]
    if not isinstance(arguments, str):
        return call
    return {**call, "function": {**function, "arguments": json.loads(arguments)}}


@dataclass(frozen=True)
class Rollout:
    """One step: a prompt, what was sampled behind it, and what came next."""

    case: Case
    prompt: list[int]
    completion: list[int]
    new: list[JsonObject]


def rollouts(key: str, seed: int) -> Iterator[Rollout]:
    """Steps cut out of generated conversations, for ever."""
    form = FORMATS[key]
    for number, case in enumerate(conversations(key, 10**6, seed)):
        rng = random.Random(f"{key}/{seed}/{number}")
        borders = [i for i, message in enumerate(case.messages) if message["role"] == "assistant"]
        for i, after in pairwise([*borders, len(case.messages)]):
            message = case.messages[i]
            calls = [call for call in message.get("tool_calls") or [] if call]
            new = answered(key, case.messages[i + 1 : after], calls)
            if i == 0 or not new or is_moved(key, new):
                continue
            history = Case(case.messages[:i], case.tools, True, case.kwargs)
            thinks = lets_think(key, history)
            always = thinks if form.drops_reasoning == "always" else form.opened and new[0]["role"] != "tool"
            if always and rng.random() < 0.9:
                continue  # always rewritten: a few are enough
            if form.lone_call_is_open and calls and rng.random() < 0.5:
                calls = [*calls, *calls][:2]  # the only number of calls after which its template closes the turn
            text = said_by(message).split("</think>")[-1]
            reasoning = oracles.reasoning_of(message)
            if rng.random() < 0.8:  # tidy, so that a template that trims rewrites nothing
                text, reasoning = text.strip(), reasoning.strip() if reasoning else reasoning
            reply = reply_text(key, reasoning, text, calls, thinks, new[0]["role"])
            completion = encode(key, reply) if rng.random() < 0.8 else shattered(key, reply, rng)
            try:
                yield Rollout(history, oracle_ids(key, history), completion, new)
            except oracles.TemplateRaised:
                continue


def is_moved(key: str, new: Sequence[JsonObject]) -> bool:
    """The template moves one of the messages to the start."""
    return FORMATS[key].later_system == "DependsOnHistory" and any(message["role"] == "system" for message in new)


def answered(key: str, new: Sequence[JsonObject], calls: Sequence[JsonObject]) -> list[JsonObject]:
    """New messages whose results name their tool, since sampled calls have no ids that a result could refer to, or
    have the ids that the model samples."""
    places = {call["id"]: k for k, call in enumerate(calls) if "id" in call}
    found = []
    for message in new:
        k = places.get(message.get("tool_call_id", ""))
        if k is not None:
            name = calls[k]["function"]["name"]
            message = {"name": name, **message, **sampled_id(key, name, k)}
        found.append(message)
    return found


def sampled_id(key: str, name: str, number: int) -> JsonObject:
    """The id of a call that the model spelt, as its result refers to it."""
    call_id = FORMATS[key].spelling.call_id
    return {"tool_call_id": call_id(name, number)} if call_id else {}


def result_of(key: str, text: str = "42", number: int = 0) -> JsonObject:
    """A result of a sampled call of the tool `f`."""
    return said("tool", text, name="f", **sampled_id(key, "f", number))


def said_by(message: JsonObject) -> str:
    content = message.get("content") or ""
    return content if isinstance(content, str) else "".join(part["text"] for part in content)


def bridged(key: str, step: Rollout) -> Bridge:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RenderersWarning)
        r = renderer(key, **step.case.kwargs)
        return r.explain_bridge(step.prompt, step.completion, step.new, tools=step.case.tools)


# --- Truth ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", KEYS)
def test_a_bridge_is_the_full_render(key: str) -> None:
    """Where the template rewrites nothing the bridge gives the oracle's ids of the whole conversation; where it
    rewrites the past, prompt and completion stay and what follows is the oracle's; and it answers every time."""
    exact = rewritten = 0
    for step in rollouts(key, seed=21):
        if exact >= EXACT:
            break
        assert rewritten < 20 * EXACT, "too few conversations without rewriting"
        r = renderer(key, **step.case.kwargs)
        parsed = r.parse_response(step.completion, prompt_ids=step.prompt)
        reply = for_oracle(key, parsed.message())
        case = Case([*step.case.messages, reply, *step.new], step.case.tools, True, step.case.kwargs)
        try:
            text, ids = oracle(key, case)
        except oracles.TemplateRaised:
            continue
        bridge = bridged(key, step)
        assert bridge.rendered is not None, (bridge.refusal, text_of(key, step.completion), step.new)
        carried = step.prompt + step.completion
        assert bridge.rendered[: len(carried)] == carried
        tail = expected_tail(key, reply, step.new, text)
        if FORMATS[key].stops_open_turns and step.completion[-1] != token(key, FORMATS[key].end_of_text):
            tail = behind_marker(key, tail)
        assert bridge.rendered[len(carried) :] == encode(key, tail)
        if ids[: len(carried)] == carried:
            assert bridge.rendered == ids
            exact += 1
        else:
            rewritten += 1
        check_attribution(bridge, carried, step.new)
    assert exact >= EXACT


def check_attribution(bridge: Bridge, carried: list[int], new: list[JsonObject]) -> None:
    """Indices and roles are those of the new messages; the carried prefix belongs to none; nothing is trained."""
    doc = bridge.rendered
    assert doc is not None
    assert bridge.refusal is None
    assert doc.prefix_length == len(carried)
    assert doc.message_roles == [message["role"] for message in new]
    assert {len(doc.message_indices), len(doc.sampled_mask), len(doc.is_content), len(doc.fields)} == {len(doc)}
    assert not any(doc.sampled_mask)
    assert set(doc.message_indices[: len(carried)]) == {-1}
    assert not any(doc.is_content[: len(carried)])
    own = [index for index in doc.message_indices[len(carried) :] if index >= 0]
    assert own == sorted(own)
    assert set(own) <= set(range(len(new)))


@pytest.mark.parametrize("key", KEYS)
def test_words_of_a_bridge_belong_to_the_new_messages(key: str) -> None:
    """A distinctive word of each new message is attributed to that message's index among the new ones, as content."""
    prompt, completion = step_of(key, "call")
    new = [result_of(key, "one zqalpha"), result_of(key, "two zqbeta"), said("user", "three zqgamma")]
    doc = renderer(key).bridge_to_next_turn(prompt, completion, new)
    assert doc is not None
    check_attribution(Bridge(doc.arrays), prompt + completion, new)
    texts = [text_of(key, [id_]) for id_ in doc]
    whole = "".join(texts)
    for index, word in enumerate(("zqalpha", "zqbeta", "zqgamma")):
        at = whole.index(word)
        inside = [k for k in range(len(doc)) if at <= len("".join(texts[:k])) < at + len(word)]
        assert {(doc.message_indices[k], doc.field_of(k)) for k in inside} == {(index, Field.CONTENT)}


# --- Cuts ----------------------------------------------------------------------------------------------------------


def step_of(key: str, kind: str, **kwargs: Any) -> tuple[list[int], list[int]]:
    """A prompt and a completion of one kind: "answer", "call", "content" and "reasoning" (both cut)."""
    history = [said("user", "Hi?")]
    prompt = oracle_ids(key, Case(history, None, True, kwargs))
    calls = [{"name": "f", "arguments": FORMATS[key].arguments({"a": "b"})}] if kind == "call" else []
    reasoning = "So so." if FORMATS[key].reasons else None
    thinks = FORMATS[key].thinks(kwargs)
    text = reply_text(key, reasoning, None if calls else "Well well.", calls, thinks, "tool" if calls else "user")
    if kind == "content":
        text = text[: text.index("Well") + 8]
    elif kind == "reasoning":
        text = text[: text.index("So") + 5]
    return prompt, encode(key, text)


def new_messages(key: str, results: bool = True) -> list[list[JsonObject]]:
    """Messages of all kinds that may follow a turn, with results or without."""
    result = result_of(key)
    with_results = [[result], [result, result], [result, ASK]]
    return [[ASK], *(with_results if results else []), [ASK, ASK]]


def behind(key: str, close: str, new: list[JsonObject], **kwargs: Any) -> str:
    """A close and the new messages behind a turn without calls, as the oracle writes them."""
    history = [said("user", "x"), said("assistant", "y")]
    if new[0]["role"] == "tool" and FORMATS[key].results_need_calls:
        calls = [{"id": "c", "type": "function", "function": {"name": "f", "arguments": FORMATS[key].arguments({})}}]
        history = [said("user", "x"), said("assistant", None, tool_calls=calls)]
    return close + tail_of(key, oracle_text(key, Case([*history, *new], None, True, kwargs)), new)


@pytest.mark.parametrize("key", KEYS)
def test_an_answer_cut_short_is_closed_as_the_format_closes_it(key: str) -> None:
    """After a length cut inside the answer the turn's close and the seam are written, and none of it is trained."""
    for new in new_messages(key, not FORMATS[key].results_need_calls):
        prompt, completion = step_of(key, "content")
        bridge = renderer(key).explain_bridge(prompt, completion, new)
        assert bridge.rendered is not None, bridge.refusal
        assert bridge.rendered[: len(prompt + completion)] == prompt + completion
        got = bridge.rendered[len(prompt + completion) :]
        assert got == encode(key, behind(key, FORMATS[key].close, new))
        check_attribution(bridge, prompt + completion, new)


@pytest.mark.parametrize("key", REASONING)
def test_reasoning_cut_short_is_closed_before_the_turn_is(key: str) -> None:
    """After a length cut inside reasoning the reasoning's close is written, then the turn's, then the seam."""
    kwargs = FORMATS[key].thinking_on
    for new in new_messages(key, results=False):
        prompt, completion = step_of(key, "reasoning", **kwargs)
        bridge = renderer(key, **kwargs).explain_bridge(prompt, completion, new)
        assert bridge.rendered is not None, bridge.refusal
        close = FORMATS[key].close_reasoning + FORMATS[key].close
        want = behind(key, close, new, **kwargs)
        assert bridge.rendered[: len(prompt + completion)] == prompt + completion
        assert text_of(key, bridge.rendered[len(prompt + completion) :]) == want
        assert bridge.rendered[len(prompt + completion) :] == encode(key, want)
        check_attribution(bridge, prompt + completion, new)


@pytest.mark.parametrize("key", KEYS)
def test_a_cut_anywhere_in_a_turn(key: str) -> None:
    """Cut behind any token of a turn with reasoning and a call, the bridge keeps all of it and closes what is open,
    reasoning before the turn; it refuses inside a call, or a block of calls that counts only as a whole, and else only
    in Harmony's headers."""
    prompt, completion = step_of(key, "call")
    form = FORMATS[key]
    begin, whole = form.spelling.opening, form.spelling.end if form.whole_call is None else form.whole_call
    assert begin in text_of(key, completion)
    for n in range(len(completion)):
        bridge = renderer(key).explain_bridge(prompt, completion[:n], [ASK])
        text = text_of(key, completion[:n])
        header = form.is_messages and re.search(r"(^|<\|start\|>)[^<]*(<\|channel\|>[^<]*)?$", text) is not None
        if header or (begin in text and not (whole and whole in text)):
            assert bridge.refusal is not None
            assert bridge.refusal.code is RefusalCode.CUT_INSIDE_CALL
        else:
            assert bridge.rendered is not None, (text, bridge.refusal)
            assert bridge.rendered[: len(prompt) + n] == prompt + completion[:n]
            thinking = (text_of(key, prompt) + text).rpartition("<think>")[2]
            reasons = "<think>" in text_of(key, prompt) + text and "</think>" not in thinking
            behind_calls = form.spelling.block[2] + form.behind_calls if begin in text else ""
            block = behind_calls.removeprefix(text.rpartition(form.spelling.end)[2])
            close = "" if text.endswith(form.close) else block + form.close
            want = behind(key, (form.close_reasoning if reasons else "") + close, [ASK])
            assert text_of(key, bridge.rendered[len(prompt) + n :]) == want
            check_attribution(bridge, prompt + completion[:n], [ASK])


@pytest.mark.parametrize("key", [key for key in KEYS if FORMATS[key].whole_call != ""])
def test_a_cut_behind_a_whole_call_is_closed(key: str) -> None:
    """A call that was sampled to its end counts, also where the stop behind it was not sampled any more."""
    prompt, completion = step_of(key, "call")
    bridge = renderer(key).explain_bridge(prompt, completion[:-1], [result_of(key)])
    assert bridge.rendered is not None, bridge.refusal
    tail = text_of(key, bridge.rendered[len(prompt) + len(completion) - 1 :])
    assert tail == behind(key, FORMATS[key].close, [result_of(key)])


@pytest.mark.parametrize("key", KEYS)
def test_an_empty_completion(key: str) -> None:
    """Nothing sampled at all: the open turn is closed as it stands, or refused where that is a header (Harmony)."""
    prompt, _ = step_of(key, "answer")
    bridge = renderer(key).explain_bridge(prompt, [], [ASK])
    if FORMATS[key].is_messages:
        assert bridge.refusal is not None
        assert bridge.refusal.code is RefusalCode.CUT_INSIDE_CALL
        return
    assert bridge.rendered is not None
    close = FORMATS[key].close_reasoning if FORMATS[key].opened and FORMATS[key].thinks({}) else ""
    assert bridge.rendered == prompt + encode(key, behind(key, close + FORMATS[key].close, [ASK]))


# --- Stops and markers ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", KEYS)
def test_a_user_turn_after_a_tool_turn_bridges(key: str) -> None:
    """Several results, and a user's words behind them, follow the calls in one bridge."""
    prompt, completion = step_of(key, "call")
    result = result_of(key)
    for new in ([result, ASK], [result, result, ASK], [result, ASK, ASK], [result], [result, result, result]):
        doc = renderer(key).bridge_to_next_turn(prompt, completion, new)
        assert doc is not None
        assert doc[: len(prompt + completion)] == prompt + completion


OPENED_BY_STOPS = [key for key in KEYS if FORMATS[key].stops_open_turns]


@pytest.mark.parametrize("key", OPENED_BY_STOPS)
@pytest.mark.parametrize(("kind", "new", "fits"), [
    ("answer", [ASK], True), ("answer", [ASK, ASK], True), ("call", [RESULT], True), ("call", [RESULT, ASK], True),
    ("answer", [RESULT], False), ("call", [ASK], False), ("answer", [SYSTEM, ASK], False), ("call", [SYSTEM], False),
])  # fmt: skip
def test_a_sampled_marker_of_the_next_turn(key: str, kind: str, new: list[JsonObject], fits: bool) -> None:
    """The marker of the next turn that the model sampled is used if it fits, never doubled, and refused otherwise."""
    prompt, completion = step_of(key, kind)
    bridge = renderer(key).explain_bridge(prompt, completion, new)
    if not fits:
        refused_with(bridge, RefusalCode.WRONG_MARKER)
        return
    assert bridge.rendered is not None
    markers = [id_ for id_ in bridge.rendered[len(prompt) :] if re.fullmatch(FORMATS[key].opener, text_of(key, [id_]))]
    assert len(markers) == FORMATS[key].openers([message["role"] for message in new])
    assert text_of(key, bridge.rendered[len(prompt + completion) :]) == behind_marker(key, behind(key, "", new))


@pytest.mark.parametrize("key", OPENED_BY_STOPS)
def test_a_system_turn_behind_an_end_of_text(key: str) -> None:
    """A system message needs a marker that the model never samples: it follows an end-of-text, and nothing else."""
    prompt, completion = step_of(key, "answer")
    ended = [*completion[:-1], token(key, FORMATS[key].end_of_text)]
    doc = renderer(key).bridge_to_next_turn(prompt, ended, [SYSTEM, ASK])
    assert doc is not None
    assert text_of(key, doc[len(prompt + ended) :]) == behind(key, "", [SYSTEM, ASK])
    assert text_of(key, doc[len(prompt + ended) :]).startswith("<|system|>")


@pytest.mark.parametrize("key", [key for key in KEYS if FORMATS[key].end_of_text])
def test_end_of_text_instead_of_the_turn_close(key: str) -> None:
    """The other stop token stays where it was sampled, and the close that history needs is written behind it."""
    prompt, completion = step_of(key, "answer")
    ended = [*completion[:-1], token(key, FORMATS[key].end_of_text)]
    bridge = renderer(key).explain_bridge(prompt, ended, [ASK])
    assert bridge.rendered is not None, bridge.refusal
    assert bridge.rendered == prompt + ended + encode(key, behind(key, FORMATS[key].close, [ASK]))


@pytest.mark.parametrize("key", KEYS)
def test_a_stop_in_the_middle_is_refused(key: str) -> None:
    """Tokens behind a stop were sampled, too, and cannot be dropped: the bridge refuses."""
    for kind in ("answer", "call"):
        prompt, completion = step_of(key, kind)
        for rest in (encode(key, "more"), encode(key, "\n"), encode(key, " more") + completion, completion[-1:]):
            bridge = renderer(key).explain_bridge(prompt, completion + rest, [result_of(key), ASK])
            refused_with(bridge, RefusalCode.TOKENS_AFTER_STOP)


def test_a_stop_after_each_call_of_harmony_is_kept() -> None:
    """Harmony writes a stop behind every call, so another call behind one is no surplus: it stays verbatim."""
    prompt, completion = step_of("harmony", "call")
    again = encode("harmony", "<|start|>assistant" + call_text("harmony", "f", {"a": 1}))
    doc = renderer("harmony").bridge_to_next_turn(prompt, completion + again, [RESULT, RESULT])
    assert doc is not None
    assert doc[: len(prompt + completion + again)] == prompt + completion + again


@pytest.mark.parametrize("key", REASONING)
def test_a_stop_inside_reasoning_is_refused(key: str) -> None:
    """Reasoning that ended in a stop without a close may have been the answer: nobody can tell, so no bridge."""
    kwargs = FORMATS[key].thinking_on
    prompt, completion = step_of(key, "reasoning", **kwargs)
    stopped = [*completion, token(key, FORMATS[key].stop)]
    refused_with(renderer(key, **kwargs).explain_bridge(prompt, stopped, [ASK]), RefusalCode.REASONING_OPEN)


# --- Refusals ------------------------------------------------------------------------------------------------------


def refused_with(bridge: Bridge, code: RefusalCode) -> None:
    """No bridge, for this reason, said in a sentence that tells what to do."""
    assert bridge.rendered is None
    assert bridge.refusal is not None
    assert bridge.refusal.code is code
    assert not bridge
    message = bridge.refusal.message
    assert len(message.split()) >= 6
    assert message[0].islower()
    assert str(bridge.refusal) == f"{code.value}: {message}"


@pytest.mark.parametrize("key", KEYS)
def test_what_is_refused_whatever_was_sampled(key: str) -> None:
    """No prompt, no messages, an assistant's message, a role the format has no place for: each has its own code."""
    r = renderer(key)
    prompt, completion = step_of(key, "answer")
    refused_with(r.explain_bridge([], completion, [ASK]), RefusalCode.EMPTY_PROMPT)
    refused_with(r.explain_bridge(prompt, completion, []), RefusalCode.NO_NEW_MESSAGES)
    for new in ([said("assistant", "x")], [ASK, said("assistant", "x"), ASK]):
        refused_with(r.explain_bridge(prompt, completion, new), RefusalCode.ASSISTANT_IN_EXTENSION)
    for role in FORMATS[key].refused_roles:
        refused_with(r.explain_bridge(prompt, completion, [said(role, "x")]), RefusalCode.ROLE_REFUSED)
    assert r.bridge_to_next_turn(prompt, completion, []) is None


@pytest.mark.parametrize("key", KEYS)
def test_a_system_message_behind_a_turn(key: str) -> None:
    """Where the template takes a later system message the bridge writes it; where it moves it to the front, refuses
    it, or needs a marker that was not sampled, there is no bridge."""
    prompt, completion = step_of(key, "answer")
    bridge = renderer(key).explain_bridge(prompt, completion, [SYSTEM, ASK])
    if FORMATS[key].later_system:
        refused_with(bridge, RefusalCode(FORMATS[key].later_system))
    else:
        assert bridge.rendered is not None


def test_every_refusal_says_what_to_do() -> None:
    """No code is without its sentence."""
    for code in RefusalCode:
        assert len(Refusal(code).message.split()) >= 6
        assert Refusal(code, "because").message.endswith("(because)")


@pytest.mark.parametrize("key", KEYS)
def test_ids_of_any_kind(key: str) -> None:
    """Lists, tuples and arrays of ids give the same bridge, whose ids are plain integers."""
    prompt, completion = step_of(key, "answer")
    want = renderer(key).bridge_to_next_turn(prompt, completion, [ASK])
    assert want is not None
    kinds: list[Any] = [tuple, np.array, lambda ids: np.array(ids, dtype=np.int32)]
    for kind in kinds:
        got = renderer(key).bridge_to_next_turn(kind(prompt), kind(completion), [ASK])
        assert got == want
        assert {type(id_) for id_ in got} == {int}
    by_name: Any = renderer(key).bridge_to_next_turn
    assert by_name(previous_prompt_ids=prompt, previous_completion_ids=completion, new_messages=[ASK]) == want


@pytest.mark.parametrize("key", KEYS)
def test_any_completion_is_kept_or_refused(key: str) -> None:
    """Random runs of control tokens and words: prompt and completion stay, or there is a reason; nothing raises."""
    rng = random.Random(f"fuzz/{key}")
    reply = renderer(key).family.reply
    controls = [*reply.marks, *reply.stops, *reply.call_ends]
    words = ["\n", "\n\n", "f", ' {"a": 1}', "<function=f>\n", "</function>", " to=functions.f", "final", "analysis"]
    prompt, _ = step_of(key, "answer")
    kinds = new_messages(key)[: 1 if FORMATS[key].results_need_calls else None]
    tails = [behind(key, "", new) for new in kinds]
    codes: Counter[RefusalCode | None] = Counter()
    for _ in range(300):
        text = "".join(rng.choice(controls if rng.random() < 0.4 else words) for _ in range(rng.randint(0, 12)))
        completion = encode(key, text)
        new = rng.choice(kinds)
        bridge = renderer(key).explain_bridge(prompt, completion, new)
        codes[bridge.refusal.code if bridge.refusal else None] += 1
        assert (bridge.rendered is None) != (bridge.refusal is None)
        if bridge.rendered is not None:
            check_attribution(bridge, prompt + completion, new)
            assert bridge.rendered[: len(prompt + completion)] == prompt + completion
            added = bridge.rendered[len(prompt + completion) :]
            tail = tails[kinds.index(new)]
            marker = FORMATS[key].stops_open_turns and text.endswith((FORMATS[key].stop, FORMATS[key].call_stop))
            assert text_of(key, added).endswith(behind_marker(key, tail) if marker else tail)
    assert codes[None] >= 5
    assert codes[RefusalCode.TOKENS_AFTER_STOP] >= 5


# --- Prompts -------------------------------------------------------------------------------------------------------


def answer_behind_results(key: str) -> list[int]:
    """A sampled answer to a tool's result, without reasoning where that prompt does not let the model reason."""
    thinks = FORMATS[key].thinks({}, after_result=True)
    return encode(key, reply_text(key, "So so." if thinks else None, "Well well.", [], thinks, "user"))


@pytest.mark.parametrize("key", KEYS)
def test_short_tool_rounds(key: str) -> None:
    """The words of a short earlier round at the end of the prompt are not taken for the beginning of the reply."""
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": FORMATS[key].arguments({})}}
    history = [said("user", "x"), said("assistant", None, tool_calls=[call]), said("tool", "y", tool_call_id="c")]
    prompt = oracle_ids(key, Case(history, None, True))
    completion = answer_behind_results(key)
    parsed = renderer(key).parse_response(completion, prompt_ids=prompt)
    assert (parsed.content, parsed.tool_calls, parsed.stopped) == ("Well well.", [], True)
    bridge = renderer(key).explain_bridge(prompt, completion, [ASK])
    assert bridge.rendered is not None, bridge.refusal
    refused_with(renderer(key).explain_bridge(prompt, [*completion, *completion], [ASK]), RefusalCode.TOKENS_AFTER_STOP)
    cut = completion[: len(completion) - 1]
    assert renderer(key).bridge_to_next_turn(prompt, cut, [ASK]) is not None


@pytest.mark.parametrize("key", REASONING)
def test_a_turn_sampled_in_two_parts(key: str) -> None:
    """A turn that was interrupted and resumed, so that its prompt ends deep inside the reasoning, is closed like one
    that was sampled in one go."""
    kwargs = FORMATS[key].thinking_on
    prompt, _ = step_of(key, "answer", **kwargs)
    reply = encode(key, reply_text(key, "So so. " * 60, "Well well.", [], True, "user"))
    for end in (150, len(reply)):
        want = renderer(key, **kwargs).bridge_to_next_turn(prompt, reply[:end], [ASK])
        for cut in (20, 100):
            got = renderer(key, **kwargs).bridge_to_next_turn(prompt + reply[:cut], reply[cut:end], [ASK])
            assert got is not None
            assert want is not None
            assert got.token_ids == want.token_ids


@pytest.mark.parametrize("key", KEYS)
def test_where_a_turn_was_interrupted_makes_no_difference(key: str) -> None:
    """Wherever a turn with a call is cut, and wherever it was interrupted and resumed before, the bridge's answer is
    the same: its ids, or its reason."""
    prompt, completion = step_of(key, "call")
    for end in range(len(completion) + 1):
        want = renderer(key).explain_bridge(prompt, completion[:end], [ASK])
        for cut in range(1 + end % 2, end, 2):
            got = renderer(key).explain_bridge(prompt + completion[:cut], completion[cut:end], [ASK])
            where = (text_of(key, completion[:cut]), text_of(key, completion[cut:end]))
            assert (got.refusal and got.refusal.code) == (want.refusal and want.refusal.code), where
            assert (got.rendered and got.rendered.token_ids) == (want.rendered and want.rendered.token_ids), where


def test_results_of_parallel_calls_are_never_given_another_tools_name() -> None:
    """Harmony names a result's tool. Sampled calls have no ids, so the bridge cannot know which of two calls an id
    means once results come in another order: it must name the right tool or refuse."""
    key = "harmony"
    prompt, _ = step_of(key, "answer")
    completion = encode(key, FORMATS[key].spelling.join([call_text(key, "f", {}), call_text(key, "g", {})]))
    given = [{"id": f"id_{name}", "type": "function", "function": {"name": name, "arguments": {}}} for name in "fg"]
    new = [said("tool", "of g", tool_call_id="id_g"), said("tool", "of f", tool_call_id="id_f")]
    whole = [said("user", "Hi?"), said("assistant", None, tool_calls=given), *new]
    bridge = renderer(key).explain_bridge(prompt, completion, new)
    assert bridge.rendered is None or bridge.rendered == oracle_ids(key, Case(whole, None, True))
    with_names = [{**message, "name": message["content"][-1]} for message in new]
    assert renderer(key).bridge_to_next_turn(prompt, completion, with_names) == oracle_ids(key, Case(whole, None, True))


# --- Retention -----------------------------------------------------------------------------------------------------


def with_template(key: str) -> Any:
    """What `create_renderer` takes for a Hugging Face tokenizer: the real tokenizer and the real template."""
    case = oracles.TEMPLATES[key]
    tokenizer = oracles.tokenizer_for(case.tokenizer)
    return SimpleNamespace(
        backend_tokenizer=tokenizer,
        chat_template=case.path.read_text(encoding="utf-8"),
        name_or_path="somewhere/else",
        special_tokens_map={},
        eos_token_id=None,
        vocab_file=getattr(tokenizer, "vocab_file", ""),  # Kimi's is made of tiktoken's file
        added_tokens_decoder=getattr(tokenizer, "added_tokens_decoder", None),
    )


def strips_by_oracle(key: str, new: list[JsonObject]) -> bool:
    """Whether the template takes reasoning out of a turn that the prompt let reason, once `new` follows it."""
    if not FORMATS[key].thinks({}):
        return False
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": FORMATS[key].arguments({})}}
    calls = {"tool_calls": [call]} if new[0]["role"] == "tool" else {}
    turn = said("assistant", None if calls else "y", reasoning_content="zqthought", **calls)
    return "zqthought" not in oracle_text(key, Case([said("user", "x"), turn, *new], None, True))


@pytest.mark.parametrize("key", [key for key in KEYS if key in oracles.TEMPLATES])
def test_retention_by_style_of_call(key: str) -> None:
    """`create_renderer(tokenizer)` declines where the template would now strip reasoning, and extends everywhere else;
    with a name, "auto" included, it always extends; "template" never does, and what is asked for is what holds."""
    tokenizer = with_template(key)
    name = NAMES[key][0]
    made: dict[str, Callable[..., Any]] = {
        "bare": lambda **more: create_renderer(tokenizer, **more),
        "auto": lambda **more: create_renderer(tokenizer, "auto", **more),
        "named": lambda **more: create_renderer(tokenizer, name, **NAMES[key][1], **more),
    }
    result = result_of(key)
    steps = {"user": ("answer", [ASK]), "tool": ("call", [result]), "both": ("call", [result, ASK])}
    strips = {kind: strips_by_oracle(key, new) for kind, (_, new) in steps.items()}
    drops = FORMATS[key].drops_reasoning if FORMATS[key].thinks({}) else ""
    assert strips == {"user": drops != "", "tool": drops == "always", "both": drops in ("question", "always")}
    for door, make in made.items():
        for retention in (None, "tool_cycle", "all", "template"):
            r = make() if retention is None else make(thinking_retention=retention)
            assert r.family.name == name
            held = retention or ("tool_cycle" if door == "bare" else "all")
            assert r.thinking_retention == held
            for kind, (sampled, new) in steps.items():
                bridge = r.explain_bridge(*step_of(key, sampled), new)
                if held == "template" or (held == "tool_cycle" and strips[kind]):
                    refused_with(bridge, RefusalCode.RETENTION_POLICY)
                    assert "thinking_retention" in str(bridge.refusal)
                else:
                    assert bridge.rendered is not None, (door, retention, kind, bridge.refusal)


@pytest.mark.parametrize("key", [key for key in KEYS if FORMATS[key].option])
def test_retention_where_the_prompt_closed_the_reasoning(key: str) -> None:
    """With thinking off there is nothing to strip from what is sampled, so a bridge extends at a new question."""
    off: dict[str, Any] = {FORMATS[key].option: False}
    r = create_renderer(with_template(key), **off)
    assert r.thinking_retention == "tool_cycle"
    bridge = r.explain_bridge(*step_of(key, "answer", **off), [ASK])
    assert bridge.rendered is not None, bridge.refusal


@pytest.mark.parametrize("key", [key for key in REASONING if FORMATS[key].wraps_results])
def test_retention_behind_wrapped_results(key: str) -> None:
    """A user message that wraps tool results is no new question to the template, which keeps the reasoning."""
    r = create_renderer(with_template(key))
    wrapped = said("user", "<tool_response>\n42\n</tool_response>")
    assert r.bridge_to_next_turn(*step_of(key, "answer"), [wrapped]) is not None


def test_retention_of_a_folder(tmp_path: Path) -> None:
    """A local folder with a known template is recognised by the template, and treated as the tokenizer alone is."""
    key = "qwen3-thinking-2507"
    folder = oracles.model_folder("qwen3")
    (tmp_path / "tokenizer.json").symlink_to((folder / "tokenizer.json").resolve())
    (tmp_path / "chat_template.jinja").write_bytes(oracles.TEMPLATES[key].path.read_bytes())
    r: Any = create_renderer(str(tmp_path))
    assert (r.identity.chosen_by, r.family.name, r.thinking_retention) == ("template", key, "tool_cycle")
    refused_with(r.explain_bridge(*step_of(key, "answer"), [ASK]), RefusalCode.RETENTION_POLICY)
    assert create_renderer(str(tmp_path), "auto").bridge_to_next_turn(*step_of(key, "answer"), [ASK]) is not None


# --- Cost ----------------------------------------------------------------------------------------------------------


class Counting:
    """A tokenizer that counts what it is handed."""

    def __init__(self, inner: Any) -> None:
        self._inner, self.characters, self.ids = inner, 0, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def encode_batch(self, texts: Sequence[str]) -> Any:
        self.characters += sum(map(len, texts))
        return self._inner.encode_batch(texts)

    def token_bytes(self, ids: Any) -> Any:
        given = list(ids)
        self.ids += len(given)
        return self._inner.token_bytes(given)


@pytest.mark.parametrize("key", KEYS)
def test_the_history_costs_the_tokenizer_nothing(key: str) -> None:
    """A bridge hands the tokenizer the same characters and ids behind a thousand tokens of history as behind 30,000."""
    name, options = NAMES[key]
    r: Any = create_renderer(oracles.tokenizer_for(tokenizer_family(key)), name, **options)
    _, completion = step_of(key, "answer")
    new = [said("user", "A question of some length, longer than what the encoder remembers. " * 3)]
    spent = []
    for words in (100, 1_000, 30_000):
        text = "word " * words
        prompt = r.render_ids([said("user", text)], add_generation_prompt=True)
        assert len(prompt) >= words
        counting = Counting(r._tokenizer)
        r._tokenizer = r._encoder.tokenizer = counting
        assert r.bridge_to_next_turn(prompt, completion, new) is not None
        r._tokenizer = r._encoder.tokenizer = counting._inner
        spent.append((counting.characters, counting.ids))
    assert spent[1] == spent[2]
    assert len(new[0]["content"]) <= spent[2][0] < 400


# --- What history rewrites -----------------------------------------------------------------------------------------


def rollout_messages(key: str, rng: random.Random) -> list[JsonObject]:
    """A conversation of rollout shape: questions, rounds of one or two calls with their results, answers."""
    messages: list[JsonObject] = [SYSTEM] if rng.random() < 0.5 else []
    number = 0
    for _ in range(rng.randint(1, 3)):
        messages.append(said("user", f"question {number}"))
        for _ in range(rng.randint(0, 2)):
            count = rng.randint(1, min(2, RULES[key].max_calls))
            arguments = FORMATS[key].arguments({"n": number})
            ids = [f"call_{number}_{k}" for k in range(count)]
            function = {"name": "f", "arguments": arguments}
            calls = [{"id": id_, "type": "function", "function": function} for id_ in ids]
            messages.append(said("assistant", None, tool_calls=calls, **thought(key, rng, number)))
            messages += [said("tool", f"result {number}", tool_call_id=id_) for id_ in ids]
            number += 1
        messages.append(said("assistant", f"answer {number}", **thought(key, rng, number)))
        number += 1
    return messages


def thought(key: str, rng: random.Random, number: int) -> JsonObject:
    return {} if not FORMATS[key].reasons or rng.random() < 0.3 else {"reasoning_content": f"thought {number}"}


@pytest.mark.parametrize("key", [key for key in KEYS if not FORMATS[key].bare_turns])
def test_rewritten_turns_are_what_the_oracle_rewrites(key: str) -> None:
    """The turns named, as produced and as they stand now, are those whose text the oracle prints otherwise once the
    conversation has gone on."""
    rng = random.Random(f"rewritten/{key}")
    found = 0
    for _ in range(60):
        messages = rollout_messages(key, rng)
        now = FORMATS[key].assistant_turns(oracle_text(key, Case(messages)))
        indices = [i for i, message in enumerate(messages) if message["role"] == "assistant"]
        assert len(now) == len(indices)
        want = []
        for i, text in zip(indices, now, strict=True):
            produced = FORMATS[key].assistant_turns(oracle_text(key, Case(messages[: i + 1])))[-1]
            if produced != text:
                want.append((i, produced, text))
        got = renderer(key).rewritten_turns(messages)
        assert [(turn.message, turn.produced, turn.now) for turn in got] == want
        found += len(want)
    assert (found > 0) == FORMATS[key].reasons


@pytest.mark.parametrize("key", [key for key in KEYS if FORMATS[key].bare_turns])
def test_templates_that_only_append_rewrite_nothing(key: str) -> None:
    """What DeepSeek's templates printed while a turn was the last stays the text's beginning."""
    rng = random.Random("rewritten")
    for _ in range(60):
        messages = rollout_messages(key, rng)
        whole = oracle_text(key, Case(messages))
        for i, message in enumerate(messages):
            if message["role"] == "assistant":
                assert whole.startswith(oracle_text(key, Case(messages[: i + 1])))
        assert renderer(key).rewritten_turns(messages) == []


@pytest.mark.parametrize("key", KEYS)
def test_prefix_stability_is_what_the_oracle_shows(key: str) -> None:
    """`is_prefix_stable` says whether, in every conversation of rollout shape, the oracle's text at each turn is the
    beginning of its text at every later one."""
    rng = random.Random(f"stable/{key}")
    stable = True
    for _ in range(60):
        messages = rollout_messages(key, rng)
        whole = oracle_text(key, Case(messages))
        for k in range(1, len(messages)):
            if messages[0]["role"] == "system" and k == 1:
                continue
            if not messages[k - 1]["role"] == messages[k]["role"] == "tool":
                stable = stable and whole.startswith(oracle_text(key, Case(messages[:k])))
    assert renderer(key).is_prefix_stable == stable


@pytest.mark.parametrize("key", KEYS)
def test_prefix_stability_where_all_thinking_is_kept(key: str) -> None:
    """The same with `preserve_all_thinking`, which no template knows, by the renderer's own texts; not every turn of a
    rollout reasons."""
    rng = random.Random(f"kept/{key}")
    r = renderer(key, preserve_all_thinking=True)
    stable = True
    for _ in range(60):
        messages = rollout_messages(key, rng)
        whole = r.render_text(messages)
        for k in range(2, len(messages)):
            if not messages[k - 1]["role"] == messages[k]["role"] == "tool":
                stable = stable and whole.startswith(r.render_text(messages[:k]))
    assert r.is_prefix_stable == stable

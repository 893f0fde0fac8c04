"""The oracles and the generator are themselves right.

The template oracle equals transformers, text and ids; the generator reaches what it promises, never makes a template
raise, loses no text and smuggles in no control string; what is listed as refused is really refused; the Harmony oracle
follows the vendor's library, its rule for dropping analysis included.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import cache
from itertools import pairwise
from typing import Any

import pytest

from tests import oracles
from tests.conversations import RULES, Case, conversations, refused
from tests.formats import FORMATS
from tests.oracles import (
    DATE,
    TEMPLATES,
    TemplateRaised,
    control_strings,
    harmony_ids,
    harmony_text,
    reasoning_of,
    template_ids,
    template_text,
    tokenizer_for,
)

SEED = 20260102
CASES = 400
KEYS = [key for key in RULES if key in FORMATS]
TEMPLATE_KEYS = [key for key in TEMPLATES if key in FORMATS]


@cache
def generated(key: str) -> tuple[Case, ...]:
    return tuple(conversations(key, CASES, SEED))


def rendered(key: str, case: Case) -> str:
    return template_text(key, case.messages, case.tools, case.add_generation_prompt, **case.kwargs)


def harmony(case: Case, **more: Any) -> str:
    return harmony_text(case.messages, case.tools, case.add_generation_prompt, **case.kwargs, **more)


# --- The template oracle ------------------------------------------------------------------------------------------


@pytest.fixture
def transformers_templates(monkeypatch: pytest.MonkeyPatch) -> Any:
    """transformers' template module with its clock stopped at DATE."""
    module = pytest.importorskip("transformers.utils.chat_template_utils")
    if not hasattr(module, "_alias_reasoning_fields"):
        pytest.skip("this transformers is older than the set-up the oracle copies")

    class StoppedClock(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> StoppedClock:
            return cls.fromisoformat(DATE)

    monkeypatch.setattr(module, "datetime", StoppedClock)
    return module


def keeps_none(key: str, message: dict[str, Any]) -> bool:
    """The documented exception: None stays as the content beside calls."""
    return TEMPLATES[key].keeps_none_content and bool(message.get("tool_calls"))


@pytest.mark.parametrize("key", TEMPLATE_KEYS)
def test_template_text_is_what_transformers_prints(key: str, transformers_templates: Any) -> None:
    template = TEMPLATES[key].path.read_text(encoding="utf-8")
    for case in generated(key):
        messages = [
            {k: v for k, v in message.items() if v is not None or (k == "content" and keeps_none(key, message))}
            for message in case.messages
        ]
        (expected,), _ = transformers_templates.render_jinja_template(
            conversations=[messages],
            tools=oracles.sorted_keys(case.tools) if TEMPLATES[key].sorts_tools else case.tools,
            chat_template=template,
            add_generation_prompt=case.add_generation_prompt,
            **TEMPLATES[key].special_tokens,
            **case.kwargs,
        )
        assert rendered(key, case) == expected


@pytest.mark.parametrize("key", [key for key in TEMPLATE_KEYS if TEMPLATES[key].tokenizer not in oracles.KIMI])
def test_template_ids_are_what_apply_chat_template_gives(key: str, transformers_templates: Any) -> None:
    """Kimi's tokenizer is remote code and no file; see tests/test_kimi.py."""
    transformers = pytest.importorskip("transformers")
    case_of_key = TEMPLATES[key]
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_file=str(oracles.model_folder(case_of_key.tokenizer) / "tokenizer.json"),
        chat_template=case_of_key.path.read_text(encoding="utf-8"),
        **case_of_key.special_tokens,
    )
    unreachable = case_of_key.keeps_none_content
    reachable = [case for case in generated(key) if not (unreachable and has_calls(case.messages))]
    for case in reachable[:60]:
        expected = tokenizer.apply_chat_template(
            case.messages,
            case.tools,
            add_generation_prompt=case.add_generation_prompt,
            return_dict=False,
            **case.kwargs,
        )
        ids = template_ids(key, case.messages, case.tools, case.add_generation_prompt, **case.kwargs)
        assert ids == expected


def test_calls_of_deepseek_v3_are_unreachable_through_transformers() -> None:
    """Why the oracle keeps content=None for this template: without the key it raises."""
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    messages: list[dict[str, Any]] = [{"role": "user", "content": "u"}, {"role": "assistant", "tool_calls": [call]}]
    with pytest.raises(TemplateRaised):
        template_text("deepseek-v3", messages)
    messages[1]["content"] = None
    assert "function<\uff5ctool\u2581sep\uff5c>f\n```json\n{}\n```" in template_text("deepseek-v3", messages)


def test_the_date_is_fixed_and_can_be_set() -> None:
    messages = [{"role": "user", "content": "u"}]
    assert f"Current date: {DATE}\n" in template_text("gpt-oss-template", messages)
    assert "Current date: 2031-12-30\n" in template_text("gpt-oss-template", messages, date="2031-12-30")
    assert "Current date: 2031-12-30\n" in harmony_text(messages, date="2031-12-30")


def test_reasoning_has_three_names() -> None:
    user = {"role": "user", "content": "u"}
    texts = {
        template_text("qwen3", [user, {"role": "assistant", "content": "a", name: "why"}])
        for name in oracles.REASONING_KEYS
    }
    assert len(texts) == 1
    assert "<think>\nwhy\n</think>" in texts.pop()


# --- The generator ------------------------------------------------------------------------------------------------


def strings(value: Any) -> Iterator[str]:
    """Every string in a JSON value, keys included."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from strings(item)


def content_text(message: dict[str, Any]) -> str:
    content = message.get("content") or ""
    return content if isinstance(content, str) else "".join(part["text"] for part in content)


def calls_of(messages: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    return [call.get("function", call) for message in messages for call in message.get("tool_calls") or []]


def has_calls(messages: Sequence[dict[str, Any]]) -> bool:
    return bool(calls_of(messages))


def role_features(messages: Sequence[dict[str, Any]]) -> Iterator[str]:
    roles = [message["role"] for message in messages]
    yield "no system" if roles[0] not in ("system", "developer") else "system"
    yield "ends with calls" if messages[-1].get("tool_calls") else f"ends with {roles[-1]}"
    yield from (f"{first} then {second}" for first, second in pairwise(roles))
    yield from (f"first {roles[0]}", *(f"later {role}" for role in roles[1:] if role in ("system", "developer")))
    if "user" not in roles:
        yield "no user"
    if sum(bool(message.get("tool_calls")) for message in messages) > 1:
        yield "several rounds of calls"


def message_features(message: dict[str, Any]) -> Iterator[str]:
    content, reasoning = message.get("content", "absent"), reasoning_of(message)
    role, text = message["role"], content_text(message)
    if role in ("system", "developer") and not text:
        yield "empty system"
    if role == "assistant":
        yield "content " + ("none" if content is None else "absent" if content == "absent" else "given")
        yield "reasoning " + ("none" if reasoning is None else "text" if reasoning else "empty")
    if len(message.get("tool_calls") or []) > 1:
        yield "parallel calls"
    if isinstance(content, list):
        yield f"parts in {role}"
    if text[:1].isspace() or text[-1:].isspace():
        yield f"white edge in {role}"


def argument_features(arguments: Any) -> Iterator[str]:
    yield "arguments as " + ("text" if isinstance(arguments, str) else "mapping")
    values = json.loads(arguments) if isinstance(arguments, str) else arguments
    yield from (f"argument {type(value).__name__}" for value in values.values())
    if not values:
        yield "no arguments"


def features(case: Case) -> set[str]:
    found = set(role_features(case.messages))
    found.update(feature for message in case.messages for feature in message_features(message))
    found.update(feature for call in calls_of(case.messages) for feature in argument_features(call["arguments"]))
    found.add("tools none" if case.tools is None else f"tools {len(case.tools)}")
    found.add("prompt" if case.add_generation_prompt else "no prompt")
    found.update(f"{name}={value}" for name, value in case.kwargs.items())
    if case.inline_think:
        found.add("inline")
    return found


def expected_features(key: str) -> dict[str, int]:
    """Feature -> how many of the 400 cases must show it."""
    rules = RULES[key]
    wanted = dict.fromkeys(("system", "no system", "prompt", "no prompt", "ends with assistant"), 80)
    wanted |= dict.fromkeys(("ends with user", "ends with tool", "several rounds of calls", "white edge in user"), 40)
    wanted |= dict.fromkeys(("empty system", "tool then user", "ends with calls", "content none", "no arguments"), 20)
    wanted |= {f"argument {name}": 20 for name in ("str", "int", "float", "bool", "NoneType", "list", "dict")}
    wanted |= {"user then user": 10, "arguments as text" if "string" in rules.arguments else "arguments as mapping": 40}
    if rules.max_calls > 1:
        wanted |= {"parallel calls": 40, "tool then tool": 40}
    if rules.tools:
        wanted |= {"tools none": 40, **{f"tools {count}": 20 for count in range(5)}}
    if rules.reasoning:
        wanted |= {"reasoning text": 80, "reasoning empty": 20, "reasoning none": 80}
    wanted |= {f"parts in {role}": 8 for role in rules.parts} | {f"later {role}": 8 for role in rules.later}
    wanted |= {"inline": 80} if rules.inline_think else {}
    wanted |= {"content absent": 20} if rules.beside_calls == "any" else {}
    wanted |= {} if rules.needs_user else {"no user": 4}
    wanted |= {f"enable_thinking={flag}": 40 for flag in (True, False)} if rules.switch == "thinking" else {}
    wanted |= {f"reasoning_effort={e}": 40 for e in ("low", "medium", "high")} if rules.switch == "effort" else {}
    return wanted


@pytest.mark.parametrize("key", KEYS)
def test_generated_cases_are_varied(key: str) -> None:
    counts = Counter(feature for case in generated(key) for feature in features(case))
    rare = {name: (counts[name], least) for name, least in expected_features(key).items() if counts[name] < least}
    assert not rare


@pytest.mark.parametrize("key", KEYS)
def test_generated_cases_are_reproducible(key: str) -> None:
    assert list(conversations(key, 5, SEED)) == list(generated(key)[:5])
    assert list(conversations(key, 5, SEED + 1)) != list(generated(key)[:5])


@pytest.mark.parametrize("key", KEYS)
def test_generated_texts_hold_no_control_string(key: str) -> None:
    control = re.compile("|".join(map(re.escape, control_strings(RULES[key].family))))
    for case in generated(key):
        found = {text for part in strings([case.messages, case.tools]) for text in control.findall(part)}
        assert found <= ({"<think>", "</think>"} if case.inline_think else set())
        held = [m for m in case.messages if "</think>" in control.findall(content_text(m))]
        assert bool(held) == case.inline_think
        assert all(m["role"] == "assistant" and reasoning_of(m) is None for m in held)


def shown(key: str, message: dict[str, Any], case: Case) -> list[str]:
    """What of a message's content must be printed: inline thinking aside, and without white edges."""
    content, text = message.get("content"), content_text(message)
    if RULES[key].splits_results and message["role"] == "tool" and isinstance(content, list):
        return [part["text"].strip() for part in content]
    if case.inline_think and message["role"] == "assistant":
        text = text.rpartition("</think>")[2]
    return [text.strip()]


def quotable_texts(key: str, case: Case) -> Iterator[str]:
    """Texts that must be printed, as they are or as JSON."""
    for message in case.messages:
        yield from shown(key, message, case)
    for call in calls_of(case.messages):
        if not isinstance(call["arguments"], str):
            yield from map(str.strip, strings(call["arguments"]))


def verbatim_texts(case: Case) -> Iterator[str]:
    """Texts that must be printed as they are."""
    yield from (tool.get("function", tool)["name"] for tool in case.tools or [])
    for call in calls_of(case.messages):
        yield call["name"]
        yield call["arguments"] if isinstance(call["arguments"], str) else ""


def lost(key: str, case: Case, text: str) -> list[str]:
    """Texts the caller gave that are not printed."""
    quotable = [given for given in quotable_texts(key, case) if given not in text]
    unquoted = [given for given in quotable if json.dumps(given, ensure_ascii=False)[1:-1] not in text]
    return unquoted + [given for given in verbatim_texts(case) if given not in text]


@pytest.mark.parametrize("key", TEMPLATE_KEYS)
def test_inline_thinking_is_generated_where_the_template_splits_it(key: str) -> None:
    source = TEMPLATES[key].path.read_text(encoding="utf-8")
    form = FORMATS[key]
    assert form.splits_inline == ("'</think>' in content" in source)
    assert RULES[key].inline_think == form.splits_inline
    assert RULES[key].inline_think == any(case.inline_think for case in generated(key))


@pytest.mark.parametrize("key", TEMPLATE_KEYS)
def test_templates_print_generated_cases_in_full(key: str) -> None:
    for case in generated(key):
        text = rendered(key, case)
        assert lost(key, case, text) == [], text


def test_harmony_prints_generated_cases_in_full() -> None:
    for case in generated("harmony"):
        text = harmony(case)
        assert lost("harmony", case, text) == [], text


@pytest.mark.parametrize("key", [key for key in KEYS if FORMATS[key].prints_reasoning_of_answers])
def test_the_reasoning_of_a_last_answer_is_printed(key: str) -> None:
    checked = 0
    for case in generated(key):
        last, roles = case.messages[-1], [message["role"] for message in case.messages]
        if case.add_generation_prompt or last["role"] != "assistant" or "user" not in roles or not reasoning_of(last):
            continue
        assert reasoning_of(last).strip() in (harmony(case) if key == "harmony" else rendered(key, case))
        checked += 1
    assert checked > 20


REFUSALS = [
    pytest.param(key, case, outcome, id=f"{key}-{name}")
    for key in TEMPLATE_KEYS
    for name, case, outcome in refused(key)
]


@pytest.mark.parametrize(("key", "case", "outcome"), REFUSALS)
def test_refused_cases_are_refused(key: str, case: Case, outcome: str) -> None:
    if outcome == "raises":
        with pytest.raises(TemplateRaised):
            rendered(key, case)
        return
    assert outcome == "drops"
    given = set(strings([case.messages, case.tools or []]))
    assert case.markers
    assert all(any(marker in text for text in given) for marker in case.markers)
    text = rendered(key, case)
    assert not any(marker in text for marker in case.markers)


# --- The Harmony oracle -------------------------------------------------------------------------------------------

SYSTEM = (
    "<|start|>system<|message|>You are ChatGPT, a large language model trained by OpenAI.\nKnowledge cutoff: 2024-06\n"
    "Current date: 2026-01-02\n\nReasoning: medium\n\n"
    "# Valid channels: analysis, commentary, final. Channel must be included for every message.<|end|>"
)
WEATHER: dict[str, Any] = {"type": "function", "function": {"name": "get_w", "description": "Get w."}}
TWO_ROUNDS: list[dict[str, Any]] = [
    {"role": "user", "content": "U1"},
    {
        "role": "assistant",
        "content": "pre",
        "reasoning_content": "R1",
        "tool_calls": [
            {"id": "a", "type": "function", "function": {"name": "get_w", "arguments": {"city": "Z\xfcrich"}}},
            {"id": "b", "type": "function", "function": {"name": "other", "arguments": '{"n":1}'}},
        ],
    },
    {"role": "tool", "tool_call_id": "b", "content": "T2"},
    {"role": "tool", "tool_call_id": "a", "content": "T1"},
    {"role": "assistant", "content": "F1", "reasoning": "R2"},
]
CALLS = (
    "<|start|>assistant<|channel|>commentary<|message|>pre<|end|>"
    '<|start|>assistant to=functions.get_w<|channel|>commentary<|message|>{"city": "Z\xfcrich"}<|call|>'
    '<|start|>assistant to=functions.other<|channel|>commentary<|message|>{"n":1}<|call|>'
    "<|start|>functions.other to=assistant<|channel|>commentary<|message|>T2<|end|>"
    "<|start|>functions.get_w to=assistant<|channel|>commentary<|message|>T1<|end|>"
)


def analysis(text: str) -> str:
    return f"<|start|>assistant<|channel|>analysis<|message|>{text}<|end|>"


def final(text: str, end: str = "<|end|>") -> str:
    return f"<|start|>assistant<|channel|>final<|message|>{text}{end}"


def test_harmony_keeps_the_analysis_of_the_last_turn_only_in_a_document() -> None:
    user = SYSTEM + "<|start|>user<|message|>U1<|end|>"
    assert harmony_text(TWO_ROUNDS) == user + analysis("R1") + CALLS + analysis("R2") + final("F1", "<|return|>")
    assert harmony_text(TWO_ROUNDS, keep_last_analysis=False) == user + CALLS + final("F1", "<|return|>")
    assert harmony_text(TWO_ROUNDS, None, True) == user + CALLS + final("F1") + "<|start|>assistant"
    assert harmony_text(TWO_ROUNDS[:-1]) == user + analysis("R1") + CALLS


def test_harmony_drops_only_what_stands_before_the_first_final() -> None:
    """The library's rule, kept as it is: analysis of a second finished turn stays."""
    messages: list[dict[str, Any]] = []
    for turn in (1, 2):
        answer = {"role": "assistant", "content": f"F{turn}", "thinking": f"R{turn}"}
        messages += [{"role": "user", "content": f"U{turn}"}, answer]
    first = SYSTEM + "<|start|>user<|message|>U1<|end|>" + final("F1") + "<|start|>user<|message|>U2<|end|>"
    assert harmony_text(messages) == first + analysis("R2") + final("F2", "<|return|>")
    assert harmony_text(messages, None, True) == first + analysis("R2") + final("F2") + "<|start|>assistant"


def test_harmony_places_instructions_and_tools() -> None:
    tools = (
        "# Tools\n\n## functions\n\n"
        "namespace functions {\n\n// Get w.\ntype get_w = () => any;\n\n} // namespace functions"
    )
    user = {"role": "user", "content": "U"}
    system = {"role": "system", "content": "S"}
    developer = "<|start|>developer<|message|># Instructions\n\nS"
    with_tools = harmony_text([system, user], [WEATHER])
    assert with_tools.endswith(f"{developer}\n\n{tools}<|end|><|start|>user<|message|>U<|end|>")
    assert "Calls to these tools must go to the commentary channel: 'functions'.<|end|>" in with_tools
    assert harmony_text([system, user], [WEATHER["function"]]) == with_tools
    assert f"<|start|>developer<|message|>{tools}<|end|>" in harmony_text([user], [WEATHER])
    assert harmony_text([{"role": "developer", "content": ""}, user]) == harmony_text([user])
    assert harmony_text([user, system]) == harmony_text([user]) + developer + "<|end|>"


def test_harmony_settings_reach_the_system_message() -> None:
    text = harmony_text(
        [{"role": "user", "content": "U"}], identity="I am X.", knowledge_cutoff="1999-12", reasoning_effort="high"
    )
    head = (
        "<|start|>system<|message|>I am X.\nKnowledge cutoff: 1999-12\nCurrent date: 2026-01-02\n\nReasoning: high\n\n"
    )
    assert text.startswith(head)


def test_harmony_writes_no_empty_preamble_and_no_empty_analysis() -> None:
    call = {"name": "f", "arguments": {}}
    messages: list[dict[str, Any]] = [
        {"role": "user", "content": "U"},
        {"role": "assistant", "content": "", "reasoning_content": "", "tool_calls": [call]},
    ]
    expected = "<|start|>assistant to=functions.f<|channel|>commentary<|message|>{}<|call|>"
    assert harmony_text(messages).endswith("<|message|>U<|end|>" + expected)


def test_harmony_answers_without_content() -> None:
    user = {"role": "user", "content": "U"}
    assert harmony_text([user, {"role": "assistant", "content": None}]).endswith(final("", "<|return|>"))
    assert harmony_text([user, {"role": "assistant", "reasoning": "R"}]).endswith(analysis("R"))


def pruned_by_rule(messages: list[Any]) -> list[Any]:
    """The library's documented rule, written a second time: a last final prunes all analysis before the first one."""
    channels = [message.channel for message in messages]
    spoken = [
        channel for message, channel in zip(messages, channels, strict=True) if message.author.role == "assistant"
    ]
    if not spoken or spoken[-1] != "final":
        return messages
    first = channels.index("final")
    return [message for index, message in enumerate(messages) if index > first or channels[index] != "analysis"]


def test_harmony_documents_follow_the_stated_rule() -> None:
    """The oracle cuts and joins token lists; this renders the pruned messages in one go instead."""
    checked = 0
    for case in generated("harmony"):
        last = case.messages[-1]
        if case.add_generation_prompt or last["role"] != "assistant" or last.get("tool_calls"):
            continue
        effort = case.kwargs.get("reasoning_effort", "medium")
        head = [oracles._system(effort, DATE, None, None), *oracles._opening(case.messages, case.tools or [])]
        turns = [oracles._turn(case.messages, index) for index in range(len(case.messages))]
        before = [message for turn in turns[:-1] for message in turn]
        conversation = oracles._conversation(head, [pruned_by_rule(before), turns[-1]])
        assert harmony_ids(case.messages, case.tools, **case.kwargs) == oracles._for_training(conversation, drop=False)
        checked += 1
    assert checked > 40


def test_harmony_text_through_the_tokenizer_gives_the_same_ids() -> None:
    """Two vendors' files agree: the o200k ranks of the library and the Hugging Face tokenizer."""
    for case in generated("harmony"):
        ids = harmony_ids(case.messages, case.tools, case.add_generation_prompt, **case.kwargs)
        assert tokenizer_for("gpt-oss").encode(harmony(case), add_special_tokens=False).ids == ids

"""What every format looks like, by hand: how its model writes a reply, and what stands around turns.

One table, `FORMATS`: oracle's key → `Format`. The tests of parsing, bridging, masks and safety state their laws once
and read here what differs. Nothing here imports the package under test; everything is read off the model's template.

To add a format:

1. Take the spelling of its calls from `tests/spellings.py`, or add one there.
2. Add an entry to `FORMATS`, with the fields that differ from the defaults of `Format`. Start from the entry of the
   format that is most like it: `replace(QWEN3, ...)`.
3. Write `trained` from the template's text, not from what the package prints: it is compared letter by letter.
4. Where the template breaks a law, name the fact: a rule for `no_prefix`, a flag, or a function for `words`, with a
   comment that says why. No test asks for a key.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Literal

from tests.spellings import (
    ARG_PAIRS,
    ARG_PAIRS_UNBROKEN,
    FENCED_JSON,
    FUNCTION_TAGS,
    ID_JSON,
    INVOKES,
    JSON,
    NAMED_JSON,
    Spelling,
    harmony,
    to_json,
)

JsonObject = dict[str, Any]
Call = tuple[str, str]
"""A tool's name and its arguments as spelt."""
EOS = "<｜end▁of▁sentence｜>"


# --- What a printed turn says ----------------------------------------------------------------------------------------

Words = Callable[[str | None, str, bool, str], tuple[str | None, str]]
"""(Reasoning given apart, content, has calls, printed turn) → reasoning and content as the template prints them.

Reasoning is None where the printed turn has no place for it.
"""


def split_inline(reasoning: str | None, text: str) -> tuple[str | None, str]:
    """Reasoning that stands in the content, told apart as Qwen and GLM do."""
    if reasoning is not None or "</think>" not in text:
        return reasoning, text
    head = text.split("</think>")[0].rstrip("\n")
    return head.split("<think>")[-1].lstrip("\n"), text.split("</think>")[-1].lstrip("\n")


def plain_words(reasoning: str | None, text: str, calls: bool, printed: str) -> tuple[str | None, str]:
    """No reasoning; white space alone before a call is no content."""
    return None, "" if calls and not text.strip() else text


def qwen3_words(reasoning: str | None, text: str, calls: bool, printed: str) -> tuple[str | None, str]:
    """Newlines at the edges of the reasoning go, and those before the content, where there is a block."""
    reasoning, text = split_inline(reasoning, text)
    if "<think>" in printed:
        return (reasoning or "").strip("\n"), text.lstrip("\n")
    return plain_words(None, text, calls, printed)


def qwen35_words(reasoning: str | None, text: str, calls: bool, printed: str) -> tuple[str | None, str]:
    """Both are trimmed."""
    reasoning, text = split_inline(reasoning, text.strip())
    if "<think>" in printed:
        return (reasoning or "").strip(), text
    return plain_words(None, text, calls, printed)


def glm_words(reasoning: str | None, text: str, calls: bool, printed: str) -> tuple[str | None, str]:
    """Both are trimmed; a dropped reasoning leaves its marks behind."""
    reasoning, text = split_inline(reasoning, text)
    kept = "<think>" in printed and "<think></think>" not in printed
    return (reasoning or "").strip() if kept else "", text.strip()


def glm51_words(reasoning: str | None, text: str, calls: bool, printed: str) -> tuple[str | None, str]:
    """Reasoning is left as it is."""
    if reasoning is None and "</think>" in text:
        reasoning, text = text.split("</think>")[0].split("<think>")[-1], text.split("</think>")[-1]
    return (reasoning or "") if "<think>" in printed else "", text.strip()


def minimax_words(reasoning: str | None, text: str, calls: bool, printed: str) -> tuple[str | None, str]:
    """Nothing is trimmed but newlines around an inline block; without reasoning there is no block."""
    if reasoning is None and "</think>" in text:
        reasoning, text = split_inline(reasoning, text)
        text = text.rstrip("\n")
    return (reasoning, text) if "<think>" in printed else plain_words(None, text, calls, printed)


def nemotron_words(reasoning: str | None, text: str, calls: bool, printed: str) -> tuple[str | None, str]:
    """Reasoning is not trimmed, and blanks are none; content is trimmed at its end, in history before calls on both
    sides. Behind an empty block, which ends its line only where it held reasoning, one newline is not the content's."""
    text = text.rstrip() if text.strip() else ""
    if (reasoning or "").strip():
        if f"<think>\n{reasoning}\n</think>" in printed:
            return reasoning, text
        return "", text.strip() if calls else text
    text = text if f"<think></think>{text}" in printed else text.strip()
    return "", text.removeprefix("\n")


def kimi_words(reasoning: str | None, text: str, calls: bool, printed: str) -> tuple[str | None, str]:
    """Nothing is trimmed; a dropped reasoning leaves its marks behind."""
    return "" if "<think></think>" in printed else reasoning, text


def harmony_words(reasoning: str | None, text: str, calls: bool, printed: str) -> tuple[str | None, str]:
    """Nothing is trimmed."""
    return reasoning if "<|channel|>analysis<|message|>" in printed else None, text


def gpt_oss_words(reasoning: str | None, text: str, calls: bool, printed: str) -> tuple[str | None, str]:
    """What is said beside a call is reasoning there."""
    return harmony_words(text, "", calls, printed) if calls and text else harmony_words(reasoning, text, calls, printed)


def deepseek_words(
    reasoning: str | None, text: str, printed: str, opened: bool, last: bool
) -> tuple[str | None, str, str]:
    """Inline thinking, the answer and what stands between them. Both are verbatim: cut off in an answer to a user,
    behind the first or the last `</think>`; printed elsewhere, and read as reasoning where the first word opens it."""
    body = printed.removeprefix("<｜Assistant｜></think>")
    if reasoning is not None or "</think>" not in text:
        return None, text, ""
    head, _, answer = text.rpartition("</think>") if last else text.partition("</think>")
    if "</think>" not in body:
        return None, answer, ""
    if opened or not text.lstrip().startswith("<think>"):
        return None, text, ""
    return head.lstrip().removeprefix("<think>"), answer, "</think>"


def r1_words(reasoning: str | None, text: str, calls: bool, printed: str) -> tuple[str | None, str]:
    """Reasoning has one newline on each side, and two behind it."""
    thought, text, close = deepseek_words(reasoning, text, printed, opened=False, last=True)
    if not close:
        return plain_words(None, text, calls, printed)
    content = "" if text == "\n" else text.removeprefix("\n\n")
    return (thought or "").removeprefix("\n").removesuffix("\n"), content


def v31_words(reasoning: str | None, text: str, calls: bool, printed: str) -> tuple[str | None, str]:
    """Behind the prompt's `</think>` everything is content; behind a result, a `</think>` that nothing opened is none.
    A turn without an opener may begin inside a token of the text before it."""
    opened = printed.startswith("<｜Assistant｜>")
    thought, text, close = deepseek_words(reasoning, text, printed, opened, last=False)
    while not (opened or close or printed.startswith(text)):
        text = text[1:]
    if not opened and text.lstrip().startswith("</think>"):
        return None, text.lstrip().removeprefix("</think>")
    return (thought, text) if close or opened else plain_words(None, text, calls, printed)


# --- Why a prompt is no prefix ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Place:
    """An assistant turn in a conversation, for the rules below.

    Attributes:
        before, said, after: the messages before it, it, and those behind it that the document still has.
        finished: the document ends with it.
        thinks: the generation prompt before it lets the model reason.
        wraps_results: user messages that wrap a tool's result are no questions to this template.
    """

    before: Sequence[JsonObject]
    said: JsonObject
    after: Sequence[JsonObject]
    finished: bool
    thinks: bool
    wraps_results: bool = False

    @property
    def asked_later(self) -> bool:
        """A user asks something behind it."""
        return any(m["role"] == "user" and not (self.wraps_results and is_wrapped(m)) for m in self.after)


def is_wrapped(message: JsonObject) -> bool:
    """A user message that Qwen's templates take for a tool result."""
    text = message.get("content")
    return isinstance(text, str) and text.startswith("<tool_response>") and text.endswith("</tool_response>")


Rule = Callable[[Place], bool]
"""Whether the documented reason in its docstring makes the prompt before a turn no prefix of a text that goes on."""


def thinking_off(at: Place) -> bool:
    """With thinking off the prompt's empty block is not written into history (Qwen3), or holds the reasoning that a
    turn has all the same (Qwen3.5, GLM)."""
    return not at.thinks


def past_turn(at: Place) -> bool:
    """Reasoning, and the block the prompt opened, are left out of past turns once a user asks again."""
    return at.asked_later


def no_block_in_a_tool_cycle(at: Place) -> bool:
    """A turn of a tool cycle without reasoning has no block, which the prompt opened."""
    return not at.finished


def nothing_asked(at: Place) -> bool:
    """No question was asked before: no turn has a block, which the prompt opened."""
    return not any(m["role"] == "user" for m in at.before)


def answers_in_a_row(at: Place) -> bool:
    """The empty block of a turn is left out once another assistant message follows it at once."""
    return any(a["role"] == b["role"] == "assistant" for a, b in pairwise([*at.before, at.said]))


def no_block_without_reasoning(at: Place) -> bool:
    """A turn without reasoning has no block, which the prompt opened."""
    content = at.said.get("content") or ""
    text = content if isinstance(content, str) else "".join(part["text"] for part in content)
    apart = [at.said[key] for key in ("reasoning_content", "reasoning", "thinking") if at.said.get(key) is not None]
    return not split_inline(apart[0] if apart else None, text)[0]


def bare_close(at: Place) -> bool:
    """A turn without reasoning, or with an empty block in its content, begins with the close of what the prompt
    opened."""
    content = at.said.get("content") or ""
    text = content if isinstance(content, str) else "".join(part["text"] for part in content)
    given = [at.said[key] for key in ("reasoning_content", "reasoning", "thinking") if at.said.get(key) is not None]
    return not split_inline(given[0] if given else None, text)[0]


def later_system(at: Place) -> bool:
    """A later system text is moved to the start."""
    return any(m["role"] == "system" for m in at.after)


def second_round_of_calls(at: Place) -> bool:
    """The template has no opener for a second round of calls."""
    return bool(at.said.get("tool_calls")) and any(m.get("tool_calls") for m in at.before)


def reasoning_never_written(at: Place) -> bool:
    """The prompt opens the reasoning, and the template writes no block, not even in the last turn."""
    return at.thinks


def analysis_moves(at: Place) -> bool:
    """Reasoning of earlier turns goes with an answer, and in Harmony comes back with a later call."""
    return not at.finished or any(m["role"] == "assistant" for m in at.before)


def answered(at: Place) -> bool:
    """The reasoning of calls is left out once an answer is there (Kimi)."""
    return any(m["role"] == "assistant" and not m.get("tool_calls") for m in (at.said, *at.after))


def no_reasoning_given(at: Place) -> bool:
    """The empty block of a turn without reasoning has no newline, which the prompt wrote (Nemotron)."""
    return not any((at.said.get(key) or "").strip() for key in ("reasoning_content", "reasoning", "thinking"))


# --- A format --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Format:
    """How one model writes its turn, and what its template writes around it.

    Attributes:
        spelling: how calls are spelt.
        opening: what an assistant's turn opens with, as far as the first token a model may choose.
        opener: regex of what each new turn, and the generation prompt, opens with.
        trained: by hand, what is trained of the reasoned answer "4", reasoning "2+2=4", that ends a conversation,
            and of the same reasoning with a call `f(a="b")` that a result follows (two such calls and two results
            where `lone_call_is_open`). Without `reasons` there is no reasoning.
        words: what a printed turn says.

        stop: what the model ends an answer with that a user's turn follows; canonical.
        call_stop: what it ends calls with, if that is something else.
        end_of_text: another stop it may end any turn with, "" if there is none.
        close: what history ends a turn with.
        seam: what stands between that and the next turn.
        stops_open_turns: its stops are the openers of the next turn, which history does not write twice (GLM).

        reasons: the format has a place for reasoning.
        option: the template's switch for it, "" if there is none.
        thinks_by_default: the generation prompt lets the model reason where the switch is not used.
        thinks_after_results: and also behind a tool's result.
        opened: that prompt writes into the reasoning, so that a turn without its block is no continuation.
        into_reasoning: what the model writes behind that prompt to reason.
        close_reasoning: what it writes behind the reasoning; also what closes reasoning that was cut.
        no_reasoning: what it writes behind that prompt to go without reasoning.
        calls_end_reasoning: a call that opens inside reasoning closes it.
        splits_inline: `<think>…</think>` in assistant content is split off.
        drops_reasoning: when the template takes reasoning out of a turn: once the user asks again, once an answer
            is there and anything follows it, always, or never ("").

        before_content: what the model writes before content that is not blank.
        before_calls: what it writes between content and calls.
        before_bare_calls: what it writes before calls without content.
        behind_calls: what it writes between calls and the stop.
        whole_call: the token behind which a cut turn's calls count as whole, so that a bridge can close it;
            None for the spelling's own end, "" where no cut turn with calls can be closed before its stop.

        given: which form of call arguments its template takes.
        content_beside_calls: the template prints content beside calls as content.
        calls_beside_content: and prints the calls, too.
        prints_call_type: the type of a call is printed.
        prints_tools: declared tools are printed.
        refused_roles: roles there is no place for.
        later_system: why a bridge refuses a system message behind an answer, by the value of `RefusalCode`; "" if it
            writes it.
        wraps_results: a user message that wraps a tool result is no question.
        results_share_turn: neighbouring results make one turn.
        results_need_calls: a result without a call before it has no place.
        prompt_after_results: the generation prompt opens a turn behind results, too.
        lone_call_is_open: only the second call of a conversation closes its turn.
        first_round_only: later rounds of calls and results lack their openers; a bridge writes them all the same.
        bare_turns: an assistant's turn behind results has no opener.
        no_prefix: documented reasons why a prompt is no prefix of what the template prints later.
        typed_switches: control strings that switch something off where a user's text ends with them.
        modes: options, besides none at all, under which no text may become a control token.
    """

    spelling: Spelling
    opening: str
    opener: str
    trained: tuple[str, str]
    words: Words = plain_words

    stop: str = "<|im_end|>"
    call_stop: str = ""
    end_of_text: str = ""
    close: str = "<|im_end|>"
    seam: str = ""
    stops_open_turns: bool = False

    reasons: bool = True
    option: str = ""
    thinks_by_default: bool = True
    thinks_after_results: bool = True
    opened: bool = False
    into_reasoning: str = ""
    close_reasoning: str = ""
    no_reasoning: str = ""
    calls_end_reasoning: bool = True
    splits_inline: bool = False
    drops_reasoning: Literal["", "question", "answer", "always"] = ""

    before_content: str = ""
    before_calls: str = ""
    before_bare_calls: str = ""
    behind_calls: str = ""
    whole_call: str | None = None

    given: Literal["any", "mapping", "string"] = "any"
    content_beside_calls: bool = True
    calls_beside_content: bool = True
    prints_call_type: bool = False
    prints_tools: bool = True
    refused_roles: tuple[str, ...] = ("critic", "function", "developer")
    later_system: str = ""
    wraps_results: bool = False
    results_share_turn: bool = True
    results_need_calls: bool = False
    prompt_after_results: bool = True
    lone_call_is_open: bool = False
    first_round_only: bool = False
    bare_turns: bool = False
    no_prefix: tuple[Rule, ...] = ()
    typed_switches: tuple[str, ...] = ()
    modes: tuple[Mapping[str, Any], ...] = ()

    # What the prompt lets the model do

    def thinks(self, kwargs: Mapping[str, Any], after_result: bool = False) -> bool:
        """The generation prompt lets the model reason."""
        if not self.reasons or (after_result and not self.thinks_after_results):
            return False
        return bool(kwargs.get(self.option, self.thinks_by_default)) if self.option else self.thinks_by_default

    @property
    def thinking_on(self) -> JsonObject:
        """The options that let it reason."""
        return {} if self.thinks_by_default or not self.reasons else {self.option: True}

    @property
    def prints_reasoning_of_answers(self) -> bool:
        """The template prints the reasoning of an answer that ends the conversation."""
        return "2+2=4" in self.trained[0]

    @property
    def prints_reasoning_of_calls(self) -> bool:
        """The template prints the reasoning of calls, until the next answer or question."""
        return "2+2=4" in self.trained[1]

    @property
    def is_messages(self) -> bool:
        """A turn is several messages, each with a header of its own (Harmony)."""
        return isinstance(self, HarmonyFormat)

    @property
    def has_think_tags(self) -> bool:
        """Reasoning stands between `<think>` and `</think>`."""
        return self.reasons and not self.is_messages

    # How the model writes

    def call(self, name: str, arguments: str, number: int = 0) -> str:
        """One call, arguments as spelt."""
        return self.spelling.write(name, arguments, number)

    def arguments(self, given: Mapping[str, Any]) -> Any:
        """Arguments in the form that the template takes."""
        return self.spelling.arguments(dict(given)) if self.given == "string" else dict(given)

    def into_content(self, kwargs: Mapping[str, Any] = {}) -> str:
        """What the model writes behind the prompt to answer or call without reasoning."""
        return self.no_reasoning + self.before_content if self.thinks(kwargs) else self.before_content

    def stop_before(self, following: str) -> str:
        """What ends a turn that this role follows."""
        if following == "tool":
            return self.call_stop or self.stop
        return self.end_of_text if self.stops_open_turns and following != "user" else self.stop

    def spelt(self, *parts: str | Call, stop: str | None = None) -> str:
        """A reply behind the generation prompt: content and calls in order, in one block, and a stop token."""
        calls = [k for k, part in enumerate(parts) if not isinstance(part, str)]
        said = [
            part if isinstance(part, str) else self.call(*part, number=calls.index(k)) for k, part in enumerate(parts)
        ]
        if calls:
            said[calls[0]] = self.spelling.block[0] + said[calls[0]]
            said[calls[-1]] += self.spelling.block[2]
        end = (self.call_stop or self.stop) if stop is None else stop
        return self.into_content() + "".join(said) + end

    def thought(self, reasoning: str | None, thinks: bool) -> str:
        """Reasoning and its close, as written behind the prompt."""
        if not thinks:
            return ""
        return self.no_reasoning if reasoning is None else self.into_reasoning + reasoning + self.close_reasoning

    def reply(
        self, reasoning: str | None, content: str | None, calls: Sequence[str], thinks: bool, following: str
    ) -> str:
        """The sampled text of a turn, its stop included; `following` is the role of what comes next."""
        text = content or ""
        if self.before_content:
            text = self.before_content + text if text.strip() else ""
        if calls:
            gap = self.before_calls if text.strip() else self.before_bare_calls
            text += gap + self.spelling.join(calls) + self.behind_calls
        return self.thought(reasoning, thinks) + text + self.stop_before(following)

    # What the template writes

    def openers(self, roles: Sequence[str]) -> int:
        """How many openers these roles behind a turn, and the generation prompt behind them, make."""
        turns = sum(
            not self.results_share_turn or role != "tool" or list(roles[k - 1 : k]) != ["tool"]
            for k, role in enumerate(roles)
        )
        return turns + (self.prompt_after_results or roles[-1] != "tool")

    def assistant_turns(self, text: str) -> list[str]:
        """The assistant turns of a text, in order."""
        borders = [match.start() for match in re.finditer(self.opener, text)]
        parts = [text[a:b] for a, b in pairwise([*borders, len(text)])]
        return [part for part in parts if part.startswith(self.opening.rstrip("\n"))]


@dataclass(frozen=True)
class HarmonyFormat(Format):
    """A turn is a run of messages: `analysis`, calls in `commentary`, `final`.

    Attributes:
        beside_calls: the channel of what is said beside a call.
    """

    beside_calls: str = "commentary"

    def spelt(self, *parts: str | Call, stop: str | None = None) -> str:
        said = [
            f"<|channel|>final<|message|>{part}<|end|>" if isinstance(part, str) else self.call(*part) for part in parts
        ]
        text = "<|start|>assistant".join(said)
        if stop is None and text.endswith("<|end|>"):
            return text.removesuffix("<|end|>") + "<|return|>"
        return text if stop is None else text + stop

    def reply(
        self, reasoning: str | None, content: str | None, calls: Sequence[str], thinks: bool, following: str
    ) -> str:
        parts = [f"<|channel|>analysis<|message|>{reasoning}<|end|>"] if reasoning else []
        if content or not calls:
            channel, end = (self.beside_calls, "<|end|>") if calls else ("final", "<|return|>")
            parts.append(f"<|channel|>{channel}<|message|>{content or ''}{end}")
        return "<|start|>assistant".join([*parts, *calls])

    def assistant_turns(self, text: str) -> list[str]:
        return re.findall(r"(?:<\|start\|>assistant(?:(?!<\|start\|>).)*)+", text, re.S)


# --- The table -------------------------------------------------------------------------------------------------------

JSON_CALL = '<tool_call>\n{"name": "f", "arguments": {"a": "b"}}\n</tool_call><|im_end|>'
TAGS_CALL = "<tool_call>\n<function=f>\n<parameter=a>\nb\n</parameter>\n</function>\n</tool_call><|im_end|>"

QWEN3 = Format(
    spelling=JSON,
    opening="<|im_start|>assistant\n",
    opener=r"<\|im_start\|>",
    trained=("<think>\n2+2=4\n</think>\n\n4<|im_end|>", f"<think>\n2+2=4\n</think>\n\n{JSON_CALL}"),
    words=qwen3_words,
    end_of_text="<|endoftext|>",
    seam="\n",
    option="enable_thinking",
    into_reasoning="<think>\n",
    close_reasoning="\n</think>\n\n",
    splits_inline=True,
    drops_reasoning="question",
    before_calls="\n",
    wraps_results=True,
    no_prefix=(thinking_off, past_turn, answers_in_a_row),
    modes=({"enable_thinking": False},),
)

QWEN3_THINKING = replace(
    QWEN3,
    trained=("2+2=4\n</think>\n\n4<|im_end|>", f"2+2=4\n</think>\n\n{JSON_CALL}"),
    option="",
    opened=True,
    into_reasoning="",
    no_reasoning="\n</think>\n\n",
    no_prefix=(past_turn, no_block_in_a_tool_cycle, nothing_asked, answers_in_a_row),
    modes=(),
)

QWEN3_INSTRUCT = replace(
    QWEN3,
    trained=("4<|im_end|>", JSON_CALL),
    words=plain_words,
    reasons=False,
    option="",
    splits_inline=False,
    drops_reasoning="",
    no_prefix=(),
    modes=(),
)

QWEN35 = replace(
    QWEN3,
    spelling=FUNCTION_TAGS,
    trained=("2+2=4\n</think>\n\n4<|im_end|>", f"2+2=4\n</think>\n\n{TAGS_CALL}"),
    words=qwen35_words,
    opened=True,
    into_reasoning="",
    no_reasoning="\n</think>\n\n",
    before_calls="\n\n",
    given="mapping",
    later_system="RoleRefused",
    no_prefix=(past_turn, thinking_off),
)

NEMOTRON3 = replace(
    QWEN35,
    spelling=replace(FUNCTION_TAGS, heavy=tuple(set(FUNCTION_TAGS.heavy) - {"<|endoftext|>"})),
    trained=(
        "2+2=4\n</think>\n4<|im_end|>",
        f"2+2=4\n</think>\n{TAGS_CALL.removesuffix('<|im_end|>')}\n<|im_end|>",
    ),
    words=nemotron_words,
    end_of_text="",
    close_reasoning="\n</think>",
    no_reasoning="</think>",
    splits_inline=False,
    before_content="\n",
    before_calls="\n",
    before_bare_calls="\n",
    behind_calls="\n",
    refused_roles=(),
    later_system="",
    wraps_results=False,
    no_prefix=(past_turn, thinking_off, no_reasoning_given),
)

GLM45 = Format(
    spelling=ARG_PAIRS,
    opening="<|assistant|>\n",
    opener=r"<\|(user|assistant|observation|system)\|>",
    trained=(
        "\n<think>2+2=4</think>\n4",
        "\n<think>2+2=4</think>\n<tool_call>f\n<arg_key>a</arg_key>\n<arg_value>b</arg_value>\n</tool_call><|observation|>",
    ),
    words=glm_words,
    stop="<|user|>",
    call_stop="<|observation|>",
    end_of_text="<|endoftext|>",
    close="",
    stops_open_turns=True,
    option="enable_thinking",
    into_reasoning="\n<think>",
    close_reasoning="</think>",
    no_reasoning="\n<think></think>",
    splits_inline=True,
    drops_reasoning="question",
    before_content="\n",
    before_calls="\n",
    before_bare_calls="\n",
    given="mapping",
    later_system="WrongMarker",
    no_prefix=(past_turn, thinking_off),
    typed_switches=("/nothink",),
    modes=({"enable_thinking": False},),
)

GLM5 = replace(
    GLM45,
    spelling=ARG_PAIRS_UNBROKEN,
    opening="<|assistant|>",
    trained=(
        "2+2=4</think>4",
        "2+2=4</think><tool_call>f<arg_key>a</arg_key><arg_value>b</arg_value></tool_call><|observation|>",
    ),
    opened=True,
    into_reasoning="",
    no_reasoning="</think>",
    before_content="",
    before_calls="",
    before_bare_calls="",
    no_prefix=(past_turn, thinking_off, bare_close),
    typed_switches=(),
    modes=({"enable_thinking": False}, {"clear_thinking": False}),
)

GLM51 = replace(GLM5, words=glm51_words, no_prefix=(past_turn, thinking_off))

MINIMAX_M2 = Format(
    spelling=INVOKES,
    opening="]~b]ai\n",
    opener=r"\]~b\]",
    trained=(
        "2+2=4\n</think>\n\n4[e~[",
        '2+2=4\n</think>\n\n\n<minimax:tool_call>\n<invoke name="f">\n<parameter name="a">b</parameter>\n</invoke>\n'
        "</minimax:tool_call>[e~[",
    ),
    words=minimax_words,
    stop="[e~[",
    close="[e~[",
    seam="\n",
    opened=True,
    close_reasoning="\n</think>\n\n",
    no_reasoning="\n</think>\n\n",
    splits_inline=True,
    drops_reasoning="question",
    before_calls="\n",
    before_bare_calls="\n",
    given="mapping",
    later_system="RoleRefused",
    results_need_calls=True,
    no_prefix=(past_turn, no_block_without_reasoning),
)

V3_CALL = '<｜tool▁call▁begin｜>function<｜tool▁sep｜>f\n```json\n{"a": "b"}\n```<｜tool▁call▁end｜>'

DEEPSEEK_V3 = Format(
    spelling=FENCED_JSON,
    opening="<｜Assistant｜>",
    opener="<｜User｜>|<｜Assistant｜>|<｜tool▁outputs▁(begin|end)｜>",
    trained=(f"4{EOS}", f"<｜tool▁calls▁begin｜>{V3_CALL}\n{V3_CALL}<｜tool▁calls▁end｜>{EOS}"),
    stop=EOS,
    close=EOS,
    reasons=False,
    whole_call="",
    given="string",
    calls_beside_content=False,
    prints_call_type=True,
    prints_tools=False,
    later_system="DependsOnHistory",
    lone_call_is_open=True,
    first_round_only=True,
    bare_turns=True,
    no_prefix=(later_system, second_round_of_calls),
)

DEEPSEEK_R1 = replace(
    DEEPSEEK_V3,
    trained=(f"4{EOS}", f"<｜tool▁calls▁begin｜>{V3_CALL}<｜tool▁calls▁end｜>{EOS}"),
    words=r1_words,
    reasons=True,
    thinks_after_results=False,
    opened=True,
    close_reasoning="\n</think>\n\n",
    no_reasoning="\n</think>\n\n",
    calls_end_reasoning=False,
    splits_inline=True,
    drops_reasoning="always",
    whole_call=None,
    calls_beside_content=True,
    lone_call_is_open=False,
    no_prefix=(later_system, second_round_of_calls, reasoning_never_written),
)

DEEPSEEK_V31 = replace(
    DEEPSEEK_R1,
    spelling=NAMED_JSON,
    opener="<｜User｜>|<｜Assistant｜>|<｜tool▁output▁begin｜>",
    trained=(
        f"4{EOS}",
        '<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>f<｜tool▁sep｜>{"a": "b"}<｜tool▁call▁end｜><｜tool▁calls▁end｜>'
        + EOS,
    ),
    words=v31_words,
    option="thinking",
    thinks_by_default=False,
    close_reasoning="</think>",
    no_reasoning="</think>",
    prints_call_type=False,
    results_share_turn=False,
    prompt_after_results=False,
    first_round_only=False,
    no_prefix=(later_system, reasoning_never_written),
    modes=({"thinking": True},),
)

KIMI_CALL = (
    '<|tool_calls_section_begin|><|tool_call_begin|>functions.f:0<|tool_call_argument_begin|>{"a": "b"}'
    "<|tool_call_end|><|tool_calls_section_end|><|im_end|>"
)

KIMI_K2 = Format(
    spelling=ID_JSON,
    opening="<|im_assistant|>assistant<|im_middle|>",
    opener=r"<\|im_(user|assistant|system)\|>",
    trained=("4<|im_end|>", KIMI_CALL),
    reasons=False,
    refused_roles=(),
    results_share_turn=False,
)

# The reasoning of an answer is never written, not even of the last one; that of calls, until an answer is there.
KIMI_K25 = replace(
    KIMI_K2,
    spelling=replace(
        ID_JSON,
        closers=(*ID_JSON.closers, "<think>", "</think>"),
        shards=(*ID_JSON.shards, "<think>", "</think>"),
        heavy=(*ID_JSON.heavy, "<think>", "</think>"),
    ),
    trained=("</think>4<|im_end|>", f"2+2=4</think>{KIMI_CALL}"),
    words=kimi_words,
    reasons=True,
    option="thinking",
    opened=True,
    close_reasoning="</think>",
    no_reasoning="</think>",
    drops_reasoning="answer",
    no_prefix=(answered,),
    modes=({"thinking": False},),
)

ANALYSIS = "<|channel|>analysis<|message|>2+2=4<|end|>"
FINAL = "<|channel|>final<|message|>4"
HARMONY_CALL = '<|start|>assistant to=functions.f<|channel|>commentary{}<|message|>{{"a": "b"}}<|call|>'

HARMONY = HarmonyFormat(
    spelling=harmony(""),
    opening="<|start|>assistant",
    opener=r"<\|start\|>",
    trained=(f"{ANALYSIS}<|start|>assistant{FINAL}<|return|>", ANALYSIS + HARMONY_CALL.format("")),
    words=harmony_words,
    stop="<|return|>",
    call_stop="<|call|>",
    close="<|end|>",
    into_reasoning="<|channel|>analysis<|message|>",
    calls_end_reasoning=False,
    drops_reasoning="answer",
    whole_call="",
    refused_roles=("critic", "function"),
    results_share_turn=False,
    results_need_calls=True,
    no_prefix=(analysis_moves,),
    modes=({"auto_drop_analysis": False},),
)

FORMATS: dict[str, Format] = {
    "qwen3": QWEN3,
    "qwen3-instruct-2507": QWEN3_INSTRUCT,
    "qwen3-thinking-2507": QWEN3_THINKING,
    "qwen3.5": QWEN35,
    "qwen3.5-small": replace(QWEN35, thinks_by_default=False, modes=({"enable_thinking": True},)),
    "qwen3-vl": QWEN3_INSTRUCT,
    "qwen3-vl-thinking": QWEN3_THINKING,
    "qwen3.6": replace(
        QWEN35,
        spelling=replace(FUNCTION_TAGS, scalar=to_json),
        modes=({"enable_thinking": False}, {"preserve_thinking": True}),
    ),
    "nemotron-3-nano": NEMOTRON3,
    "nemotron-3-super": replace(NEMOTRON3, modes=({"enable_thinking": False}, {"low_effort": True})),
    "glm-4.5": GLM45,
    "glm-4.7": GLM5,
    "glm-5": GLM5,
    "glm-5.1": GLM51,
    "minimax-m2": MINIMAX_M2,
    "minimax-m2.5": MINIMAX_M2,
    "minimax-m2.7": MINIMAX_M2,
    "deepseek-v3": DEEPSEEK_V3,
    "deepseek-v3.1": DEEPSEEK_V31,
    "deepseek-r1": DEEPSEEK_R1,
    "kimi-k2": KIMI_K2,
    "kimi-k2.5": KIMI_K25,
    "kimi-k2.6": replace(
        KIMI_K25, no_prefix=(answered, thinking_off), modes=({"thinking": False}, {"preserve_thinking": True})
    ),
    "gpt-oss-template": replace(
        HARMONY,
        spelling=harmony(" json"),
        trained=(HARMONY.trained[0], ANALYSIS + HARMONY_CALL.format(" json")),
        words=gpt_oss_words,
        given="mapping",
        content_beside_calls=False,
        beside_calls="analysis",
        modes=(),
    ),
    "harmony": HARMONY,
}
"""Oracle's key → its format."""

"""How calls are spelt: one `Spelling` each way, with the pieces that tests break, split and splice.

Written by hand from the templates; nothing here imports the package under test. To add a spelling, make one more
constant below. `begin` and `end` are the control tokens around a call, `write` gives a call with both of them, and the
tables say what to break: see `Spelling`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

Broken = tuple[str, str, str | None]
"""The text of a call, the status it has, and the name that can still be read."""


def to_json(value: Any) -> str:
    """JSON as the templates print it."""
    return json.dumps(value, ensure_ascii=False)


@dataclass(frozen=True)
class Spelling:
    """How a call is spelt.

    Attributes:
        name: what kind it is; "harmony" has no marks of its own, a call is a message.
        begin, end: the control tokens a call stands between.
        write: (tool's name, arguments as spelt, number of the call) → the call, `begin` and `end` included.
        argument: (name, value) → one argument of a spelling that tags each; None where arguments are JSON.
        strips_arguments: white space around JSON arguments is the call's, not theirs.
        scalar: how a tagged value is written that is neither text nor container (containers are JSON).
        opens: what a run of calls begins with, where that is neither the block's opener nor `begin`.
        block: what opens a run of calls, stands between two and closes it.
        shares_block: `begin` and `end` are the block's, and calls that follow each other share one pair.
        call_id: (tool's name, number of the call) → the id the model writes; None where it writes none.
        closers: what may stand in a value, as control tokens and as text, without ending it.
        typed_closers: what may stand there as text only.
        shards: what replies are broken into: control tokens and pieces of calls.
        heavy: control tokens that random replies are full of.
        broken: ways to break a call; status by the value of `ToolCallParseStatus`.
        ambiguous: a value may hold what looks exactly like its own end and what follows (`</parameter>` and the next).
    """

    name: str
    begin: str
    end: str
    write: Callable[[str, str, int], str]
    argument: Callable[[str, str], str] | None = None
    strips_arguments: bool = False
    scalar: Callable[[Any], str] = to_json
    opens: str = ""
    block: tuple[str, str, str] = ("", "\n", "")
    shares_block: bool = False
    call_id: Callable[[str, int], str] | None = None
    closers: tuple[str, ...] = ()
    typed_closers: tuple[str, ...] = ()
    shards: tuple[str, ...] = ()
    heavy: tuple[str, ...] = ()
    broken: tuple[Broken, ...] = ()
    ambiguous: bool = False

    @property
    def is_json(self) -> bool:
        """Arguments are JSON, not tagged one by one."""
        return self.argument is None

    def tagged(self, values: dict[str, str]) -> str:
        """Arguments for a spelling with a tag each."""
        assert self.argument is not None
        return "".join(self.argument(name, value) for name, value in values.items())

    def text_argument(self, text: str, name: str = "x") -> str:
        """One argument that is a text, as spelt; JSON gets its escapes."""
        return to_json({name: text}) if self.is_json else self.tagged({name: text})

    def arguments(self, given: Any) -> str:
        """Arguments, given as a mapping or as JSON text, as spelt."""
        if self.is_json:
            return given if isinstance(given, str) else to_json(given)
        values: dict[str, Any] = json.loads(given) if isinstance(given, str) else given
        return self.tagged({name: self.value(value) for name, value in values.items()})

    def value(self, value: Any) -> str:
        """One value behind a tag."""
        if isinstance(value, str):
            return value
        return to_json(value) if isinstance(value, (dict, list)) else self.scalar(value)

    def join(self, calls: Sequence[str]) -> str:
        """Calls that follow each other, with what opens, joins and closes them."""
        opening, joint, closing = self.block
        if self.shares_block:
            first, *more = [call.removeprefix(self.begin).removesuffix(self.end) for call in calls]
            return self.begin + first + "".join(call.lstrip("\n") for call in more) + self.end
        return opening + joint.join(calls) + closing

    @property
    def opening(self) -> str:
        """What a run of calls begins with."""
        return self.opens or self.block[0] or self.begin


# --- {"name": …, "arguments": …} in <tool_call> ----------------------------------------------------------------------

JSON = Spelling(
    "json",
    "<tool_call>",
    "</tool_call>",
    lambda name, arguments, _: f'<tool_call>\n{{"name": "{name}", "arguments": {arguments}}}\n</tool_call>',
    strips_arguments=True,
    closers=("</tool_call>", "<tool_call>", "<think>", "</think>", "</tool_call></tool_call>"),
    shards=("<tool_call>", "</tool_call>", "<think>", "</think>", '{"name": "f", "arguments": {"x": "', '"}}', "\n"),
    heavy=("<tool_call>", "</tool_call>", "<think>", "</think>", "<|im_end|>", "<|im_start|>", "<|endoftext|>"),
    broken=(
        ('<tool_call>\n{"arguments": {}}\n</tool_call>', "missing_name", None),
        ('<tool_call>\n{"name": "", "arguments": {}}\n</tool_call>', "missing_name", None),
        ('<tool_call>\n{"name": 5, "arguments": {}}\n</tool_call>', "missing_name", None),
        ('<tool_call>\n{"name": null, "arguments": {}}\n</tool_call>', "missing_name", None),
        ('<tool_call>\n{"name": ["f"], "arguments": {}}\n</tool_call>', "missing_name", None),
        ('<tool_call>\n{"name": {"f": 1}, "arguments": {}}\n</tool_call>', "missing_name", None),
        ('<tool_call>\n{"name": %s, "arguments": {}}\n</tool_call>' % ("7" * 5000), "missing_name", None),
        ("<tool_call>\n{}\n</tool_call>", "missing_name", None),
        ('<tool_call>\n{"name": "f", "arguments": {"a": }}\n</tool_call>', "invalid_json", "f"),
        ('<tool_call>\n{"name": "f", "arguments": {\'a\': 1}}\n</tool_call>', "invalid_json", "f"),
        ('<tool_call>\n{"name": "f", "arguments": {"a": 1}\n</tool_call>', "invalid_json", None),
        ("<tool_call>\nf(1)\n</tool_call>", "invalid_json", None),
        ("<tool_call></tool_call>", "invalid_json", None),
        ('<tool_call>\n["f"]\n</tool_call>', "invalid_json", None),
        ('<tool_call>\n{"name": "f", "arguments": {}} extra\n</tool_call>', "invalid_json", None),
        ('<tool_call>\n{"name": "f", "arguments": [1]}\n</tool_call>', "malformed_structure", "f"),
        ('<tool_call>\n{"name": "f", "arguments": 5}\n</tool_call>', "malformed_structure", "f"),
        ('<tool_call>\n{"name": "f", "arguments": {"a": 1}', "unclosed_block", None),
        ('<tool_call>\n{"name": "f", "arguments": {"a": 1}}\n', "unclosed_block", "f"),
        ("<tool_call>", "unclosed_block", None),
        ('<tool_call>\n{"name": "nobody", "arguments": {}}\n</tool_call>', "unknown_tool", "nobody"),
    ),
)

# --- <function=…> and <parameter=…> in <tool_call> -------------------------------------------------------------------

FUNCTION_TAGS = Spelling(
    "tags",
    "<tool_call>",
    "</tool_call>",
    lambda name, arguments, _: f"<tool_call>\n<function={name}>\n{arguments}</function>\n</tool_call>",
    argument=lambda name, value: f"<parameter={name}>\n{value}\n</parameter>\n",
    scalar=str,
    closers=("</tool_call>", "</parameter>", "</function>", "</function>\n</tool_call>",
             "</parameter>\n</function>\n</tool_call>", "<tool_call>", "<think>", "</think>", "<function=g>",
             "</parameter></parameter>"),
    shards=("<tool_call>", "</tool_call>", "<think>", "</think>", "<function=f>\n", "<parameter=x>\n",
            "</parameter>\n", "</function>\n", "\n"),
    heavy=("<tool_call>", "</tool_call>", "<think>", "</think>", "<|im_end|>", "<|im_start|>", "<|endoftext|>"),
    broken=(
        ("<tool_call>\n<function=>\n</function>\n</tool_call>", "missing_name", None),
        ("<tool_call>\n<function= >\n</function>\n</tool_call>", "missing_name", None),
        ("<tool_call>\n<parameter=x>\n1\n</parameter>\n</tool_call>", "malformed_structure", None),
        ("<tool_call></tool_call>", "malformed_structure", None),
        ("<tool_call>\nf(1)\n</tool_call>", "malformed_structure", None),
        ("<tool_call>\n<function=f>\n<parameter=x>\n1\n</function>\n</tool_call>", "malformed_structure", "f"),
        ("<tool_call>\n<function=f>\n<parameter=x>\n1\n</parameter>\n</tool_call>", "malformed_structure", "f"),
        ("<tool_call>\n<function=f>\nwords\n</function>\n</tool_call>", "malformed_structure", "f"),
        ("<tool_call>\n<function=f>\n</function>\nwords\n</tool_call>", "malformed_structure", "f"),
        ("<tool_call>\n<function=f>\n<parameter=x>\n1\n</parameter>\n<parameter=x>\n2\n</parameter>\n</function>\n"
         "</tool_call>", "malformed_structure", "f"),
        ("<tool_call>\n<function=f>\n<parameter=x>\n1", "unclosed_block", "f"),
        ("<tool_call>\n<function=f>\n</function>\n", "unclosed_block", "f"),
        ("<tool_call>", "unclosed_block", None),
        ("<tool_call>\n<function=nobody>\n</function>\n</tool_call>", "unknown_tool", "nobody"),
    ),
    ambiguous=True,
)  # fmt: skip

# --- <invoke …> and <parameter …>, several in one <minimax:tool_call> ------------------------------------------------

_INVOKES = "<minimax:tool_call>", "</minimax:tool_call>"


def _invoke(inner: str) -> str:
    return f"<minimax:tool_call>\n{inner}\n</minimax:tool_call>"


INVOKES = Spelling(
    "invokes",
    *_INVOKES,
    lambda name, arguments, _: _invoke(f'<invoke name="{name}">\n{arguments}</invoke>'),
    argument=lambda name, value: f'<parameter name="{name}">{value}</parameter>\n',
    shares_block=True,
    closers=("</minimax:tool_call>", "</parameter>", "</invoke>", "</invoke>\n</minimax:tool_call>",
             "</parameter>\n</invoke>\n</minimax:tool_call>", "<minimax:tool_call>", "<think>", "</think>",
             '<invoke name="g">', '</invoke>\n<invoke name="g">', "</parameter></parameter>"),
    shards=(*_INVOKES, "<think>", "</think>", '<invoke name="f">\n', '<parameter name="x">', "</parameter>\n",
            "</invoke>\n", "\n"),
    heavy=(*_INVOKES, "<think>", "</think>", "[e~[", "]~b]", "]~!b["),
    broken=(
        (_invoke('<invoke name="">\n</invoke>'), "missing_name", None),
        (_invoke('<invoke name=" ">\n</invoke>'), "missing_name", None),
        (_invoke('<parameter name="x">1</parameter>'), "malformed_structure", None),
        ("<minimax:tool_call></minimax:tool_call>", "malformed_structure", None),
        (_invoke("f(1)"), "malformed_structure", None),
        (_invoke("<invoke name=f>\n</invoke>"), "malformed_structure", None),
        (_invoke('<invoke name="f">\n<parameter name="x">1\n</invoke>'), "malformed_structure", "f"),
        (_invoke('<invoke name="f">\n<parameter name="x">1</parameter>'), "malformed_structure", "f"),
        (_invoke('<invoke name="f">\nwords\n</invoke>'), "malformed_structure", "f"),
        (_invoke('<invoke name="f">\n</invoke>\nwords'), "malformed_structure", "f"),
        (_invoke('<invoke name="f">\n<parameter name="x">1</parameter>\n<parameter name="x">2</parameter>\n</invoke>'),
         "malformed_structure", "f"),
        ('<minimax:tool_call>\n<invoke name="f">\n<parameter name="x">1', "unclosed_block", "f"),
        ('<minimax:tool_call>\n<invoke name="f">\n</invoke>\n', "unclosed_block", "f"),
        ("<minimax:tool_call>", "unclosed_block", None),
        (_invoke('<invoke name="nobody">\n</invoke>'), "unknown_tool", "nobody"),
    ),
    ambiguous=True,
)  # fmt: skip

# --- <arg_key> and <arg_value> in <tool_call> ------------------------------------------------------------------------


def arg_pairs(gap: str) -> Spelling:
    """GLM's spelling; `gap` stands behind the name and behind each tag group."""

    def call(inner: str) -> str:
        return f"<tool_call>{inner}</tool_call>"

    def pair(name: str, value: str) -> str:
        return f"<arg_key>{name}</arg_key>{gap}<arg_value>{value}</arg_value>{gap}"

    key, unclosed_value = f"<arg_key>x</arg_key>{gap}", f"<arg_key>x</arg_key>{gap}<arg_value>1"
    return Spelling(
        "pairs",
        "<tool_call>",
        "</tool_call>",
        lambda name, arguments, _: f"<tool_call>{name}{gap}{arguments}</tool_call>",
        argument=pair,
        block=("", gap, ""),
        closers=("</tool_call>", "</arg_value>", "</arg_key>", "<arg_value>", f"</arg_value>{gap}</tool_call>",
                 "<tool_call>", "<think>", "</think>"),
        shards=("<tool_call>", "</tool_call>", "<think>", "</think>", f"f{gap}{key}", "<arg_value>",
                f"</arg_value>{gap}", "\n"),
        heavy=("<tool_call>", "</tool_call>", "<think>", "</think>", "<arg_key>", "</arg_key>", "<arg_value>",
               "</arg_value>", "<|user|>", "<|observation|>", "<|endoftext|>", "<|assistant|>"),
        broken=(
            (call(""), "missing_name", None),
            (call(gap + pair("x", "1")), "missing_name", None),
            (call(f"f{gap}{key}"), "malformed_structure", "f"),
            (call(f"f{gap}<arg_key>x{gap}<arg_value>1</arg_value>{gap}"), "malformed_structure", "f"),
            (call(f"f{gap}{unclosed_value}{gap}"), "malformed_structure", "f"),
            (call(f"f{gap}{unclosed_value}</arg_value>w"), "malformed_structure", "f"),
            (f"<tool_call>f{gap}{unclosed_value}", "unclosed_block", "f"),
            (f"<tool_call>f{gap}", "unclosed_block", "f"),
            (call(f"nobody{gap}"), "unknown_tool", "nobody"),
        ),
    )  # fmt: skip


ARG_PAIRS = arg_pairs("\n")
ARG_PAIRS_UNBROKEN = arg_pairs("")

# --- Fenced JSON in DeepSeek's tokens --------------------------------------------------------------------------------

BEGIN, END = "<｜tool▁call▁begin｜>", "<｜tool▁call▁end｜>"

FENCED_JSON = Spelling(
    "fence",
    BEGIN,
    END,
    lambda name, arguments, _: f"{BEGIN}function<｜tool▁sep｜>{name}\n```json\n{arguments}\n```{END}",
    block=("<｜tool▁calls▁begin｜>", "\n", "<｜tool▁calls▁end｜>"),
    closers=(END, "```", "\n```", f"\n```{END}", "```json", "<｜tool▁calls▁end｜>", "<｜tool▁sep｜>", BEGIN, END + END),
    shards=("<｜tool▁calls▁begin｜>", BEGIN, END, "<｜tool▁calls▁end｜>", "function<｜tool▁sep｜>f\n```json\n",
            '{"x": "', '"}', "\n```", "\n"),
    heavy=("<｜tool▁calls▁begin｜>", BEGIN, "<｜tool▁sep｜>", END, "<｜tool▁calls▁end｜>", "<｜end▁of▁sentence｜>",
           "<｜Assistant｜>", "<｜User｜>"),
    broken=(
        (f"{BEGIN}{END}", "missing_name", None),
        (f"{BEGIN}function<｜tool▁sep｜>\n```json\n{{}}\n```{END}", "missing_name", None),
        (f"{BEGIN}f\n```json\n{{}}\n```{END}", "missing_name", None),
        (f"{BEGIN}function<｜tool▁sep｜>f{END}", "malformed_structure", "f"),
        (f"{BEGIN}function<｜tool▁sep｜>f\n```json\n{{}}{END}", "malformed_structure", "f"),
        (f"{BEGIN}function<｜tool▁sep｜>f\n```json\n{{}}\n``` w{END}", "malformed_structure", "f"),
        (f"{BEGIN}function<｜tool▁sep｜>f\n```json\n[]\n```{END}", "malformed_structure", "f"),
        (f'{BEGIN}function<｜tool▁sep｜>f\n```json\n{{"a"}}\n```{END}', "invalid_json", "f"),
        (f"{BEGIN}function<｜tool▁sep｜>f\n```json\n{{}}\n```", "unclosed_block", "f"),
        (BEGIN, "unclosed_block", None),
        (f"{BEGIN}function<｜tool▁sep｜>nobody\n```json\n{{}}\n```{END}", "unknown_tool", "nobody"),
    ),
)  # fmt: skip

# --- name and JSON around DeepSeek's separator ------------------------------------------------------------------------

NAMED_JSON = Spelling(
    "named",
    BEGIN,
    END,
    lambda name, arguments, _: f"{BEGIN}{name}<｜tool▁sep｜>{arguments}{END}",
    block=("<｜tool▁calls▁begin｜>", "", "<｜tool▁calls▁end｜>"),
    closers=(END, "<｜tool▁calls▁end｜>", "<｜tool▁sep｜>", BEGIN, END + END, "<think>", "</think>"),
    shards=("<｜tool▁calls▁begin｜>", BEGIN, END, "<｜tool▁calls▁end｜>", "f<｜tool▁sep｜>", '{"x": "', '"}', "\n"),
    heavy=("<｜tool▁calls▁begin｜>", BEGIN, "<｜tool▁sep｜>", END, "<｜tool▁calls▁end｜>", "<｜end▁of▁sentence｜>",
           "<｜Assistant｜>", "<｜User｜>", "<think>", "</think>"),
    broken=(
        (f"{BEGIN}{END}", "missing_name", None),
        (f"{BEGIN}<｜tool▁sep｜>{{}}{END}", "missing_name", None),
        (f"{BEGIN}f{{}}{END}", "missing_name", None),
        (f"{BEGIN}f<｜tool▁sep｜>[]{END}", "malformed_structure", "f"),
        (f"{BEGIN}f<｜tool▁sep｜>{{}} w{END}", "invalid_json", "f"),
        (f'{BEGIN}f<｜tool▁sep｜>{{"a"}}{END}', "invalid_json", "f"),
        (f"{BEGIN}f<｜tool▁sep｜>{{}}", "unclosed_block", "f"),
        (BEGIN, "unclosed_block", None),
        (f"{BEGIN}nobody<｜tool▁sep｜>{{}}{END}", "unknown_tool", "nobody"),
    ),
)  # fmt: skip

# --- id and JSON around Kimi's separator -----------------------------------------------------------------------------

_KIMI = "<|tool_call_begin|>", "<|tool_call_end|>"
_ARGUMENTS = "<|tool_call_argument_begin|>"


def _kimi(id_: str, arguments: str = "{}") -> str:
    return f"<|tool_call_begin|>{id_}{_ARGUMENTS}{arguments}<|tool_call_end|>"


ID_JSON = Spelling(
    "id",
    *_KIMI,
    lambda name, arguments, number: _kimi(f"functions.{name}:{number}", arguments),
    block=("<|tool_calls_section_begin|>", "", "<|tool_calls_section_end|>"),
    call_id=lambda name, number: f"functions.{name}:{number}",
    closers=("<|tool_call_end|>", "<|tool_calls_section_end|>", _ARGUMENTS, "<|tool_call_begin|>",
             "<|tool_call_end|><|tool_call_end|>"),
    shards=("<|tool_calls_section_begin|>", *_KIMI, "<|tool_calls_section_end|>", f"functions.f:0{_ARGUMENTS}",
            '{"x": "', '"}', "\n"),
    heavy=("<|tool_calls_section_begin|>", *_KIMI, _ARGUMENTS, "<|tool_calls_section_end|>", "<|im_end|>",
           "<|im_user|>", "<|im_assistant|>", "<|im_middle|>"),
    broken=(
        ("<|tool_call_begin|><|tool_call_end|>", "missing_name", None),
        (_kimi(""), "missing_name", None),
        (_kimi("functions.:0"), "missing_name", None),
        ("<|tool_call_begin|>functions.f:0{}<|tool_call_end|>", "missing_name", None),
        (_kimi("functions.f:0", "[]"), "malformed_structure", "f"),
        (_kimi("functions.f:0", "{} w"), "invalid_json", "f"),
        (_kimi("functions.f:0", '{"a"}'), "invalid_json", "f"),
        (f"<|tool_call_begin|>functions.f:0{_ARGUMENTS}{{}}", "unclosed_block", "f"),
        ("<|tool_call_begin|>", "unclosed_block", None),
        (_kimi("functions.nobody:0"), "unknown_tool", "nobody"),
    ),
)  # fmt: skip

# --- Harmony messages ------------------------------------------------------------------------------------------------

_HEADS = ("<|start|>assistant<|channel|>analysis<|message|>", "<|start|>assistant<|channel|>final<|message|>",
          "<|start|>assistant to=functions.f<|channel|>commentary json<|message|>")  # fmt: skip


def harmony(kind: str) -> Spelling:
    """A message to a tool; `kind` stands behind the channel."""
    head = f"<|channel|>commentary{kind}<|message|>"
    return Spelling(
        "harmony",
        "<|message|>",
        "<|call|>",
        lambda name, arguments, _: f" to=functions.{name}{head}{arguments}<|call|>",
        opens=" to=",
        block=("", "<|start|>assistant", ""),
        closers=("<|end|>", "<|end|><|end|>", "<|start|>", "<|channel|>", "<|message|>", "<|constrain|>"),
        typed_closers=("<|call|>", "<|return|>"),
        shards=(*_HEADS, *_HEADS, "<|end|>", "<|end|>", "<|end|>", "<|message|>", "<|channel|>", "\n", '{"x": "', '"}'),
        heavy=("<|start|>", "<|end|>", "<|message|>", "<|channel|>", "<|constrain|>", "<|return|>", "<|call|>"),
        broken=(
            (" to=functions.<|channel|>commentary<|message|>{}<|call|>", "missing_name", None),
            (' to=functions.f<|channel|>commentary<|message|>{"a": 1<|call|>', "invalid_json", "f"),
            (" to=functions.f<|channel|>commentary<|message|>[1]<|call|>", "malformed_structure", "f"),
            (" to=functions.f<|channel|>commentary<|message|>{}", "unclosed_block", "f"),
            (" to=functions.f<|channel|>commentary<|message|>", "unclosed_block", "f"),
            (" to=functions.nobody<|channel|>commentary<|message|>{}<|call|>", "unknown_tool", "nobody"),
        ),
    )

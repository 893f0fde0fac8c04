"""Parsers that a `DefaultRenderer` is told to use: the readers of known formats, by name."""

from __future__ import annotations

from typing import Any, ClassVar, Protocol, runtime_checkable

from .._errors import BadOption, TokenizerMismatch
from .._parsed import ParsedToolCall
from .._reader import Reader, Table
from .._rendered import plain_ids
from .._reply import BETWEEN, CALL, Affixes, Reply
from .._tokenizers import load
from ..families import named
from .results import CALL_TYPE


@runtime_checkable
class ToolParser(Protocol):
    """Takes the calls out of sampled ids."""

    def extract(self, ids: list[int]) -> tuple[list[int], list[Any]]:
        """The other ids, and the calls in the order sampled."""
        ...


@runtime_checkable
class ReasoningParser(Protocol):
    """Takes the reasoning out of a reply."""

    def extract(self, text: str) -> tuple[str | None, str]:
        """The reasoning, or None, and the rest."""
        ...


class FormatToolParser:
    """Reads calls as a known format spells them; subclasses name the format."""

    format: ClassVar[str]

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = load(tokenizer).tokenizer
        family = named(self.format)
        assert family is not None
        reply = family.reply
        marks = {text: mark for text, mark in reply.marks.items() if mark.to in (CALL, BETWEEN)}
        if missing := sorted({*marks, *reply.call_ends} - set(self._tokenizer.controls)):
            raise TokenizerMismatch(f"the tokenizer has no {', '.join(missing)}, which {self.format} calls need")
        self._table = Table(Reply((), marks, reply.read_call, reply.call_ends), self._tokenizer.controls)
        self._around = {self._tokenizer.controls[text] for text, mark in marks.items() if mark.to is BETWEEN}

    def extract(self, ids: list[int]) -> tuple[list[int], list[ParsedToolCall]]:
        """The other ids, and the calls in the order sampled. Never raises on any ids."""
        ids = plain_ids(ids)
        reader = Reader(self._table, self._tokenizer, Affixes(), call_type=CALL_TYPE)
        reader.feed(ids)
        calls = reader.finish()[0].tool_calls
        inside = {k for call in calls if call.token_span for k in range(*call.token_span)}
        return [id_ for k, id_ in enumerate(ids) if k not in inside and id_ not in self._around], calls


class Qwen3ToolParser(FormatToolParser):
    """JSON in ``<tool_call>``."""

    format = "qwen3"


class Qwen35ToolParser(FormatToolParser):
    """``<function=…>`` tags in ``<tool_call>``."""

    format = "qwen3.5"


class GlmToolParser(FormatToolParser):
    """Key and value tags in ``<tool_call>``."""

    format = "glm-4.5"


class DeepSeekV3ToolParser(FormatToolParser):
    """Fenced JSON."""

    format = "deepseek-v3"


class ThinkTextReasoningParser:
    """``<think>…</think>`` at the beginning of a reply; the prompt may hold the opening."""

    def __init__(self, tokenizer: Any = None) -> None:
        pass

    def extract(self, text: str) -> tuple[str | None, str]:
        """The reasoning, or None, and the rest."""
        begun = text.lstrip()
        opened = begun.startswith("<think>")
        reasoning, closed, rest = (begun.removeprefix("<think>") if opened else text).partition("</think>")
        if opened or (closed and "<think>" not in reasoning):
            return reasoning, rest
        return None, text


TOOL_PARSERS: dict[str, Any] = {
    "qwen3": Qwen3ToolParser,
    "qwen3.5": Qwen35ToolParser,
    "glm": GlmToolParser,
    "deepseek-v3": DeepSeekV3ToolParser,
    # The same by the names of vLLM's --tool-call-parser.
    "hermes": Qwen3ToolParser,
    "qwen3_coder": Qwen35ToolParser,
    "qwen3_xml": Qwen35ToolParser,
    "glm45": GlmToolParser,
    "deepseek_v3": DeepSeekV3ToolParser,
}
"""Name → class, called with the tokenizer. Add your own."""

REASONING_PARSERS: dict[str, Any] = {
    "think": ThinkTextReasoningParser,
    # The same by the names of vLLM's --reasoning-parser.
    "deepseek_r1": ThinkTextReasoningParser,
    "qwen3": ThinkTextReasoningParser,
}
"""Name → class, called with the tokenizer. Add your own."""


def get_tool_parser(name: str, tokenizer: Any) -> ToolParser:
    """A tool parser by name. Raises `BadOption` for an unknown name."""
    return _made("tool_parser", TOOL_PARSERS, name, tokenizer)  # type: ignore[no-any-return]


def get_reasoning_parser(name: str, tokenizer: Any = None) -> ReasoningParser:
    """A reasoning parser by name. Raises `BadOption` for an unknown name."""
    return _made("reasoning_parser", REASONING_PARSERS, name, tokenizer)  # type: ignore[no-any-return]


def _made(kind: str, registry: dict[str, Any], name: str, tokenizer: Any) -> Any:
    if name not in registry:
        raise BadOption(f"no {kind} is named {name!r}; there are {', '.join(sorted(registry))}")
    return registry[name](tokenizer)

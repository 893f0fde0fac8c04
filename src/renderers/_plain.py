"""The renderer for models nobody wrote a family for: their own chat template, run as it is.

Tokens are attributed to messages by rendering growing beginnings of the conversation. What a template closes a turn
with, and how it spells calls, is not known here, so there is no sampled mask, no call parsing and no bridge, each
said with its reason. Control strings in the caller's text stay text: they are disguised while the template runs.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any, NoReturn

import jinja2
import jinja2.ext
import jinja2.nodes
import jinja2.parser
from jinja2.sandbox import ImmutableSandboxedEnvironment

from ._bridge import Bridge, Refusal, RefusalCode
from ._derive import common_prefix
from ._encode import Encoder
from ._errors import BadMessage, BadOption
from ._messages import NONE
from ._parsed import ParsedResponse
from ._read import as_mapping, plain_json, read_messages, read_tools
from ._reader import Reader, Table
from ._rendered import RenderedTokens
from ._renderer import Identity
from ._reply import Affixes, Reply
from ._tokenizers import Source
from ._writer import Field, Piece

_DISGUISE = "\uf8ff"
"""Stands in for the first character of a control string in the caller's text. Private use: no text has a meaning
for it.
"""


class _Generation(jinja2.ext.Extension):
    """``{% generation %}``, which marks assistant text for trainers; here only its content matters."""

    tags = frozenset({"generation"})  # type: ignore[assignment]

    def parse(self, parser: jinja2.parser.Parser) -> list[jinja2.nodes.Node]:
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


class PlainRenderer:
    """A model's own chat template with attribution per message.

    Attributes:
        identity: which template, and that nothing more is known of it.
    """

    is_prefix_stable = False
    thinking_retention = "template"

    def __init__(self, source: Source, identity: Identity, template_options: Mapping[str, Any]) -> None:
        if source.template is None:
            raise BadOption("this tokenizer has no chat template to run")
        self.identity = identity
        self._source, self._options = source, dict(template_options)
        self._encoder = Encoder(source.tokenizer)
        self._template = _compile(source.template)

    @property
    def supports_tools(self) -> bool:
        """The template mentions tools."""
        return "tools" in (self._source.template or "")

    def render(
        self, messages: Sequence[Mapping[str, Any]], *, tools: Any = None, add_generation_prompt: bool = False
    ) -> RenderedTokens:
        """Token ids, each with its message. Raises `BadMessage` where the template raises."""
        messages = list(messages)
        turns, plain = read_messages(messages), _plain_messages(messages)
        text = self._text(plain, tools, add_generation_prompt)
        pieces: list[Piece] = []
        done = 0
        for i, end in enumerate(self._ends(plain, tools, text)):
            pieces += self._pieces(text[done:end], i)
            done = end
        encoded = self._encoder.encode([*pieces, *self._pieces(text[done:], NONE)])
        return RenderedTokens(encoded.ids, encoded.messages(), message_roles=[turn.role for turn in turns])

    def render_ids(
        self, messages: Sequence[Mapping[str, Any]], *, tools: Any = None, add_generation_prompt: bool = False
    ) -> list[int]:
        """The token ids alone."""
        return self._encoder.ids(self._whole(messages, tools, add_generation_prompt))

    def render_text(
        self, messages: Sequence[Mapping[str, Any]], *, tools: Any = None, add_generation_prompt: bool = False
    ) -> str:
        """The conversation as text."""
        return "".join(piece.text for piece in self._whole(messages, tools, add_generation_prompt))

    def reader(self, **_: Any) -> Reader:
        """A reader for which the whole reply is text."""
        names = {id_: text for text, id_ in self._source.tokenizer.controls.items()}
        stops = tuple(names[stop] for stop in self._source.stops if stop in names)
        return Reader(Table(Reply(stops), self._source.tokenizer.controls), self._source.tokenizer, Affixes())

    def parse_response(
        self,
        token_ids: Sequence[int],
        *,
        tools: Any = None,
        prompt_ids: Sequence[int] | None = None,
        finish_reason: str | None = None,
    ) -> ParsedResponse:
        """The reply as text; whether it reasons or calls tools is not known."""
        reader = self.reader()
        reader.feed(token_ids)
        parsed, _events = reader.finish(finish_reason)
        parsed.reasoning_complete = None
        return parsed

    def explain_bridge(self, *_: Any, **__: Any) -> Bridge:
        """Never a bridge, for the reason it names."""
        return Bridge(refusal=Refusal(RefusalCode.NO_TURN_CLOSE))

    def bridge_to_next_turn(self, *_: Any, **__: Any) -> RenderedTokens | None:
        """None: see `explain_bridge`."""
        return None

    def get_stop_token_ids(self) -> list[int]:
        """The end-of-sequence ids the model's repository names."""
        return list(self._source.stops)

    # ---- inside -----------------------------------------------------------------------------

    def _whole(self, messages: Sequence[Mapping[str, Any]], tools: Any, prompting: bool) -> list[Piece]:
        messages = list(messages)
        read_messages(messages)
        return list(self._pieces(self._text(_plain_messages(messages), tools, prompting), NONE))

    def _text(self, messages: Sequence[dict[str, Any]], tools: Any, prompting: bool) -> str:
        disguised = _map_text(
            [{key: value for key, value in message.items() if value is not None} for message in messages],
            self._disguise,
        )
        declared = _map_text(read_tools(tools), self._disguise) or None
        try:
            return self._template.render(
                messages=disguised,
                tools=declared,
                documents=None,
                add_generation_prompt=prompting,
                **{**self._source.special_tokens, **self._options},
            )
        except (jinja2.TemplateError, TypeError, KeyError, AttributeError) as error:
            raise BadMessage("messages", f"the model's chat template refuses them: {error}") from error

    def _disguise(self, text: str) -> str:
        if _DISGUISE in text:
            raise BadMessage("messages", "hold the private-use character U+F8FF, which this renderer needs for itself")
        controls = self._encoder.controls
        return controls.sub(lambda match: _DISGUISE + match.group()[1:] + _DISGUISE + match.group()[0], text)

    def _pieces(self, text: str, message: int) -> Iterator[Piece]:
        """The text as trusted pieces, disguised control strings as words."""
        done = 0
        for match in re.finditer(rf"{_DISGUISE}([^{_DISGUISE}]*){_DISGUISE}(.)", text, re.S):
            yield Piece(text[done : match.start()], message, Field.FRAME, True)
            yield Piece(match.group(2) + match.group(1), message, Field.CONTENT, False)
            done = match.end()
        yield Piece(text[done:], message, Field.FRAME, True)

    def _ends(self, messages: Sequence[dict[str, Any]], tools: Any, text: str) -> Iterator[int]:
        """Where each message ends in the text: as far as a rendering up to it agrees with the whole."""
        end = 0
        for k in range(1, len(messages) + 1):
            with suppress(BadMessage):  # a beginning that the template refuses: its text goes to the next message
                end = max(end, len(common_prefix(self._text(messages[:k], tools, False), text)))
            yield end


def _plain_messages(messages: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    paths = [f"messages[{i}]" for i in range(len(messages))]
    return [plain_json(as_mapping(message, path), path) for message, path in zip(messages, paths, strict=True)]


def _map_text(value: Any, change: Any) -> Any:
    """A JSON value with every text in it changed, keys included."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {key if key in _TEMPLATE_KEYS else change(key): _map_text(item, change) for key, item in value.items()}
    return [_map_text(item, change) for item in value] if isinstance(value, list) else value


_TEMPLATE_KEYS = frozenset(
    {"role", "content", "type", "text", "tool_calls", "function", "name", "arguments", "parameters"}
)


def _compile(template: str) -> jinja2.Template:
    """The template in the set-up Hugging Face transformers runs it in."""
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[_Generation, jinja2.ext.loopcontrols]
    )
    environment.filters["tojson"] = _tojson
    environment.globals["raise_exception"] = _raise
    environment.globals["strftime_now"] = lambda form: datetime.now().strftime(form)
    try:
        return environment.from_string(template)
    except jinja2.TemplateSyntaxError as error:
        raise BadOption(f"the chat template is not valid Jinja: {error}") from error


def _tojson(
    value: Any, ensure_ascii: bool = False, indent: Any = None, separators: Any = None, sort_keys: bool = False
) -> str:
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def _raise(message: str) -> NoReturn:
    raise jinja2.TemplateError(message)

"""The renderer of unknown templates, with the parsers that its caller names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from .._errors import BadOption
from .._messages import Retention
from .._parsed import ParsedResponse
from .._plain import PlainRenderer
from .._plan import FALLBACK, Plan, plan
from .._rendered import plain_ids
from .results import RenderedTokens

if TYPE_CHECKING:
    from .configs import BaseRendererConfig


_OPENING = 16
"""How many tokens at the end of a prompt may open the reasoning."""


class DefaultRenderer(PlainRenderer):
    """A model's own chat template with attribution per message: for models nobody wrote a family for.

    What such a template closes a turn with is not known, so there are no masks and no bridge, each said with its
    reason.

    Args:
        tokenizer: as for `create_renderer`; it must have a chat template.
        config: a `DefaultRendererConfig`. Or, without one:
        tool_parser, reasoning_parser: how replies are read, names of `renderers.parsers`; reasoning in
            ``<think>…</think>`` is told apart in any case.
        template_options: handed to the template.
    """

    thread_safe: ClassVar[bool] = True

    def __init__(
        self,
        tokenizer: Any,
        config: BaseRendererConfig | None = None,
        *,
        tool_parser: str | None = None,
        reasoning_parser: str | None = None,
        **template_options: Any,
    ) -> None:
        named: dict[str, Any] = {"tool_parser": tool_parser, "reasoning_parser": reasoning_parser}
        if config is not None:
            if config.name != FALLBACK:
                raise BadOption(f"{type(config).__name__} is not the config of a {type(self).__name__}")
            template_options = {**config.options(), **template_options}
            named = {name: template_options.pop(name, None) or given for name, given in named.items()}
        self._adopt(plan(tokenizer, FALLBACK, template_options), tokenizer, **named)
        if config is not None:
            self.config = config

    @classmethod
    def planned(
        cls, made: Plan, tokenizer: Any, tool_parser: str | None = None, reasoning_parser: str | None = None
    ) -> DefaultRenderer:
        """The renderer of a plan without a family."""
        renderer = cls.__new__(cls)
        renderer._adopt(made, tokenizer, tool_parser, reasoning_parser)
        return renderer

    def _adopt(self, made: Plan, tokenizer: Any, tool_parser: str | None, reasoning_parser: str | None) -> None:
        from .parsers import get_reasoning_parser, get_tool_parser

        super().__init__(made.source, made.identity, made.options)
        self._config: BaseRendererConfig | None = None
        self._names = {"tool_parser": tool_parser, "reasoning_parser": reasoning_parser}
        self._tool_parser = get_tool_parser(tool_parser, tokenizer) if tool_parser else None
        self._reasoning_parser = get_reasoning_parser(reasoning_parser or "think", tokenizer)

    @property
    def config(self) -> BaseRendererConfig:
        """The typed config of this renderer."""
        if self._config is None:
            from .configs import DefaultRendererConfig

            given: dict[str, Any] = {**self._names, **self._options}
            self._config = DefaultRendererConfig(**given)
        return self._config

    @config.setter
    def config(self, config: BaseRendererConfig) -> None:
        self._config = config

    @property
    def effective_thinking_retention(self) -> Retention:
        return "template"

    @property
    def supports_tools(self) -> bool:
        """Calls can be read back, since a tool parser was named."""
        return self._tool_parser is not None

    def render(  # type: ignore[override]
        self, messages: Sequence[Mapping[str, Any]], *, tools: Any = None, add_generation_prompt: bool = False
    ) -> RenderedTokens:
        """Token ids, each with its message. Raises `BadMessage` where the template raises."""
        return RenderedTokens.of(super().render(messages, tools=tools, add_generation_prompt=add_generation_prompt))

    def parse_response(
        self,
        token_ids: Sequence[int],
        *,
        tools: Any = None,
        prompt_ids: Sequence[int] | None = None,
        finish_reason: str | None = None,
    ) -> ParsedResponse:
        """The sampled ids as a message: its text, and what the named parsers find in it."""
        ids = plain_ids(token_ids)
        stops = set(self.get_stop_token_ids())
        end = next((k for k, id_ in enumerate(ids) if id_ in stops), len(ids))
        response = ParsedResponse(stopped=end < len(ids), length=min(end + 1, len(ids)))
        rest = ids[:end]
        if self._tool_parser is not None:
            rest, response.tool_calls = self._tool_parser.extract(rest)
        text = self._text_of(rest)
        if prompt_ids is not None and self._text_of(plain_ids(prompt_ids[-_OPENING:])).rstrip().endswith("<think>"):
            text = "<think>" + text
        response.reasoning_content, response.content = self._reasoning_parser.extract(text)
        response.reasoning_complete = None
        if response.reasoning_content:  # nothing behind it: its close was not sampled
            response.reasoning_complete = not text.endswith(response.reasoning_content)
        return response

    def _text_of(self, ids: Sequence[int]) -> str:
        return self._source.tokenizer.token_bytes(ids).decode("utf-8", "replace")

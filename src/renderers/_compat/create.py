"""`create_renderer` as both generations call it, told apart by what the second argument is."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from .._errors import BadOption, RenderersWarning
from .._family import Family
from .._messages import Retention
from .._plan import FALLBACK, plan
from .registry import registered
from .renderers import FamilyRenderer, renderer_class
from .retention import refuse_contradiction

if TYPE_CHECKING:
    from .configs import BaseRendererConfig
    from .default import DefaultRenderer


def create_renderer(
    tokenizer: Any,
    config: str | Family | BaseRendererConfig | None = None,
    *,
    renderer: str | Family | None = None,
    chat_template_kwargs: Mapping[str, Any] | None = None,
    tool_parser: str | None = None,
    reasoning_parser: str | None = None,
    thinking_retention: Retention | None = None,
    preserve_all_thinking: bool = False,
    preserve_thinking_between_tool_calls: bool = False,
    use_patched: bool = False,
    parity: bool = False,
    **options: Any,
) -> FamilyRenderer | DefaultRenderer:
    """A renderer for a model.

    For a template that no family reproduces it is a `DefaultRenderer`, which has the same methods and says why it
    cannot mask and bridge.

    Args:
        tokenizer: a model id, a local folder, a `tokenizers.Tokenizer` or a Hugging Face tokenizer.
        config: a family's name, a `Family` of your own, or a typed config such as `Qwen3RendererConfig`; "auto", or
            nothing, chooses by exact model id, then by the SHA-256 of the chat template, and falls back to running
            that template itself.
        renderer: the same by its older name.
        chat_template_kwargs: options that mirror the template's own, merged into the config.
        tool_parser, reasoning_parser: how a `DefaultRenderer` reads replies; the names are those of
            `renderers.parsers`.
        thinking_retention: whether a bridge extends past reasoning that the template would now strip: "all", not at
            a new user query ("tool_cycle"), or "template", never. Default: "all" for a renderer chosen by a name or
            a `Family`, or made with an older keyword (`preserve_…`, `…_parser`); otherwise what the format does.
        preserve_all_thinking, preserve_thinking_between_tool_calls: also write past reasoning that the template
            would leave out.
        use_patched: write the same marks, but so that no later turn respells an earlier one: reasoning stays, a turn
            reads the same in history as when it was the last, values are spelt as JSON, arguments given as JSON text
            stay verbatim. What is rendered is what bridges would have built.
        parity: do what the template does to the letter, with everything it drops, and let control strings in trusted
            text become control tokens.
        options: the family's own, named as in its template, such as ``enable_thinking``; None leaves one to the
            checkpoint.

    Raises:
        BadOption: an unknown name or option, options that contradict each other, or a tokenizer without a template
            where one is needed.
        TokenizerMismatch: the tokenizer lacks control tokens of the format.
    """
    if config is not None and renderer is not None:
        raise BadOption("renderer and config both choose the format; give one of them")
    chosen = renderer if config is None else config
    knobs: dict[str, Any] = {
        "preserve_all_thinking": preserve_all_thinking,
        "preserve_thinking_between_tool_calls": preserve_thinking_between_tool_calls,
        "use_patched": use_patched,
    }
    named = {"tool_parser": tool_parser, "reasoning_parser": reasoning_parser}
    named_parsers = {name: value for name, value in named.items() if value is not None}
    given = {**options, **named_parsers}
    if isinstance(chosen, str) and (other := registered(chosen)) is not None:
        return cast("FamilyRenderer", other(tokenizer, **given))
    if chosen is None or isinstance(chosen, (str, Family)):
        older = chosen is not None or preserve_all_thinking or preserve_thinking_between_tool_calls or named_parsers
        knobs["thinking_retention"] = thinking_retention or ("all" if older else "tool_cycle")
        choice = "auto" if chosen is None else chosen
        given.update(chat_template_kwargs or {})
        return _made(tokenizer, choice, given, given, thinking_retention, parity=parity, **knobs)
    from .configs import AutoRendererConfig, BaseRendererConfig, CustomRendererConfig, merge_chat_template_kwargs

    if not isinstance(chosen, BaseRendererConfig):
        raise BadOption(f"config must be a renderer's name, a Family or a typed config, not {chosen!r}")
    if given:
        raise BadOption(f"give {', '.join(given)} in the config, not beside it")
    asked = {**knobs, "thinking_retention": thinking_retention}
    chosen = chosen.updated({name: value for name, value in asked.items() if value})
    if isinstance(chosen, AutoRendererConfig):
        given = dict(chat_template_kwargs or {})
    else:
        chosen = merge_chat_template_kwargs(chosen, chat_template_kwargs)
        given = chosen.options()
    if isinstance(chosen, CustomRendererConfig):
        from .custom import make_custom

        return cast("FamilyRenderer", make_custom(tokenizer, chosen))
    explicit = {name: value for name, value in given.items() if name in chosen.model_fields_set}
    made = _made(tokenizer, chosen.name, given, explicit, chosen.thinking_retention, parity=parity, **chosen.knobs())
    if not isinstance(chosen, AutoRendererConfig):
        made.config = chosen
    return made


def _made(
    tokenizer: Any,
    choice: str | Family,
    options: Mapping[str, Any],
    explicit: Mapping[str, Any],
    asked_retention: Retention | None,
    **knobs: Any,
) -> FamilyRenderer | DefaultRenderer:
    """The renderer, in the class that bears its family's name. The parsers' names are no options of a family."""
    parsers = {name: options[name] for name in ("tool_parser", "reasoning_parser") if name in options}
    rest = {name: value for name, value in options.items() if name not in parsers}
    if choice != FALLBACK:
        rest = {name: value for name, value in rest.items() if value is not None}
    planned = plan(tokenizer, choice, rest, **knobs)
    if planned.family is None:
        from .default import DefaultRenderer

        if asked_retention in ("all", "tool_cycle"):
            raise BadOption(
                f"thinking_retention={asked_retention!r} needs a renderer that knows the format; this template is run "
                "as it is, and never bridged"
            )
        return DefaultRenderer.planned(planned, tokenizer, **parsers)
    refuse_contradiction(type(planned.family), explicit, asked_retention)
    if parsers:
        warnings.warn(
            f"{' and '.join(parsers)} only serve the {FALLBACK} renderer; the {planned.identity.name} renderer reads "
            "replies itself",
            RenderersWarning,
            stacklevel=3,
        )
    return renderer_class(type(planned.family)).planned(planned)

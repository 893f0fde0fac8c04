"""Choosing a renderer: by name, by exact model id, by the hash of the chat template, or the model's own template."""

from __future__ import annotations

import hashlib
import logging
import typing
import warnings
from collections.abc import Mapping
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any, Literal

from ._errors import BadOption, RenderersWarning
from ._family import Family
from ._messages import Policy, Retention
from ._renderer import Identity, Renderer
from ._tokenizers import Source, load

if TYPE_CHECKING:
    from ._plain import PlainRenderer

logger = logging.getLogger("renderers")

_FALLBACK = "default"


def create_renderer(
    tokenizer: Any,
    renderer: str | Family | None = None,
    *,
    parity: bool = False,
    thinking_retention: Retention | None = None,
    preserve_all_thinking: bool = False,
    preserve_thinking_between_tool_calls: bool = False,
    **options: Any,
) -> Renderer | PlainRenderer:
    """A renderer for a model.

    For a template that no family reproduces it is a `PlainRenderer`, which has the same methods and says why it
    cannot mask, parse calls or bridge.

    Args:
        tokenizer: a model id, a local folder, a `tokenizers.Tokenizer` or a Hugging Face tokenizer.
        renderer: a family's name, or a `Family` of your own; "auto", or nothing, chooses by exact model id, then by the
            SHA-256 of the chat template, and falls back to running that template itself.
        parity: do what the template does to the letter, with everything it drops, and let control strings in trusted
            text become control tokens.
        thinking_retention: whether a bridge extends past reasoning that the template would now strip: "all", not at
            a new user query ("tool_cycle"), or "template", never. Default: "all" if `renderer` is given, "auto"
            included, else "tool_cycle".
        preserve_all_thinking, preserve_thinking_between_tool_calls: also write past reasoning that the template
            would leave out.
        options: the family's own, named as in its template, such as ``enable_thinking``.

    Raises:
        BadOption: an unknown name or option, or a tokenizer without a template where one is needed.
        TokenizerMismatch: the tokenizer lacks control tokens of the format.
    """
    source = load(tokenizer)
    keep: Retention = (
        "all" if preserve_all_thinking else "tool_cycle" if preserve_thinking_between_tool_calls else "template"
    )
    policy = Policy(_checked("parity", parity, bool), keep)
    retention: Retention = "tool_cycle" if renderer is None else "all"
    if thinking_retention is not None:
        retention = _checked("thinking_retention", thinking_retention, Retention)
    if isinstance(renderer, Family):
        identity = Identity(renderer.name, source.name, "name", _digest(source))
        family: Family | None = _with_options(renderer, options)
    else:
        identity, family = _choose(source, renderer or "auto", options)
    logger.info("renderer %s for %s, chosen by %s", identity.name, identity.model, identity.chosen_by)
    if family is None:
        from ._plain import PlainRenderer

        return PlainRenderer(source, identity, options)
    return Renderer(family, source, policy=policy, thinking_retention=retention, identity=identity)


def _choose(source: Source, name: str, options: Mapping[str, Any]) -> tuple[Identity, Family | None]:
    """The format, and why it; no family where only the model's own template can serve."""
    from .families import families

    digest = _digest(source)
    known = families()
    if name not in (*known, "auto", _FALLBACK):
        raise BadOption(f"no renderer is named {name!r}; there are {', '.join(sorted([*known, 'auto', _FALLBACK]))}")
    if name in known:
        kind = known[name]
        defaults = kind.models.get(source.name or "") or kind.templates.get(digest or "") or {}
        return Identity(name, source.name, "name", digest), _with_options(kind(**defaults), options)
    if name == "auto":
        for kind in known.values():
            if source.name is not None and source.name in kind.models:
                identity = Identity(kind.name, source.name, "model id", digest, _difference(source.name, digest, kind))
                return identity, _with_options(kind(**kind.models[source.name]), options)
        for kind in known.values():
            if digest is not None and digest in kind.templates:
                return Identity(kind.name, source.name, "template", digest), _with_options(
                    kind(**kind.templates[digest]), options
                )
    if source.template is None:
        raise BadOption(
            f"cannot tell the chat format of {source.name or 'this tokenizer'}: no model id or template that is known; "
            f"name a renderer: {', '.join(sorted(known))}"
        )
    note = "not a known model or template: its own chat template is run, without masks, call parsing and bridges"
    return Identity(_FALLBACK, source.name, "fallback" if name == "auto" else "name", digest, note), None


def _difference(model: str | None, digest: str | None, family: type[Family]) -> str:
    """A warning where a known model comes with another template than the one its format reproduces."""
    if digest is None or digest in family.templates:
        return ""
    known = ", ".join(sha[:12] for sha in family.templates)
    note = (
        f"{model} is rendered as {family.name}, but its chat template (SHA-256 {digest[:12]}…) is none of those that "
        f"this format reproduces ({known})"
    )
    warnings.warn(note, RenderersWarning, stacklevel=4)
    return note


def _digest(source: Source) -> str | None:
    return None if source.template is None else hashlib.sha256(source.template.encode()).hexdigest()


def _with_options(family: Family, options: Mapping[str, Any]) -> Family:
    """A family with other options, checked against their declared types."""
    kind = type(family)
    hints = typing.get_type_hints(kind)
    names = [field.name for field in fields(kind)]
    for name, value in options.items():
        if name not in names:
            offered = f"it has {', '.join(names)}" if names else "it has none"
            raise BadOption(f"the {kind.name} renderer has no option {name!r}; {offered}")
        _checked(name, value, hints[name])
    return replace(family, **options)


def _checked(name: str, value: Any, annotation: Any) -> Any:
    """The value, if its declared type admits it."""
    if typing.get_origin(annotation) is Literal:
        fine, wanted = value in typing.get_args(annotation), " or ".join(map(repr, typing.get_args(annotation)))
    else:
        kinds = typing.get_args(annotation) or (annotation,)
        fine, wanted = type(value) in kinds, " or ".join(kind.__name__ for kind in kinds)
    if not fine:
        raise BadOption(f"{name} must be {wanted}, not {value!r}")
    return value

"""Choosing a renderer: by name, by exact model id, by the hash of the chat template, or the model's own template."""

from __future__ import annotations

import hashlib
import logging
import typing
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Literal

from ._errors import BadOption, RenderersWarning
from ._family import Family
from ._messages import PLAIN_POLICY, Policy, Retention
from ._renderer import Identity
from ._tokenizers import Source, load

logger = logging.getLogger("renderers")

FALLBACK = "default"
"""The name of the renderer that runs a template nobody wrote a family for."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything a renderer is made of.

    Attributes:
        family: the format, or None where only the model's own template can serve, which then takes `options`.
    """

    source: Source
    identity: Identity
    family: Family | None
    policy: Policy
    thinking_retention: Retention
    options: Mapping[str, Any]


def plan(
    tokenizer: Any,
    renderer: str | Family,
    options: Mapping[str, Any],
    *,
    parity: bool = False,
    use_patched: bool = False,
    thinking_retention: Retention = "tool_cycle",
    preserve_all_thinking: bool = False,
    preserve_thinking_between_tool_calls: bool = False,
) -> Plan:
    """Choose the format for a tokenizer, and check every option. See `renderers.create_renderer`."""
    source = load(tokenizer)
    if parity and use_patched:
        raise BadOption("parity and use_patched contradict each other; give one of them")
    patched = _checked("use_patched", use_patched, bool)
    keep: Retention = "template"
    if _checked("preserve_all_thinking", preserve_all_thinking, bool) or patched:
        keep = "all"
    elif _checked("preserve_thinking_between_tool_calls", preserve_thinking_between_tool_calls, bool):
        keep = "tool_cycle"
    policy = Policy(_checked("parity", parity, bool), keep, patched)
    retention = _checked("thinking_retention", thinking_retention, Retention)
    if isinstance(renderer, Family):
        identity = Identity(renderer.name, source.name, "name", _digest(source))
        family: Family | None = _with_options(renderer, options)
    else:
        identity, family = _choose(source, renderer, options)
    logger.info("renderer %s for %s, chosen by %s", identity.name, identity.model, identity.chosen_by)
    if family is None and policy != PLAIN_POLICY:
        raise BadOption(
            "parity, use_patched and preserve_* need a renderer that knows the format; this template is run as it is"
        )
    return Plan(source, identity, family, policy, retention, options)


def _choose(source: Source, name: str, options: Mapping[str, Any]) -> tuple[Identity, Family | None]:
    """The format, and why it; no family where only the model's own template can serve."""
    from .families import families, named, own_families

    digest = _digest(source)
    if name not in ("auto", FALLBACK):
        kind = named(name)
        if kind is None:
            offered = ", ".join(sorted([*families(), "auto", FALLBACK]))
            raise BadOption(f"no renderer is named {name!r}; there are {offered}")
        defaults = kind.models.get(source.name or "") or kind.templates.get(digest or "") or {}
        return Identity(kind.name, source.name, "name", digest), _with_options(kind(**defaults), options)
    for known in (own_families, families) if name == "auto" else ():  # other people's only where ours do not know it
        for kind in known().values():
            if source.name is not None and source.name in kind.models:
                identity = Identity(kind.name, source.name, "model id", digest, _difference(source.name, digest, kind))
                return identity, _with_options(kind(**kind.models[source.name]), options)
        for kind in known().values():
            if digest is not None and digest in kind.templates:
                return Identity(kind.name, source.name, "template", digest), _with_options(
                    kind(**kind.templates[digest]), options
                )
    if source.template is None:
        raise BadOption(
            f"cannot tell the chat format of {source.name or 'this tokenizer'}: no model id or template that is known; "
            f"name a renderer: {', '.join(sorted(families()))}"
        )
    note = "not a known model or template: its own chat template is run, without masks, call parsing and bridges"
    return Identity(FALLBACK, source.name, "fallback" if name == "auto" else "name", digest, note), None


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
    for name in options:
        if name not in names:
            offered = f"it has {', '.join(names)}" if names else "it has none"
            raise BadOption(f"the {kind.name} renderer has no option {name!r}; {offered}")
    made = replace(family, **options)
    for name in names:
        _checked(name, getattr(made, name), hints[name])
    return made


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

"""Options that decide what becomes of past reasoning, and a policy for bridges given beside them."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from typing import Any

from .._derive import USER, Probes, probe_turn
from .._errors import BadOption
from .._family import Family
from .._messages import PLAIN_POLICY, Retention

_NO_CONTROLS = re.compile("(?!)")


def refuse_contradiction(family: type[Family], given: Mapping[str, Any], retention: Retention | None) -> None:
    """Raise `BadOption` for an option that strips or keeps past reasoning beside a retention that says otherwise."""
    if retention is None:
        return
    usual = family()
    for name in sorted(given.keys() & _history_options(usual)):
        if given[name] is None:
            continue
        strips = _strips_reasoning(dataclasses.replace(usual, **{name: given[name]}))
        if (retention == "all") == strips:
            implied = "tool_cycle" if strips else "all"
            raise BadOption(
                f"{name}={given[name]!r} means thinking_retention={implied!r}, which contradicts "
                f"thinking_retention={retention!r}"
            )


def _history_options(usual: Family) -> set[str]:
    """The options that decide whether past reasoning stays, found by turning each."""
    strips = _strips_reasoning(usual)
    flags = [field.name for field in dataclasses.fields(usual) if isinstance(field.default, bool)]
    turned = {name: dataclasses.replace(usual, **{name: not getattr(usual, name)}) for name in flags}
    return {name for name, other in turned.items() if _strips_reasoning(other) != strips}


def _strips_reasoning(family: Family) -> bool:
    return Probes(family, _NO_CONTROLS, PLAIN_POLICY).strips_reasoning([probe_turn(USER)], 0)

"""The table of formats is whole, and agrees with what the generator of conversations knows."""

from __future__ import annotations

import pytest

from tests.conversations import RULES
from tests.formats import FORMATS
from tests.harness import NAMES


def test_every_oracle_has_a_format() -> None:
    """No format is left out of the tests that read the table."""
    assert set(FORMATS) == set(NAMES) == set(RULES)


@pytest.mark.parametrize("key", FORMATS)
def test_the_table_and_the_rules_agree(key: str) -> None:
    """What both say by hand is the same."""
    form, rules = FORMATS[key], RULES[key]
    assert form.reasons == rules.reasoning
    assert form.prints_tools == rules.tools
    assert (form.given == "string") == (rules.arguments == ("string",))
    assert form.given == "any" or rules.arguments == (form.given,)
    assert (rules.switch == "thinking") <= bool(form.option)

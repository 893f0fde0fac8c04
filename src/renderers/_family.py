"""What a family is: the options of one model's format, how it is written, and a table of how it is read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from ._messages import Conversation
from ._reply import Reply
from ._writer import Writer


def own(default: Any) -> Any:
    """The default of an option that is not the template's but ours."""
    return field(default=default, metadata={"not_in_template": True})


@dataclass(frozen=True)
class Family:
    """One model's chat format. Subclasses are frozen dataclasses whose fields are the template's own options, and some
    of ours (`own`).

    Attributes:
        name: what `create_renderer` and the docs call it.
        models: exact model ids that ship this format, with the options that differ for them.
        templates: SHA-256 of the chat templates it reproduces, with the options that differ for them.
        reply: how the model writes its turn.
        message_keys: keys of a message it reads beyond the usual ones.
        part_kinds: types of content parts it writes.
    """

    name: ClassVar[str]
    models: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    templates: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    reply: ClassVar[Reply]
    message_keys: ClassVar[frozenset[str]] = frozenset()
    part_kinds: ClassVar[frozenset[str]] = frozenset({"text"})

    def opening(self, conv: Conversation, out: Writer) -> None:
        """Write what stands before the first message."""

    def turn(self, conv: Conversation, i: int, out: Writer) -> None:
        """Write message `i`."""
        raise NotImplementedError

    def ending(self, conv: Conversation, out: Writer) -> None:
        """Write what stands after the last message: the generation prompt, if `conv.prompting`."""
        raise NotImplementedError

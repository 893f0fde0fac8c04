"""Results as older callers store them: dataclasses of plain values, and calls that read like dicts too."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, cast

from .. import _parsed, _rendered
from .._calls import ToolCallParseStatus
from .._rendered import Bools, Ints, ReadsLikeIds, Span
from .._writer import Field

_LISTS = ("token_ids", "message_indices", "sampled_mask", "is_content", "message_roles", "message_tool_names")
_ARRAYS = "_arrays"


@dataclass(eq=False)
class RenderedTokens(ReadsLikeIds):
    """Token ids and, for each, whose they are. A dataclass of lists, which are made when first read.

    Reads like the list of its ids. All vectors have one entry a token, or are empty when unknown. In the result of a
    bridge, indices and roles are relative to the new messages, and the carried prefix belongs to no message.

    Attributes:
        token_ids: the ids.
        message_indices: index of the message of each token, -1 for none.
        sampled_mask: the model itself would have produced the token.
        is_content: the token is somebody's words in a message, not the format's scaffold.
        message_roles: role of each message.
        message_tool_names: per message, the tool a result came from, else None.
        multi_modal_data: payloads and placeholder ranges of pictures, where there are any.
    """

    token_ids: list[int] = field(default_factory=list)
    message_indices: list[int] = field(default_factory=list)
    sampled_mask: list[bool] = field(default_factory=list)
    is_content: list[bool] = field(default_factory=list)
    message_roles: list[str] = field(default_factory=list)
    message_tool_names: list[str | None] = field(default_factory=list)
    multi_modal_data: Any = None

    @classmethod
    def of(cls, rendered: _rendered.RenderedTokens) -> RenderedTokens:
        """What the engine rendered, no list made yet."""
        made = cls.__new__(cls)
        made.__dict__.update({_ARRAYS: rendered, "multi_modal_data": rendered.multi_modal_data})
        return made

    def __getattr__(self, name: str) -> Any:
        if name not in _LISTS or _ARRAYS not in self.__dict__:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        value = self.__dict__[name] = list(getattr(self.__dict__[_ARRAYS], name))
        return value

    def __setattr__(self, name: str, value: Any) -> None:
        if name in _LISTS and _ARRAYS in self.__dict__:  # from here on the lists are what counts
            for each in _LISTS:
                getattr(self, each)
            del self.__dict__[_ARRAYS]
        self.__dict__[name] = value

    @property
    def arrays(self) -> _rendered.RenderedTokens:
        """The same as arrays."""
        if _ARRAYS in self.__dict__:
            arrays: _rendered.RenderedTokens = self.__dict__[_ARRAYS]
            return arrays
        fields = [Field.CONTENT if content else Field.FRAME for content in self.is_content]
        return _rendered.RenderedTokens(
            self.token_ids,
            self.message_indices,
            self.multi_modal_data,
            self.sampled_mask,
            fields,
            self.message_roles,
            self.message_tool_names,
        )

    @property
    def ids(self) -> Ints:
        """int32 array of the ids."""
        return self.arrays.ids

    @property
    def messages(self) -> Ints:
        """int32 array, message of each token."""
        return self.arrays.messages

    @property
    def sampled(self) -> Bools:
        """Bool array, the model itself would have produced the token."""
        return self.arrays.sampled

    @property
    def content(self) -> Bools:
        """Bool array, somebody's words in a message."""
        return self.arrays.content

    @property
    def fields(self) -> Any:
        """uint8 array of `Field` values."""
        return self.arrays.fields

    @property
    def prefix_length(self) -> int:
        """How many tokens a bridge carried over unchanged (0 for a render)."""
        return self.arrays.prefix_length

    def field_of(self, k: int) -> Field:
        """The field token `k` belongs to."""
        return self.arrays.field_of(k)

    def tokens_per_message(self, n_messages: int | None = None, *, sampled_only: bool = False) -> list[int]:
        """Token count of each message; all zeros for `sampled_only` where nothing is known of sampling."""
        return self.arrays.tokens_per_message(n_messages, sampled_only=sampled_only)

    def message_token_spans(self) -> list[Span | None]:
        """Per message the outermost half-open span of its tokens, or None."""
        return self.arrays.message_token_spans()

    def role_token_spans(self) -> dict[str, list[Span]]:
        """Role → the spans of its tokens, neighbours merged."""
        return self.arrays.role_token_spans()

    def content_token_spans_by_role(self) -> dict[str, list[Span]]:
        """Role → the spans of its content tokens."""
        return self.arrays.content_token_spans_by_role()

    def tokens_by_role(self, *, sampled_only: bool = False) -> dict[str, int]:
        """Role → token count."""
        return self.arrays.tokens_by_role(sampled_only=sampled_only)

    def content_mask_for_roles(self, roles: Iterable[str]) -> list[bool]:
        """One bool a token: content of a message with one of these roles."""
        return self.arrays.content_mask_for_roles(set(roles))

    def __len__(self) -> int:
        return len(self.token_ids) if "token_ids" in self.__dict__ else len(self.arrays)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, list):
            return self.token_ids == other
        return self.arrays == other.arrays if isinstance(other, RenderedTokens) else NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return repr(self.arrays)


@dataclass(eq=False)
class ParsedToolCall(dict[str, Any]):
    """One call of a reply: attributes, and the older dict ``{"function": {"name", "arguments"}}`` at once.

    Attributes:
        raw: the text of the call as sampled, without its opening and closing tokens.
        name: the tool, or None where it could not be read.
        arguments: values as a mapping; a text where the model wrote one or Python cannot hold the value.
        token_span: half-open span of the call in the parsed ids, opening and closing tokens included.
        status: OK, or what is wrong with it.
        id: the call's id where the format has one.
        json_text: the arguments verbatim, for formats that write them as JSON.
    """

    raw: str
    name: str | None = None
    arguments: dict[str, Any] | str | None = None
    token_span: tuple[int, int] | None = None
    status: ToolCallParseStatus = ToolCallParseStatus.OK
    id: str | None = None
    json_text: str | None = None

    def __post_init__(self) -> None:
        super().__init__(function={"name": self.name, "arguments": self.arguments})
        if self.id is not None:
            self["id"] = self.id

    def __eq__(self, other: object) -> bool:
        if isinstance(other, ParsedToolCall):
            return self.__dict__ == other.__dict__
        return dict.__eq__(self, other)

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = None


CALL_TYPE = cast("type[_parsed.ParsedToolCall]", ParsedToolCall)
"""The same for the engine's reader, which asks for the attributes alone."""

"""The result of a render: token ids and, for each, whose they are. Arrays inside, lists on demand."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, cast, overload

import numpy as np
import numpy.typing as npt

from ._messages import NONE
from ._writer import Field

Ints = npt.NDArray[np.int32]
Bools = npt.NDArray[np.bool_]
Span = tuple[int, int]


class ReadsLikeIds:
    """Something with `token_ids` that reads like the list of them."""

    __slots__ = ()

    if TYPE_CHECKING:

        @property
        def token_ids(self) -> list[int]: ...

    def __iter__(self) -> Iterator[int]:
        return iter(self.token_ids)

    @overload
    def __getitem__(self, index: int) -> int: ...
    @overload
    def __getitem__(self, index: slice) -> list[int]: ...
    def __getitem__(self, index: int | slice) -> int | list[int]:
        return self.token_ids[index]

    def __add__(self, other: Sequence[int]) -> list[int]:
        return [*self.token_ids, *other]

    def __radd__(self, other: Sequence[int]) -> list[int]:
        return [*other, *self.token_ids]


class RenderedTokens(ReadsLikeIds):
    """Token ids with attribution; reads like the list of its ids.

    All vectors have one entry a token, or are empty when unknown. In the result of a bridge, indices and
    roles are relative to the new messages, and the carried prefix belongs to no message.

    Attributes:
        ids: int32 array.
        messages: int32 array, index of the message of each token, -1 for none.
        fields: uint8 array of `Field` values: content, reasoning, call arguments, frame, …
        sampled: bool array, the model itself would have produced the token.
        message_roles: role of each message.
        message_tool_names: per message, the tool a result came from, else None.
        multi_modal_data: payloads and placeholder ranges of pictures, where there are any.
        mm_token_type_ids: 0 text, 1 image, 2 video per token, where there is media.
        prefix_length: how many tokens a bridge carried over unchanged (0 for a render).
    """

    __slots__ = (
        "_array",
        "_list",
        "fields",
        "message_roles",
        "message_tool_names",
        "messages",
        "mm_token_type_ids",
        "multi_modal_data",
        "prefix_length",
        "sampled",
    )

    def __init__(
        self,
        token_ids: Sequence[int] | Ints = (),
        message_indices: Sequence[int] | Ints = (),
        multi_modal_data: Any = None,
        sampled_mask: Sequence[bool] | Bools = (),
        fields: Sequence[int] | npt.NDArray[np.uint8] = (),
        message_roles: Sequence[str] = (),
        message_tool_names: Sequence[str | None] = (),
        mm_token_type_ids: Sequence[int] | None = None,
        prefix_length: int = 0,
    ) -> None:
        self._array: Ints | None = token_ids if isinstance(token_ids, np.ndarray) else None
        self._list: list[int] | None = None if isinstance(token_ids, np.ndarray) else list(token_ids)
        self.messages: Ints = np.asarray(message_indices, dtype=np.int32)
        self.sampled: Bools = np.asarray(sampled_mask, dtype=np.bool_)
        self.fields: npt.NDArray[np.uint8] = np.asarray(fields, dtype=np.uint8)
        self.message_roles = list(message_roles)
        self.message_tool_names = list(message_tool_names)
        self.multi_modal_data = multi_modal_data
        self.mm_token_type_ids = mm_token_type_ids
        self.prefix_length = prefix_length

    @property
    def ids(self) -> Ints:
        if self._array is None:
            self._array = np.asarray(self._list, dtype=np.int32)
        return self._array

    @property
    def token_ids(self) -> list[int]:
        """The ids as a list, made at the first use."""
        if self._list is None:
            self._list = self.ids.tolist()
        return self._list

    @property
    def message_indices(self) -> list[int]:
        return cast("list[int]", self.messages.tolist())

    @property
    def sampled_mask(self) -> list[bool]:
        return cast("list[bool]", self.sampled.tolist())

    @property
    def content(self) -> Bools:
        """Bool array: the token is somebody's words in a message, not the format's scaffold."""
        if not len(self.fields):
            return np.zeros(0, dtype=np.bool_)
        return cast(Bools, (self.fields != Field.FRAME) & (self.messages != NONE))

    @property
    def is_content(self) -> list[bool]:
        return cast("list[bool]", self.content.tolist())

    def field_of(self, k: int) -> Field:
        """The field token `k` belongs to."""
        return Field(int(self.fields[k]))

    def __len__(self) -> int:
        return len(self._array) if self._array is not None else len(self._list or ())

    def __eq__(self, other: object) -> bool:
        if isinstance(other, list):
            return self.token_ids == other
        if not isinstance(other, RenderedTokens):
            return NotImplemented
        ours, theirs = (
            (r.token_ids, r.message_indices, r.sampled_mask, r.fields.tolist(), r.message_roles, r.message_tool_names)
            for r in (self, other)
        )
        return ours == theirs

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return (
            f"RenderedTokens({len(self)} tokens, {len(self.message_roles)} messages, {int(self.sampled.sum())} sampled)"
        )

    # ---- spans and counts -------------------------------------------------------------------

    def tokens_per_message(self, n_messages: int | None = None, *, sampled_only: bool = False) -> list[int]:
        """Token count of each message; all zeros for `sampled_only` where nothing is known of sampling."""
        n = len(self.message_roles)
        if n_messages is not None:
            n = min(n, n_messages) if self.message_roles else n_messages
        if sampled_only and not len(self.sampled):
            return [0] * n
        chosen = self.messages[self.sampled] if sampled_only else self.messages
        counts = np.bincount(chosen[chosen >= 0], minlength=n)[:n]
        return [int(count) for count in counts]

    def message_token_spans(self) -> list[Span | None]:
        """Per message the outermost half-open span of its tokens, or None."""
        spans: list[Span | None] = []
        for i in range(len(self.message_roles) or int(self.messages.max(initial=NONE)) + 1):
            at = np.flatnonzero(self.messages == i)
            spans.append((int(at[0]), int(at[-1]) + 1) if len(at) else None)
        return spans

    def role_token_spans(self) -> dict[str, list[Span]]:
        """Role → the spans of its tokens, neighbours merged."""
        return self._spans_by_role(np.ones(len(self.messages), dtype=np.bool_))

    def content_token_spans_by_role(self) -> dict[str, list[Span]]:
        """Role → the spans of its content tokens."""
        return self._spans_by_role(self._words)

    def tokens_by_role(self, *, sampled_only: bool = False) -> dict[str, int]:
        """Role → token count."""
        counts: dict[str, int] = {}
        for role, n in zip(self.message_roles, self.tokens_per_message(sampled_only=sampled_only), strict=True):
            counts[role] = counts.get(role, 0) + n
        return counts

    def content_mask_for_roles(self, roles: Sequence[str] | set[str]) -> list[bool]:
        """One bool a token: content of a message with one of these roles."""
        return cast("list[bool]", (self._of_roles(lambda role: role in roles) & self._words).tolist())

    @property
    def _words(self) -> Bools:
        """As `content`, with as many entries as `messages` where nothing is known of words."""
        return self.content if len(self.fields) else np.zeros(len(self.messages), dtype=np.bool_)

    def _of_roles(self, wanted: Callable[[str], bool]) -> Bools:
        # One entry more, found by index -1: tokens of no message, or of one whose role is not known.
        known = np.where(self.messages < len(self.message_roles), self.messages, NONE)
        return np.array([*map(wanted, self.message_roles), False], dtype=np.bool_)[known]

    def _spans_by_role(self, among: Bools) -> dict[str, list[Span]]:
        spans = {}
        for role in dict.fromkeys(self.message_roles):
            mask = self._of_roles(role.__eq__) & among
            edges = np.flatnonzero(np.diff(mask, prepend=False, append=False))
            if len(edges):
                spans[role] = [(int(a), int(b)) for a, b in edges.reshape(-1, 2)]
        return spans


def plain_ids(ids: Iterable[Any]) -> list[int]:
    """Token ids as Python integers, from lists, arrays and tensors."""
    tolist = getattr(ids, "tolist", None)
    return tolist() if callable(tolist) else list(ids)

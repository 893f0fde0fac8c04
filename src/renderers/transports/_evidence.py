"""Reading what proves a completion: ids, log-probabilities bound to them, routed experts.

Every function takes the value and its path in the answer, and raises MalformedGenerateResponseError.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from . import MalformedGenerateResponseError

_NO_EVIDENCE = -9999.0  # what vLLM writes for a log-probability that is not finite


def read_ids(ids: Any, path: str) -> list[int]:
    """A list of token ids."""
    if not isinstance(ids, list) or not all(type(token) is int and token >= 0 for token in ids):
        raise MalformedGenerateResponseError(f"{path} is not a list of token ids")
    return ids


def read_logprob(value: Any, path: str) -> float:
    """A log-probability that was really measured."""
    if type(value) not in (int, float) or not math.isfinite(value) or value == _NO_EVIDENCE:
        raise MalformedGenerateResponseError(f"{path} is no log-probability: {value!r:.200}")
    return float(value)


def read_rows(logprobs: Any, ids: Sequence[int], path: str) -> list[float]:
    """The log-probability of each id, from rows that name their id: ``token_id: 7`` or ``token: "token_id:7"``.

    vLLM wrote the second up to 0.31, Dynamo writes either.
    """
    rows = logprobs.get("content") if isinstance(logprobs, Mapping) else None
    if not isinstance(rows, list):
        raise MalformedGenerateResponseError(f"{path}.content is missing; were log-probabilities asked for?")
    if len(rows) != len(ids):
        raise MalformedGenerateResponseError(f"{path}.content has {len(rows)} rows for {len(ids)} token ids")
    values = []
    for i, (row, token) in enumerate(zip(rows, ids, strict=True)):
        bound = isinstance(row, Mapping) and (row.get("token_id") == token or row.get("token") == f"token_id:{token}")
        if not bound:
            raise MalformedGenerateResponseError(f"{path}.content[{i}] is not bound to token id {token}: {row!r:.200}")
        values.append(read_logprob(row.get("logprob"), f"{path}.content[{i}].logprob"))
    return values


def read_routed_experts(payload: Any, path: str) -> dict[str, Any] | None:
    """`{data, shape, start, dtype}`, also from plain vLLM's base64 of a ``.npy`` file; `data` stays undecoded."""
    if payload is None:
        return None
    if isinstance(payload, str):
        payload = _from_npy(payload, path)
    if not isinstance(payload, Mapping) or payload.get("data") is None or not isinstance(payload.get("shape"), list):
        raise MalformedGenerateResponseError(f"{path} has no data and shape")
    return {**payload, "start": payload.get("start") or 0, "dtype": payload.get("dtype") or "uint8"}


def _from_npy(text: str, path: str) -> dict[str, Any]:
    import base64
    import io

    import numpy as np

    try:
        array = np.load(io.BytesIO(base64.b64decode(text, validate=True)), allow_pickle=False)
        assert isinstance(array, np.ndarray)
    except Exception as error:
        raise MalformedGenerateResponseError(f"{path} is not an array: {error}") from error
    return {
        "data": base64.b64encode(np.ascontiguousarray(array).tobytes()).decode(),
        "shape": list(array.shape),
        "dtype": str(array.dtype),
    }

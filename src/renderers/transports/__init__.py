"""Token ids to an inference engine and back, without I/O: one module an engine.

A module here is pure functions over JSON-like values, so any HTTP client can carry them:

    route(base_url)       the URL to POST to
    request(...)          the body
    response(body)        the answer as an `Answer`; MalformedGenerateResponseError where it proves nothing
    advice(status, body)  what to do about a refused route, for people, or None

What all engines share stands in this file: the answer's shape, and how each engine says that a prompt is too long.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .._errors import MalformedGenerateResponseError, OverlongPromptError, ServerError


@dataclass(slots=True)
class Choice:
    """One sampled completion.

    Attributes:
        token_ids: the sampled ids, the stop token included.
        logprobs: one a token, each bound to its id by the engine.
        finish_reason: the engine's: "stop", "length", "abort" or None.
        routed_experts: `data` (base64 of an array), `shape`, `start`, `dtype`; or None.
        sampling_mask: per token the ids that survived the sampling filters, or None.
    """

    token_ids: list[int]
    logprobs: list[float]
    finish_reason: str | None = None
    routed_experts: dict[str, Any] | None = None
    sampling_mask: list[list[int]] | None = None


@dataclass(slots=True)
class Answer:
    """What an engine answered to one request.

    Attributes:
        request_id: the engine's name for the request, empty where it gives none.
        choices: at least one, in the order of their index.
        usage: the engine's token counts, or None.
        prompt_ids: the prompt the engine really used, where it says so (it expands media), else None.
        mm_placeholders: modality → `{offset, length}` of the media in `prompt_ids`, or None.
    """

    request_id: str
    choices: list[Choice]
    usage: dict[str, Any] | None = None
    prompt_ids: list[int] | None = None
    mm_placeholders: dict[str, list[dict[str, int]]] | None = None


__all__ = ["Answer", "Choice", "MalformedGenerateResponseError", "OverlongPromptError", "ServerError", "overflow"]

_OVERFLOWS = tuple(
    re.compile(pattern)
    for pattern in (
        r"longer than the maximum model length of (\d+)",  # vLLM, generate
        r"maximum context length is (\d+)",  # vLLM, OpenAI routes
        r"exceeds the model's maximum context length of (\d+)",  # SGLang, prompt and completion
        r"longer than the model's context length \((\d+)",  # SGLang, prompt
        r"exceeds the available context size \((\d+)",  # llama.cpp
    )
)


def overflow(status: int, body: Any, prompt_len: int, max_tokens: Any = None) -> OverlongPromptError | None:
    """The error an engine meant if it refused a prompt for its length, else None.

    Args:
        body: the error body, with or without its envelope `error`.
        prompt_len: tokens of the prompt that was sent.
        max_tokens: what was asked for; with more than 0, vLLM's complaint about 0 is an overflow too.
    """
    if status != 400:
        return None
    error = body.get("error", body) if isinstance(body, Mapping) else body
    fields: Mapping[str, Any] = error if isinstance(error, Mapping) else {}
    text = str(fields.get("message") or "") if fields else str(error)
    if match := next(filter(None, (pattern.search(text) for pattern in _OVERFLOWS)), None):
        return OverlongPromptError(prompt_len=prompt_len, max_prompt_len=int(match[1]))
    details = fields.get("details")
    if isinstance(details, Mapping) and details.get("type") == "context_length":  # Dynamo
        limit = details.get("limit")
        return OverlongPromptError(prompt_len=prompt_len, max_prompt_len=limit if isinstance(limit, int) else None)
    if (
        fields.get("code") == "context_length_exceeded"
        or fields.get("type") == "exceed_context_size_error"
        or fields.get("param") == "input_tokens"
    ):
        return OverlongPromptError(prompt_len=prompt_len, max_prompt_len=None)
    if max_tokens != 0 and "max_tokens must be at least 1, got 0" in text:
        return OverlongPromptError(prompt_len=prompt_len, max_prompt_len=prompt_len)
    return None

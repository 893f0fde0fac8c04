"""`generate`: messages or ids to a running engine, its sampled ids back as a message, with the evidence.

The I/O around `renderers.transports`. It goes through the caller's own `openai.AsyncOpenAI` client, so
importing this module needs neither openai nor an HTTP library.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from ._calls import ToolCallParseStatus
from ._rendered import plain_ids
from .transports import (
    Answer,
    Choice,
    MalformedGenerateResponseError,
    OverlongPromptError,
    ServerError,
    dynamo,
    overflow,
    vllm,
)

__all__ = ["MalformedGenerateResponseError", "OverlongPromptError", "ServerError", "generate"]

_T = TypeVar("_T")
_log = logging.getLogger(__name__)

_TRANSPORTS: dict[str, Any] = {"vllm_generate": vllm, "dynamo_chat": dynamo}
_PREFLIGHT_SECONDS = 10.0

# Base URL and model → limit. Plain values, good for every event loop; a question that failed is asked again.
_limits: dict[tuple[str, str], int | None] = {}
# The questions under way, per event loop and client: a task belongs to its loop, and ends with its client.
_asking: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[tuple[int, str], asyncio.Task[int | None]]] = (
    WeakKeyDictionary()
)


async def generate(
    *,
    client: Any,
    renderer: Any,
    messages: Sequence[Mapping[str, Any]],
    model: str,
    prompt_ids: Sequence[int] | None = None,
    prompt_attribution: Any = None,
    multi_modal_data: Any = None,
    tools: Any = None,
    sampling_params: Mapping[str, Any] | None = None,
    cache_salt: str | None = None,
    priority: int | None = None,
    extra_headers: Mapping[str, str] | None = None,
    max_prompt_len: int | None = None,
    process_multimodal: bool = True,
    transport: str = "vllm_generate",
) -> dict[str, Any]:
    """One completion of a conversation, sampled by a running engine.

    Args:
        client: an `openai.AsyncOpenAI` on the engine's base URL; every request goes through its connection.
        renderer: a renderer, a pool of them, or anything with `render`, `parse_response` and
            `get_stop_token_ids`. With `prompt_ids` it is used for stop ids and parsing only.
        messages: the conversation; read where there are no `prompt_ids`.
        prompt_ids: the rendered prompt, sent as it is.
        prompt_attribution: what `prompt_ids` came from; handed back in the result.
        sampling_params: the engine's own names; `stop_token_ids` are joined with the renderer's.
        max_prompt_len: longest prompt to send; None asks the engine's model list.
        process_multimodal: False lets the engine load the pictures; the renderer must support it.
        transport: which of the engine's routes to use.

    Returns:
        A dict whose lists are the caller's own: request_id, prompt_ids, renderer_prompt_ids (None unless the
        engine expanded the prompt), prompt_attribution, completion_ids, completion_logprobs, content,
        reasoning_content, reasoning_complete, tool_calls, finish_reason, usage, routed_experts, sampling_mask,
        multi_modal_data, mm_placeholders. Where the engine gave several choices these are the first one's, and
        `choices` holds such a dict for each.

    Raises:
        OverlongPromptError: the prompt is longer than the limit, or the engine refused it for its length.
        MalformedGenerateResponseError: the log-probabilities do not prove the ids.
        ValueError: tools for a renderer that cannot declare them, or an unknown transport.
        NotImplementedError: media this package cannot send.
        openai.APIError: every other failure of the request.
    """
    if transport not in _TRANSPORTS:
        raise ValueError(f"unknown transport {transport!r}; there are: {', '.join(sorted(_TRANSPORTS))}")
    wire = _TRANSPORTS[transport]
    if tools and getattr(renderer, "supports_tools", True) is False:
        raise ValueError(f"{type(renderer).__name__} cannot declare tools in its prompt; leave `tools` out")
    media: dict[str, Any] = {}
    if not process_multimodal:
        if not getattr(renderer, "supports_process_multimodal", False):
            raise NotImplementedError(f"{type(renderer).__name__} does not support process_multimodal=False")
        media["process_multimodal"] = False

    if prompt_ids is None:
        rendered = await asyncio.to_thread(
            lambda: renderer.render(messages, tools=tools, add_generation_prompt=True, **media)
        )
        prompt_ids, prompt_attribution = rendered.token_ids, rendered
        if multi_modal_data is None:
            multi_modal_data = getattr(rendered, "multi_modal_data", None)
    ids = [*plain_ids(prompt_ids)]
    if process_multimodal and _holds_media(multi_modal_data):
        raise NotImplementedError("processed media cannot be sent yet; use process_multimodal=False")

    if max_prompt_len is None:
        max_prompt_len = await _max_prompt_len(client, model)
    if max_prompt_len is not None and len(ids) > max_prompt_len:
        raise OverlongPromptError(prompt_len=len(ids), max_prompt_len=max_prompt_len)

    body = wire.request(
        model=model,
        token_ids=ids,
        stop_token_ids=renderer.get_stop_token_ids(),
        sampling_params=sampling_params,
        cache_salt=cache_salt,
        priority=priority,
        content_parts=None if process_multimodal else _content_parts(messages),
    )
    try:
        raw = await client.post(
            wire.route(str(client.base_url)), cast_to=str, body=body, options={"headers": dict(extra_headers or {})}
        )
    except Exception as error:
        meant = _meaning(error, wire.advice, len(ids), (sampling_params or {}).get("max_tokens"))
        if meant is None:
            raise
        raise meant from error

    def read() -> dict[str, Any]:
        answer = wire.response(_decoded(raw))
        results = [
            {
                **_completion(answer, choice, ids, renderer, tools),
                "multi_modal_data": multi_modal_data,
                "prompt_attribution": prompt_attribution,
            }
            for choice in answer.choices
        ]
        return results[0] if len(results) == 1 else {**results[0], "choices": results}

    # Megabytes of JSON and a long reply take longer than an event loop may stand still.
    return await asyncio.to_thread(read)


def _completion(answer: Answer, choice: Choice, ids: list[int], renderer: Any, tools: Any) -> dict[str, Any]:
    """One choice as a message, with its ids and evidence."""
    parsed = _parse(renderer, choice, ids, tools)
    calls = list(parsed.tool_calls or ())
    finish_reason = choice.finish_reason
    if finish_reason == "stop" and any(_status(call) == ToolCallParseStatus.OK for call in calls):
        finish_reason = "tool_calls"
    expanded = answer.prompt_ids is not None and answer.prompt_ids != ids
    return {
        "request_id": answer.request_id,
        "prompt_ids": list(answer.prompt_ids if expanded and answer.prompt_ids else ids),
        "renderer_prompt_ids": list(ids) if expanded else None,
        "completion_ids": choice.token_ids,
        "completion_logprobs": choice.logprobs,
        "content": parsed.content,
        "reasoning_content": parsed.reasoning_content,
        "reasoning_complete": getattr(parsed, "reasoning_complete", None),
        "tool_calls": calls,
        "finish_reason": finish_reason,
        "usage": answer.usage,
        "routed_experts": choice.routed_experts,
        "sampling_mask": choice.sampling_mask,
        "mm_placeholders": answer.mm_placeholders,
    }


def _parse(renderer: Any, choice: Choice, ids: list[int], tools: Any) -> Any:
    """The reply as a message; renderers of older make take the ids alone."""
    try:
        parameters = dict(inspect.signature(renderer.parse_response).parameters)
    except (TypeError, ValueError):
        parameters = {}
    takes_any = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())
    known = {"tools": tools, "prompt_ids": ids}
    keywords = {name: value for name, value in known.items() if takes_any or name in parameters}
    if "finish_reason" in parameters:
        keywords["finish_reason"] = choice.finish_reason
    # A copy: what the caller gets back must not be in anybody else's hands.
    return renderer.parse_response(list(choice.token_ids), **keywords)


def _status(call: Any) -> Any:
    """A call's status; calls of older make have none, and were only made of well-formed text."""
    # The attribute first: calls may also read as dicts that hold no status.
    if (status := getattr(call, "status", None)) is None and isinstance(call, Mapping):
        status = call.get("status")
    return ToolCallParseStatus.OK if status is None else status


def _decoded(raw: Any) -> Any:
    """The JSON of an answer, from its text, its bytes, or a response object that holds them."""
    raw = getattr(raw, "content", raw)
    if not isinstance(raw, (str, bytes, bytearray)):
        return raw
    try:
        return json.loads(raw)
    except ValueError as error:
        raise MalformedGenerateResponseError(f"the engine's answer is not JSON: {error}") from error


def _meaning(
    error: Any, advice: Callable[[int, Any], str | None], prompt_len: int, max_tokens: Any
) -> Exception | None:
    """The error to raise instead of one of openai's, where it can be told more clearly; its type stays if it can."""
    # By attribute, not by type: openai need not be importable here.
    status, body = getattr(error, "status_code", None), getattr(error, "body", None)
    if not isinstance(status, int):
        return None
    if overlong := overflow(status, body, prompt_len, max_tokens):
        return overlong
    if text := advice(status, body):
        explained: Exception = type(error)(f"{error} ({text})", response=error.response, body=body)
        return explained
    return None


async def _max_prompt_len(client: Any, model: str) -> int | None:
    """The `max_model_len` of the model's card, None where the server does not tell.

    Asked once for each server and model; callers at the same time share one question.
    """
    key = (str(client.base_url), model)
    if key in _limits:
        return _limits[key]
    asking = _asking.setdefault(asyncio.get_running_loop(), {})
    mine = (id(client), model)
    if mine not in asking:
        asking[mine] = asyncio.get_running_loop().create_task(_ask(client, key))
        asking[mine].add_done_callback(lambda _: asking.pop(mine))
    # Shielded: the caller who asked first may be cancelled while others wait.
    return await asyncio.shield(asking[mine])


async def _ask(client: Any, key: tuple[str, str]) -> int | None:
    try:
        options = {"timeout": _PREFLIGHT_SECONDS, "max_retries": 0}
        cards = _decoded(await client.get("/models", cast_to=str, options=options))["data"]
        card = next(card for card in cards if card["id"] == key[1])
    except Exception as error:
        _log.debug("the limit of %s at %s is unknown: %r", key[1], key[0], error)
        return None
    limit = card.get("max_model_len")
    _limits[key] = limit if type(limit) is int else None
    return _limits[key]


def _content_parts(messages: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The pictures of a conversation in order, for the engine to load."""
    parts = []
    for message in messages:
        content = message.get("content")
        for part in content if isinstance(content, list) else ():
            if not isinstance(part, Mapping) or part.get("type") not in ("image", "image_url"):
                continue
            source = part.get("image_url") or part.get("url") or part.get("image")
            url = source.get("url") if isinstance(source, Mapping) else source
            if not isinstance(url, str):
                raise NotImplementedError("with process_multimodal=False a picture must be given by its URL")
            parts.append({"type": "image_url", "url": url})
    return parts


def _holds_media(data: Any) -> bool:
    is_empty = getattr(data, "is_empty", None)
    return not is_empty() if callable(is_empty) else bool(data)


async def _maybe_offload(renderer: Any, work: Callable[[], _T]) -> _T:
    """What older callers import: run `work`, in a worker thread where the renderer is a pool."""
    return await asyncio.to_thread(work) if hasattr(renderer, "checkout") else work()

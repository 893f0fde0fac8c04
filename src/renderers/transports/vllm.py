"""vLLM's token-in/token-out route, ``/inference/v1/generate``.

Also served by Dynamo and by prime-rl's server.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from . import Answer, Choice, MalformedGenerateResponseError
from ._evidence import read_ids, read_routed_experts, read_rows

_ROUTE = "/inference/v1/generate"


def route(base_url: str) -> str:
    """The route's URL; it lies beside the OpenAI routes, not under ``/v1``."""
    return base_url.rstrip("/").removesuffix("/v1") + _ROUTE


def request(
    *,
    model: str,
    token_ids: Sequence[int],
    stop_token_ids: Sequence[int],
    sampling_params: Mapping[str, Any] | None = None,
    cache_salt: str | None = None,
    priority: int | None = None,
    content_parts: Sequence[Mapping[str, Any]] | None = None,
) -> dict[str, Any]:
    """The body to send.

    Args:
        stop_token_ids: the renderer's; added to those in `sampling_params`.
        sampling_params: vLLM's sampling parameters, sent as they are; None values count as not given.
        content_parts: media for the engine to load and expand, `{type, url}` each.
    """
    sampling = {key: value for key, value in (sampling_params or {}).items() if value is not None}
    sampling["stop_token_ids"] = list(dict.fromkeys([*sampling.get("stop_token_ids", ()), *stop_token_ids]))
    sampling.setdefault("logprobs", 1)
    sampling.setdefault("skip_special_tokens", False)
    body: dict[str, Any] = {"model": model, "token_ids": list(token_ids), "sampling_params": sampling}
    if cache_salt is not None:
        body["cache_salt"] = cache_salt
    if priority is not None:
        body["priority"] = priority
    if content_parts:
        # The engine expands the placeholders: only it knows the prompt that was used.
        body.update(content_parts=[dict(part) for part in content_parts], return_token_ids=True)
    return body


def response(body: Any) -> Answer:
    """The answer, every log-probability checked against its id.

    Raises:
        MalformedGenerateResponseError: ids or log-probabilities are missing, not numbers, of another length,
            not bound to their ids, or not finite.
    """
    choices = body.get("choices") if isinstance(body, Mapping) else None
    if not isinstance(choices, list) or not choices or not all(isinstance(choice, Mapping) for choice in choices):
        raise MalformedGenerateResponseError("the engine's answer has no choices")
    prompt_ids, usage = body.get("prompt_token_ids"), body.get("usage")
    return Answer(
        request_id=str(body.get("request_id") or ""),
        choices=[_choice(choice, f"choices[{i}]") for i, choice in enumerate(_ordered(choices))],
        usage=dict(usage) if isinstance(usage, Mapping) else None,
        prompt_ids=None if prompt_ids is None else read_ids(prompt_ids, "prompt_token_ids"),
        mm_placeholders=body.get("mm_placeholders"),
    )


def advice(status: int, body: Any) -> str | None:
    """What to do where the server refuses the route; None where something else is the matter."""
    about_model = isinstance(body, Mapping) and body.get("param") == "model"
    if status not in (403, 404) or about_model:
        return None
    return (
        f"{_ROUTE} is refused or missing here: since 0.30 vLLM serves it only when started with --enable-scale-out; "
        "Dynamo needs DYN_VLLM_ENABLE_INFERENCE_V1_GENERATE=1"
    )


def _ordered(choices: list[Any]) -> list[Any]:
    return sorted(choices, key=lambda choice: choice["index"] if isinstance(choice.get("index"), int) else 0)


def _choice(choice: Mapping[str, Any], path: str) -> Choice:
    ids = read_ids(choice.get("token_ids"), f"{path}.token_ids")
    return Choice(
        token_ids=ids,
        logprobs=read_rows(choice.get("logprobs"), ids, f"{path}.logprobs"),
        finish_reason=choice.get("finish_reason"),
        routed_experts=read_routed_experts(choice.get("routed_experts"), f"{path}.routed_experts"),
        sampling_mask=choice.get("sampling_mask"),
    )

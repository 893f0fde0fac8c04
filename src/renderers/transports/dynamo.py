"""NVIDIA Dynamo's chat route with token ids in and out, through its ``nvext`` fields."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from . import Answer, Choice, MalformedGenerateResponseError
from ._evidence import read_ids, read_logprob, read_routed_experts, read_rows

# The route refuses a request without messages, and renders none of them when it is given ids.
_PLACEHOLDER = [{"role": "user", "content": "(token-in mode)"}]
# Asked of other routes; Dynamo answers 400 to root keys it does not know.
_UNKNOWN = (
    "return_token_ids",
    "return_tokens_as_token_ids",
    "spaces_between_special_tokens",
    "priority",
    "routed_experts_prompt_start",
)
# Workers differ: the mocker gives no engine_data, others no log-probabilities outside it.
_EXTRA_FIELDS = ("engine_data", "completion_token_ids")


def route(base_url: str) -> str:
    """The route's URL."""
    return base_url.rstrip("/") + "/chat/completions"


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
    """The body to send; arguments as for `vllm.request`, sampling parameters at the root.

    A mapping ``nvext`` in `sampling_params` is sent along, its ``extra_fields`` joined with those needed here.

    Raises:
        NotImplementedError: media, which this route does not take.
    """
    if content_parts:
        raise NotImplementedError("Dynamo's chat route takes no media beside token ids")
    sampling = {k: v for k, v in (sampling_params or {}).items() if v is not None and k not in _UNKNOWN}
    nvext = dict(sampling.pop("nvext", {}))
    nvext["token_data"] = list(token_ids)
    nvext["extra_fields"] = list(dict.fromkeys([*nvext.get("extra_fields", ()), *_EXTRA_FIELDS]))
    if cache_salt is not None:
        nvext["cache_salt"] = cache_salt
    if priority is not None:
        nvext["agent_hints"] = {**nvext.get("agent_hints", {}), "priority": priority}
    wanted = sampling.pop("logprobs", 1)
    if wanted is not True and wanted > 1:
        sampling["top_logprobs"] = wanted
    sampling["stop_token_ids"] = list(dict.fromkeys([*sampling.get("stop_token_ids", ()), *stop_token_ids]))
    sampling.setdefault("skip_special_tokens", False)
    return {
        "model": model,
        "messages": [dict(message) for message in _PLACEHOLDER],
        "stream": False,
        "logprobs": True,
        **sampling,
        "nvext": nvext,
    }


def response(body: Any) -> Answer:
    """The answer. Log-probabilities of the engine itself stand by position, those of chat rows by id.

    Raises:
        MalformedGenerateResponseError: ids or log-probabilities are missing, of another length or not finite.
    """
    choices = body.get("choices") if isinstance(body, Mapping) else None
    if not isinstance(choices, list) or len(choices) != 1 or not isinstance(choices[0], Mapping):
        raise MalformedGenerateResponseError("the engine's answer has not one choice")
    (choice,) = choices
    nvext = _mapping(body.get("nvext"))
    engine = _mapping(nvext.get("engine_data"))
    found = ((engine, "completion_token_ids"), (nvext, "completion_token_ids"), (choice, "token_ids"))
    ids = next((place[key] for place, key in found if place.get(key) is not None), None)
    ids = read_ids(ids, "nvext.completion_token_ids")
    usage, prompt_ids = body.get("usage"), engine.get("prompt_token_ids")
    experts = nvext.get("routed_experts") or engine.get("routed_experts")
    return Answer(
        request_id=str(body.get("id") or ""),
        choices=[
            Choice(
                token_ids=ids,
                logprobs=_logprobs(engine.get("completion_logprobs"), choice.get("logprobs"), ids),
                finish_reason=choice.get("finish_reason"),
                routed_experts=read_routed_experts(experts, "nvext.routed_experts"),
            )
        ],
        usage=dict(usage) if isinstance(usage, Mapping) else None,
        prompt_ids=None if prompt_ids is None else read_ids(prompt_ids, "nvext.engine_data.prompt_token_ids"),
    )


def advice(status: int, body: Any) -> str | None:
    """The chat route is always there."""
    return None


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _logprobs(engine: Any, rows: Any, ids: list[int]) -> list[float]:
    # Chat rows are processed after the engine, and may be fewer than its ids: never mixed with its values.
    if engine is None:
        return read_rows(rows, ids, "choices[0].logprobs")
    path = "nvext.engine_data.completion_logprobs"
    if not isinstance(engine, list) or len(engine) != len(ids):
        raise MalformedGenerateResponseError(f"{path} is not a list of {len(ids)} log-probabilities")
    return [read_logprob(value, f"{path}[{i}]") for i, value in enumerate(engine)]

"""`renderers.client.generate` against a scripted engine on localhost: what is sent, comes back, and is refused."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from renderers import client as client_module
from renderers.client import MalformedGenerateResponseError, OverlongPromptError, generate
from renderers.transports import dynamo, overflow, vllm
from tests import harness
from tests.downstream.engine import CHAT, GENERATE, Engine, Reply, answer, models

PROMPT = [151644, 872, 198, 6023, 151645, 198, 151644, 77091, 198]  # Qwen3: hi
STOP = 151645  # <|im_end|>
RECORDED = {  # vLLM 0.32.0 and 0.31.0, as recorded
    "too long": "The decoder prompt (length 3000) is longer than the maximum model length of 2048. Make sure that "
    "`max_model_len` is no smaller than the number of text tokens.",
    "just full": "The decoder prompt (length 2048) plus the number of requested output tokens (at least 1) is longer "
    "than the maximum model length of 2048. Make sure that `max_model_len` is no smaller than the number of text "
    "tokens (prompt + requested output tokens).",
    "unknown model": "The model `nope` does not exist. Valid aliases: tiny.",
}
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "add",
            "description": "Adds",
            "parameters": {"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}}},
        },
    }
]


@pytest.fixture(autouse=True)
def _nothing_known() -> Iterator[None]:
    """Ports come back: forget what is known of the servers of other tests."""
    client_module._limits.clear()
    yield
    client_module._limits.clear()


class Stub:
    """A renderer of older make: it refuses to render, and parses ids alone."""

    threads: list[threading.Thread]

    def __init__(self) -> None:
        self.threads = []

    def render(self, *args: Any, **kwargs: Any) -> Any:
        raise AssertionError("nothing is to be rendered")

    def get_stop_token_ids(self) -> list[int]:
        return [STOP, 151643]

    def parse_response(self, token_ids: list[int]) -> Any:
        self.threads.append(threading.current_thread())
        return SimpleNamespace(content=str(token_ids), reasoning_content=None, tool_calls=None)


def openai() -> Any:
    return pytest.importorskip("openai", reason="openai is not installed (the extra `client`)")


async def ask(engine: Engine, **options: Any) -> dict[str, Any]:
    """One `generate` call with a client of its own."""
    client = openai().AsyncOpenAI(base_url=engine.url, api_key="x", max_retries=0)
    try:
        given: dict[str, Any] = {"renderer": Stub(), "messages": [], "model": "tiny", "prompt_ids": PROMPT}
        return await generate(client=client, **{**given, **options})
    finally:
        await client.close()


def asked(reply: Reply, **options: Any) -> tuple[dict[str, Any], Engine]:
    """The result of one call to an engine that always answers `reply`, and the engine."""
    with Engine(lambda body: reply) as engine:
        return asyncio.run(ask(engine, **options)), engine


def error(status: int, message: str, **fields: Any) -> Reply:
    return status, {"error": {"message": message, "type": "BadRequestError", "param": None, "code": status, **fields}}


# ---- what is sent and what comes back ------------------------------------------------------------------------------


def test_importing_the_client_imports_no_http_library() -> None:
    code = "import sys, renderers.client; print(*{'openai', 'httpx', 'httpx2'}.intersection(sys.modules))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == ""


@pytest.mark.parametrize("rows", ["0.31", "0.32"])
def test_request_and_result(rows: str) -> None:
    result, engine = asked(
        answer([11, 12, STOP], rows=rows),
        sampling_params={"max_tokens": 4, "stop_token_ids": [7, STOP], "temperature": None, "top_p": 0.5},
        cache_salt="salt",
        priority=3,
        extra_headers={"X-Session-ID": "s1"},
        prompt_attribution="attribution",
    )
    (request,) = engine.asked()
    assert request.headers["x-session-id"] == "s1"
    assert request.body == {
        "model": "tiny",
        "token_ids": PROMPT,
        "sampling_params": {
            "max_tokens": 4,
            "top_p": 0.5,
            "stop_token_ids": [7, STOP, 151643],
            "logprobs": 1,
            "skip_special_tokens": False,
        },
        "cache_salt": "salt",
        "priority": 3,
    }
    assert result == {
        "request_id": "generate-tokens-1",
        "prompt_ids": PROMPT,
        "renderer_prompt_ids": None,
        "prompt_attribution": "attribution",
        "completion_ids": [11, 12, STOP],
        "completion_logprobs": [0.0, -0.125, -0.25],
        "content": f"[11, 12, {STOP}]",
        "reasoning_content": None,
        "reasoning_complete": None,
        "tool_calls": [],
        "finish_reason": "stop",
        "usage": {"prompt_tokens": 9, "completion_tokens": 3, "prompt_tokens_details": None},
        "routed_experts": None,
        "sampling_mask": None,
        "multi_modal_data": None,
        "mm_placeholders": None,
    }


def test_keys_not_given_are_not_sent_and_given_ones_stand() -> None:
    _, engine = asked(answer([STOP]), sampling_params={"logprobs": 5, "skip_special_tokens": True})
    body = engine.asked()[0].body
    assert set(body) == {"model", "token_ids", "sampling_params"}
    assert body["sampling_params"] == {"logprobs": 5, "skip_special_tokens": True, "stop_token_ids": [STOP, 151643]}


def test_lists_belong_to_the_caller() -> None:
    mine = list(PROMPT)
    result, _ = asked(answer([11, STOP]), prompt_ids=mine)
    result["prompt_ids"].append(1)
    result["completion_ids"].clear()
    assert mine == PROMPT
    assert result["completion_logprobs"] == [0.0, -0.125]


def test_base_url_without_v1() -> None:
    assert vllm.route("http://h:1/v1/") == vllm.route("http://h:1/") == "http://h:1/inference/v1/generate"
    assert vllm.route("https://h/api/v1") == "https://h/api/inference/v1/generate"


def test_rendered_sampled_and_read() -> None:
    renderer = harness.renderer("qwen3")
    messages = [{"role": "user", "content": "1 + 1?"}]
    call = '<tool_call>\n{"name": "add", "arguments": {"a": 1, "b": 1}}\n</tool_call>'
    sampled = harness.encode("qwen3", f"<think>\nAdd.\n</think>\n\nLet me add.\n{call}<|im_end|>")
    result, engine = asked(answer(sampled), renderer=renderer, messages=messages, prompt_ids=None, tools=TOOLS)
    prompt = renderer.render(messages, tools=TOOLS, add_generation_prompt=True)
    assert engine.asked()[0].body["token_ids"] == prompt.token_ids == result["prompt_ids"]
    assert result["prompt_attribution"] == prompt
    assert result["completion_ids"] == sampled
    assert (result["reasoning_content"], result["reasoning_complete"]) == ("Add.", True)
    assert result["content"] == "Let me add."
    assert [(call.name, call.arguments) for call in result["tool_calls"]] == [("add", {"a": 1, "b": 1})]
    assert result["finish_reason"] == "tool_calls"


@pytest.mark.parametrize(
    ("text", "engine_says", "expected"),
    [
        ("<tool_call>\n{broken\n</tool_call><|im_end|>", "stop", "stop"),
        ('<tool_call>\n{"name": "add", "arguments": {}}\n</tool_call>', "length", "length"),
        ('<tool_call>\n{"name": "sub", "arguments": {}}\n</tool_call><|im_end|>', "stop", "stop"),
        ("Two.<|im_end|>", "stop", "stop"),
        ("Two.", "abort", "abort"),
    ],
)
def test_finish_reason_tells_of_calls_only_after_a_stop_with_a_good_call(
    text: str, engine_says: str, expected: str
) -> None:
    sampled = harness.encode("qwen3", "<think>\n\n</think>\n\n" + text)
    reply = answer(sampled, finish_reason=engine_says)
    result, _ = asked(reply, renderer=harness.renderer("qwen3"), tools=TOOLS)
    assert result["finish_reason"] == expected


def test_the_engines_finish_reason_tells_cut_reasoning_from_an_answer() -> None:
    sampled = harness.encode("qwen3", "<think>\nHm")
    result, _ = asked(answer(sampled, finish_reason="length"), renderer=harness.renderer("qwen3"))
    assert (result["content"], result["reasoning_content"], result["reasoning_complete"]) == ("", "Hm", False)


def test_calls_of_older_renderers_are_dicts() -> None:
    class Older(Stub):
        def parse_response(self, token_ids: list[int]) -> Any:
            calls = [{"function": {"name": "add", "arguments": {}}}]
            return SimpleNamespace(content="", reasoning_content=None, tool_calls=calls)

    result, _ = asked(answer([STOP]), renderer=Older())
    assert (result["finish_reason"], len(result["tool_calls"])) == ("tool_calls", 1)


def test_several_choices() -> None:
    status, body = answer([11, STOP], [12, STOP])
    body["choices"].reverse()  # the index counts, not the place
    experts = '{"start":3,"shape":[1,1,2],"dtype":"uint16","data":"AAEAAQ=="}'
    text = json.dumps(body).replace('"routed_experts": null', f'"routed_experts" : {experts}')
    result, _ = asked((status, text), sampling_params={"n": 2})
    assert result["completion_ids"] == [11, STOP]
    assert [choice["completion_ids"] for choice in result["choices"]] == [[11, STOP], [12, STOP]]
    wanted = {"data": "AAEAAQ==", "shape": [1, 1, 2], "start": 3, "dtype": "uint16"}
    assert [choice["routed_experts"] for choice in result["choices"]] == [wanted, wanted]


def test_routed_experts_of_plain_vllm_are_an_npy_file() -> None:
    array = np.arange(12, dtype=np.uint16).reshape(2, 3, 2)
    file = io.BytesIO()
    np.save(file, array)
    result, _ = asked(answer([11, STOP], routed_experts=base64.b64encode(file.getvalue()).decode()))
    experts = result["routed_experts"]
    read = np.frombuffer(base64.b64decode(experts["data"]), experts["dtype"]).reshape(experts["shape"])
    assert experts["start"] == 0
    assert np.array_equal(read, array)


def test_media_that_the_engine_loads() -> None:
    class Seeing(Stub):
        supports_process_multimodal = True

    status, body = answer([11, STOP])
    body |= {"prompt_token_ids": [1, 5, 5, 5, 2], "mm_placeholders": {"image": [{"offset": 1, "length": 3}]}}
    url = "data:image/png;base64,AAAA"
    messages = [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}]}]
    given: dict[str, Any] = {"renderer": Seeing(), "messages": messages, "prompt_ids": [1, 5, 2]}
    result, engine = asked((status, body), **given, process_multimodal=False)
    sent = engine.asked()[0].body
    assert (sent["content_parts"], sent["return_token_ids"]) == ([{"type": "image_url", "url": url}], True)
    assert (result["prompt_ids"], result["renderer_prompt_ids"]) == ([1, 5, 5, 5, 2], [1, 5, 2])
    assert result["mm_placeholders"] == {"image": [{"offset": 1, "length": 3}]}


# ---- Dynamo's chat route -------------------------------------------------------------------------------------------


def dynamo_answer(ids: list[int], *, engine: bool = True, **choice: Any) -> Reply:
    """As recorded from Dynamo 1.6.1 with a scripted worker; without `engine`, as from a worker without engine_data."""
    rows = [{"token": "x", "logprob": -k / 8, "token_id": token, "bytes": None} for k, token in enumerate(ids)]
    chat = {"index": 0, "message": {"content": "x"}, "finish_reason": "stop", "logprobs": {"content": rows}, **choice}
    nvext: dict[str, Any] = {"completion_token_ids": ids}
    if engine:
        logprobs = [-k / 4 for k in range(len(ids))]
        nvext["engine_data"] = {
            "prompt_token_ids": PROMPT,
            "completion_token_ids": ids,
            "completion_logprobs": logprobs,
            "finished": True,
        }
    usage = {"prompt_tokens": 9, "completion_tokens": len(ids), "total_tokens": 9 + len(ids)}
    return 200, {"id": "chatcmpl-1", "choices": [chat], "model": "tiny", "usage": usage, "nvext": nvext}


def test_dynamo_request_and_result() -> None:
    sampling = {
        "max_tokens": 8,
        "stop_token_ids": [5],
        "logprobs": 1,
        "temperature": None,
        "return_token_ids": True,
        "routed_experts_prompt_start": 3,
        "nvext": {"extra_fields": ["timing"]},
    }
    given: dict[str, Any] = {"transport": "dynamo_chat", "cache_salt": "salt", "priority": 3}
    result, engine = asked(dynamo_answer([11, STOP]), sampling_params=sampling, **given)
    (request,) = engine.asked(CHAT)
    assert request.body == {
        "model": "tiny",
        "messages": [{"role": "user", "content": "(token-in mode)"}],
        "stream": False,
        "logprobs": True,
        "max_tokens": 8,
        "stop_token_ids": [5, STOP, 151643],
        "skip_special_tokens": False,
        "nvext": {
            "token_data": PROMPT,
            "extra_fields": ["timing", "engine_data", "completion_token_ids"],
            "cache_salt": "salt",
            "agent_hints": {"priority": 3},
        },
    }
    assert (result["request_id"], result["prompt_ids"], result["renderer_prompt_ids"]) == ("chatcmpl-1", PROMPT, None)
    assert (result["completion_ids"], result["completion_logprobs"]) == ([11, STOP], [0.0, -0.25])


def test_dynamo_workers_without_engine_data() -> None:
    result, _ = asked(dynamo_answer([11, STOP], engine=False), transport="dynamo_chat")
    assert (result["completion_ids"], result["completion_logprobs"]) == ([11, STOP], [0.0, -0.125])


def test_dynamo_evidence_is_not_mixed() -> None:
    body = dynamo_answer([11, STOP])[1]
    body["nvext"]["engine_data"]["completion_logprobs"] = []
    rowless = dynamo_answer([11], logprobs=None, engine=False)[1]
    wrongs: list[Any] = [body, rowless, {**body, "nvext": None}, {"choices": []}]
    for wrong in wrongs:
        with pytest.raises(MalformedGenerateResponseError):
            dynamo.response(wrong)


def test_dynamo_overflow_and_media() -> None:
    body = {"message": "Invalid request", "code": 400, "details": {"type": "context_length", "limit": 2048}}
    with pytest.raises(OverlongPromptError):
        asked((400, body), transport="dynamo_chat")
    with pytest.raises(NotImplementedError):
        dynamo.request(model="m", token_ids=[1], stop_token_ids=[2], content_parts=[{"type": "image_url"}])
    sent = dynamo.request(model="m", token_ids=[1], stop_token_ids=[2], sampling_params={"logprobs": 5})
    assert (sent["logprobs"], sent["top_logprobs"]) == (True, 5)


# ---- what is refused -----------------------------------------------------------------------------------------------


def _rows(*rows: Any) -> dict[str, Any]:
    return {"logprobs": {"content": list(rows)}}


@pytest.mark.parametrize(
    "wrong",
    [
        {"logprobs": None},
        {"logprobs": {"content": None}},
        {"token_ids": None},
        {"token_ids": ["11", "12"]},
        {"token_ids": [11, True]},
        _rows({"token_id": 11, "logprob": -1.0}),
        _rows({"token_id": 11, "logprob": -1.0}, {"token_id": 13, "logprob": -1.0}),
        _rows({"token_id": 11, "logprob": -1.0}, {"token": "token_id:13", "logprob": -1.0}),
        _rows({"token_id": 11, "logprob": -1.0}, {"token": "two", "logprob": -1.0, "bytes": [50]}),
        _rows({"token_id": 11, "logprob": -1.0}, {"logprob": -1.0}),
        _rows({"token_id": 11, "logprob": -1.0}, {"token_id": 12, "logprob": None}),
        _rows({"token_id": 11, "logprob": -1.0}, {"token_id": 12, "logprob": "-1"}),
        _rows({"token_id": 11, "logprob": -1.0}, {"token_id": 12, "logprob": -9999.0}),
        _rows({"token_id": 11, "logprob": -1.0}, {"token_id": 12, "logprob": float("nan")}),
        _rows({"token_id": 11, "logprob": -1.0}, {"token_id": 12, "logprob": float("-inf")}),
        _rows({"token_id": 11, "logprob": -1.0}, None),
        {"routed_experts": {"data": "AAAA"}},
        {"routed_experts": "no array"},
    ],
)
def test_answers_that_prove_nothing(wrong: dict[str, Any]) -> None:
    with pytest.raises(MalformedGenerateResponseError, match=r"^choices\[0\]"):
        asked(answer([11, 12], **wrong))


@pytest.mark.parametrize("body", ["", "no JSON", [], {}, {"choices": []}, {"choices": [None]}])
def test_answers_of_another_shape(body: Any) -> None:
    with pytest.raises(MalformedGenerateResponseError, match="the engine's answer"):
        asked((200, body))


def test_the_second_choice_is_checked_too() -> None:
    status, body = answer([11, STOP], [12, STOP])
    body["choices"][1]["logprobs"] = None
    with pytest.raises(MalformedGenerateResponseError, match=r"^choices\[1\]"):
        asked((status, body))


@pytest.mark.parametrize("case", ["too long", "just full"])
def test_overflow_found_by_the_engine(case: str) -> None:
    with pytest.raises(OverlongPromptError, match="maximum context length") as caught:
        asked(error(400, RECORDED[case]))
    assert (caught.value.prompt_len, caught.value.max_prompt_len) == (len(PROMPT), 2048)
    assert caught.value.__cause__ is not None


SGLANG = "Requested token count exceeds the model's maximum context length of 2048 tokens. You requested a total of"


@pytest.mark.parametrize(
    ("body", "limit"),
    [
        ({"error": {"message": RECORDED["too long"]}}, 2048),
        ({"message": RECORDED["just full"], "type": "BadRequestError"}, 2048),
        (
            {"message": "This model's maximum context length is 2048 tokens. However, you", "param": "input_tokens"},
            2048,
        ),
        ({"message": "The input (3000 tokens) is longer than the model's context length (2048 tokens)."}, 2048),
        ({"message": SGLANG}, 2048),
        ({"message": "Invalid request", "details": {"type": "context_length", "limit": 2048, "actual": 3000}}, 2048),
        (
            {
                "message": "request (3000 tokens) exceeds the available context size (1024 tokens), try increasing it",
                "type": "exceed_context_size_error",
            },
            1024,
        ),
        ({"message": "Too long", "code": "context_length_exceeded"}, None),
    ],
)
def test_every_engines_overflow_is_one_error(body: Any, limit: int | None) -> None:
    found = overflow(400, body, 3000)
    assert found is not None
    assert (found.prompt_len, found.max_prompt_len) == (3000, limit)
    assert overflow(500, body, 3000) is None


def test_no_room_left_is_an_overflow_unless_none_was_asked_for() -> None:
    body = {"message": "max_tokens must be at least 1, got 0. (parameter=max_tokens, value=0)", "param": "max_tokens"}
    assert overflow(400, body, 2048, max_tokens=16) is not None
    assert overflow(400, body, 2048) is not None
    assert overflow(400, body, 2048, max_tokens=0) is None
    assert overflow(400, {"message": "Token id 999999 is out of vocabulary"}, 9) is None
    assert overflow(400, "unknown field `bogus`", 9) is None


def test_the_route_is_explained_where_it_is_missing_or_refused() -> None:
    module = openai()
    for status, kind in ((404, module.NotFoundError), (403, module.PermissionDeniedError)):
        with pytest.raises(kind, match="--enable-scale-out") as caught:
            asked((status, {"detail": "Not Found"}))
        assert caught.value.status_code == status


@pytest.mark.parametrize(
    ("reply", "name"),
    [
        (error(404, RECORDED["unknown model"], param="model"), "NotFoundError"),
        (error(400, "Token id 999999 is out of vocabulary"), "BadRequestError"),
        ((400, {"error": "unknown field `bogus`"}), "BadRequestError"),
        ((500, "oops"), "InternalServerError"),
        ((429, {}), "RateLimitError"),
    ],
)
def test_other_failures_stay_what_they_are(reply: Reply, name: str) -> None:
    with pytest.raises(getattr(openai(), name)) as caught:
        asked(reply)
    assert "enable-scale-out" not in str(caught.value)


def test_an_engine_that_is_gone() -> None:
    with Engine(lambda body: answer([STOP])) as engine:
        pass
    with pytest.raises(openai().APIConnectionError):
        asyncio.run(ask(engine))


def test_refused_before_anything_is_sent() -> None:
    class Toolless(Stub):
        supports_tools = False

    with Engine(lambda body: answer([STOP])) as engine:
        for kind, options in (
            (ValueError, {"renderer": Toolless(), "tools": TOOLS}),
            (ValueError, {"transport": "carrier_pigeon"}),
            (NotImplementedError, {"process_multimodal": False}),
            (NotImplementedError, {"multi_modal_data": {"image": ["…"]}}),
        ):
            with pytest.raises(kind):
                asyncio.run(ask(engine, **options))
        assert not engine.requests


# ---- the limit, asked for before ------------------------------------------------------------------------------------


def test_a_prompt_longer_than_the_limit_is_not_sent() -> None:
    with Engine(lambda body: answer([STOP]), models=lambda: models(len(PROMPT))) as engine:
        asyncio.run(ask(engine))  # as long as the limit: the engine's business
        with pytest.raises(OverlongPromptError) as caught:
            asyncio.run(ask(engine, prompt_ids=[*PROMPT, 1]))
        assert len(engine.asked()) == 1
    assert str(caught.value) == "Prompt length (10) exceeds maximum context length (9)."


def test_a_limit_given_is_not_asked_for() -> None:
    with Engine(lambda body: answer([STOP])) as engine:
        with pytest.raises(OverlongPromptError):
            asyncio.run(ask(engine, max_prompt_len=8))
        assert not engine.requests


def test_a_limit_is_asked_for_once_a_model() -> None:
    with Engine(lambda body: answer([STOP])) as engine:
        for _ in range(3):
            asyncio.run(ask(engine))
        assert len(engine.asked("/v1/models")) == 1
        asyncio.run(ask(engine, model="adapter"))
        assert len(engine.asked("/v1/models")) == 2


@pytest.mark.parametrize("failure", [(500, "oops"), (404, {"detail": "Not Found"}), (200, "no JSON"), (200, {})])
def test_a_failed_question_is_asked_again(failure: Reply) -> None:
    replies = [failure, models(8)]
    with Engine(lambda body: answer([STOP]), models=lambda: replies.pop(0)) as engine:
        assert asyncio.run(ask(engine))["finish_reason"] == "stop"
        with pytest.raises(OverlongPromptError):
            asyncio.run(ask(engine))


def test_fifty_at_once_in_two_event_loops() -> None:
    """Each gets its own answer, and each loop asks for the limit at most once."""
    failed = threading.Event()

    async def many(engine: Engine) -> list[dict[str, Any]]:
        client = openai().AsyncOpenAI(base_url=engine.url, api_key="x", max_retries=0)
        stub = Stub()
        calls = [
            generate(client=client, renderer=stub, messages=[], model="tiny", prompt_ids=[*PROMPT, k])
            for k in range(50)
        ]
        results = await asyncio.gather(*calls)
        await client.close()
        assert threading.current_thread() not in stub.threads  # the loop is free while replies are read
        return results

    def list_models() -> Reply:
        # The first loop's question fails, so that the second has to ask as well.
        return models() if failed.is_set() else (500, "oops")

    with Engine(lambda body: answer([body["token_ids"][-1], STOP]), models=list_models) as engine:
        for loop in range(2):
            results = asyncio.run(many(engine))
            assert [result["completion_ids"] for result in results] == [[k, STOP] for k in range(50)]
            assert len(engine.asked("/v1/models")) == loop + 1
            failed.set()


def test_long_work_leaves_the_event_loop_free() -> None:
    class Slow(Stub):
        def render(self, *args: Any, **kwargs: Any) -> Any:
            self.threads.append(threading.current_thread())
            return SimpleNamespace(token_ids=PROMPT)

    slow = Slow()
    result, _ = asked(answer([STOP]), renderer=slow, prompt_ids=None)
    assert result["prompt_attribution"].token_ids is PROMPT
    assert len(slow.threads) == 2
    assert threading.current_thread() not in slow.threads


def test_others_wait_on_when_the_first_asker_is_cancelled() -> None:
    release = threading.Event()

    def slow_models() -> Reply:
        release.wait(10)
        return models(8)

    async def race(engine: Engine) -> None:
        async with openai().AsyncOpenAI(base_url=engine.url, api_key="x", max_retries=0) as client:
            given: dict[str, Any] = {"client": client, "renderer": Stub(), "messages": [], "model": "tiny"}
            first, second = (asyncio.create_task(generate(prompt_ids=PROMPT, **given)) for _ in range(2))
            while not engine.asked("/v1/models"):
                await asyncio.sleep(0.01)
            first.cancel()
            with pytest.raises(asyncio.CancelledError):
                await first
            release.set()
            with pytest.raises(OverlongPromptError):
                await second

    with Engine(lambda body: answer([STOP]), models=slow_models) as engine:
        asyncio.run(race(engine))
        assert len(engine.asked("/v1/models")) == 1
        assert not engine.asked(GENERATE)


def test_offload_runs_the_work() -> None:
    pool = SimpleNamespace(checkout=None)
    here = threading.current_thread()
    assert asyncio.run(client_module._maybe_offload(Stub(), threading.current_thread)) is here
    assert asyncio.run(client_module._maybe_offload(pool, threading.current_thread)) is not here

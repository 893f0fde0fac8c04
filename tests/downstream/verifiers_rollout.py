"""Multi-turn rollouts of verifiers' train client over this package, against a scripted engine.

    python -m tests.downstream.verifiers_rollout TOKENIZER_FOLDER [RENDERER_NAME]

Runs in an environment that has verifiers 0.4 and this package. Several rollouts at once share one client, as in
training: each calls a tool twice, answers, is asked again, and is cut by its token limit. The engine samples the
ids of scripted assistant messages. Prints one line of JSON; an AssertionError says what does not hold.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import sys
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import msgpack
from verifiers.v1.clients.train import TrainClient
from verifiers.v1.configs.agent import AgentConfig
from verifiers.v1.configs.client import TrainClientConfig
from verifiers.v1.dialects import ChatDialect
from verifiers.v1.errors import ProviderError
from verifiers.v1.graph import prepare_turn
from verifiers.v1.serve.encoding import msgpack_encoder
from verifiers.v1.task import TaskData
from verifiers.v1.trace import AgentInfo, Trace, TraceTask
from verifiers.v1.types import SamplingConfig

from renderers import BadMessage, create_renderer
from renderers.base import load_tokenizer
from renderers.configs import config_from_name
from tests.downstream.engine import Engine, Reply, answer, models

ROLLOUTS = 8
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "weather",
            "description": "The weather in a city",
            "parameters": {
                "type": "object",
                "properties": {"city": {"type": "string"}, "metric": {"type": "boolean"}},
                "required": ["city"],
            },
        },
    }
]


def call(city: str) -> dict[str, Any]:
    arguments = {"city": city, "metric": False}
    return {"id": "call_0", "type": "function", "function": {"name": "weather", "arguments": arguments}}


# What the model says, and what the environment says after it; the last turn is cut in its reasoning.
SCRIPT: list[tuple[dict[str, Any], str | None]] = [
    ({"content": "", "reasoning_content": "Paris first.", "tool_calls": [call("Paris")]}, "tool"),
    ({"content": "Now Oslo.", "reasoning_content": "Then Oslo.", "tool_calls": [call("Oslo")]}, "tool"),
    ({"content": "18 in Paris, 4 in Oslo.", "reasoning_content": "Both known."}, "user"),
    ({"content": "Nothing.", "reasoning_content": "Let me think about it for long."}, None),
]


def spoken(renderer: Any) -> list[tuple[dict[str, Any], str | None]]:
    """The script, without reasoning where the format has no place for it."""
    try:
        sampled(renderer, SCRIPT[0][0])
    except BadMessage:
        return [({**said, "reasoning_content": None}, then) for said, then in SCRIPT]
    return SCRIPT


def sampled(renderer: Any, message: dict[str, Any]) -> list[int]:
    """The ids a model samples for an assistant message."""
    messages = [{"role": "user", "content": "?"}, {"role": "assistant", **message}]
    rendered = renderer.render(messages, tools=TOOLS)
    return [token for token, own in zip(rendered.token_ids, rendered.sampled_mask, strict=True) if own]


class Script:
    """The engine's side: per session, the next completion; remembers the prompts."""

    def __init__(self, completions: Sequence[list[int]]) -> None:
        self.completions = completions

    def __call__(self, body: Any) -> Reply:
        ids, turn = body["token_ids"], body["sampling_params"]["turn"]
        assert ids, "an empty prompt was sent"
        last = turn == len(self.completions) - 1
        return answer(self.completions[turn], finish_reason="length" if last else "stop")


async def rollout(client: Any, script: Sequence[tuple[dict[str, Any], str | None]], session: int) -> Any:
    """One rollout through the client; verifiers' trace of it."""
    trace = Trace(
        task=TraceTask(type="Task", data=TaskData(prompt="weather")),
        agent=AgentInfo(config=AgentConfig()),
    )
    messages: list[dict[str, Any]] = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": f"Weather in Paris and Oslo? ({session})"},
    ]
    dialect = ChatDialect()
    for turn_number, (said, then) in enumerate(script):
        body = {"model": "tiny", "messages": messages, "tools": TOOLS}
        request = dialect.parse_request(body)
        turn = prepare_turn(trace, request.messages, request.tools)
        # An unknown sampling key is passed on as it is: it tells the engine where in its script it stands.
        sampling = SamplingConfig(max_tokens=64, temperature=1.0, turn=turn_number)
        response = await client.get_response(dialect, body, sampling, session_id=trace.id, turn=turn)
        check_response(response, said, cut=then is None)
        turn.commit(response)
        reply = response.raw["choices"][0]["message"]
        messages.append(reply)
        if then == "tool":
            messages.append({"role": "tool", "tool_call_id": reply["tool_calls"][0]["id"], "content": '{"t": 18}'})
        elif then == "user":
            messages.append({"role": "user", "content": "What did you leave out?"})
    return trace


def check_response(response: Any, said: dict[str, Any], *, cut: bool) -> None:
    """What verifiers read from a turn is what was sampled."""
    tokens, message = response.tokens, response.message
    assert len(tokens.completion_logprobs) == len(tokens.completion_ids) > 0
    assert tokens.message_spans is not None
    assert len(tokens.is_content) == len(tokens.prompt_ids), "is_content is not aligned with the prompt"
    if cut:
        assert response.finish_reason == "length"
        if said["reasoning_content"] is not None:
            assert not message.content, f"cut reasoning came back as content: {message.content!r}"
        return
    calls = [(call.name, json.loads(call.arguments)) for call in message.tool_calls or []]
    wanted = [(c["function"]["name"], c["function"]["arguments"]) for c in said.get("tool_calls", [])]
    assert calls == wanted, f"calls {calls}, sampled {wanted}"
    assert response.finish_reason == ("tool_calls" if wanted else "stop")
    assert (message.content or "", message.reasoning_content) == (said["content"], said["reasoning_content"])


def check_trace(trace: Any, asked: list[Any], completions: Sequence[list[int]]) -> dict[str, Any]:
    """What verifiers would train on is what the engine saw and sampled."""
    prompts = [request.body["token_ids"] for request in asked]
    assert len(prompts) == len(completions)
    extends = [
        after[: len(before) + len(ids)] == before + ids
        for (before, after), ids in zip(pairwise(prompts), completions, strict=False)
    ]
    assert extends[:2] == [True, True], "a turn of the tool cycle does not extend prompt + completion"
    samples = {tuple(branch.token_ids): branch for branch in trace.branches}
    # Wherever the next prompt does not extend, a branch ends.
    ends = [k for k in range(len(prompts)) if k == len(prompts) - 1 or not extends[k]]
    assert len(samples) == len(ends), f"{len(samples)} branches for {len(ends)}"
    for k in ends:
        branch = samples.get(tuple(prompts[k] + completions[k]))
        assert branch is not None, f"no branch holds prompt and completion of turn {k}"
        assert sum(branch.sampled_mask) == sum(len(ids) for ids in sampled_on(branch))
        kept = [t for t, own in zip(branch.token_ids, branch.sampled_mask, strict=True) if own]
        assert kept[-len(completions[k]) :] == completions[k]
        assert all(len(node.is_content) == len(node.token_ids) for node in branch.nodes)
        for node in branch.nodes:
            body = [t for t, own in zip(node.token_ids, node.is_content, strict=True) if own]
            assert body, f"a {node.message.role} message without content tokens"
        assert len(branch.logprobs) == len(branch.token_ids)
    packed = msgpack.packb(trace.model_dump(mode="python"), default=msgpack_encoder)
    return {"branches": len(samples), "extends": extends, "tokens": len(prompts[-1]), "packed": len(packed)}


def sampled_on(branch: Any) -> list[list[float]]:
    return [node.logprobs for node in branch.nodes if node.sampled]


async def run(folder: str, name: str, **options: Any) -> dict[str, Any]:
    """Several rollouts at once; the facts of one, which all must share."""
    plain = config_from_name(name)
    assert plain is not None
    config = plain.model_copy(update=options)
    renderer = create_renderer(load_tokenizer(folder), config)
    script = spoken(renderer)
    completions = [sampled(renderer, said) for said, _ in script]
    completions[-1] = completions[-1][:4]
    with Engine(Script(completions)) as engine:
        client = TrainClient(
            TrainClientConfig(
                base_url=engine.url,
                api_key_var="NO_KEY",
                renderer={"name": config.name, **options},
                renderer_model_name=folder,
            )
        )
        traces = await asyncio.gather(*(rollout(client, script, session) for session in range(ROLLOUTS)))
        asked = {trace.id: [r for r in engine.asked() if r.headers["x-session-id"] == trace.id] for trace in traces}
        facts = [check_trace(trace, asked[trace.id], completions) for trace in traces]
        assert all(fact["branches"] == facts[0]["branches"] for fact in facts)
        assert len(engine.asked("/v1/models")) == 1
        await client.close()
    return facts[0]


async def overflow(folder: str, name: str, **engine_options: Any) -> str:
    """How a prompt that is too long reaches the harness: as a 400 that its compaction recognises."""
    with Engine(**engine_options) as engine:
        config = TrainClientConfig(
            base_url=engine.url, api_key_var="NO_KEY", renderer={"name": name}, renderer_model_name=folder
        )
        client = TrainClient(config)
        body = {"model": "tiny", "messages": [{"role": "user", "content": "hi"}]}
        text = ""
        try:
            await client.get_response(ChatDialect(), body, SamplingConfig())
        except ProviderError as refused:
            text = f"{refused.status_code}: {refused}"
        finally:
            await client.close()
    assert text.startswith("400"), f"a prompt that is too long gave {text or 'an answer'}"
    assert "maximum context length" in text
    return text


def main(folder: str, name: str = "qwen3") -> None:
    """All checks; one line of facts."""
    too_long = "The decoder prompt (length 9) is longer than the maximum model length of 8."
    refusal = 400, {"error": {"message": too_long, "type": "BadRequestError", "param": None, "code": 400}}
    facts: dict[str, Any] = {
        "renderer": name,
        "default": asyncio.run(run(folder, name)),
        "all": asyncio.run(run(folder, name, thinking_retention="all")),
        "overflow_before": asyncio.run(
            overflow(folder, name, generate=lambda body: answer([1]), models=lambda: models(4))
        ),
        "overflow_after": asyncio.run(overflow(folder, name, generate=lambda body: refusal)),
    }
    assert facts["all"]["branches"] == 1, "with thinking_retention='all' a rollout is one sample"
    rendered = create_renderer(load_tokenizer(folder), config_from_name(name)).render(
        [{"role": "user", "content": "hi"}], add_generation_prompt=True
    )
    assert "token_ids" in dataclasses.asdict(rendered), "RenderedTokens is not a dataclass of plain values"
    print(json.dumps(facts))


if __name__ == "__main__":
    main(*sys.argv[1:])

"""A scripted engine on localhost, standard library only: vLLM's generate route, a chat route, a model list."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

GENERATE = "/inference/v1/generate"
CHAT = "/v1/chat/completions"
Reply = tuple[int, Any]
"""HTTP status and body; a text is sent as it is, anything else as JSON."""


def answer(*completions: Sequence[int], finish_reason: str = "stop", rows: str = "0.32", **choice: Any) -> Reply:
    """An answer of the generate route, in the recorded shape of vLLM 0.31 or 0.32, one choice a completion.

    The log-probability of the token at place k is -k / 8; `choice` overrides keys of every choice.
    """

    def row(k: int, token: int) -> dict[str, Any]:
        if rows == "0.32":
            return {"token_id": token, "logprob": -k / 8, "rank": 1, "top_logprobs": []}
        return {"token": f"token_id:{token}", "logprob": -k / 8, "bytes": None, "top_logprobs": []}

    choices = [
        {
            "index": i,
            "logprobs": {"content": [row(k, token) for k, token in enumerate(ids)]},
            "finish_reason": finish_reason,
            "token_ids": list(ids),
            "routed_experts": None,
            "sampling_mask": None,
            **choice,
        }
        for i, ids in enumerate(completions)
    ]
    nothing = dict.fromkeys(
        ("prompt_logprobs", "prompt_token_ids", "mm_placeholders", "metrics", "kv_transfer_params"), None
    )
    usage = {"prompt_tokens": 9, "completion_tokens": sum(map(len, completions)), "prompt_tokens_details": None}
    return 200, {"request_id": "generate-tokens-1", "model": "tiny", "choices": choices, "usage": usage, **nothing}


def models(max_model_len: int | None = 2048, model: str = "tiny") -> Reply:
    """A model list with one card."""
    return 200, {"object": "list", "data": [{"id": model, "object": "model", "max_model_len": max_model_len}]}


@dataclass
class Request:
    """One request as it came: names of headers in lower case, `body` parsed JSON (None for a GET)."""

    path: str
    headers: dict[str, str]
    body: Any


@dataclass
class Engine:
    """Serves while it is entered.

    Attributes:
        generate: the answer to the body of a generate or chat request.
        models: the answer to ``GET /v1/models``, made anew for each.
        requests: everything asked, in order.
    """

    generate: Callable[[Any], Reply]
    models: Callable[[], Reply] = models
    requests: list[Request] = field(default_factory=list)

    def __enter__(self) -> Engine:
        engine = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                engine.requests.append(Request(self.path, self._headers(), None))
                self._send(engine.models() if self.path == "/v1/models" else (404, {"detail": "Not Found"}))

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                engine.requests.append(Request(self.path, self._headers(), body))
                self._send(engine.generate(body) if self.path in (GENERATE, CHAT) else (404, {"detail": "Not Found"}))

            def _headers(self) -> dict[str, str]:
                return {name.lower(): value for name, value in self.headers.items()}

            def _send(self, reply: Reply) -> None:
                status, body = reply
                data = (body if isinstance(body, str) else json.dumps(body, separators=(",", ":"))).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 256  # many clients connect at the same moment

        self._server = Server(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        """The base URL for an OpenAI client."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def asked(self, path: str = GENERATE) -> list[Request]:
        """The requests of one route."""
        return [request for request in self.requests if request.path == path]

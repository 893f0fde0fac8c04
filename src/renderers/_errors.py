"""The exceptions of the package: whose mistake it was is in the type.

RenderersError
├── InputError            yours: also a ValueError
│   ├── BadMessage        a message, tool call or tool declaration; `path` names the field
│   ├── BadOption         an option, a renderer's name, a combination of both
│   └── TokenizerMismatch a tokenizer that cannot serve this format
└── ServerError           theirs
    ├── OverlongPromptError            the prompt does not fit the engine's context
    └── MalformedGenerateResponseError the engine's answer proves nothing; also a ValueError
"""

from __future__ import annotations

from typing import Any


class RenderersError(Exception):
    """Root of everything this package raises on purpose."""


class InputError(RenderersError, ValueError):
    """What the caller gave cannot be used as it stands."""


class BadMessage(InputError):
    """A message, call or tool declaration that cannot be rendered.

    Attributes:
        path: where it is, for example ``messages[3].tool_calls[0].function.arguments``.
        problem: what is wrong and, where there is one, the way out.
    """

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(f"{path}: {problem}")
        self.path = path
        self.problem = problem

    def __reduce__(self) -> tuple[type[BadMessage], tuple[str, str]]:
        return type(self), (self.path, self.problem)


class BadOption(InputError):
    """An unknown renderer name, option or value."""


class TokenizerMismatch(InputError):
    """A tokenizer without the control tokens of the format, or one that is not safe to use."""


class ServerError(RenderersError):
    """Theirs: the engine's answer, or what the engine can take, is the reason."""


class MalformedGenerateResponseError(ServerError, ValueError):
    """The engine's answer does not prove which ids were sampled with which log-probability."""


class OverlongPromptError(ServerError):
    """The prompt does not fit the engine's context.

    Attributes:
        prompt_len: tokens of the prompt.
        max_prompt_len: the engine's limit; None where it refused the prompt without naming one.
    """

    def __init__(self, *, prompt_len: int, max_prompt_len: int | None) -> None:
        # verifiers and others find overflows by the words "maximum context length".
        limit = "" if max_prompt_len is None else f" ({max_prompt_len})"
        super().__init__(f"Prompt length ({prompt_len}) exceeds maximum context length{limit}.")
        self.prompt_len = prompt_len
        self.max_prompt_len = max_prompt_len

    def __reduce__(self) -> tuple[Any, ...]:
        return _overlong, (self.prompt_len, self.max_prompt_len)


def _overlong(prompt_len: int, max_prompt_len: int | None) -> OverlongPromptError:
    return OverlongPromptError(prompt_len=prompt_len, max_prompt_len=max_prompt_len)


class RenderersWarning(UserWarning):
    """Something the caller gave has no place in this format, or a renderer was chosen with a doubt."""

"""The exceptions of the package: whose mistake it was is in the type.

RenderersError
└── InputError            yours: also a ValueError
    ├── BadMessage        a message, tool call or tool declaration; `path` names the field
    ├── BadOption         an option, a renderer's name, a combination of both
    └── TokenizerMismatch a tokenizer that cannot serve this format
"""

from __future__ import annotations


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


class RenderersWarning(UserWarning):
    """Something the caller gave has no place in this format, or a renderer was chosen with a doubt."""

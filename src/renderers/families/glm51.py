"""GLM-5.1: GLM-5 with tools that are shown on demand, and reasoning left as it is.

Source: the chat template of zai-org/GLM-5.1.

Tools are declared by their function object, without the keys ``defer_loading`` and ``strict``; a tool with
``defer_loading`` is not declared at all, but a tool result may show it by name:
``[{"type": "tool_reference", "name": …}]``. Other results given as lists are one text. Reasoning is not trimmed, and
an answer after the last question opens an empty block, unless thinking is off; with `clear_thinking` off so do earlier
answers, if any answer to the same question gave its reasoning apart.

The template drops silently, besides what GLM-5 drops, references to tools nobody declared, references outside of tool
results or behind a first item of another kind, and whatever stands among references: all refused here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..family import BadMessage, Conversation, Field, Part, Turn, Writer, inline_thinking, is_user, to_json
from .glm5 import GLM5, TOOLS_AFTER, write_answer
from .glm45 import write_opening

REFERENCE = "tool_reference"


@dataclass(frozen=True)
class GLM51(GLM5):
    """GLM-5.1."""

    name = "glm-5.1"
    models = {"zai-org/GLM-5.1": {}}
    templates = {"03b1bbff20331e54647c68167e8ac7f0b5b7ceb40ead372f44826624a9ad79cd": {}}
    part_kinds = frozenset({"text", REFERENCE})

    def opening(self, conv: Conversation, out: Writer) -> None:
        shown = (_tool_json(tool) for tool in conv.tools if not tool["function"].get("defer_loading"))
        write_opening(conv, shown, TOOLS_AFTER, out)

    def _text(self, turn: Turn, parity: bool) -> str:
        reference = next((part for part in turn.parts if part.kind == REFERENCE), None)
        if reference is not None and not parity:
            raise BadMessage(reference.path, f"a {REFERENCE} stands in tool results only, with nothing else beside it")
        return super()._text(turn, parity)

    def _result(self, conv: Conversation, i: int, out: Writer) -> None:
        turn = conv[i]
        out.frame("<|observation|>" if conv.role(i - 1) != "tool" else "")
        out.frame("<tool_response>")
        if turn.parts and turn.parts[0].kind == REFERENCE:
            self._references(conv, turn.parts, out)
        else:
            out.body(self._text(turn, conv.policy.parity))
        out.frame("</tool_response>")

    def _assistant(self, conv: Conversation, i: int, out: Writer) -> None:
        turn, text = conv[i], self._text(conv[i], conv.policy.parity)
        given = turn.reasoning is not None or "</think>" in text
        reasoning, text = inline_thinking(turn, text, conv.policy.parity, edges="")
        asked = conv.last(is_user)
        if conv.policy.patched:
            thinks = self.enable_thinking or bool(reasoning)
        elif i > asked:
            thinks = given or self.enable_thinking
        else:
            kept = not self.clear_thinking or conv.keeps_reasoning(i, asked)
            thinks = kept and (given or _reasons(conv, i))
        write_answer(conv, i, reasoning if thinks else None, text, out)

    @staticmethod
    def _references(conv: Conversation, parts: Sequence[Part], out: Writer) -> None:
        """The declarations of the tools that a result refers to."""
        out.frame("<tools>\n")
        for part in parts:
            name = part.payload.get("name") if part.payload and part.kind == REFERENCE else None
            shown = [tool for tool in conv.tools if tool["function"]["name"] == name]
            if not conv.tools or not (shown or conv.policy.parity):
                problem = f"refers to the tool {name!r}, which is not declared"
                raise BadMessage(part.path, problem if name is not None else "must name a tool, as its neighbours do")
            for tool in shown:
                out.body(_tool_json(tool), Field.TOOLS)
                out.frame("\n")
        out.frame("</tools>")


def _tool_json(tool: Mapping[str, Any]) -> str:
    """The function of a tool; the template writes its keys as they are."""
    said = ((key, value) for key, value in tool["function"].items() if key not in ("defer_loading", "strict"))
    return "{" + ", ".join(f'"{key}": {to_json(value)}' for key, value in said) + "}"


def _reasons(conv: Conversation, i: int) -> bool:
    """Some answer to the question before message `i` gave its reasoning apart, be it empty."""
    first = last = i
    while conv.role(first) not in ("user", None):
        first -= 1
    while conv.role(last) not in ("user", None):
        last += 1
    cycle = (conv[k] for k in range(first + 1, last)) if first >= 0 else ()
    return any(turn.role == "assistant" and turn.reasoning is not None for turn in cycle)

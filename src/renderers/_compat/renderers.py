"""The renderers of known formats: the engine's, with results that older callers can store and index."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, cast

from .. import _renderer
from .._bridge import Bridge
from .._derive import RESULT, USER, probe_turn
from .._errors import BadOption
from .._family import Family
from .._messages import Retention
from .._plan import Plan, plan
from .results import CALL_TYPE, RenderedTokens
from .retention import refuse_contradiction

if TYPE_CHECKING:
    from .configs import BaseRendererConfig


class FamilyRenderer(_renderer.Renderer):
    """Writes and reads one model's chat format. Thread-safe; make one and share it.

    Each format has a class of its own, such as `Qwen3Renderer`, so that it can be told by type.

    Args:
        tokenizer: as for `create_renderer`.
        config: a typed config of this format. Or, without one:
        knobs: `thinking_retention`, `preserve_all_thinking`, `preserve_thinking_between_tool_calls`, `use_patched`,
            `parity`, and the format's own options.
    """

    family_type: ClassVar[type[Family]]
    thread_safe: ClassVar[bool] = True
    call_type = CALL_TYPE

    def __init__(self, tokenizer: Any, config: BaseRendererConfig | None = None, **knobs: Any) -> None:
        # None leaves an option to the checkpoint; MiniMax's identity had another name.
        named = {"model_identity" if name == "default_system" else name: value for name, value in knobs.items()}
        knobs = {name: value for name, value in named.items() if value is not None}
        if config is None:
            refuse_contradiction(self.family_type, knobs, knobs.get("thinking_retention"))
            chosen: dict[str, Any] = {"thinking_retention": "all", **knobs}
        elif config.family is self.family_type:
            parity = {"parity": knobs.pop("parity")} if "parity" in knobs else {}
            self.config = config = config.updated(knobs)
            chosen = {**config.knobs(), **config.options(), **parity}
        else:
            raise BadOption(f"{type(config).__name__} is not the config of a {type(self).__name__}")
        names = ("thinking_retention", "preserve_all_thinking", "preserve_thinking_between_tool_calls")
        policy = {name: chosen.pop(name) for name in (*names, "use_patched", "parity") if name in chosen}
        self._adopt(plan(tokenizer, self.family_type.name, chosen, **policy))

    @classmethod
    def planned(cls, made: Plan) -> FamilyRenderer:
        """The renderer of a plan for this format."""
        renderer = cls.__new__(cls)
        renderer._adopt(made)
        return renderer

    def _adopt(self, made: Plan) -> None:
        assert made.family is not None
        super().__init__(
            made.family,
            made.source,
            policy=made.policy,
            thinking_retention=made.thinking_retention,
            identity=made.identity,
        )

    @property
    def config(self) -> BaseRendererConfig:
        """The typed config of this renderer."""
        if not hasattr(self, "_config"):
            from .configs import config_of

            self._config = config_of(self.family, self._policy, self.thinking_retention)
        return self._config

    @config.setter
    def config(self, config: BaseRendererConfig) -> None:
        self._config = config

    @property
    def effective_thinking_retention(self) -> Retention:
        """What a bridge does about reasoning that the template would now strip, as this format behaves."""
        if self.thinking_retention != "tool_cycle" or not self._probes.strips_reasoning([probe_turn(USER)], 0):
            return "template" if self.thinking_retention == "template" else "all"
        return "template" if self._probes.strips_reasoning([probe_turn(RESULT)], 1) else "tool_cycle"

    def render(  # type: ignore[override]
        self, messages: Sequence[Mapping[str, Any]], *, tools: Any = None, add_generation_prompt: bool = False
    ) -> RenderedTokens:
        """Token ids of a conversation, each with its message, field and whether the model would have sampled it.

        Raises:
            BadMessage: something in `messages` or `tools` cannot be rendered; nothing is left out silently.
        """
        return RenderedTokens.of(super().render(messages, tools=tools, add_generation_prompt=add_generation_prompt))

    def bridge_to_next_turn(  # type: ignore[override]
        self,
        previous_prompt_ids: Sequence[int] | None = None,
        previous_completion_ids: Sequence[int] | None = None,
        new_messages: Sequence[Mapping[str, Any]] = (),
        *,
        tools: Any = None,
        prev_prompt_ids: Sequence[int] = (),
        prev_completion_ids: Sequence[int] = (),
    ) -> RenderedTokens | None:
        """The next prompt: prompt + completion verbatim, then the new messages and the generation prompt.

        None where that cannot be shown to be right; `explain_bridge` says why. The keywords `prev_…` are older names.
        """
        prompt = prev_prompt_ids if previous_prompt_ids is None else previous_prompt_ids
        completion = prev_completion_ids if previous_completion_ids is None else previous_completion_ids
        rendered: Any = self.explain_bridge(prompt, completion, new_messages, tools=tools).rendered
        return cast("RenderedTokens | None", rendered)

    def explain_bridge(
        self,
        previous_prompt_ids: Sequence[int],
        previous_completion_ids: Sequence[int],
        new_messages: Sequence[Mapping[str, Any]],
        *,
        tools: Any = None,
    ) -> Bridge:
        """As `bridge_to_next_turn`, with the typed reason where there is no bridge."""
        outcome = super().explain_bridge(previous_prompt_ids, previous_completion_ids, new_messages, tools=tools)
        extended: Any = None if outcome.rendered is None else RenderedTokens.of(outcome.rendered)
        return replace(outcome, rendered=extended)


_CLASSES: dict[Any, type[FamilyRenderer]] = {}


def renderer_class(family: type[Family]) -> type[FamilyRenderer]:
    """The class of a format's renderers, ``Qwen3`` → ``Qwen3Renderer``; they inherit as the formats do."""
    if family not in _CLASSES:
        space = {"family_type": family, "__doc__": family.__doc__, "__module__": "renderers"}
        parent = family.__mro__[1]
        base = renderer_class(parent) if "name" in vars(parent) else FamilyRenderer
        _CLASSES[family] = type(f"{family.__name__}Renderer", (base,), space)
    return _CLASSES[family]

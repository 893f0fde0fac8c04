"""Typed configs: one frozen pydantic model a format, made from the family's own fields.

They are discriminated by `name`, so `RendererConfig` can be a field of another model, and `model_dump_json()` is a
stable key. This is the only room that imports pydantic, and only when somebody asks for a config.
"""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Union

import pydantic
from pydantic import ConfigDict, Field, model_validator

from .._errors import BadOption
from .._family import Family
from .._messages import Policy, Retention
from .._plan import FALLBACK
from ..families import families, named
from .retention import refuse_contradiction

if TYPE_CHECKING:
    from typing_extensions import Self


class BaseRendererConfig(pydantic.BaseModel):
    """What every config has.

    Attributes:
        thinking_retention: whether a bridge extends past reasoning that the template would now strip. None: as the
            format's own options say.
        preserve_all_thinking, preserve_thinking_between_tool_calls, use_patched: as for `create_renderer`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    family: ClassVar[type[Family] | None] = None

    thinking_retention: Retention | None = None
    preserve_all_thinking: bool = False
    preserve_thinking_between_tool_calls: bool = False
    use_patched: bool = False

    if TYPE_CHECKING:
        name: str

    def options(self) -> dict[str, Any]:
        """The format's own options, those left to the checkpoint aside."""
        fields = dataclasses.fields(self.family) if self.family else ()
        return {field.name: value for field in fields if (value := getattr(self, field.name)) is not None}

    def knobs(self) -> dict[str, Any]:
        """What is not the format's own, as `create_renderer` takes it."""
        names = ("preserve_all_thinking", "preserve_thinking_between_tool_calls", "use_patched")
        return {"thinking_retention": self.thinking_retention or "tool_cycle"} | {n: getattr(self, n) for n in names}

    def updated(self, given: Mapping[str, Any]) -> Self:
        """The same with other fields, checked again."""
        return type(self)(**{**self.model_dump(exclude_unset=True), **given}) if given else self

    @model_validator(mode="after")
    def _agrees(self) -> BaseRendererConfig:
        if self.family is not None:
            explicit = {name: getattr(self, name) for name in self.model_fields_set}
            refuse_contradiction(self.family, explicit, self.thinking_retention)
        return self


class AutoRendererConfig(BaseRendererConfig):
    """The format is found out, as without a config."""

    name: Literal["auto"] = "auto"


class DefaultRendererConfig(BaseRendererConfig):
    """The model's own template; further fields go to the template."""

    model_config = ConfigDict(frozen=True, extra="allow")
    name: Literal["default"] = "default"
    tool_parser: str | None = None
    reasoning_parser: str | None = None

    def options(self) -> dict[str, Any]:
        """The parsers' names that are given, and what goes to the template."""
        parsers = {"tool_parser": self.tool_parser, "reasoning_parser": self.reasoning_parser}
        return {name: value for name, value in parsers.items() if value is not None} | (self.model_extra or {})


class CustomRendererConfig(BaseRendererConfig):
    """A renderer of somebody else's.

    Attributes:
        import_path: ``package.module:Class``, or a file ``path/to/file.py:Class``. Further fields go to the class's
            own config.
    """

    model_config = ConfigDict(frozen=True, extra="allow")
    name: Literal["custom"] = "custom"
    import_path: str

    def options(self) -> dict[str, Any]:
        """What goes to the class's own config."""
        return dict(self.model_extra or {})


_CLASSES: dict[Any, type[BaseRendererConfig]] = {}


def config_class(family: type[Family]) -> type[BaseRendererConfig]:
    """The config of a format. An option that is None is left to the checkpoint; those that differ between checkpoints
    are None by default."""
    if family not in _CLASSES:
        _CLASSES[family] = _config_class(family)
    return _CLASSES[family]


def _config_class(family: type[Family]) -> type[BaseRendererConfig]:
    hints = typing.get_type_hints(family)
    by_checkpoint = {name for given in (*family.models.values(), *family.templates.values()) for name in given}
    made: dict[str, Any] = {"name": (Literal[family.name], family.name)}
    for field in dataclasses.fields(family):
        left = field.name in by_checkpoint
        made[field.name] = (hints[field.name] | None, None if left else field.default)
    config: type[BaseRendererConfig] = pydantic.create_model(
        f"{family.__name__}RendererConfig",
        __base__=BaseRendererConfig,
        __module__="renderers.configs",
        __doc__=family.__doc__,
        **made,
    )
    config.family = family
    return config


def config_classes() -> dict[str, type[BaseRendererConfig]]:
    """Every config by the name of its renderer."""
    own: dict[str, type[BaseRendererConfig]] = {
        "auto": AutoRendererConfig, FALLBACK: DefaultRendererConfig, "custom": CustomRendererConfig,
    }  # fmt: skip
    return own | {name: config_class(family) for name, family in families().items()}


@lru_cache(maxsize=1)
def renderer_config() -> Any:
    """The union of all configs, discriminated by `name`: the type of a field."""
    return Annotated[Union.__getitem__(tuple(config_classes().values())), Field(discriminator="name")]


def config_from_name(name: str) -> BaseRendererConfig | None:
    """The config of a renderer by its name; None for ``"auto"``. Raises `BadOption` for an unknown name."""
    if name == "auto":
        return None
    if name == "custom":
        raise BadOption("a custom renderer has no config without its import_path; make a CustomRendererConfig")
    if name == FALLBACK:
        return DefaultRendererConfig()
    family = named(name) if isinstance(name, str) else None
    if family is None:
        raise BadOption(f"no renderer is named {name!r}; there are {', '.join(sorted(config_classes()))}")
    made: Any = config_class(family)
    return made()  # type: ignore[no-any-return]


def config_of(family: Family, policy: Policy, retention: Retention) -> BaseRendererConfig:
    """The config that a renderer could have been made with."""
    config: BaseRendererConfig = config_class(type(family)).model_construct(
        thinking_retention=retention,
        use_patched=policy.patched,
        preserve_all_thinking=policy.keep == "all" and not policy.patched,
        preserve_thinking_between_tool_calls=policy.keep == "tool_cycle",
        **dataclasses.asdict(family),
    )
    return config


def template_field_names(config: BaseRendererConfig) -> frozenset[str]:
    """The fields of a config that mirror an option of the template."""
    fields = dataclasses.fields(config.family) if config.family else ()
    return frozenset(field.name for field in fields if not field.metadata.get("not_in_template"))


def merge_chat_template_kwargs(
    config: BaseRendererConfig, chat_template_kwargs: Mapping[str, Any] | None
) -> BaseRendererConfig:
    """A config with options given as for a chat template. Raises `BadOption` naming those it does not have.

    An open config (`DefaultRendererConfig`, `CustomRendererConfig`) takes all but the names of its own fields.
    """
    given = dict(chat_template_kwargs or {})
    allowed = template_field_names(config)
    is_open = config.model_config.get("extra") == "allow"
    if unknown := sorted(given.keys() & type(config).model_fields.keys() if is_open else given.keys() - allowed):
        offered = f"allowed are {', '.join(sorted(allowed) or ['other names' if is_open else 'none'])}"
        raise BadOption(
            f"chat_template_kwargs {', '.join(unknown)} are no options of the {config.name} template; {offered}"
        )
    return config.updated(given)

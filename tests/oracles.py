"""Independent oracles: what the real chat template prints, and what the vendor's own encoder prints.

Nothing here imports the package under test. Two sources of truth are wrapped:

* ``template_text`` / ``template_ids``: the model's own Jinja template (``tests/templates/<family>``) in the set-up that
  current transformers uses in ``apply_chat_template``: sandbox, trimmed blocks, loop controls, ``tojson`` without ASCII
  escaping, message keys whose value is None dropped, reasoning copied between its three names.
* ``harmony_text`` / ``harmony_ids``: ``openai_harmony``, fed from OpenAI-style messages.

Tokenizers lie in ``$RENDERERS_ASSETS/<family>/tokenizer.json`` (default: ``.cache/assets`` under the repository root).
"""

from __future__ import annotations

import importlib
import json
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import jinja2
import jinja2.ext
import jinja2.nodes
import jinja2.parser
import jinja2.sandbox
import pytest
from tokenizers import Tokenizer

from tests.kimi import KimiTokenizer

Message = Mapping[str, Any]
Tool = Mapping[str, Any]

ROOT = Path(__file__).resolve().parents[1]
DATE = "2026-01-02"
REASONING_KEYS = ("reasoning_content", "thinking", "reasoning")  # the order in which transformers looks for it


class TemplateRaised(Exception):
    """The real template (or transformers before it) refuses this conversation."""


@dataclass(frozen=True)
class TemplateCase:
    """One real template: its tokenizer family, its file, and the special tokens it reads."""

    family: str
    file: str = "chat_template.jinja"
    special_tokens: Mapping[str, str] = field(default_factory=dict)
    keeps_none_content: bool = False
    borrowed_tokenizer: str = ""
    sorts_tools: bool = False

    @property
    def tokenizer(self) -> str:
        """The assets folder of its tokenizer."""
        return self.borrowed_tokenizer or self.family

    @cached_property
    def path(self) -> Path:
        """The copy under tests/templates, else the one beside the tokenizer."""
        stored = ROOT / "tests" / "templates" / self.family / self.file
        return stored if stored.is_file() else _present(assets_folder() / self.family / self.file)


KIMI = ("kimi-k2", "kimi-k2.5", "kimi-k2.6")
"""Kimi's folders: one tokenizer, of which K2 lacks the tokens for thinking and media."""
DEEPSEEK_BOS = {"bos_token": "<\uff5cbegin\u2581of\u2581sentence\uff5c>"}

TEMPLATES: dict[str, TemplateCase] = {
    "qwen3": TemplateCase("qwen3"),
    "qwen3-instruct-2507": TemplateCase("qwen3", "chat_template.instruct-2507.jinja"),
    "qwen3-thinking-2507": TemplateCase("qwen3", "chat_template.thinking-2507.jinja"),
    "qwen3.5": TemplateCase("qwen3.5"),
    "qwen3.5-small": TemplateCase("qwen3.5", "chat_template.small.jinja"),
    "glm-4.5": TemplateCase("glm-4.5"),
    # Prints calls only when `content is none`. Current transformers drops the key, which makes that branch
    # unreachable (the template then raises), so None stays for assistant messages with calls, here only.
    "deepseek-v3": TemplateCase(
        "deepseek-v3",
        special_tokens=DEEPSEEK_BOS,
        keeps_none_content=True,
    ),
    "gpt-oss-template": TemplateCase("gpt-oss"),
    "qwen3-vl": TemplateCase("qwen3-vl"),
    "qwen3-vl-thinking": TemplateCase("qwen3-vl", "chat_template.thinking.jinja"),
    "qwen3.6": TemplateCase("qwen3.6"),
    "glm-4.7": TemplateCase("glm-4.5", "chat_template.4.7.jinja", borrowed_tokenizer="glm-5"),
    "glm-5": TemplateCase("glm-5"),
    "glm-5.1": TemplateCase("glm-5", "chat_template.5.1.jinja"),
    "minimax-m2": TemplateCase("minimax-m2", "chat_template.m2.jinja"),
    "minimax-m2.5": TemplateCase("minimax-m2", "chat_template.m2.5.jinja"),
    "minimax-m2.7": TemplateCase("minimax-m2"),
    # As V3: beside calls, content must be None or a text; without the key the template raises.
    "deepseek-v3.1": TemplateCase("deepseek-v3.1", special_tokens=DEEPSEEK_BOS, keeps_none_content=True),
    "deepseek-r1": TemplateCase("deepseek-r1", special_tokens=DEEPSEEK_BOS, keeps_none_content=True),
    # Kimi's tokenizer class sorts the keys of the tools before it calls the template. That of K2.5 and K2.6 also hands
    # them over as text, `tools_ts_str` (see harness); without it the template prints JSON.
    "kimi-k2": TemplateCase("kimi-k2", sorts_tools=True),
    "kimi-k2.5": TemplateCase("kimi-k2.5", sorts_tools=True),
    "kimi-k2.6": TemplateCase("kimi-k2.6", borrowed_tokenizer="kimi-k2.5", sorts_tools=True),
    "nemotron-3-nano": TemplateCase("nemotron-3", "chat_template.nano.jinja"),
    "nemotron-3-super": TemplateCase("nemotron-3", "chat_template.super.jinja"),
}


# --- Tokenizers ---------------------------------------------------------------------------------------------------


def assets_folder() -> Path:
    """Where the real tokenizers lie."""
    return Path(os.environ.get("RENDERERS_ASSETS") or ROOT / ".cache" / "assets")


def tokenizer_file(family: str) -> Path:
    """What the family's tokenizer is made of."""
    if family in KIMI:
        return assets_folder() / "kimi-k2" / "tiktoken.model"
    return assets_folder() / family / "tokenizer.json"


def has_assets(family: str) -> bool:
    """Whether the family's tokenizer is on this machine."""
    return tokenizer_file(family).is_file()


def _present(file: Path) -> Path:
    """The file. A test that asks for one that is not on this machine is skipped, and no other test is."""
    if not file.is_file():
        pytest.skip(f"{file.relative_to(assets_folder())} is not on this machine")
    return file


@cache
def model_folder(family: str) -> Path:
    """A folder as the model's repository has it; Kimi's gets a tokenizer_config.json of its own."""
    file = _present(tokenizer_file(family))
    if family not in KIMI:
        return file.parent
    folder = Path(tempfile.mkdtemp(prefix="kimi"))
    (folder / "tiktoken.model").symlink_to(file.resolve())
    (folder / "tokenizer_config.json").write_text(json.dumps(tokenizer_for(family).config()), encoding="utf-8")
    return folder


@cache
def tokenizer_for(family: str) -> Any:
    """The family's full tokenizer, added tokens included."""
    file = _present(tokenizer_file(family))
    if family in KIMI:
        return KimiTokenizer(file, thinks=family != "kimi-k2")
    return Tokenizer.from_file(str(file))


@cache
def _control_strings(family: str) -> dict[str, int]:
    added = tokenizer_for(family).get_added_tokens_decoder()
    return {token.content: index for index, token in added.items()}


def control_strings(family: str) -> dict[str, int]:
    """All added tokens of the family's tokenizer: text -> id."""
    return dict(_control_strings(family))


# --- The real template --------------------------------------------------------------------------------------------


class _GenerationTag(jinja2.ext.Extension):
    """``{% generation %}…{% endgeneration %}``: prints its body (transformers also notes where it lies)."""

    tags = {"generation"}  # noqa: RUF012 - declared by jinja2 as an instance attribute

    def parse(self, parser: jinja2.parser.Parser) -> jinja2.nodes.Node:
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return jinja2.nodes.CallBlock(self.call_method("_print"), [], [], body).set_lineno(line)

    def _print(self, caller: Callable[[], str]) -> str:
        return caller()


def _to_json(
    value: Any,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def _raise_exception(message: str) -> str:
    raise jinja2.exceptions.TemplateError(message)


def _clock(date: str) -> Callable[[str], str]:
    """The template's strftime_now, standing still at midnight of the given day."""
    return datetime.fromisoformat(date).strftime


@cache
def _compiled(path: Path) -> jinja2.Template:
    environment = jinja2.sandbox.ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[_GenerationTag, jinja2.ext.loopcontrols]
    )
    environment.filters["tojson"] = _to_json
    environment.globals["raise_exception"] = _raise_exception
    return environment.from_string(path.read_text(encoding="utf-8"))


def _without_none(message: Message, keep_content: bool) -> dict[str, Any]:
    """Drop keys whose value is None, as apply_chat_template does (for DeepSeek-V3 see TEMPLATES)."""
    keep = keep_content and message.get("role") == "assistant" and bool(message.get("tool_calls"))
    return {key: value for key, value in message.items() if value is not None or (keep and key == "content")}


def sorted_keys(value: Any) -> Any:
    """The value with the keys of every mapping in it in order (Kimi's deep_sort_dict)."""
    if isinstance(value, Mapping):
        return {key: sorted_keys(value[key]) for key in sorted(value)}
    return [sorted_keys(item) for item in value] if isinstance(value, (list, tuple)) else value


def reasoning_of(message: Message) -> Any:
    """The message's reasoning under any of its names, None if it has none."""
    return next((message[key] for key in REASONING_KEYS if message.get(key) is not None), None)


def _with_reasoning_names(message: dict[str, Any]) -> dict[str, Any]:
    """Copy reasoning to reasoning_content and (if absent) thinking: transformers' _alias_reasoning_fields."""
    reasoning = reasoning_of(message)
    if reasoning is None:
        return message
    return {"thinking": reasoning, **message, "reasoning_content": reasoning}


def template_messages(key: str, messages: Sequence[Message]) -> list[dict[str, Any]]:
    """The messages as the template sees them."""
    keep = TEMPLATES[key].keeps_none_content
    return [_with_reasoning_names(_without_none(message, keep)) for message in messages]


def template_text(
    key: str,
    messages: Sequence[Message],
    tools: Sequence[Tool] | None = None,
    add_generation_prompt: bool = False,
    *,
    date: str = DATE,
    **kwargs: Any,
) -> str:
    """What the real template prints. `date` is what its strftime_now tells; kwargs go to the template."""
    if not messages:
        raise TemplateRaised("apply_chat_template refuses an empty conversation")
    case = TEMPLATES[key]
    known: dict[str, Any] = {"strftime_now": _clock(date), **case.special_tokens, **kwargs}
    try:
        return _compiled(case.path).render(
            messages=template_messages(key, messages),
            tools=None if tools is None else sorted_keys(tools) if case.sorts_tools else list(tools),
            documents=None,
            add_generation_prompt=add_generation_prompt,
            **known,
        )
    except (jinja2.exceptions.TemplateError, TypeError) as error:
        raise TemplateRaised(f"{type(error).__name__}: {error}") from error


def template_ids(
    key: str,
    messages: Sequence[Message],
    tools: Sequence[Tool] | None = None,
    add_generation_prompt: bool = False,
    *,
    date: str = DATE,
    **kwargs: Any,
) -> list[int]:
    """The ids apply_chat_template gives: the template's text through the full tokenizer."""
    return ids_of_text(key, template_text(key, messages, tools, add_generation_prompt, date=date, **kwargs))


def ids_of_text(key: str, text: str) -> list[int]:
    """The text through the full tokenizer."""
    return list(tokenizer_for(TEMPLATES[key].tokenizer).encode(text, add_special_tokens=False).ids)


# --- openai-harmony -----------------------------------------------------------------------------------------------


@cache
def _harmony() -> Any:
    """The vendor's module (imported late and untyped: it ships no type marker)."""
    return importlib.import_module("openai_harmony")


@cache
def _harmony_encoding() -> Any:
    os.environ["TIKTOKEN_ENCODINGS_BASE"] = str(_present(assets_folder() / "gpt-oss" / "o200k_base.tiktoken").parent)
    library = _harmony()
    return library.load_harmony_encoding(library.HarmonyEncodingName.HARMONY_GPT_OSS)


def _plain_text(content: Any) -> str:
    """A content as text: None is empty, text parts are joined."""
    if content is None or isinstance(content, str):
        return content or ""
    return "".join(part["text"] for part in content)


def _system(effort: str, date: str, identity: str | None, knowledge_cutoff: str | None) -> Any:
    library = _harmony()
    content = library.SystemContent.new().with_conversation_start_date(date)
    content = content.with_reasoning_effort(library.ReasoningEffort[effort.upper()])
    content = content.with_required_channels(["analysis", "commentary", "final"])
    if identity is not None:
        content = content.with_model_identity(identity)
    if knowledge_cutoff is not None:
        content = content.with_knowledge_cutoff(knowledge_cutoff)
    return library.Message.from_role_and_content(library.Role.SYSTEM, content)


def _tool_description(tool: Tool) -> Any:
    function = tool.get("function", tool)
    return _harmony().ToolDescription.new(
        function["name"], function.get("description") or "", parameters=function.get("parameters")
    )


def _developer(instructions: str | None, tools: Sequence[Tool]) -> Any:
    library = _harmony()
    content = library.DeveloperContent.new()
    if instructions is not None:
        content = content.with_instructions(instructions)
    if tools:
        content = content.with_function_tools([_tool_description(tool) for tool in tools])
    return library.Message.from_role_and_content(library.Role.DEVELOPER, content)


def _opening(messages: Sequence[Message], tools: Sequence[Tool]) -> list[Any]:
    """The first developer message: instructions of a first system or developer message, and the tools.

    Without any text there is no instructions block, and without any tools either no message at all.
    """
    first = _plain_text(messages[0].get("content")) if messages and _is_instruction(messages[0]) else ""
    return [_developer(first or None, tools)] if first or tools else []


def _is_instruction(message: Message) -> bool:
    return message["role"] in ("system", "developer")


def _assistant(text: str, channel: str) -> Any:
    library = _harmony()
    return library.Message.from_role_and_content(library.Role.ASSISTANT, text).with_channel(channel)


def _call(call: Mapping[str, Any]) -> Any:
    function = call.get("function", call)
    arguments = function["arguments"]
    text = arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)
    return _assistant(text, "commentary").with_recipient("functions." + function["name"])


def _assistant_turn(message: Message) -> list[Any]:
    """Analysis if there is any, then a final answer, or a commentary preamble and the calls."""
    reasoning, content, calls = reasoning_of(message), message.get("content"), message.get("tool_calls") or []
    analysis = [_assistant(reasoning, "analysis")] if reasoning else []
    if calls:
        preamble = [_assistant(_plain_text(content), "commentary")] if content else []
        return analysis + preamble + [_call(call) for call in calls]
    if content is None and analysis:
        return analysis
    return [*analysis, _assistant(_plain_text(content), "final")]


def _call_name(call: Mapping[str, Any]) -> str:
    return str(call.get("function", call)["name"])


def _result_name(messages: Sequence[Message], index: int) -> str:
    """Who answers: the message's name, else the call with its id, else the call at its place in the run."""
    message = messages[index]
    if message.get("name"):
        return str(message["name"])
    earlier = [call for other in messages[:index] for call in other.get("tool_calls") or []]
    wanted = message.get("tool_call_id")
    named = [call for call in earlier if wanted is not None and call.get("id") == wanted]
    if named:
        return _call_name(named[-1])
    caller = max(i for i in range(index) if messages[i]["role"] == "assistant")
    calls = messages[caller]["tool_calls"]
    return _call_name(calls[min(index - caller, len(calls)) - 1])


def _result(messages: Sequence[Message], index: int) -> Any:
    library = _harmony()
    author = library.Author.new(library.Role.TOOL, "functions." + _result_name(messages, index))
    text = _plain_text(messages[index].get("content"))
    result = library.Message.from_author_and_content(author, text)
    return result.with_recipient("assistant").with_channel("commentary")


def _turn(messages: Sequence[Message], index: int) -> list[Any]:
    """The Harmony messages of one OpenAI message (a first instruction is the opening's business)."""
    library, message = _harmony(), messages[index]
    if _is_instruction(message):
        return [] if index == 0 else [_developer(_plain_text(message.get("content")), [])]
    if message["role"] == "assistant":
        return _assistant_turn(message)
    if message["role"] == "tool":
        return [_result(messages, index)]
    return [library.Message.from_role_and_content(library.Role.USER, _plain_text(message.get("content")))]


def _conversation(head: Sequence[Any], turns: Sequence[Sequence[Any]]) -> Any:
    return _harmony().Conversation.from_messages([*head, *(part for turn in turns for part in turn)])


def _for_training(conversation: Any, drop: bool) -> list[int]:
    config = _harmony().RenderConversationConfig(auto_drop_analysis=drop)
    return list(_harmony_encoding().render_conversation_for_training(conversation, config))


def _for_completion(conversation: Any, drop: bool = True) -> list[int]:
    library = _harmony()
    config = library.RenderConversationConfig(auto_drop_analysis=drop)
    return list(_harmony_encoding().render_conversation_for_completion(conversation, library.Role.ASSISTANT, config))


def _with_last_analysis(head: Sequence[Any], turns: Sequence[Sequence[Any]]) -> list[int]:
    """The prompt before the last turn, as the library prunes it, and after it the whole last turn.

    Messages are rendered one by one, so the last turn is what the unpruned training document has after the
    unpruned prompt (the assistant's header, with which the prompt ends, opens the last turn in both).
    """
    before = _conversation(head, turns[:-1])
    pruned, whole = _for_completion(before), _for_completion(before, drop=False)
    document = _for_training(_conversation(head, turns), drop=False)
    if document[: len(whole)] != whole:
        raise AssertionError("openai_harmony no longer renders message by message")
    return pruned + document[len(whole) :]


def harmony_ids(
    messages: Sequence[Message],
    tools: Sequence[Tool] | None = None,
    add_generation_prompt: bool = False,
    *,
    reasoning_effort: str = "medium",
    date: str = DATE,
    identity: str | None = None,
    knowledge_cutoff: str | None = None,
    keep_last_analysis: bool = True,
) -> list[int]:
    """What openai_harmony prints for these OpenAI-style messages.

    Without the generation prompt a conversation that ends with a final answer keeps that turn's analysis
    (`keep_last_analysis`), as the model wrote it; the library alone would drop it.
    """
    head = [_system(reasoning_effort, date, identity, knowledge_cutoff), *_opening(messages, tools or [])]
    turns = [_turn(messages, index) for index in range(len(messages))]
    if add_generation_prompt:
        return _for_completion(_conversation(head, turns))
    last = messages[-1] if messages else {}
    if keep_last_analysis and last.get("role") == "assistant" and not last.get("tool_calls"):
        return _with_last_analysis(head, turns)
    return _for_training(_conversation(head, turns), drop=True)


def harmony_text(
    messages: Sequence[Message], tools: Sequence[Tool] | None = None, add_generation_prompt: bool = False, **kwargs: Any
) -> str:
    """harmony_ids as text (same arguments)."""
    return text_of_harmony(harmony_ids(messages, tools, add_generation_prompt, **kwargs))


def text_of_harmony(ids: Sequence[int]) -> str:
    """Ids of the vendor's encoder as text."""
    return str(_harmony_encoding().decode_utf8(list(ids)))

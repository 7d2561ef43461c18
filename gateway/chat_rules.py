"""What the fields of a chat request mean for one another, and what each role may say: as OpenAI has it.

The types were checked before. Where OpenAI and the providers differ the more generous is followed: a provider that
refuses something says so itself, and its answer is passed on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from gateway import errors
from gateway.complaints import shown

Object = Mapping[str, Any]

CHOICES = ("none", "auto", "required", "any")  # the last is Mistral's word for the third
MAX_METADATA, MAX_METADATA_KEY, MAX_METADATA_VALUE = 16, 64, 512
# What an assistant's message may consist of instead of content; the last four are other vendors' words for thoughts.
DONE = ("tool_calls", "function_call", "refusal", "audio")
THOUGHT = ("reasoning", "reasoning_content", "reasoning_details", "thinking_blocks")
# Which kinds of content may stand in a message of which role. Kinds that are not here are the provider's business.
ROLES_OF_PARTS = {
    "image_url": ("user", "tool"),
    "input_audio": ("user",),
    "file": ("user", "tool"),
    "refusal": ("assistant",),
}


def check(body: Object) -> None:
    """Raises `ApiError` (400)."""
    for rule in _RULES:
        rule(body)
    for place, message in enumerate(body["messages"]):
        _check_message(message, at=f"messages[{place}]")


def _check_streaming(body: Object) -> None:
    if body.get("stream_options") is not None and not body.get("stream"):
        raise errors.invalid(
            "'stream_options' is only allowed with 'stream': set 'stream' to true, or leave it out.",
            param="stream_options",
        )


def _check_logprobs(body: Object) -> None:
    if body.get("top_logprobs") and not body.get("logprobs"):
        raise errors.invalid(
            "'top_logprobs' is only allowed with 'logprobs': set 'logprobs' to true, or leave it out.",
            param="top_logprobs",
        )


def _check_metadata(body: Object) -> None:
    metadata = body.get("metadata") or {}
    if len(metadata) > MAX_METADATA:
        raise errors.invalid(
            f"'metadata' has {len(metadata)} entries, and may have at most {MAX_METADATA}.", param="metadata"
        )
    for name, value in metadata.items():
        if len(name) > MAX_METADATA_KEY:
            raise errors.invalid(
                f"'metadata' has the key {shown(name)}, and keys may have at most {MAX_METADATA_KEY} characters.",
                param="metadata",
            )
        if len(value) > MAX_METADATA_VALUE:
            raise errors.invalid(
                f"'metadata.{name}' has {len(value)} characters, and may have at most {MAX_METADATA_VALUE}.",
                param=f"metadata.{name}",
            )


def _check_audio(body: Object) -> None:
    audio = body.get("audio")
    if audio is None:
        if "audio" in (body.get("modalities") or ()):
            raise errors.invalid(
                "'audio' is missing: with 'audio' among the 'modalities' it says the voice and the format.",
                param="audio",
            )
        return
    if not isinstance(audio.get("format"), str):
        raise errors.invalid("'audio.format' must be a string, such as 'wav', 'mp3' or 'pcm16'.", param="audio.format")
    if not isinstance(audio.get("voice"), str | dict):
        raise errors.invalid("'audio.voice' must be the name of a voice, such as 'alloy'.", param="audio.voice")


def _check_response_format(body: Object) -> None:
    wanted = body.get("response_format") or {}
    if wanted.get("type") == "json_schema" and wanted.get("json_schema") is None:
        raise errors.invalid(
            "The required field 'response_format.json_schema' is missing: an object with a name and a schema.",
            param="response_format.json_schema",
        )


def _check_tools(body: Object) -> None:
    for place, tool in enumerate(body.get("tools") or ()):
        at = f"tools[{place}].{tool['type']}"
        if tool["type"] == "function" and tool.get("function") is None:
            raise errors.invalid(f"The required field '{at}' is missing: an object with the function's name.", param=at)
        if tool["type"] == "custom" and not isinstance(_get(tool.get("custom"), "name"), str):
            raise errors.invalid(f"'{at}.name' must be the tool's name.", param=f"{at}.name")


def _check_functions(body: Object) -> None:
    if body.get("functions") and body.get("tools"):
        raise errors.invalid(
            "'functions' cannot be used together with 'tools', which replaces it. Leave 'functions' out.",
            param="functions",
        )


def _check_tool_choice(body: Object) -> None:
    asked, tools = body.get("tool_choice"), body.get("tools") or ()
    if isinstance(asked, str) and asked not in CHOICES:
        raise errors.invalid(
            f"'tool_choice' must be none, auto, required or an object that names a tool, not {shown(asked)}.",
            param="tool_choice",
        )
    if asked in (None, "none", "auto"):
        return
    kind = _get(asked, "type")
    if isinstance(asked, dict) and not isinstance(kind, str):
        raise errors.invalid("'tool_choice.type' must be a string, such as function.", param="tool_choice.type")
    if not tools and not body.get("functions"):
        raise errors.invalid("'tool_choice' is only allowed with 'tools': it chooses among them.", param="tool_choice")
    if kind in {"function", "custom"}:
        name = _get(_get(asked, kind), "name") or _get(asked, "name")
        _check_offered(name, {_get(tool.get(kind), "name") for tool in tools}, "tool_choice", "tools")


def _check_function_call(body: Object) -> None:
    asked = body.get("function_call")
    if asked in (None, "none", "auto"):
        return
    if isinstance(asked, str):
        raise errors.invalid(
            f"'function_call' must be none, auto or an object that names a function, not {shown(asked)}.",
            param="function_call",
        )
    offered = {function["name"] for function in body.get("functions") or ()}
    _check_offered(_get(asked, "name"), offered, "function_call", "functions")


def _check_offered(name: object, offered: set[Any], param: str, field: str) -> None:
    if not isinstance(name, str):
        raise errors.invalid(f"'{param}' must name one of the '{field}'.", param=param)
    if name not in offered:
        raise errors.invalid(f"'{param}' names {shown(name)}, which is not among the '{field}'.", param=param)


_RULES: tuple[Callable[[Object], None], ...] = (
    _check_streaming,
    _check_logprobs,
    _check_metadata,
    _check_audio,
    _check_response_format,
    _check_functions,
    _check_tools,
    _check_tool_choice,
    _check_function_call,
)


def _check_message(message: Object, *, at: str) -> None:
    role, content = message["role"], message.get("content")
    if content is None:
        _check_silence(message, role, at=at)
    elif isinstance(content, list):
        for place, part in enumerate(content):
            _check_part(part, role, at=f"{at}.content[{place}]")
    if role == "tool" and message.get("tool_call_id") is None:
        raise errors.invalid(
            f"The required field '{at}.tool_call_id' is missing: it names the call that the message answers.",
            param=f"{at}.tool_call_id",
        )
    if role == "function" and message.get("name") is None:
        raise errors.invalid(
            f"The required field '{at}.name' is missing: it names the function that the message answers for.",
            param=f"{at}.name",
        )
    for place, call in enumerate(message.get("tool_calls") or ()):
        if call.get("type", "function") == "function" and call.get("function") is None:
            where = f"{at}.tool_calls[{place}].function"
            raise errors.invalid(
                f"The required field '{where}' is missing: an object with a name and arguments.", param=where
            )


def _check_silence(message: Object, role: str, *, at: str) -> None:
    """Only an assistant may have said nothing, when it did something; and a function may have had no answer."""
    if role == "function" or (role == "assistant" and any(message.get(name) is not None for name in DONE + THOUGHT)):
        return
    otherwise = ", unless the message has 'tool_calls'" if role == "assistant" else ""
    raise errors.invalid(
        f"Invalid value for '{at}.content': it must be a string or a list of parts, not null{otherwise}.",
        param=f"{at}.content",
    )


def _check_part(part: Object, role: str, *, at: str) -> None:
    kind = part["type"]
    if role not in ROLES_OF_PARTS.get(kind, (role,)):
        article = "an" if role == "assistant" else "a"
        raise errors.invalid(
            f"Invalid value for '{at}.type': {article} {role} message cannot have a part of the type '{kind}'.",
            param=f"{at}.type",
        )
    for field, fits, wanted in _shape(kind, part):
        if not fits:
            raise errors.invalid(f"'{at}.{field}' must be {wanted}.", param=f"{at}.{field}")


def _shape(kind: str, part: Object) -> Iterator[tuple[str, bool, str]]:
    """The fields of a part of this kind: where each is, whether it is right, and what is right."""
    inner = part.get(kind)
    if kind in {"text", "refusal"}:
        yield kind, isinstance(inner, str), "a string"
    elif kind == "image_url":
        url = inner if isinstance(inner, str) else _get(inner, "url")
        yield "image_url.url", isinstance(url, str) and bool(url), "a URL or a data URL"
        yield "image_url.detail", _is_text_or_null(inner, "detail"), "a string such as auto, low or high"
    elif kind == "input_audio":
        yield "input_audio.data", isinstance(_get(inner, "data"), str), "sound in base64"
        yield "input_audio.format", isinstance(_get(inner, "format"), str), "a string such as wav or mp3"
    elif kind == "file":
        whole = any(isinstance(_get(inner, name), str) for name in ("file_data", "file_id"))
        yield "file", whole, "an object with file_data or file_id"


def _get(value: object, name: str) -> Any:
    return value.get(name) if isinstance(value, dict) else None


def _is_text_or_null(value: object, name: str) -> bool:
    return isinstance(_get(value, name), str | None)

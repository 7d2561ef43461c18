"""What a request needs and its model lacks: refused here, before any money is held, with where it stands.

What a provider's translation makes up for (JSON by a forced tool, for one) is let through, and so is whatever nobody
has said anything about. Nothing here looks into texts or files: a large body costs a look at each of its parts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from gateway import errors
from gateway.capability_words import WITHOUT_REASONING, WORDS
from gateway.providers import providers
from gateway.providers.base import Provider, Target
from gateway.translation.chat_request import offers_functions

_VALUE, _PARAMETER = "unsupported_value", "unsupported_parameter"
_HEAD = 64  # characters of a data URL in which its media type stands
_PDF_STARTS = ("data:application/pdf", "jvberi")  # the latter is %PDF- in base64, in lower case


class Model(Protocol):
    """As much as matters here of the registry's entry for the model that serves."""

    @property
    def id(self) -> str: ...
    @property
    def capabilities(self) -> Mapping[str, Any]: ...
    @property
    def targets(self) -> tuple[Target, ...]: ...
    @property
    def lacking(self) -> frozenset[str]:
        """What `lacking_of` says of it, worked out once: it is asked with every request."""
        ...


@dataclass(frozen=True, slots=True)
class _Said:
    """How the lack of a capability is told: what the request has, what the model does not do, and by which code."""

    has: str
    does_not: str
    code: str = _VALUE
    instead: str = "Leave it out"


_SAID = {
    "vision": _Said("is an image", "take"),
    "image_urls": _Said("is an image at a URL", "fetch", instead="Send it as a data URL"),
    "pdf": _Said("is a file", "take"),
    "file_ids": _Said("names a file of a provider", "have", instead="Send the file itself as file_data"),
    "audio": _Said("is audio or video", "take"),
    "audio_output": _Said("asks for speech", "give"),
    "tools": _Said("offers tools", "take", _PARAMETER),
    "forced_tool_choice": _Said("demands a call of a tool", "promise", instead="Use auto"),
    "custom_tools": _Said("is a custom tool", "take", instead="Use tools of type function"),
    "json_object": _Said("asks for a JSON object", "promise"),
    "json_schema": _Said("asks for an answer that follows a JSON schema", "promise"),
    "tools_with_json": _Said("asks for JSON of a request that offers tools", "combine"),
    "n": _Said("asks for several answers", "give"),
    "logprobs": _Said("asks for the probabilities of tokens", "give", _PARAMETER),
    "stop": _Said("names sequences to stop at", "heed", _PARAMETER),
    "prefill": _Said("is an assistant message to be continued", "do", instead="End with a user message"),
}
_ENDPOINTS = frozenset({"chat", "completions", "embeddings"})
_SEEN = frozenset({"vision", "image_urls", "pdf", "file_ids", "audio"})  # what the parts of messages can need


def check(body: Mapping[str, Any], model: Model) -> None:
    """Raises `ApiError` (400) that names the place in the body and the capability. `model` is the one that serves."""
    lacking = model.lacking
    needs = _of_chat if "messages" in body else _of_answers
    for word, param in needs(body, lacking) if lacking else ():
        if word in lacking:
            raise _lacks(word, param, body, model)
    if "messages" in body:
        _check_reasoning(body, model)


def lacking_of(capabilities: Mapping[str, Any], targets: Sequence[Target]) -> frozenset[str]:
    """What no request to such a model may need."""
    return frozenset(word for word in _SAID if not _able(capabilities, targets, word))


def shown(capabilities: Mapping[str, Any], kinds: Sequence[str]) -> dict[str, Any]:
    """What callers are told that a model can do, by the registry's words and the kinds of its providers. Of what is
    not known there is no word."""
    known = {word: _known(word, capabilities, kinds) for word, kind in WORDS.items() if kind.shown}
    return {word: value for word, value in known.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Refusal:
    """What a model is not to be asked for: the word, the code of the error, and what would be right instead."""

    word: str
    code: str
    instead: str


def refused(model: Model) -> list[Refusal]:
    """What `check` would refuse of a request to this model."""
    return [Refusal(word, said.code, said.instead) for word, said in _SAID.items() if word in model.lacking]


def _able(capabilities: Mapping[str, Any], targets: Sequence[Target], word: str) -> bool:
    """Whether a request may need it: the model can, or all its routes do without."""
    if _known(word, capabilities, [target.kind for target in targets]) is not False:
        return True
    return bool(targets) and all(_does_without(target, word) for target in targets)


def _does_without(target: Target, word: str) -> bool:
    """An operator who wants none of that sets the route's option of that name to "refuse"."""
    return word in providers()[target.kind].does_without and target.options.get(word) != "refuse"


def _known(word: str, capabilities: Mapping[str, Any], kinds: Sequence[str]) -> Any:
    """The registry's value, or what is so because all providers are as they are; None when nobody knows. A kind whose
    module is gone says nothing."""
    stated = capabilities.get(word)
    found = [providers()[kind] for kind in kinds if kind in providers()]
    if not found:
        return stated
    if word in _ENDPOINTS and stated is None:
        return any(_assumes(provider, word) for provider in found)
    if not stated and all(word in provider.emulates for provider in found):
        return True
    if stated is None and all(word in provider.lacks for provider in found):
        return False
    return stated


def _assumes(provider: Provider, endpoint: str) -> bool:
    dialect = provider.dialect(endpoint)
    return dialect is not None and dialect.assumed


def _of_chat(body: Mapping[str, Any], lacking: frozenset[str]) -> Iterator[tuple[str, str]]:
    """What a chat completion needs, each with its place in the body."""
    messages = body["messages"]
    yield from _of_tools(body)
    yield from _of_format(body)
    yield from _of_answers(body, lacking)
    if messages and messages[-1].get("role") == "assistant" and not messages[-1].get("tool_calls"):
        yield "prefill", f"messages[{len(messages) - 1}]"
    if lacking & _SEEN:
        for place, message in enumerate(messages):
            content = message.get("content")
            for position, part in enumerate(content if isinstance(content, list) else ()):
                for word in _of_part(part):
                    yield word, f"messages[{place}].content[{position}]"


def _of_tools(body: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if offers_functions(body):
        yield "tools", "tools" if body.get("tools") else "functions"
    for place, tool in enumerate(body.get("tools") or ()):
        if tool.get("type") == "custom":
            yield "custom_tools", f"tools[{place}]"
    for name in ("tool_choice", "function_call"):
        if _forces(body.get(name)) and (body.get("tools") or body.get("functions")):
            yield "forced_tool_choice", name


def _forces(choice: object) -> bool:
    if isinstance(choice, dict):
        allowed = choice.get("allowed_tools")
        mode = (allowed if isinstance(allowed, dict) else choice).get("mode")
        return mode == "required" if choice.get("type") == "allowed_tools" else True
    return choice == "required"


def _of_format(body: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    wanted = body.get("response_format")
    kind = wanted.get("type") if isinstance(wanted, dict) else None
    if kind in ("json_object", "json_schema"):
        yield kind, "response_format.type"
        if (body.get("tools") or body.get("functions")) and body.get("tool_choice") != "none":
            yield "tools_with_json", "response_format"
    modalities = body.get("modalities")
    if isinstance(modalities, list) and "audio" in modalities:
        yield "audio_output", "modalities"
    elif body.get("audio") is not None:
        yield "audio_output", "audio"


def _of_answers(body: Mapping[str, Any], lacking: frozenset[str]) -> Iterator[tuple[str, str]]:
    """What a completion of either kind needs. `logprobs` is true or false in one, a number in the other."""
    if (body.get("n") or 1) > 1:
        yield "n", "n"
    if body.get("logprobs"):
        yield "logprobs", "logprobs"
    if body.get("stop"):
        yield "stop", "stop"


def _of_part(part: Mapping[str, Any]) -> Iterator[str]:
    """The capabilities that one part of a message needs."""
    kind = part.get("type")
    if kind == "image_url":
        image = part.get("image_url")
        url = image.get("url") if isinstance(image, dict) else image
        yield from _of_url(url[:_HEAD].lower() if isinstance(url, str) else "")
    elif kind == "file":
        yield from _of_file(part.get("file"))
    elif kind == "input_audio":
        yield "audio"


def _of_url(head: str) -> Iterator[str]:
    if not head.startswith("data:"):
        yield "vision"
        yield "image_urls"
    elif head.startswith(("data:audio/", "data:video/")):
        yield "audio"
    else:
        yield "pdf" if head.startswith("data:application/pdf") else "vision"


def _of_file(file: object) -> Iterator[str]:
    if not isinstance(file, dict):
        return
    data, name = file.get("file_data"), file.get("filename")
    head = data[:_HEAD].lower() if isinstance(data, str) else ""
    if file.get("file_id"):
        yield "file_ids"
    elif head.startswith(("data:image/", "data:audio/", "data:video/")):
        yield from _of_url(head)
    elif head.startswith(_PDF_STARTS) or str(name).lower().endswith(".pdf"):
        yield "pdf"


def _check_reasoning(body: Mapping[str, Any], model: Model) -> None:
    """What a model does only while it is told not to reason."""
    asked = body.get("reasoning_effort")
    effort = asked.get("effort") if isinstance(asked, dict) else asked
    tools = model.capabilities.get("tools") == WITHOUT_REASONING and offers_functions(body)
    if tools and effort not in {None, "none"}:
        raise errors.invalid(
            f"'reasoning_effort' must be none in a request that offers tools: {_called(model, body)} does not use "
            "tools while it reasons. Leave it out, or use another model.",
            param="reasoning_effort",
            code=_VALUE,
        )
    silent = effort == "none" or tools
    if model.capabilities.get("logprobs") == WITHOUT_REASONING and body.get("logprobs") is True and not silent:
        raise errors.invalid(
            f"'logprobs' can be had from {_called(model, body)} only with reasoning_effort none. "
            "Set that, or leave logprobs out.",
            param="logprobs",
            code=_PARAMETER,
        )


def _lacks(word: str, param: str, body: Mapping[str, Any], model: Model) -> errors.ApiError:
    said = _SAID[word]
    return errors.invalid(
        f"'{param}' {said.has}, which {_called(model, body)} does not {said.does_not}. {said.instead}, or use a model "
        f"that has '{word}' among its capabilities in GET /v1/models.",
        param=param,
        code=said.code,
    )


def _called(model: Model, body: Mapping[str, Any]) -> str:
    asked = str(body.get("model"))
    return f"'{model.id}'" if asked == model.id else f"'{model.id}', which answers for the retired '{asked[:120]}',"

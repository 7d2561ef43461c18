"""What a caller got and what a provider was sent, as facts that two gateways can be compared by.

A fact has a path and a JSON value. What must differ (ids, times, the model's name) is told by what it is made of,
and a stream is put together, so that a streamed answer has the same paths as a whole one, and its form beside it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import httpx

from tests.fakes.replay import ASKED
from tests.fakes.server import Received

HEADERS = ("content-type", "cache-control", "retry-after", "x-should-retry")
SENT_HEADERS = ("anthropic-version", "anthropic-beta")
PROMPT = "[[answer]]"
GOOGLES = "/gemini/"
CALLERS_OWN = {"args", "response", "parameters", "parametersJsonSchema", "responseSchema", "responseJsonSchema"}


def answer(response: httpx.Response, upstream: bytes, model: str, served: str) -> dict[str, Any]:
    """`upstream` is what the provider answered: words and ids of an answer are its words, or are not."""
    facts: dict[str, Any] = {"status": response.status_code, "headers": _headers(response)}
    if response.headers.get("content-type", "").startswith("text/event-stream"):
        return {**facts, **_stream(response.text, upstream, model, served)}
    try:
        body = response.json()
    except ValueError:
        return {**facts, "body": "not JSON"}
    return {**facts, **_body(body, upstream, model, served)}


def sent(requests: Sequence[Received]) -> dict[str, Any]:
    """The requests that reached the provider. One, usually, whose body then is the fact."""
    return {"count": len(requests), "requests": [_sent(one) for one in requests]}


def _headers(response: httpx.Response) -> dict[str, Any]:
    told = {name: response.headers[name] for name in HEADERS if name in response.headers}
    if "content-type" in told:
        told["content-type"] = told["content-type"].replace(" ", "").lower()
    return {**told, "x-request-id": "x-request-id" in response.headers}


def _sent(one: Received) -> dict[str, Any]:
    headers = {name: one.headers[name] for name in SENT_HEADERS if name in one.headers}
    if not one.body:
        return {"path": one.path, "headers": headers}
    body = json.loads(ASKED.sub(PROMPT.encode(), one.body))
    return {
        "path": one.path,
        "headers": headers,
        "body": _in_camel_case(body) if one.path.startswith(GOOGLES) else body,
    }


def _in_camel_case(value: Any) -> Any:
    """Google reads both spellings of its fields. What the caller named himself keeps its name."""
    if isinstance(value, list):
        return [_in_camel_case(one) for one in value]
    if not isinstance(value, dict):
        return value
    renamed = {re.sub(r"_([a-z])", lambda found: found[1].upper(), key): inner for key, inner in value.items()}
    return {key: inner if key in CALLERS_OWN else _in_camel_case(inner) for key, inner in renamed.items()}


def _body(body: Any, upstream: bytes, model: str, served: str) -> dict[str, Any]:
    if not isinstance(body, dict):
        return {"body": body}
    facts = dict(body)
    if "error" in facts:
        facts["error"] = _error(facts["error"], upstream)
    if "created" in facts:
        facts["created"] = type(facts["created"]).__name__
    if "model" in facts:
        facts["model"] = _name(facts["model"], model, served, upstream)
    if "id" in facts:
        facts["id"] = _id(facts["id"], upstream)
    for choice in facts.get("choices") or ():
        for call in (choice.get("message") or {}).get("tool_calls") or ():
            call["id"] = _id(call.get("id"), upstream)
            _read_arguments(call.get("function") or {})
    return facts


def _read_arguments(function: dict[str, Any]) -> None:
    """How JSON is spaced, and in which order its keys come, makes no difference."""
    with suppress(ValueError, TypeError):
        function["arguments"] = json.loads(function["arguments"])


def _error(error: Any, upstream: bytes) -> Any:
    if not isinstance(error, dict):
        return error
    return {**error, "message": _words(error.get("message"), upstream)}


def _words(message: Any, upstream: bytes) -> str:
    """Whose words a message is: a caller should read the provider's own, without the machinery around them."""
    if not isinstance(message, str):
        return json.dumps(message)
    text = upstream.decode("utf-8", "replace")
    if json.dumps(message)[1:-1] in text or json.dumps(message, ensure_ascii=False)[1:-1] in text:
        return "as it came"
    found = re.search(r'"(?:message|detail|error)"\s*:\s*"((?:[^"\\]|\\.)*)"', text)
    if found and found[1] and json.loads(f'"{found[1]}"') in message:
        return "as it came, and more"
    if found and found[1] and found[1] in message:
        return "as JSON, and more"
    return "other words"


def _name(name: Any, model: str, served: str, upstream: bytes) -> Any:
    if name == model:
        return "as asked"
    if name == served:
        return "the provider's name for it"
    return "as answered" if isinstance(name, str) and name and name.encode() in upstream else name


def _id(value: Any, upstream: bytes) -> Any:
    if not isinstance(value, str) or not value:
        return value
    if value.encode() in upstream:
        return "as it came"
    head, mark, _ = value.partition("__thought__")
    if mark:
        return f"{_id(head, upstream)}, with a signature"
    prefix = re.match(r"[a-z]+[-_]", value)
    return f"made: {prefix[0]}" if prefix else "made"


# -- Streams -----------------------------------------------------------------------------------------


def _stream(text: str, upstream: bytes, model: str, served: str) -> dict[str, Any]:
    datas = [line[5:].strip() for line in text.splitlines() if line.startswith("data:")]
    chunks = [json.loads(data) for data in datas if data != "[DONE]"]
    plain = [chunk for chunk in chunks if isinstance(chunk, dict) and "error" not in chunk]
    errors = [chunk for chunk in chunks if not isinstance(chunk, dict) or "error" in chunk]
    whole = _whole(plain)
    facts = _body(whole, upstream, model, served)
    facts["stream"] = {
        **_form(chunks, done="[DONE]" in datas),
        "ids": len({chunk.get("id") for chunk in plain}),
        "models": len({chunk.get("model") for chunk in plain}),
        "times": len({chunk.get("created") for chunk in plain}),
        "usage": _usage_form(plain),
        "keys": dict.fromkeys((key for chunk in plain for key in chunk if key != "usage"), True),
        "choice keys": dict.fromkeys((key for choice in _choices(plain) for key in choice), True),
        "event names": sorted({line[6:].strip() for line in text.splitlines() if line.startswith("event:")}),
    }
    if errors:
        failed = errors[0] if isinstance(errors[0], dict) else {"error": errors[0]}
        facts["error"] = _error(failed.get("error"), upstream)
        facts["stream"]["beside the error"] = sorted(set(failed) - {"error"})
    return facts


def _choices(chunks: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [choice for chunk in chunks for choice in chunk.get("choices") or ()]


def _whole(chunks: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The completion that a plain reader puts together: texts joined, other fields as last told."""
    if not chunks:
        return {}
    told = {key: value for chunk in chunks for key, value in chunk.items() if key != "choices"}
    told.pop("usage", None)
    usage = [chunk["usage"] for chunk in chunks if chunk.get("usage")]
    choices: dict[int, dict[str, Any]] = {}
    for choice in _choices(chunks):
        made = choices.setdefault(
            choice.get("index", 0), {"index": choice.get("index", 0), "finish_reason": None, "message": {}}
        )
        _join(made["message"], choice.get("delta") or {})
        for key, value in choice.items():
            if key not in {"delta", "index"} and value is not None:
                made[key] = value
    whole = {**told, "choices": [choices[index] for index in sorted(choices)]}
    return {**whole, "usage": usage[-1]} if usage else whole


def _join(message: dict[str, Any], delta: Mapping[str, Any]) -> None:
    for key, value in delta.items():
        if key == "tool_calls":
            for part in value or ():
                _join_call(message.setdefault("tool_calls", []), part)
        elif isinstance(value, str) and key != "role":
            message[key] = (message.get(key) or "") + value
        elif isinstance(value, dict):
            _join(message.setdefault(key, {}), value)
        elif isinstance(value, list):
            message[key] = [*(message.get(key) or ()), *value]
        elif value is not None or key not in message:
            message[key] = value


def _join_call(calls: list[dict[str, Any]], part: Mapping[str, Any]) -> None:
    known = {call["index"]: call for call in calls}
    if part.get("index") not in known:
        calls.append({"index": part.get("index"), "function": {}})
        known = {call["index"]: call for call in calls}
    call = known[part.get("index")]
    for key, value in part.items():
        if key == "function":
            _join(call["function"], value or {})
        elif key != "index" and value is not None:
            call[key] = value


def _form(chunks: Sequence[Any], *, done: bool) -> dict[str, Any]:
    """In which order things come, said once for as long as they go on; and how it begins and ends."""
    kinds = [_kinds(chunk) for chunk in chunks] + ([["done"]] if done else [])
    roles = [place for place, kind in enumerate(kinds) if "role" in kind]
    enders = {"finish", "usage", "error", "done"}
    end = next((place for place, kind in enumerate(kinds) if enders & set(kind)), len(kinds))
    return {
        "role": _role_form(kinds, roles),
        "order": _squeezed([kind for found in kinds[:end] for kind in found if kind not in {"role", *enders}]),
        "end": _squeezed(["+".join(kind) or "empty" for kind in kinds[end:]]),
    }


def _role_form(kinds: Sequence[Sequence[str]], roles: Sequence[int]) -> str:
    if len(roles) != 1:
        return f"{'never' if not roles else 'several times'}"
    return "by itself" if kinds[roles[0]] == ["role"] else "beside something"


def _squeezed(kinds: Sequence[str]) -> str:
    return ", ".join(kind for place, kind in enumerate(kinds) if place == 0 or kinds[place - 1] != kind)


def _kinds(chunk: Any) -> list[str]:
    if not isinstance(chunk, dict) or "error" in chunk:
        return ["error"]
    found = [kind for choice in chunk.get("choices") or () for kind in _kinds_of(choice)]
    return [*found, "usage beside a choice" if chunk["choices"] else "usage"] if chunk.get("usage") else found


def _kinds_of(choice: Mapping[str, Any]) -> list[str]:
    delta, prefix = choice.get("delta") or {}, f"{choice['index']}:" if choice.get("index") else ""
    found = ["role"] if delta.get("role") else []
    for key, value in delta.items():
        if key == "tool_calls":
            found += [f"{prefix}call {part.get('index')}" for part in value or ()]
        elif key != "role" and value:
            found.append(f"{prefix}{key}")
    return [*found, "finish"] if choice.get("finish_reason") else found


def _usage_form(chunks: Sequence[Mapping[str, Any]]) -> str:
    told = ["counts" if chunk.get("usage") else "null" if "usage" in chunk else "absent" for chunk in chunks]
    if not told:
        return "no chunks"
    return f"{' or '.join(sorted(set(told[:-1])))}, then {told[-1]}"

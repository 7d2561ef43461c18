"""What a chat request says, in OpenAI's format: read here once for every vendor that it is translated for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from gateway import errors
from gateway.providers.base import ChatCall


def content_parts(content: object, at: str) -> list[tuple[Mapping[str, Any], str]]:
    """A message's parts, each with where it stands in the body. A plain string is one part."""
    if content is None:
        return []
    if isinstance(content, str):
        return [({"type": "text", "text": content}, at)]
    if not isinstance(content, list):
        raise errors.invalid(f"'{at}' must be a string or a list of content parts.", param=at)
    found: list[tuple[Mapping[str, Any], str]] = []
    for position, part in enumerate(content):
        where = f"{at}[{position}]"
        if not isinstance(part, dict) or not isinstance(part.get("type"), str):
            raise errors.invalid(f"'{where}' must be an object with a type, such as text.", param=where)
        found.append((part, where))
    return found


def call_arguments(arguments: object) -> dict[str, Any]:
    """A call's arguments as an object, which vendors want. What is none is kept under `_raw`: a history with
    arguments that were cut off must stay usable."""
    if not isinstance(arguments, str) or not arguments.strip():
        return {}
    try:
        parsed = orjson.loads(arguments)
    except orjson.JSONDecodeError:
        return {"_raw": arguments}
    if parsed is None:
        return {}
    return parsed if isinstance(parsed, dict) else {"_raw": arguments}


def function_names(body: Mapping[str, Any]) -> Iterator[str]:
    """Every function name in the request: offered first, then those of the history."""
    functions = [tool.get("function") for tool in body.get("tools") or () if isinstance(tool, dict)]
    functions += body.get("functions") or ()
    for message in body["messages"]:
        functions += [call.get("function") for call in message.get("tool_calls") or ()]
        functions.append(message.get("function_call"))
    for function in functions:
        if isinstance(function, dict) and isinstance(function.get("name"), str):
            yield function["name"]


def answer_limit(call: ChatCall) -> int | None:
    """How long the answer may be, never more than the model can; None when the caller does not say."""
    most = call.target.max_output_tokens
    for param in ("max_completion_tokens", "max_tokens"):
        asked = call.body.get(param)
        if asked is None:
            continue
        if not isinstance(asked, int) or isinstance(asked, bool) or asked < 1:
            raise errors.invalid(f"'{param}' must be a whole number of at least 1.", param=param)
        return min(asked, most) if most else asked
    return None

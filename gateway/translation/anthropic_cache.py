"""Cache marks: how many there are, and the one that a route may set by itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from gateway import errors
from gateway.providers.base import ChatCall

MAX_MARKS = 4


def marked(request: dict[str, Any], call: ChatCall) -> dict[str, Any]:
    """`request` as it may go up. Raises `ApiError` (400) when the caller set more marks than Anthropic takes.

    The option `cache_prompts` of a route marks what callers left without any mark: all of the prompt, for five minutes.
    """
    said = [block for message in request["messages"] for block in message["content"]]
    bearers = (request, *request.get("tools", ()), *request.get("system", ()), *said)
    marks = sum("cache_control" in bearer for bearer in bearers)
    if marks > MAX_MARKS:
        _, at = list(zip(range(MAX_MARKS + 1), _marks(call.body), strict=False))[-1]
        raise errors.invalid(
            f"'{at}' is one cache mark too many: a request may have {MAX_MARKS}, and this one has {marks}. "
            "Keep those that end what stays the same the longest.",
            param=at,
        )
    if not marks and call.target.options.get("cache_prompts") is True:
        return {**request, "cache_control": {"type": "ephemeral"}}
    return request


def _marks(body: Mapping[str, Any]) -> Iterator[str]:
    """Where the caller's marks stand, in the order in which Anthropic reads what bears them."""
    for position, tool in enumerate(body.get("tools") or ()):
        for bearer, at in ((tool, f"tools[{position}]"), (tool.get("function"), f"tools[{position}].function")):
            yield from _mark(bearer, at)
    for position, message in enumerate(body["messages"]):
        at = f"messages[{position}]"
        parts = message.get("content")
        for place, part in enumerate(parts if isinstance(parts, list) else ()):
            yield from _mark(part, f"{at}.content[{place}]")
        yield from _mark(message, at)
    yield from _mark(body, "")


def _mark(bearer: object, at: str) -> Iterator[str]:
    if isinstance(bearer, dict) and isinstance(bearer.get("cache_control"), dict):
        yield f"{at}.cache_control".lstrip(".")

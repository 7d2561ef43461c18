"""Images that a caller names by URL, fetched for a model that reads no URLs: only then, and only as far as needed.

Where they are is the caller's choice, so they come through the guard of `gateway.egress` alone.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings

from gateway import errors
from gateway.guarded import Allowance, UnreachableError, get_guarded
from gateway.lifting import like

MOST = 16  # different images that are fetched for one request
AT_ONCE = 4
# Stands for an image that is still to be fetched, so that a request can be checked before it is.
PIXEL = "data:image/png;base64,iVBORw0KGgo="


@dataclass(frozen=True, slots=True)
class Link:
    """A part of a message that names an image by its URL."""

    url: str
    at: str  # where it stands in the body


def linked(messages: Iterable[Mapping[str, Any]]) -> list[Link]:
    """All of them, each URL once."""
    found: dict[str, Link] = {}
    for place, message in enumerate(messages):
        content = message.get("content")
        for position, part in enumerate(content if isinstance(content, list) else ()):
            url = _url(part)
            if url is not None:
                found.setdefault(url, Link(url, f"messages[{place}].content[{position}]"))
    return list(found.values())


def placed(body: Mapping[str, Any], images: Mapping[str, str]) -> dict[str, Any]:
    """The body with data URLs where it names images. Everything else is the caller's own, not a copy."""
    return like(body, {**body, "messages": [_message(message, images) for message in body["messages"]]})


async def fetch(links: Collection[Link], *, media: Collection[str]) -> dict[str, str]:
    """The images as data URLs, by their URLs. Raises `ApiError` (400) that names the part whose image is no use."""
    if len(links) > MOST:
        at = list(links)[MOST].at
        raise errors.invalid(
            f"'{at}' is one image too many: this model reads no URLs, and no more than {MOST} images are fetched for "
            "a request. Send the others as data URLs.",
            param=at,
        )
    allowance, slots = Allowance(settings.GATEWAY_IMAGE_MAX_BYTES), asyncio.Semaphore(AT_ONCE)
    try:
        async with asyncio.TaskGroup() as group:
            tasks = {link.url: group.create_task(_fetch(link, media, allowance, slots)) for link in links}
    except ExceptionGroup as failed:  # the first that failed: the others were then given up
        raise failed.exceptions[0] from failed
    return {url: task.result() for url, task in tasks.items()}


async def _fetch(link: Link, media: Collection[str], allowance: Allowance, slots: asyncio.Semaphore) -> str:
    async with slots:
        try:
            found = await get_guarded(
                link.url, media=media, allowance=allowance, seconds=settings.GATEWAY_IMAGE_SECONDS
            )
        except UnreachableError as error:
            raise errors.invalid(
                f"'{link.at}' names an image that cannot be used. {error} Send it as a data URL instead.",
                param=link.at,
                code="invalid_image_url",
            ) from error
    return f"data:{found.media};base64,{base64.b64encode(found.body).decode()}"


def _message(message: Mapping[str, Any], images: Mapping[str, str]) -> Mapping[str, Any]:
    content = message.get("content")
    if not isinstance(content, list) or not any(_url(part) in images for part in content):
        return message
    return {**message, "content": [_part(part, images) for part in content]}


def _part(part: Any, images: Mapping[str, str]) -> Any:
    url = _url(part)
    return {**part, "image_url": {"url": images[url]}} if url is not None and url in images else part


def _url(part: object) -> str | None:
    """The URL of an image that is not in the body itself."""
    if not isinstance(part, dict) or part.get("type") != "image_url":
        return None
    image = part.get("image_url")
    url = image.get("url") if isinstance(image, dict) else image
    return url if isinstance(url, str) and url[:8].lower().startswith(("https://", "http://")) else None

"""Large images of a request are carried past its parsing, as the bytes in which they came.

A chat request of twenty megabytes is nearly all of it base64 that nobody here looks at. Before such a body is parsed,
the data of its images is put aside and a name stands in its place: of the same letters, made by chance, so that no
caller can write one. The body is checked, priced and translated with the names in it, and the provider is sent the
bytes themselves where the names then stand. They are never copied.

That is done only where it makes no difference: for images that are a value of their own, where a message may have
them. Anything else that looks like one is parsed with the rest.
"""

from __future__ import annotations

import base64
import re
import secrets
from collections.abc import Iterator, Mapping
from typing import Any

LEAST = 64 * 1024  # bytes of data; less is parsed as fast
_IMAGE = b'"data:image/'
_DATA = b";base64,"
_HEAD = 100  # bytes within which the data begins
_NAME = 33  # bytes by chance, 44 letters
_LETTERS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="
_AT_ONCE = 64 * 1024  # looked at while nothing else runs

Media = Mapping[bytes, memoryview]


class Body(dict[str, Any]):
    """A request's body, in which names stand for the images in `media`."""

    media: Media

    @classmethod
    def of(cls, payload: Mapping[str, Any], media: Media) -> Body:
        made = cls(payload)
        made.media = media
        return made


def media_of(body: Mapping[str, Any]) -> Media:
    """What names stand for in this body: nothing, in most."""
    return body.media if isinstance(body, Body) else {}


def like(body: Mapping[str, Any], changed: dict[str, Any]) -> dict[str, Any]:
    """A changed copy, in which the names of `body` mean what they meant."""
    media = media_of(body)
    return Body.of(changed, media) if media else changed


def lift(content: bytes) -> tuple[bytes, Media]:
    """The content with names for the data of large images, and what they stand for."""
    view, media, parts, at = memoryview(content), dict[bytes, memoryview](), list[bytes | memoryview](), 0
    for begin, end in _candidates(content):
        if _is_data(view[begin:end]):
            name = base64.b64encode(secrets.token_bytes(_NAME))
            parts += [view[at:begin], name]
            media[name], at = view[begin:end], end
    if not media:
        return content, {}
    return b"".join([*parts, view[at:]]), media


def all_in_place(payload: Mapping[str, Any], media: Media) -> bool:
    """Whether each name is where an image may be: if not, it was text that only looked like one."""
    found = [name for url in _urls(payload) if (name := url.rpartition(",")[2].encode()) in media]
    return len(found) == len(set(found)) == len(media)


def spliced(content: bytes, media: Media) -> list[bytes | memoryview]:
    """The content in pieces, with what the names in it stand for. A name may be in it twice, or not at all."""
    parts = re.split(b"(" + b"|".join(map(re.escape, media)) + b")", content)
    return [media.get(part, part) for part in parts]


def _candidates(content: bytes) -> Iterator[tuple[int, int]]:
    """Where the data of a text begins and ends that begins as an image does."""
    found = content.find(_IMAGE)
    while found >= 0:
        data = content.find(_DATA, found, found + _HEAD) + len(_DATA)
        end = content.find(b'"', found + len(_IMAGE))
        if end < 0:
            return
        if found < data - len(_DATA) and end - data >= LEAST:
            yield data, end
        found = content.find(_IMAGE, end)


def _is_data(piece: memoryview) -> bool:
    """Base64 to its last letter: nothing in it ends a text or stands for something else."""
    return not any(bytes(piece[at : at + _AT_ONCE]).translate(None, _LETTERS) for at in range(0, len(piece), _AT_ONCE))


def _urls(payload: Mapping[str, Any]) -> Iterator[str]:
    messages = payload.get("messages")
    for message in messages if isinstance(messages, list) else ():
        content = message.get("content") if isinstance(message, dict) else None
        for part in content if isinstance(content, list) else ():
            if isinstance(part, dict) and part.get("type") == "image_url":
                image = part.get("image_url")
                url = image.get("url") if isinstance(image, dict) else image
                if isinstance(url, str):
                    yield url

"""Content parts of a chat message as Anthropic's blocks: text, images and documents."""

from __future__ import annotations

import base64
import binascii
import mimetypes
import re
from collections.abc import Mapping
from typing import Any

from gateway import errors
from gateway.translation.anthropic_capabilities import Capabilities
from gateway.translation.chat_request import content_parts, textual_parts

Block = dict[str, Any]

IMAGE_TYPES = frozenset({"image/jpeg", "image/png", "image/gif", "image/webp"})
TEXT_TYPES = frozenset({"application/json", "application/xml", "application/javascript", "application/x-yaml"})
PDF = "application/pdf"
PDF_START = "JVBERi"  # %PDF- in base64
OWN_FILE_ID = re.compile(r"file_[A-Za-z0-9]+")

MAX_HEAD = 1024  # characters of a data URL before its data


def blocks(content: object, *, at: str, takes: Capabilities) -> list[Block]:
    """What a user or a tool says. `at` is where it stands in the body, for errors. Empty text is left out, because
    Anthropic refuses it."""
    found = []
    for part, where in content_parts(content, at):
        if part["type"] == "text":
            block = _text(part, part.get("text"), at=f"{where}.text")
        elif part["type"] == "image_url":
            block = _image(part, at=where, takes=takes)
        elif part["type"] == "file":
            block = _file(part, at=where, takes=takes)
        else:
            raise errors.invalid(
                f"'{where}' is a part of type '{part['type']}', which this model does not take. "
                "Use text, image_url or file.",
                param=where,
            )
        if block is not None:
            found.append(block)
    return found


def text_blocks(content: object, *, at: str, kinds: tuple[str, ...] = ("text",)) -> list[Block]:
    """What can only be text: system messages, and with `kinds` text and refusal the assistant's."""
    found = []
    for part, kind, where in textual_parts(content, at=at, kinds=kinds):
        block = _text(part, part.get(kind), at=where)
        if block is not None:
            found.append(block)
    return found


def mark(found: list[Block], control: object) -> list[Block]:
    """Put a message's own `cache_control` on the last block that can bear it."""
    bearer = next((block for block in reversed(found) if "thinking" not in block["type"]), None)
    if isinstance(control, dict) and bearer is not None:
        bearer["cache_control"] = control
    return found


def _text(part: Mapping[str, Any], text: object, *, at: str) -> Block | None:
    if not isinstance(text, str):
        raise errors.invalid(f"'{at}' must be a string.", param=at)
    return _marked({"type": "text", "text": text}, part) if text.strip() else None


def _image(part: Mapping[str, Any], *, at: str, takes: Capabilities) -> Block:
    image = part.get("image_url")
    url = image.get("url") if isinstance(image, dict) else image
    if not isinstance(url, str) or not url:
        raise errors.invalid(f"'{at}.image_url.url' must be a URL or a data URL.", param=f"{at}.image_url.url")
    if url[:5].lower() == "data:":
        return _marked(_embedded(*_unpacked(url, at=at), title=None, at=at, takes=takes), part)
    if not url[:8].lower().startswith(("https://", "http://")):
        raise errors.invalid(
            f"'{at}.image_url.url' must begin with https://, http:// or data:.", param=f"{at}.image_url.url"
        )
    _need(takes.vision, "images", at=at)
    return _marked({"type": "image", "source": {"type": "url", "url": url}}, part)


def _file(part: Mapping[str, Any], *, at: str, takes: Capabilities) -> Block:
    file = part.get("file")
    if not isinstance(file, dict):
        raise errors.invalid(f"'{at}.file' must be an object with file_data or file_id.", param=f"{at}.file")
    title = file.get("filename") if isinstance(file.get("filename"), str) else None
    if file.get("file_id") is not None:
        return _marked(_stored(file["file_id"], title=title, at=f"{at}.file.file_id"), part)
    data = file.get("file_data")
    if not isinstance(data, str) or not data:
        raise errors.invalid(
            f"'{at}.file.file_data' must be a data URL or the file in base64.", param=f"{at}.file.file_data"
        )
    if data[:5].lower() == "data:":
        media, encoded = _unpacked(data, at=at)
    else:
        media, encoded = _guessed(data, title), data
    return _marked(_embedded(media, encoded, title=title, at=at, takes=takes), part)


def _stored(file_id: object, *, title: str | None, at: str) -> Block:
    if not isinstance(file_id, str) or not OWN_FILE_ID.fullmatch(file_id):
        raise errors.invalid(
            f"'{at}' names a file that this model's provider does not have. Send the file itself as file_data.",
            param=at,
        )
    return _titled({"type": "document", "source": {"type": "file", "file_id": file_id}}, title)


def _unpacked(url: str, *, at: str) -> tuple[str, str]:
    """Media type and base64 text of a data URL. The data is cut out once, and not looked at."""
    comma = url.find(",", 0, MAX_HEAD)
    media, *parameters = url[len("data:") : max(comma, 0)].lower().split(";")
    if comma < 0 or "base64" not in (parameter.strip() for parameter in parameters):
        raise errors.invalid(f"'{at}' has a data URL that is not of the form data:MEDIA;base64,DATA.", param=at)
    return media.strip(), url[comma + 1 :]


def _guessed(encoded: str, title: str | None) -> str:
    if encoded.startswith(PDF_START):
        return PDF
    return mimetypes.guess_type(title or "")[0] or ""


def _embedded(media: str, encoded: str, *, title: str | None, at: str, takes: Capabilities) -> Block:
    data = "".join(encoded.split())  # no copy when there is no white space in it
    media = "image/jpeg" if media == "image/jpg" else media
    if not data:
        raise errors.invalid(f"'{at}' holds no data.", param=at)
    if media in IMAGE_TYPES:
        _need(takes.vision, "images", at=at)
        return {"type": "image", "source": {"type": "base64", "media_type": media, "data": data}}
    if media == PDF:
        _need(takes.pdf, "PDF files", at=at)
        source = {"type": "base64", "media_type": PDF, "data": data}
        return _titled({"type": "document", "source": source}, title)
    if media.startswith("text/") or media in TEXT_TYPES:
        source = {"type": "text", "media_type": "text/plain", "data": _decoded(data, at=at)}
        return _titled({"type": "document", "source": source}, title)
    raise errors.invalid(
        f"'{at}' is of the media type '{media or 'unknown'}'. Use JPEG, PNG, GIF, WebP, PDF or text.", param=at
    )


def _decoded(data: str, *, at: str) -> str:
    try:
        return base64.b64decode(data, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError) as error:
        raise errors.invalid(f"'{at}' must hold UTF-8 text in base64.", param=at) from error


def _need(able: bool, what: str, *, at: str) -> None:
    if not able:
        raise errors.invalid(f"'{at}': this model does not take {what}.", param=at, code="unsupported_value")


def _titled(block: Block, title: str | None) -> Block:
    return {**block, "title": title} if title else block


def _marked(block: Block, part: Mapping[str, Any]) -> Block:
    control = part.get("cache_control")
    return {**block, "cache_control": control} if isinstance(control, dict) else block

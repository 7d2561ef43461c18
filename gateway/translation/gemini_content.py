"""Content parts of a chat message as Gemini's: text, and media that are in the request or at a public URL."""

from __future__ import annotations

import mimetypes
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from gateway import errors
from gateway.translation.chat_request import content_parts, textual_parts
from gateway.translation.gemini_capabilities import Capabilities

Part = dict[str, Any]

AUDIO_FORMATS = frozenset({"wav", "mp3", "aac", "aiff", "flac", "ogg"})
RESOLUTIONS = {"low": "MEDIA_RESOLUTION_LOW", "high": "MEDIA_RESOLUTION_HIGH"}  # OpenAI's auto is Gemini's default
PDF_START = "JVBERi"  # %PDF- in base64
# Files there are read with the operator's credential, so that one caller could name what is another's.
PRIVATE_HOST = "generativelanguage.googleapis.com"

_DATA_URL = re.compile(r"data:(?P<media>[^;,]*)(?P<parameters>(?:;[^;,]*)*),", re.IGNORECASE)


def parts_of(content: object, *, at: str, takes: Capabilities) -> list[Part]:
    """What a user or a tool says. `at` is where it stands in the body, for errors. Empty text is left out."""
    makers = {"text": _text, "image_url": _image, "file": _file, "input_audio": _audio}
    found = []
    for part, where in content_parts(content, at):
        maker = makers.get(part["type"])
        if maker is None:
            raise errors.invalid(
                f"'{where}' is a part of type '{part['type']}', which this model does not take. "
                "Use text, image_url or file.",
                param=where,
            )
        found.append(maker(part, at=where, takes=takes))
    return [part for part in found if part is not None]


def text_parts(content: object, *, at: str, kinds: tuple[str, ...] = ("text",)) -> list[Part]:
    """What can only be text: system messages, and with `kinds` text and refusal the assistant's."""
    found = [_said(part.get(kind), at=where) for part, kind, where in textual_parts(content, at=at, kinds=kinds)]
    return [part for part in found if part is not None]


def _text(part: Mapping[str, Any], *, at: str, takes: Capabilities) -> Part | None:
    return _said(part.get("text"), at=f"{at}.text")


def _said(text: object, *, at: str) -> Part | None:
    if not isinstance(text, str):
        raise errors.invalid(f"'{at}' must be a string.", param=at)
    return {"text": text} if text else None


def _image(part: Mapping[str, Any], *, at: str, takes: Capabilities) -> Part:
    image = part.get("image_url")
    url = image.get("url") if isinstance(image, dict) else image
    at_url = f"{at}.image_url.url"
    if not isinstance(url, str) or not url:
        raise errors.invalid(f"'{at_url}' must be a URL or a data URL.", param=at_url)
    if url[:5].lower() == "data:":
        media, data = _unpacked(url, at=at)
        made = _inline(media, data, at=at, takes=takes)
    else:
        made = _linked(url, at=at_url, takes=takes)
    detail = image.get("detail") if isinstance(image, dict) else None
    if takes.resolutions and isinstance(detail, str) and detail in RESOLUTIONS:
        made["mediaResolution"] = {"level": RESOLUTIONS[detail]}
    return made


def _linked(url: str, *, at: str, takes: Capabilities) -> Part:
    """An image that Google fetches by itself. The gateway never does."""
    if not url.lower().startswith(("https://", "http://")):
        raise errors.invalid(f"'{at}' must begin with https://, http:// or data:.", param=at)
    try:
        host, path = urlsplit(url).hostname or "", urlsplit(url).path
    except ValueError as error:
        raise errors.invalid(f"'{at}' is not a valid URL.", param=at) from error
    if host == PRIVATE_HOST:
        raise errors.invalid(
            f"'{at}' names a file in the provider's own store. Send the image itself as a data URL.", param=at
        )
    _need(takes.vision, "images", at=at)
    _need(takes.image_urls, "images by URL: send them as data URLs", at=at)
    media = mimetypes.guess_type(path)[0]
    return {"fileData": {"mimeType": media, "fileUri": url} if media else {"fileUri": url}}


def _file(part: Mapping[str, Any], *, at: str, takes: Capabilities) -> Part:
    file = part.get("file")
    if not isinstance(file, dict):
        raise errors.invalid(f"'{at}.file' must be an object with file_data.", param=f"{at}.file")
    if file.get("file_id") is not None:
        raise errors.invalid(
            f"'{at}.file.file_id' names a file that this model's provider does not have. "
            "Send the file itself as file_data.",
            param=f"{at}.file.file_id",
            code="unsupported_value",
        )
    data = file.get("file_data")
    if not isinstance(data, str) or not data:
        raise errors.invalid(
            f"'{at}.file.file_data' must be a data URL or the file in base64.", param=f"{at}.file.file_data"
        )
    if data[:5].lower() == "data:":
        media, data = _unpacked(data, at=at)
    else:
        media = "application/pdf" if data.startswith(PDF_START) else _guessed(file.get("filename"))
    return _inline(media, data, at=at, takes=takes)


def _audio(part: Mapping[str, Any], *, at: str, takes: Capabilities) -> Part:
    _need(takes.audio, "audio", at=at)
    audio = part.get("input_audio")
    given, kind = (audio.get("data"), audio.get("format")) if isinstance(audio, dict) else (None, None)
    if not isinstance(given, str) or not isinstance(kind, str) or kind not in AUDIO_FORMATS:
        raise errors.invalid(
            f"'{at}.input_audio' must have data in base64 and a format, one of {', '.join(sorted(AUDIO_FORMATS))}.",
            param=f"{at}.input_audio",
        )
    return _inline(f"audio/{kind}", given, at=at, takes=takes)


def _inline(media: str, encoded: str, *, at: str, takes: Capabilities) -> Part:
    data = "".join(encoded.split()) if any(space in encoded for space in " \r\n\t") else encoded
    if not data:
        raise errors.invalid(f"'{at}' holds no data.", param=at)
    if not media:
        raise errors.invalid(f"'{at}' does not say its media type. Use data:MEDIA;base64,DATA.", param=at)
    if media.startswith("image/"):
        _need(takes.vision, "images", at=at)
        media = "image/jpeg" if media == "image/jpg" else media
    if media.startswith(("audio/", "video/")):
        _need(takes.audio, media.partition("/")[0], at=at)
    return {"inlineData": {"mimeType": media, "data": data}}


def _unpacked(url: str, *, at: str) -> tuple[str, str]:
    """Media type and base64 text of a data URL."""
    head = _DATA_URL.match(url)
    if head is None or ";base64" not in head["parameters"].lower():
        raise errors.invalid(f"'{at}' has a data URL that is not of the form data:MEDIA;base64,DATA.", param=at)
    return head["media"].strip().lower(), url[head.end() :]


def _guessed(filename: object) -> str:
    return (mimetypes.guess_type(filename)[0] or "") if isinstance(filename, str) else ""


def _need(able: bool, what: str, *, at: str) -> None:
    if not able:
        raise errors.invalid(f"'{at}': this model does not take {what}.", param=at, code="unsupported_value")

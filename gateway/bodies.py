"""From a body's bytes to the JSON object in them, within bounds that keep a hostile one from costing seconds or memory.

What can be said of the bytes is said before they are parsed, by counting in C; the rest is said of the parsed value,
container by container. Nothing here touches a long text character by character: an image of twenty megabytes costs
what its parsing costs, or less.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, TypeVar

import orjson
from django.conf import settings

from gateway import errors, lifting

LARGE = 512 * 1024  # bytes that are read in a thread, so that other requests have their turns in between
# Where images, sound and files stand in a message: as long as the body may be.
MEDIA = frozenset({"url", "image_url", "data", "file_data"})

_STRUCTURE = (b",", b"[", b"{")  # each value but the first of a body is preceded by one of them, or by a colon
_ALL_ELSE = bytes(set(range(256)) - set(b'",[{'))

Path = tuple[int | str, ...]
Given = TypeVar("Given")
Result = TypeVar("Result")


async def read_object(content: bytes) -> dict[str, Any]:
    """As `parse_object`, without holding up the event loop for a large one."""
    return await aside(len(content), parse_object, content)


async def aside(size: int, work: Callable[[Given], Result], given: Given) -> Result:
    """What `work` makes of something whose body has `size` bytes: in a thread when that is much."""
    if size > LARGE:
        return await asyncio.to_thread(work, given)
    return work(given)


def parse_object(content: bytes) -> dict[str, Any]:
    """The JSON object in a body. Raises `ApiError` (400).

    That of a large body may have names in it where images were: `gateway.lifting` says what for.
    """
    if len(content) > LARGE:
        skeleton, media = lifting.lift(content)
        with suppress(errors.ApiError):  # which is told in the words of the whole body
            payload = _parsed(skeleton) if media else {}
            if media and lifting.all_in_place(payload, media):
                return lifting.Body.of(payload, media)
    return _parsed(content)


def _parsed(content: bytes) -> dict[str, Any]:
    commas, opened = _check_structure(content)
    try:
        payload = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise errors.invalid(
            f"The body is not valid JSON: {error.msg} at line {error.lineno}, column {error.colno}."
        ) from error
    if not isinstance(payload, dict):
        raise errors.invalid('The body must be a JSON object, such as {"model": "...", "messages": [...]}.')
    if commas >= settings.GATEWAY_MAX_JSON_ENTRIES or opened > settings.GATEWAY_MAX_JSON_DEPTH:
        _check_containers(payload)
    if len(content) > settings.GATEWAY_MAX_TEXT_CHARACTERS:
        _check_texts(payload)
    return payload


def written(path: Path) -> str:
    """`messages[0].role`"""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text


def _check_structure(content: bytes) -> tuple[int, int]:
    """Refuse a body of too many values before they are made. Most bodies pass by three counts of a byte.

    The answer: how many commas there are at most, and how many lists and objects are opened.
    """
    most = settings.GATEWAY_MAX_JSON_VALUES
    commas, lists, objects = map(content.count, _STRUCTURE)
    if commas + lists + objects <= most:
        return commas, lists + objects
    without_escapes = content.replace(b"\\\\", b"").replace(b'\\"', b"") if b"\\" in content else content
    if without_escapes.count(b'"') > 4 * (most + 1):  # a key and a value for each of them
        raise _too_many_values(most)
    outside = without_escapes.translate(None, _ALL_ELSE).split(b'"')[::2]
    if sum(map(len, outside)) > most:
        raise _too_many_values(most)
    return commas, lists + objects


def _too_many_values(most: int) -> errors.ApiError:
    return errors.invalid(f"The body's JSON has more than {most} values. Send fewer messages, parts or entries.")


def _check_containers(payload: dict[str, Any]) -> None:
    """How deep they lie and how many entries they have: level by level, without recursion."""
    level: list[Any] = [payload]
    for _ in range(settings.GATEWAY_MAX_JSON_DEPTH):
        if max(map(len, level)) > settings.GATEWAY_MAX_JSON_ENTRIES:
            raise _too_many_entries(payload)
        level = [
            inner
            for outer in level
            for inner in (outer.values() if type(outer) is dict else outer)
            if type(inner) is dict or type(inner) is list
        ]
        if not level:
            return
    depth = settings.GATEWAY_MAX_JSON_DEPTH
    param = next(str(path[0]) for path, _ in _walk(payload) if len(path) == depth)
    raise errors.invalid(
        f"'{_shown(param)}' is nested too deep: the body's JSON may have {depth} levels.", param=_shown(param)
    )


def _too_many_entries(payload: dict[str, Any]) -> errors.ApiError:
    most = settings.GATEWAY_MAX_JSON_ENTRIES
    path, found = next((path, value) for path, value in _walk(payload) if _is_container(value) and len(value) > most)
    if not path:
        return errors.invalid(f"The body has {len(found)} fields, and an object may have at most {most}.")
    param = _shown(written(path))
    return errors.invalid(
        f"'{param}' has {len(found)} entries, and a list or an object may have at most {most}.", param=param
    )


def _check_texts(payload: dict[str, Any]) -> None:
    """No text longer than a text may be; images, sound and files are bounded by the body."""
    most = settings.GATEWAY_MAX_TEXT_CHARACTERS
    for path, value in _walk(payload):
        if isinstance(value, str) and len(value) > most and path[-1] not in MEDIA:
            param = _shown(written(path))
            raise errors.invalid(
                f"'{param}' is a text of {len(value)} characters, and a text may have at most {most}. "
                "Images, sound and files may be larger, as data in their own fields.",
                param=param,
            )


def _walk(payload: dict[str, Any]) -> Iterator[tuple[Path, Any]]:
    """Every value with its place. Only for bodies that are large or refused: it costs Python's time for each value."""
    waiting: list[tuple[Path, Any]] = [((), payload)]
    while waiting:
        path, value = waiting.pop()
        yield path, value
        if isinstance(value, dict):
            waiting += [((*path, name), inner) for name, inner in value.items()]
        elif isinstance(value, list):
            waiting += [((*path, place), inner) for place, inner in enumerate(value)]


def _is_container(value: object) -> bool:
    return isinstance(value, dict | list)


def _shown(param: str) -> str:
    return param if len(param) <= 200 else f"{param[:200]}..."

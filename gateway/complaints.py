"""What pydantic found wrong with a body, as one sentence for the caller."""

from __future__ import annotations

import re

import orjson
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from gateway import errors
from gateway.bodies import Path, written

_SUBJECT = re.compile(r"^(?:Input|List|String|Value|Dictionary) should ")
_HINTS = {
    "model": " Name one of those that GET /v1/models lists.",
    "messages": ' Send a list such as [{"role": "user", "content": "Hello"}].',
}
_ROLE = re.compile(r"messages\[\d+\]\.role")


def explained(payload: dict[str, object], error: ValidationError) -> errors.ApiError:
    """The one complaint that got furthest: of the branches of a union, the one the caller most likely meant.

    Two faults have the codes that OpenAI was recorded to answer them with; all others have the general one.
    """
    found = [(_path(payload, detail["loc"]), detail) for detail in error.errors(include_url=False)]
    path, detail = max(found, key=lambda item: len(item[0]))
    same = [other for at, other in found if at == path]
    param = written(path)
    sentence = _sentence(param, detail, same)
    if detail["type"] == "too_short" and param == "messages":
        return errors.invalid(sentence, param=param, code="empty_array")
    if detail["type"] == "literal_error" and _ROLE.fullmatch(param):
        return errors.invalid(sentence, param=param, code="unsupported_value")
    return errors.invalid(sentence, param=param)


def _path(payload: object, location: tuple[int | str, ...]) -> Path:
    """pydantic's location without the names of union branches, which are nothing to the caller."""
    path: list[int | str] = []
    at: object = payload
    for position, step in enumerate(location):
        last = position == len(location) - 1
        if isinstance(at, list) and isinstance(step, int) and step < len(at):
            at = at[step]
        elif isinstance(at, dict) and isinstance(step, str) and (step in at or (last and _is_field(step))):
            at = at.get(step)
        else:
            continue
        path.append(step)
    return tuple(path)


def _is_field(step: str) -> bool:
    return step.isidentifier() and step not in {"str", "int", "float", "bool", "dict", "list"}


def _sentence(param: str, detail: ErrorDetails, same: list[ErrorDetails]) -> str:
    if detail["type"] == "missing":
        return f"The required field '{param}' is missing.{_HINTS.get(param, '')}"
    if detail["type"] == "too_short" or detail["type"] == "string_too_short":
        least = "character" if detail["type"] == "string_too_short" else "entry"
        return f"'{param}' is empty. It needs at least one {least}.{_HINTS.get(param, '')}"
    wanted = " or ".join(dict.fromkeys(_wanted(other) for other in same))
    return f"Invalid value for '{param}': it must {wanted}, not {shown(detail['input'])}."


def _wanted(detail: ErrorDetails) -> str:
    """pydantic's `Input should be a valid string` as `be a string`."""
    if detail["type"] in {"model_type", "dict_type"}:
        return "be an object"
    message = _SUBJECT.sub("", detail["msg"]).partition(" after validation")[0]
    message = message.replace("a valid ", "a ").replace("a integer", "an integer").replace("match p", "match the p")
    return f"{message[0].lower()}{message[1:]}"


def shown(value: object) -> str:
    """A caller's value in a sentence about it, never all of a long one."""
    if isinstance(value, str):
        return f"'{value[:40]}...'" if len(value) > 40 else f"'{value}'"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    if isinstance(value, dict):
        return "an object"
    return orjson.dumps(value).decode()

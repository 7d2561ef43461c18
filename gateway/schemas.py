"""The body of a chat completion request: what is checked here is refused here, by name; the rest goes through.

Unknown fields are kept: new parameters appear every month, and the provider knows best what it takes.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from gateway import errors

MAX_DEPTH = 200  # orjson reads deeper than it writes, and what cannot be written cannot be passed on
LARGEST = 2**63 - 1  # beyond what 64 bits hold, orjson reads a whole number as one with a fraction
_SUBJECT = re.compile(r"^(?:Input|List|String|Value) should ")
ROLES = Literal["developer", "system", "user", "assistant", "tool", "function"]


class Open(BaseModel):
    """Keeps what it does not know, and takes no string for a number.

    Lists of these end at their first fault: a body may hold a million, and telling all of them takes minutes.
    """

    model_config = ConfigDict(extra="allow", strict=True)


class ContentPart(Open):
    type: str


class FunctionCall(Open):
    name: str
    arguments: str


class ToolCall(Open):
    id: str
    type: str = "function"
    function: FunctionCall | None = None


class Message(Open):
    role: ROLES
    content: str | Annotated[list[ContentPart], Field(fail_fast=True)] | None = None
    name: str | None = None
    tool_calls: Annotated[list[ToolCall], Field(fail_fast=True)] | None = None
    tool_call_id: str | None = None


class FunctionDefinition(Open):
    name: Annotated[str, Field(min_length=1)]
    description: str | None = None
    parameters: dict[str, Any] | None = None


class Tool(Open):
    type: str
    function: FunctionDefinition | None = None


class StreamOptions(Open):
    include_usage: bool | None = None


class ChatCompletionRequest(Open):
    """Fields as in OpenAI's reference; those not named here are passed on as they are."""

    model: Annotated[str, Field(min_length=1)]
    messages: Annotated[list[Message], Field(fail_fast=True, min_length=1, max_length=2048)]
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(ge=0, le=1)] | None = None
    max_tokens: Annotated[int, Field(ge=1, le=LARGEST)] | None = None
    max_completion_tokens: Annotated[int, Field(ge=1, le=LARGEST)] | None = None
    n: Annotated[int, Field(ge=1, le=8)] | None = None
    stop: str | Annotated[list[str], Field(fail_fast=True, max_length=4)] | None = None
    presence_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    frequency_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Field(ge=0, le=20)] | None = None
    seed: Annotated[int, Field(ge=-LARGEST, le=LARGEST)] | None = None
    user: str | None = None
    tools: Annotated[list[Tool], Field(fail_fast=True, max_length=128)] | None = None
    tool_choice: str | dict[str, Any] | None = None
    parallel_tool_calls: bool | None = None
    response_format: dict[str, Any] | None = None
    functions: Annotated[list[FunctionDefinition], Field(fail_fast=True, max_length=128)] | None = None
    function_call: str | dict[str, Any] | None = None


def parse_object(body: bytes) -> dict[str, Any]:
    """The JSON object in `body`. Raises `ApiError` (400)."""
    try:
        payload = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise errors.invalid(
            f"The body is not valid JSON: {error.msg} at line {error.lineno}, column {error.colno}."
        ) from error
    if not isinstance(payload, dict):
        raise errors.invalid('The body must be a JSON object, such as {"model": "...", "messages": [...]}.')
    _check_depth(payload)
    return payload


def _check_depth(payload: dict[str, Any]) -> None:
    """Level by level, without recursion."""
    level: list[Any] = [payload]
    for _ in range(MAX_DEPTH):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, dict | list)
        ]
        if not level:
            return
    raise errors.invalid(f"The body's JSON is nested more than {MAX_DEPTH} levels deep.")


def check_chat(payload: dict[str, Any]) -> None:
    """Raises `ApiError` (400) that names the field and says what would be right."""
    check(ChatCompletionRequest, payload)


def check(schema: type[BaseModel], payload: dict[str, Any]) -> None:
    """The same for any of the bodies that we take."""
    try:
        schema.model_validate(payload)
    except ValidationError as error:
        raise _explained(payload, error) from error


def _explained(payload: dict[str, Any], error: ValidationError) -> errors.ApiError:
    """The one complaint that got furthest: of the branches of a union, the one the caller most likely meant."""
    found = [(_path(payload, detail["loc"]), detail) for detail in error.errors(include_url=False)]
    path, detail = max(found, key=lambda item: len(item[0]))
    same = [other for at, other in found if at == path]
    param = _written(path)
    return errors.invalid(_sentence(param, detail, same), param=param)


def _path(payload: object, location: tuple[int | str, ...]) -> tuple[int | str, ...]:
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


def _written(path: tuple[int | str, ...]) -> str:
    """`messages[0].role`"""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text


def _sentence(param: str, detail: ErrorDetails, same: list[ErrorDetails]) -> str:
    if detail["type"] == "missing":
        return f"The required field '{param}' is missing."
    if detail["type"] == "too_short" or detail["type"] == "string_too_short":
        return f"'{param}' is empty. It needs at least one entry."
    wanted = " or ".join(dict.fromkeys(_wanted(other) for other in same))
    return f"Invalid value for '{param}': it must {wanted}, not {_shown(detail['input'])}."


def _wanted(detail: ErrorDetails) -> str:
    """pydantic's `Input should be a valid string` as `be a string`."""
    message = _SUBJECT.sub("", detail["msg"]).partition(" after validation")[0]
    message = message.replace("a valid ", "a ").replace("a integer", "an integer")
    return f"{message[0].lower()}{message[1:]}"


def _shown(value: object) -> str:
    if isinstance(value, str):
        return f"'{value[:40]}'"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    if isinstance(value, dict):
        return "an object"
    return orjson.dumps(value).decode()

"""The body of a chat completion request: what is checked here is refused here, by name; the rest goes through.

Unknown fields are kept: new parameters appear every month, and the provider knows best what it takes. A field that is
null is a field that was not sent, as it is to OpenAI. What one field means for another is in `gateway.chat_rules`.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, WithJsonSchema

from gateway import chat_rules
from gateway.complaints import explained

MAX_MESSAGES, MAX_TOOLS, MAX_STOPS, MAX_CHOICES = 2048, 128, 4, 8
LARGEST = 2**63 - 1  # beyond what 64 bits hold, orjson reads a whole number as one with a fraction
NULL = WithJsonSchema({"type": "null"})
ROLES = Literal["developer", "system", "user", "assistant", "tool", "function"]
EFFORTS = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max", "default"]
# OpenAI takes letters, digits, - and _, up to 64 of them. Others take more, or names are translated for them.
FunctionName = Annotated[str, Field(min_length=1, max_length=256)]


class Open(BaseModel):
    """Keeps what it does not know, and takes no string for a number.

    Lists of these end at their first fault: a body may hold many, and telling all of them takes long.
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
    refusal: str | None = None
    tool_calls: Annotated[list[ToolCall], Field(fail_fast=True)] | None = None
    tool_call_id: str | None = None
    function_call: FunctionCall | None = None


class FunctionDefinition(Open):
    name: FunctionName
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class Tool(Open):
    type: str
    function: FunctionDefinition | None = None


class StreamOptions(Open):
    include_usage: bool | None = None
    include_obfuscation: bool | None = None


class JsonSchema(Open):
    name: Annotated[str, Field(pattern=r"^[a-zA-Z0-9_-]+$", max_length=64)]
    description: str | None = None
    schema_: Annotated[dict[str, Any] | None, Field(alias="schema")] = None
    strict: bool | None = None


class ResponseFormat(Open):
    type: str
    json_schema: JsonSchema | None = None


class ReasoningEffort(Open):
    """As some clients send it, who know it from another of OpenAI's endpoints."""

    effort: EFFORTS | None = None


class ChatCompletionRequest(Open):
    """Fields as in OpenAI's reference; those not named here are passed on as they are."""

    model: Annotated[str, Field(min_length=1)]
    messages: Annotated[list[Message], Field(fail_fast=True, min_length=1, max_length=MAX_MESSAGES)]
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(ge=0, le=1)] | None = None
    max_tokens: Annotated[int, Field(ge=1, le=LARGEST)] | None = None
    max_completion_tokens: Annotated[int, Field(ge=1, le=LARGEST)] | None = None
    n: Annotated[int, Field(ge=1, le=MAX_CHOICES)] | None = None
    stop: str | Annotated[list[str], Field(fail_fast=True, max_length=MAX_STOPS)] | None = None
    presence_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    frequency_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    logit_bias: dict[str, Annotated[float, Field(ge=-100, le=100)]] | list[Any] | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Field(ge=0, le=20)] | None = None
    seed: Annotated[int, Field(ge=-LARGEST, le=LARGEST)] | None = None
    user: str | None = None
    tools: Annotated[list[Tool], Field(fail_fast=True, max_length=MAX_TOOLS)] | None = None
    tool_choice: str | dict[str, Any] | None = None
    parallel_tool_calls: bool | None = None
    response_format: ResponseFormat | None = None
    functions: Annotated[list[FunctionDefinition], Field(fail_fast=True, max_length=MAX_TOOLS)] | None = None
    function_call: str | dict[str, Any] | None = None
    modalities: Annotated[list[Literal["text", "audio", "image"]], Field(fail_fast=True)] | None = None
    audio: dict[str, Any] | None = None
    prediction: dict[str, Any] | None = None
    reasoning_effort: EFFORTS | ReasoningEffort | None = None
    verbosity: Literal["low", "medium", "high"] | None = None
    service_tier: str | None = None
    store: bool | None = None
    metadata: dict[str, str] | None = None
    prompt_cache_key: str | None = None
    safety_identifier: str | None = None
    web_search_options: Annotated[dict[str, Any] | None, NULL] = None  # an object is refused: it has no price here


def check_chat(payload: dict[str, Any]) -> None:
    """Raises `ApiError` (400) that names the field and says what would be right."""
    check(ChatCompletionRequest, payload)
    chat_rules.check(payload)


def check(schema: type[BaseModel], payload: dict[str, Any]) -> None:
    """The same for any of the bodies that we take."""
    try:
        schema.model_validate(payload)
    except ValidationError as error:
        raise explained(payload, error) from error

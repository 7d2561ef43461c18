"""What models answer, in OpenAI's shapes. Vendors may say more than is written here; what is written here holds."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from gateway.openapi.answers import Error
from gateway.openapi.shapes import Answer, Schema, ref

DONE = "[DONE]"
FINISH = "Why it ended: `stop`, `length`, `tool_calls`, `content_filter`, or `function_call` for the older functions."


class PromptTokensDetails(Answer):
    """Parts of the prompt."""

    cached_tokens: int | None = None
    cache_write_tokens: int | None = None
    audio_tokens: int | None = None
    image_tokens: int | None = None


class CompletionTokensDetails(Answer):
    """Parts of the answer."""

    reasoning_tokens: int | None = None
    audio_tokens: int | None = None
    image_tokens: int | None = None
    accepted_prediction_tokens: int | None = None
    rejected_prediction_tokens: int | None = None


class CompletionUsage(Answer):
    """Tokens, as OpenAI counts them: totals include everything."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: PromptTokensDetails | None = None
    completion_tokens_details: CompletionTokensDetails | None = None


class CalledFunction(Answer):
    """The function that is to be called."""

    name: str
    arguments: str
    """JSON, as the model wrote it: check it before you use it."""


class AssistantToolCall(Answer):
    """A call that the model wants made. Answer with a message of the role `tool`."""

    id: str
    type: str
    """`function`, unless the provider knows others."""
    function: CalledFunction | None = None


class AssistantMessage(Answer):
    """What the model said."""

    role: Literal["assistant"]
    content: str | None = None
    """Null when it called a tool or refused."""
    refusal: str | None = None
    """Why it would not, in its own words."""
    reasoning_content: str | None = None
    """What it thought, where the provider tells."""
    tool_calls: list[AssistantToolCall] | None = None
    function_call: CalledFunction | None = None
    """For requests with the older `functions`."""
    annotations: list[dict[str, Any]] | None = None
    """What it cites, in the provider's words."""
    audio: dict[str, Any] | None = None
    """What it spoke, where that was asked for."""


class TopLogprob(Answer):
    """One of the likeliest tokens at a place."""

    token: str
    logprob: float
    bytes: list[int] | None = None


class TokenLogprob(TopLogprob):
    """How likely a token was, and which others were likely in its place."""

    top_logprobs: list[TopLogprob] | None = None


class ChoiceLogprobs(Answer):
    """How likely the tokens were."""

    content: list[TokenLogprob] | None = None
    refusal: list[TokenLogprob] | None = None


class ChatChoice(Answer):
    """One answer. There are `n` of them."""

    index: int
    message: AssistantMessage
    logprobs: ChoiceLogprobs | None = None
    finish_reason: Annotated[str | None, Field(description=FINISH)]


class ChatCompletion(Answer):
    """A whole answer."""

    id: str
    object: Literal["chat.completion"]
    created: int
    """Unix seconds."""
    model: str
    """The model that answered: a successor, when the one that was asked for is retired."""
    choices: Annotated[list[ChatChoice], Field(min_length=1)]
    usage: CompletionUsage | None = None
    system_fingerprint: str | None = None
    service_tier: str | None = None


class ToolCallPart(Answer):
    """A piece of a tool call. Pieces with the same `index` belong together; `arguments` are appended."""

    index: int
    id: str | None = None
    """In the first piece."""
    type: str | None = None
    function: FunctionPart | None = None


class FunctionPart(Answer):
    """A piece of the function's name or arguments."""

    name: str | None = None
    arguments: str | None = None


class ChatDelta(Answer):
    """What is new. Append it to what came before."""

    role: str | None = None
    """`assistant`, in the first chunk."""
    content: str | None = None
    refusal: str | None = None
    reasoning_content: str | None = None
    tool_calls: list[ToolCallPart] | None = None
    function_call: FunctionPart | None = None


class ChatChunkChoice(Answer):
    """The next piece of one answer."""

    index: int
    delta: ChatDelta
    logprobs: ChoiceLogprobs | None = None
    finish_reason: Annotated[str | None, Field(description=FINISH + " Null until then.")] = None


class ChatCompletionChunk(Answer):
    """One event of a streamed answer."""

    id: str
    """The same in every chunk."""
    object: Literal["chat.completion.chunk"]
    created: int
    """Unix seconds; the same in every chunk."""
    model: str
    """The model that answers."""
    choices: list[ChatChunkChoice]
    """Empty in the last chunk, which has the usage."""
    usage: CompletionUsage | None = None
    """In the last chunk before `[DONE]`, when `stream_options.include_usage` asked for it; null in the others."""
    system_fingerprint: str | None = None
    service_tier: str | None = None


class CompletionLogprobs(Answer):
    """How likely the tokens were."""

    tokens: list[str] | None = None
    token_logprobs: list[float | None] | None = None
    top_logprobs: list[dict[str, float] | None] | None = None
    text_offset: list[int] | None = None


class CompletionChoice(Answer):
    """One answer."""

    index: int
    text: str
    logprobs: CompletionLogprobs | None = None
    finish_reason: str | None = None
    """Why it ended: `stop`, `length` or `content_filter`."""


class Completion(Answer):
    """An answer of the older endpoint. Streamed, every event has this shape too."""

    id: str
    object: Literal["text_completion"]
    created: int
    """Unix seconds."""
    model: str
    """The model that answered."""
    choices: list[CompletionChoice]
    usage: CompletionUsage | None = None
    system_fingerprint: str | None = None


class Embedding(Answer):
    """One input as a vector."""

    object: Literal["embedding"]
    index: int
    """The place of its input."""
    embedding: list[float] | str
    """Numbers; or, with `encoding_format: base64`, the bytes of 32-bit floats, little-endian."""


class EmbeddingUsage(Answer):
    """Tokens."""

    prompt_tokens: int
    total_tokens: int


class EmbeddingList(Answer):
    """A vector for each input, in their order."""

    object: Literal["list"]
    data: list[Embedding]
    model: str
    """The model that answered."""
    usage: EmbeddingUsage


def event_of(chunk: type[Answer]) -> Schema:
    """The schema of one server-sent event: the JSON of a chunk, or of an error, or the mark of the end."""
    told = [ref(chunk), ref(Error)]
    return {
        "type": "object",
        "description": (
            "One server-sent event: `data: `, its content, and an empty line. Comments (`: …`) may stand between "
            "events; they mean nothing to a program."
        ),
        "required": ["data"],
        "properties": {
            "data": {
                "type": "string",
                "description": "JSON, or `[DONE]`, which ends a complete stream. An error ends one that is not.",
                "anyOf": [{"const": DONE}, {"contentMediaType": "application/json", "contentSchema": {"anyOf": told}}],
            }
        },
    }

"""The bodies of embeddings and of completions of the older kind: texts, or tokens, instead of messages."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Discriminator, Field, Tag, WithJsonSchema
from pydantic_core import PydanticCustomError

from gateway.schemas import LARGEST, Open, StreamOptions, check

MOST_INPUTS = 2048
Token = Annotated[int, Field(ge=0, le=LARGEST)]
Tokens = Annotated[list[Token], Field(fail_fast=True, min_length=1)]
TokenLists = Annotated[list[Tokens], Field(fail_fast=True, min_length=1, max_length=MOST_INPUTS)]
Texts = Annotated[list[str], Field(fail_fast=True, min_length=1, max_length=MOST_INPUTS)]
Filled = Annotated[str, Field(min_length=1)]
FilledTexts = Annotated[list[Filled], Field(fail_fast=True, min_length=1, max_length=MOST_INPUTS)]


def _kind(inputs: object) -> str:
    """By its first entry, so that a complaint is about the entry that does not go with it."""
    first = inputs[0] if isinstance(inputs, list) and inputs else inputs
    if isinstance(inputs, list):
        return "<tokens>" if isinstance(first, int) else "<token_lists>" if isinstance(first, list) else "<texts>"
    return "<text>"


def _false(value: bool) -> bool:
    if value:
        raise PydanticCustomError("literal_error", "Input should be false")
    return value


# Not `Literal[False]`, which takes 0 too.
Unstreamed = Annotated[bool, AfterValidator(_false), WithJsonSchema({"type": "boolean", "const": False})]
Prompt = Annotated[
    Annotated[str, Tag("<text>")]
    | Annotated[Texts, Tag("<texts>")]
    | Annotated[Tokens, Tag("<tokens>")]
    | Annotated[TokenLists, Tag("<token_lists>")],
    Discriminator(_kind),
]
Input = Annotated[
    Annotated[Filled, Tag("<text>")]
    | Annotated[FilledTexts, Tag("<texts>")]
    | Annotated[Tokens, Tag("<tokens>")]
    | Annotated[TokenLists, Tag("<token_lists>")],
    Discriminator(_kind),
]


class CompletionRequest(Open):
    """Fields as in OpenAI's reference; those not named here are passed on as they are."""

    model: Annotated[str, Field(min_length=1)]
    prompt: Prompt
    suffix: str | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(ge=0, le=1)] | None = None
    max_tokens: Annotated[int, Field(ge=1, le=LARGEST)] | None = None
    n: Annotated[int, Field(ge=1, le=8)] | None = None
    best_of: Annotated[int, Field(ge=1, le=20)] | None = None
    stop: str | Annotated[list[str], Field(fail_fast=True, max_length=4)] | None = None
    presence_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    frequency_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    logprobs: Annotated[int, Field(ge=0, le=5)] | None = None
    echo: bool | None = None
    seed: Annotated[int, Field(ge=-LARGEST, le=LARGEST)] | None = None
    user: str | None = None


class EmbeddingsRequest(Open):
    """Fields as in OpenAI's reference; those not named here are passed on as they are."""

    model: Annotated[str, Field(min_length=1)]
    input: Input
    encoding_format: Literal["float", "base64"] | None = None
    dimensions: Annotated[int, Field(ge=1, le=LARGEST)] | None = None
    user: str | None = None
    stream: Unstreamed | None = None


def check_completion(payload: dict[str, Any]) -> None:
    """Raises `ApiError` (400) that names the field and says what would be right."""
    check(CompletionRequest, payload)


def check_embeddings(payload: dict[str, Any]) -> None:
    """The same for embeddings."""
    check(EmbeddingsRequest, payload)

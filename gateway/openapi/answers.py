"""What the endpoints answer that are not a model's: lists, receipts, usage, keys, errors."""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import AwareDatetime, WithJsonSchema

from billing.entries import Rule
from billing.usage import UsageSource
from gateway.capability_words import WORDS, Word
from gateway.lifecycle import Lifecycle
from gateway.openapi.shapes import Answer, Schema


def _value(word: Word) -> Schema:
    """What may stand for a word of the registry's."""
    options: list[Schema] = [{"type": "boolean"}] if word.flag else []
    options += [{"type": "string", "enum": list(word.choices)}] if word.choices else []
    options += [{"type": "array", "items": {"type": "string"}}] if word.listed else []
    options += [{"type": "integer"}] if word.number else []
    return options[0] if len(options) == 1 else {"anyOf": options}


CAPABILITIES = {
    "type": "object",
    "properties": {name: _value(word) for name, word in WORDS.items() if word.shown},
}
Capability = bool | str | int | list[str]


class Model(Answer):
    """OpenAI's model object, with what else a caller may want to know of it."""

    id: str
    """The name to put into `model`."""
    object: Literal["model"]
    created: int
    """When it was set up here, in unix seconds."""
    owned_by: str
    """The vendor."""
    description: str
    """One sentence, which may be empty."""
    context_window: int | None
    """Tokens of prompt and answer together, or null when unknown."""
    max_output_tokens: int | None
    """The longest answer in tokens, or null when unknown."""
    capabilities: Annotated[dict[str, Capability], WithJsonSchema(CAPABILITIES)]
    """What can be asked of it, as far as that is known: of what is not known there is no word."""
    lifecycle: Lifecycle
    """`retired` models are answered by their `successor`, or refused."""
    shutdown_date: date | None
    """The day on which its vendor ends it."""
    successor: str | None
    """The model that answers once this one is gone."""
    demonstration: bool
    """True for toy models that only show that the system works."""


class ModelList(Answer):
    """Every model that your organisation may call."""

    object: Literal["list"]
    data: list[Model]


class ErrorObject(Answer):
    """OpenAI's error object. All four keys are always there."""

    message: str
    """For people: what is wrong, and what would be right. It may change."""
    type: str
    """The family, such as `invalid_request_error` or `rate_limit_error`."""
    param: str | None
    """The field or parameter that is wrong, such as `messages[0].role`."""
    code: str | None
    """For programs. A provider's own refusal may have a code that is not listed here, or none."""


class Error(Answer):
    """How everything under /v1 fails."""

    error: ErrorObject


class Scope(StrEnum):
    """Whose limit it is."""

    WALLET = "wallet"
    ORGANIZATION = "organization"
    PROJECT = "project"
    API_KEY = "api_key"
    MEMBER = "member"


class SpendingLimit(Answer):
    """The balance or budget that does not cover the request. Amounts are exact US dollars, as text."""

    scope: Scope
    """Whose it is: `wallet` is the organisation's balance, the others are budgets."""
    budget_id: int | None
    """Null for a balance."""
    name: str | None
    """The budget's name; null for a balance."""
    limit: str
    spent: str | None
    """Null for a balance."""
    held: str
    """Held for requests that are under way."""
    available: str
    request_bound: str
    """The most that this request could have come to."""
    resets_at: AwareDatetime | None
    """When the budget begins anew, or null when it does not."""
    max_tokens: int | None
    """With at most so many the request would pass; null when none would do."""


class QuotaErrorObject(ErrorObject):
    """An error object that says which limit stood in the way."""

    limit: SpendingLimit


class QuotaError(Answer):
    """A request that cannot be paid for. It was not sent to a provider."""

    error: QuotaErrorObject


class GenerationTokens(Answer):
    """Tokens in buckets that never overlap: each is priced by itself."""

    input: int
    cache_read: int
    cache_write_5m: int
    cache_write_1h: int
    audio_input: int
    image_input: int
    output: int
    reasoning: int
    audio_output: int
    image_output: int


class Attempt(Answer):
    """One call of a provider."""

    provider: str
    status: int
    error_code: str
    """Empty for a call that succeeded."""
    ms: int


class _Generation(Answer):
    id: str
    """The `x-request-id` of its answer."""
    object: Literal["generation"]
    model_requested: str
    """The name that was asked for."""
    model: str
    """The model that served it, or was to."""
    provider: str
    upstream_model: str
    """The provider's own name for the model."""
    stream: bool
    api_key_id: int
    project_id: int | None
    max_tokens: int | None
    """The limit of output that was held for, where the caller named none."""
    price_version: int | None
    charge_price_version: int | None
    """The version of a customer's own price, where there is one."""
    markup_basis_points: int
    admitted_at: AwareDatetime


class OpenGeneration(_Generation):
    """The receipt of a request that is still under way."""

    status: Literal["in_progress"]
    held: str
    """What is held for it, in exact US dollars."""


class EndedGeneration(_Generation):
    """The receipt of a request that has ended."""

    status: Literal["ended"]
    http_status: int
    """The status that was answered; 499 when the caller hung up."""
    error_code: str | None
    finish_reason: str | None
    tokens: GenerationTokens
    usage_source: UsageSource
    """Who counted."""
    rule: Rule
    """The rule by which it was charged."""
    held: str
    """What was held for it, in exact US dollars."""
    cost: str
    """What was charged, in exact US dollars."""
    first_token_ms: int | None
    duration_ms: int
    ended_at: AwareDatetime
    attempts: list[Attempt]


class UsageResult(Answer):
    """The sums of one group in one bucket. Totals include everything, as OpenAI counts."""

    object: Literal["organization.usage.completions.result"]
    input_tokens: int
    """All input, cached tokens and cache writes included."""
    input_cached_tokens: int
    input_uncached_tokens: int
    input_cache_write_tokens: int
    input_text_tokens: int
    input_audio_tokens: int
    input_image_tokens: int
    output_tokens: int
    """All output, reasoning included."""
    output_text_tokens: int
    output_audio_tokens: int
    output_image_tokens: int
    num_model_requests: int
    """Every request that was taken on, also those that failed."""
    project_id: str | None
    user_id: str | None
    api_key_id: str | None
    model: str | None
    batch: bool | None
    """Always null: there are no batches."""
    service_tier: str | None
    """Always null."""


class Amount(Answer):
    """Money that was charged."""

    value: float
    """As a number, as in OpenAI's API."""
    currency: Literal["usd"]
    exact: str
    """The same as text, to the nano-dollar: add these up."""


class CostResult(Answer):
    """What one group was charged in one bucket."""

    object: Literal["organization.costs.result"]
    amount: Amount
    project_id: str | None
    user_id: str | None
    api_key_id: str | None
    line_item: str | None
    """A model."""
    quantity: float | None
    """Always null."""


class UsageBucket(Answer):
    """One hour or one day of UTC."""

    object: Literal["bucket"]
    start_time: int
    """Unix seconds."""
    end_time: int
    """Unix seconds; that instant is not part of it any more."""
    results: list[UsageResult]
    """One for each group that used anything, so none where nothing happened."""


class CostBucket(Answer):
    """One day of UTC."""

    object: Literal["bucket"]
    start_time: int
    """Unix seconds."""
    end_time: int
    """Unix seconds; that instant is not part of it any more."""
    results: list[CostResult]
    """One for each group that was charged anything, so none where nothing happened."""


class _Page(Answer):
    object: Literal["page"]
    has_more: bool
    next_page: str | None
    """What to give as `page` to get the next one."""


class UsagePage(_Page):
    """A page of buckets."""

    data: list[UsageBucket]


class CostPage(_Page):
    """A page of buckets."""

    data: list[CostBucket]


class SigningKey(Answer):
    """An Ed25519 key as a JSON Web Key, RFC 8037."""

    kty: Literal["OKP"]
    crv: Literal["Ed25519"]
    alg: Literal["EdDSA"]
    use: Literal["sig"]
    kid: str
    """Statements name the key that signed them by this."""
    x: str
    """The public key, base64url."""


class SigningKeys(Answer):
    """A JSON Web Key Set, newest first. Old keys stay, for the statements that they signed."""

    keys: list[SigningKey]

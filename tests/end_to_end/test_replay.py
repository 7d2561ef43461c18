"""What providers sent, replayed on a real socket, and read through the gateway by the official Python client."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import nullcontext

import openai
import pytest
from openai.types.chat import ChatCompletion

from billing import audit
from billing.models import UsageEvent
from tests import books, invariants
from tests.end_to_end import replayed
from tests.end_to_end.conftest import Caller
from tests.end_to_end.replayed import MODELS, request
from tests.fakes.answers import Answer
from tests.fakes.replay import Replay
from tests.gateway.transcripts import Case, everything
from tests.gateway.whole import spoken_in, whole_of
from tests.invariants import Heard

pytestmark = pytest.mark.sdk

ALL = everything()
BROKEN = [case for case in ALL if case.stream and ("cut-" in case.name or "error" in case.name)]
STREAMS = [case for case in ALL if case.stream and case not in BROKEN]
ANSWERS = [case for case in ALL if not case.stream and case.status == 200]
FAILURES = [case for case in ALL if case.status != 200]
BYTEWISE = 4096  # longer streams come in pieces of this many bytes instead
HELPER_RAISES: Mapping[str, type[openai.OpenAIError]] = {
    "length": openai.LengthFinishReasonError,
    "content_filter": openai.ContentFilterFinishReasonError,
}
ASKED = {"stream_options": {"include_usage": True}}

# What the official client raises for an error status, and the `code` and `param` that a program looks at.
TOLD: Mapping[str, tuple[type[openai.APIStatusError], str | None, str | None]] = {
    "anthropic/written/error-400": (openai.BadRequestError, None, None),
    "anthropic/written/error-400-too-long": (openai.BadRequestError, "context_length_exceeded", "messages"),
    "anthropic/written/error-401": (openai.InternalServerError, "upstream_authentication_error", None),
    "anthropic/written/error-429": (openai.RateLimitError, "rate_limit_exceeded", None),
    "anthropic/written/error-529": (openai.InternalServerError, "overloaded", None),
    "anthropic/error-401": (openai.InternalServerError, "upstream_authentication_error", None),
    "anthropic/error-400-context-length": (openai.BadRequestError, "context_length_exceeded", "messages"),
    "gemini/written/error-400": (openai.BadRequestError, None, None),
    "gemini/written/error-400-too-long": (openai.BadRequestError, "context_length_exceeded", "messages"),
    "gemini/written/error-401": (openai.InternalServerError, "upstream_authentication_error", None),
    "gemini/written/error-429": (openai.RateLimitError, "rate_limit_exceeded", None),
    "gemini/written/error-503": (openai.InternalServerError, "overloaded", None),
    "gemini/error-400-key": (openai.InternalServerError, "upstream_authentication_error", None),
    "gemini/error-429-quota": (openai.RateLimitError, "rate_limit_exceeded", None),
    "openai-chat/written/error-400": (openai.BadRequestError, "unsupported_parameter", "max_tokens"),
    "openai-chat/written/error-400-too-long": (openai.BadRequestError, "context_length_exceeded", "messages"),
    "openai-chat/written/error-401": (openai.InternalServerError, "upstream_authentication_error", None),
    "openai-chat/written/error-429": (openai.RateLimitError, "rate_limit_exceeded", None),
    "openai-chat/written/error-429-quota": (openai.InternalServerError, "upstream_billing_error", None),
    "openai-chat/written/error-500": (openai.InternalServerError, "upstream_error", None),
    "openai-chat/error-400-bad-request": (openai.BadRequestError, "unsupported_parameter", "max_tokens"),
    "openai-chat/error-400-legacy-max-tokens": (openai.BadRequestError, "unsupported_parameter", "max_tokens"),
    "openai-chat/error-400-system-role": (openai.BadRequestError, "unsupported_value", "messages[0].role"),
    "openai-chat/error-404-model": (openai.NotFoundError, "model_not_found", "model"),
    "openai-compatible/written/error-400": (openai.BadRequestError, None, None),
    "openai-compatible/written/error-401": (openai.InternalServerError, "upstream_authentication_error", None),
    "openai-compatible/written/error-422": (openai.UnprocessableEntityError, None, "messages"),
    "openai-compatible/written/error-429": (openai.RateLimitError, "rate_limit_exceeded", None),
    "openai-compatible/written/error-500": (openai.InternalServerError, "upstream_error", None),
    "openai-compatible/written/error-502": (openai.InternalServerError, "upstream_error", None),
    "openai-compatible/deepseek-error-401": (openai.InternalServerError, "upstream_authentication_error", None),
    "openai-compatible/ollama-cloud-error-401": (openai.InternalServerError, "upstream_authentication_error", None),
    "openai-compatible/openrouter-error-401": (openai.InternalServerError, "upstream_authentication_error", None),
    "openai-compatible/openrouter-error-429": (openai.RateLimitError, "rate_limit_exceeded", None),
}


@pytest.fixture
def customer(caller: Caller) -> Iterator[Caller]:
    """A caller whose books are looked at when the test is over."""
    yield caller
    assert audit.look(full=True, organization_id=caller.organization.pk)[1] == []
    with books.connect() as own:
        assert books.wallet(own, caller.organization.pk)[1] == 0


@pytest.mark.parametrize("case", STREAMS, ids=str)
def test_a_stream_is_the_same_however_it_was_cut_and_read(customer: Caller, replay: Replay, case: Case) -> None:
    """The words of the provider, whether its answer came streamed in any pieces, through the client's own helper, or
    whole. Whatever was told of the usage is in the ledger, once for each request."""
    piece = 1 if len(case.body) <= BYTEWISE else BYTEWISE
    streamed = heard(customer, replay, case, Answer.recorded(case), usage=True)
    assert [(said.content, said.reasoning, list(said.calls)) for said in streamed.choices] == spoken_in(
        case.dialect, whole_of(case)
    )
    unasked = heard(customer, replay, case, Answer.recorded(case, piece=piece), usage=False)
    assert unasked.choices == streamed.choices
    whole = completed(customer, replay, case, Answer(body=whole_of(case)))
    assert whole.choices == streamed.choices
    if whole.usage is not None:  # some servers leave it out, and a stream that asks for it is given ours
        assert counts_of(whole) == counts_of(streamed)
    helped(customer, replay, case, streamed)
    for row in customer.rows(4):
        assert (row.status, row.rule, row.error_code) == (200, "complete", "")
        assert row.finish_reason == streamed.choices[0].finish
        if row.usage_source == "provider":
            assert tokens_in(row) == counts_of(streamed)[:2]


@pytest.mark.parametrize("case", ANSWERS, ids=str)
def test_an_answer_says_what_the_provider_said(customer: Caller, replay: Replay, case: Case) -> None:
    told = completed(customer, replay, case, Answer.recorded(case))
    assert [(said.content, said.reasoning, list(said.calls)) for said in told.choices] == spoken_in(
        case.dialect, case.body
    )
    row = customer.row()
    assert (row.status, row.rule, row.usage_source) == (200, "complete", "provider")
    assert row.finish_reason == told.choices[0].finish
    assert tokens_in(row) == counts_of(told)[:2]


@pytest.mark.parametrize("piece", [None, 1])
@pytest.mark.parametrize("case", BROKEN, ids=str)
def test_a_stream_that_breaks_raises_and_is_never_finished(
    customer: Caller, replay: Replay, case: Case, piece: int | None
) -> None:
    prompt = replay.prompt_for(Answer.recorded(case, piece=piece if len(case.body) <= BYTEWISE else BYTEWISE))
    reading = replayed.read(customer.sdk, request(case.dialect, prompt))
    assert reading.error is not None
    invariants.begun_in(reading.chunks, model=MODELS[case.dialect])
    assert reading.chunks
    row = customer.row()
    assert row.status >= 400
    assert (row.rule, row.error_code, row.finish_reason) == ("stopped", reading.error.code or reading.error.type, "")


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("case", FAILURES, ids=str)
def test_a_refusal_is_raised_as_what_it_is(customer: Caller, replay: Replay, case: Case, stream: bool) -> None:
    prompt = replay.prompt_for(Answer.recorded(case))
    with pytest.raises(openai.APIStatusError) as caught:
        customer.sdk.chat.completions.create(**request(case.dialect, prompt, stream=stream))
    error = caught.value
    assert (type(error), error.code, error.param) == TOLD[case.name]
    assert isinstance(error.body, dict)
    assert set(error.body) == {"message", "type", "param", "code"}
    if error.status_code == 429:
        assert 1 <= int(error.response.headers["retry-after"]) <= 60
    row = customer.row()
    assert (row.status, row.rule, row.charged_nano) == (error.status_code, "failed", 0)


def heard(customer: Caller, replay: Replay, case: Case, answer: Answer, *, usage: bool) -> Heard:
    """The answer as a plain reader of the stream puts it together."""
    reading = replayed.read(customer.sdk, request(case.dialect, replay.prompt_for(answer), **(ASKED if usage else {})))
    assert reading.error is None
    return invariants.heard_in(reading.chunks, model=MODELS[case.dialect], usage=usage)


def completed(customer: Caller, replay: Replay, case: Case, answer: Answer) -> Heard:
    body = request(case.dialect, replay.prompt_for(answer))
    return whole_in(customer.sdk.chat.completions.create(**body), case)


def helped(customer: Caller, replay: Replay, case: Case, streamed: Heard) -> None:
    """The client's own accumulator comes to the same, and raises for what it holds to be no answer."""
    body = request(case.dialect, replay.prompt_for(Answer.recorded(case)), **ASKED)
    with customer.sdk.chat.completions.stream(**body) as stream:
        stream.until_done()
        made = stream.current_completion_snapshot
        assert whole_in(made, case).choices == streamed.choices
        wanted = HELPER_RAISES.get(streamed.choices[0].finish)
        with pytest.raises(wanted) if wanted else nullcontext():
            stream.get_final_completion()


def whole_in(completion: ChatCompletion, case: Case) -> Heard:
    return invariants.read_in(completion.to_dict(), model=MODELS[case.dialect])


def counts_of(answer: Heard) -> tuple[int, int, int, int]:
    """Prompt, completion, and what of them was cached or thought."""
    assert answer.usage is not None
    prompt, completion = (answer.usage.get(f"{side}_tokens_details") or {} for side in ("prompt", "completion"))
    cached, thought = prompt.get("cached_tokens") or 0, completion.get("reasoning_tokens") or 0
    return answer.usage["prompt_tokens"], answer.usage["completion_tokens"], cached, thought


def tokens_in(row: UsageEvent) -> tuple[int, int]:
    """Prompt and completion, as OpenAI counts them."""
    sides = {"input", "cache_read", "cache_write_5m", "cache_write_1h", "audio_input", "image_input"}
    counts = {name: getattr(row, f"{name}_tokens") for name in books.BUCKETS}
    prompt = sum(count for name, count in counts.items() if name in sides)
    return prompt, sum(counts.values()) - prompt

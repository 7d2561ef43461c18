"""The official Python client, used as its documentation shows, over every kind of provider."""

from __future__ import annotations

import json

import openai
import pytest
from django.utils import timezone
from openai.types.chat import ChatCompletionMessageParam, ChatCompletionToolParam

from accounts import keys
from tests import live
from tests.end_to_end.conftest import Caller, MakeCaller
from tests.end_to_end.registry import BROKEN, CLAUDE, GPT, SLASHED

pytestmark = pytest.mark.sdk

EVERYWHERE = pytest.mark.parametrize("model", [GPT, CLAUDE, "sandbox/echo"])
WITH_TOOLS = pytest.mark.parametrize("model", [GPT, CLAUDE, "sandbox/tool"])
ASKED: list[ChatCompletionMessageParam] = [{"role": "user", "content": "What is the weather in Paris?"}]
WEATHER: ChatCompletionToolParam = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather of a city.",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
            "required": ["city", "days"],
        },
    },
}


def test_models_are_listed_and_retrieved(caller: Caller) -> None:
    listed = {model.id: model for model in caller.sdk.models.list()}
    assert {GPT, CLAUDE, SLASHED, "sandbox/echo"} <= set(listed)
    for name in (GPT, SLASHED, "sandbox/echo"):
        assert caller.sdk.models.retrieve(name) == listed[name]
    assert (listed[GPT].object, listed[GPT].owned_by, type(listed[GPT].created)) == ("model", "vendor", int)


@EVERYWHERE
def test_a_completion_is_created(caller: Caller, model: str) -> None:
    completion = caller.sdk.chat.completions.create(model=model, messages=ASKED, max_tokens=50, temperature=0.5)
    (choice,) = completion.choices
    assert completion.object == "chat.completion"
    assert completion.model == model
    assert choice.message.role == "assistant"
    assert choice.message.content
    assert choice.finish_reason == "stop"
    assert completion.usage is not None
    assert completion.usage.total_tokens == completion.usage.prompt_tokens + completion.usage.completion_tokens > 0


@EVERYWHERE
def test_a_completion_is_streamed(caller: Caller, model: str) -> None:
    whole = caller.sdk.chat.completions.create(model=model, messages=ASKED).choices[0].message.content
    chunks = list(
        caller.sdk.chat.completions.create(
            model=model, messages=ASKED, stream=True, stream_options={"include_usage": True}
        )
    )
    *parts, last = chunks
    assert "".join(part.choices[0].delta.content or "" for part in parts) == whole
    assert [part.choices[0].finish_reason for part in parts if part.choices[0].finish_reason] == ["stop"]
    assert last.choices == []
    assert last.usage is not None
    assert last.usage.completion_tokens > 0


@EVERYWHERE
def test_the_stream_helper_puts_the_answer_together(caller: Caller, model: str) -> None:
    with caller.sdk.chat.completions.stream(model=model, messages=ASKED) as stream:
        kinds = {event.type for event in stream}
        final = stream.get_final_completion()
    assert {"chunk", "content.delta", "content.done"} <= kinds
    assert final.choices[0].message.content
    assert final.choices[0].finish_reason == "stop"


@WITH_TOOLS
def test_a_tool_is_called_and_its_result_is_answered(caller: Caller, model: str) -> None:
    first = caller.sdk.chat.completions.create(model=model, messages=ASKED, tools=[WEATHER]).choices[0]
    assert first.finish_reason == "tool_calls"
    assert first.message.content is None
    (call,) = first.message.tool_calls or []
    assert call.type == "function"
    assert call.function.name == "get_weather"
    arguments = json.loads(call.function.arguments)
    assert (type(arguments["city"]), type(arguments["days"])) == (str, int)
    conversation: list[ChatCompletionMessageParam] = [
        *ASKED,
        {
            "role": "assistant",
            "tool_calls": [
                {
                    "id": call.id,
                    "type": "function",
                    "function": {"name": call.function.name, "arguments": call.function.arguments},
                }
            ],
        },
        {"role": "tool", "tool_call_id": call.id, "content": "Sunny, 21 degrees."},
    ]
    second = caller.sdk.chat.completions.create(model=model, messages=conversation, tools=[WEATHER]).choices[0]
    assert second.finish_reason == "stop"
    assert second.message.content


@WITH_TOOLS
def test_a_tool_call_is_streamed_in_pieces_that_join(caller: Caller, model: str) -> None:
    with caller.sdk.chat.completions.stream(model=model, messages=ASKED, tools=[WEATHER]) as stream:
        for _ in stream:
            continue
        choice = stream.get_final_completion().choices[0]
    assert choice.finish_reason == "tool_calls"
    (call,) = choice.message.tool_calls or []
    assert call.id
    assert call.function.name == "get_weather"
    assert set(json.loads(call.function.arguments)) == {"city", "days"}


async def test_the_asynchronous_client_works_too(gateway: live.Gateway, ready: Caller) -> None:
    async with openai.AsyncOpenAI(base_url=gateway.base_url, api_key=ready.secret, max_retries=0) as client:
        stream = await client.chat.completions.create(model=GPT, messages=ASKED, stream=True)
        said = [chunk.choices[0].delta.content or "" async for chunk in stream]
    assert "".join(said) == "Hello from the other side."


@pytest.fixture
def ready(caller: Caller) -> Caller:
    """A caller made before an event loop runs, in which Django would refuse to write rows."""
    return caller


def test_a_wrong_key_raises_authentication_error(gateway: live.Gateway) -> None:
    with (
        openai.OpenAI(base_url=gateway.base_url, api_key=keys.generate(), max_retries=0) as client,
        pytest.raises(openai.AuthenticationError) as caught,
    ):
        client.models.list()
    assert caught.value.code == "invalid_api_key"


@pytest.mark.parametrize("stream", [False, True])
def test_an_unknown_model_raises_not_found_error(caller: Caller, stream: bool) -> None:
    with pytest.raises(openai.NotFoundError) as caught:
        caller.sdk.chat.completions.create(model="none", messages=ASKED, stream=stream)
    assert (caught.value.code, caught.value.param) == ("model_not_found", "model")
    assert caught.value.request_id


def test_a_wrong_field_raises_bad_request_error(caller: Caller) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        caller.sdk.chat.completions.create(model=GPT, messages=ASKED, temperature=3)
    assert caught.value.param == "temperature"


def test_too_many_requests_raise_rate_limit_error(make_caller: MakeCaller) -> None:
    caller = make_caller(rpm=1)
    caller.sdk.models.list()
    with pytest.raises(openai.RateLimitError) as caught:
        caller.sdk.models.list()
    assert caught.value.code == "rate_limit_exceeded"
    assert int(caught.value.response.headers["retry-after"]) >= 1


def test_our_own_fault_raises_internal_server_error(caller: Caller) -> None:
    with pytest.raises(openai.InternalServerError) as caught:
        caller.sdk.chat.completions.create(model=BROKEN, messages=ASKED)
    assert caught.value.code == "internal_error"


def test_a_suspended_organisation_raises_permission_denied(make_caller: MakeCaller) -> None:
    with pytest.raises(openai.PermissionDeniedError):
        make_caller(suspended_at=timezone.now()).sdk.models.list()

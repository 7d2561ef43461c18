"""What callers do with LiteLLM's Python library, its provider `openai/...` pointed at the gateway."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import litellm
import pytest
from pydantic import BaseModel

GREETING = "Hello from the other side."
HELLO = [{"role": "user", "content": "Hello"}]
WEATHER = [{"role": "user", "content": "What is the weather in Paris for 3 days?"}]
PIXEL = "data:image/png;base64,iVBORw0KGgo="
TOOL = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather somewhere.",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
            "required": ["city", "days"],
        },
    },
}

Ask = Callable[..., Any]


class Weather(BaseModel):
    city: str
    days: int


@pytest.fixture
def ask(base_url: str, key: str, model_id: str) -> Ask:
    def completion(messages: Any = HELLO, **options: Any) -> Any:
        told = {"model": f"openai/{model_id}", "api_base": base_url, "api_key": key, "num_retries": 0, **options}
        return litellm.completion(messages=messages, **told)

    return completion


def test_text_is_answered_with_usage(ask: Ask, model_id: str) -> None:
    made = ask()
    assert (made.choices[0].message.content, made.choices[0].finish_reason) == (GREETING, "stop")
    assert made.model.endswith(model_id)
    assert made.usage.total_tokens == made.usage.prompt_tokens + made.usage.completion_tokens > 0


def test_the_asynchronous_call_is_answered_too(base_url: str, key: str, model_id: str) -> None:
    call = litellm.acompletion(model=f"openai/{model_id}", api_base=base_url, api_key=key, messages=HELLO)
    assert asyncio.run(call).choices[0].message.content == GREETING


def test_text_is_streamed_and_put_together_again(ask: Ask) -> None:
    chunks = list(ask(stream=True, stream_options={"include_usage": True}))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == GREETING
    whole = litellm.stream_chunk_builder(chunks, messages=HELLO)
    assert (whole.choices[0].message.content, whole.choices[0].finish_reason) == (GREETING, "stop")
    assert whole.usage.prompt_tokens == ask().usage.prompt_tokens
    assert whole.usage.completion_tokens == ask().usage.completion_tokens


@pytest.mark.parametrize("choice", ["auto", "required", {"type": "function", "function": {"name": "get_weather"}}])
def test_a_tool_is_called(ask: Ask, choice: Any) -> None:
    made = ask(WEATHER, tools=[TOOL], tool_choice=choice).choices[0]
    assert made.finish_reason == "tool_calls"
    assert made.message.tool_calls[0].function.name == "get_weather"
    assert json.loads(made.message.tool_calls[0].function.arguments) == {"city": "Paris", "days": 3}


def test_a_call_of_a_tool_is_streamed(ask: Ask) -> None:
    whole = litellm.stream_chunk_builder(list(ask(WEATHER, tools=[TOOL], stream=True)))
    (call,) = whole.choices[0].message.tool_calls
    assert (call.function.name, json.loads(call.function.arguments)) == ("get_weather", {"city": "Paris", "days": 3})
    assert whole.choices[0].finish_reason == "tool_calls"


@pytest.mark.parametrize("stream", [False, True])
def test_the_result_of_a_tool_is_taken(ask: Ask, stream: bool) -> None:
    called = ask(WEATHER, tools=[TOOL]).choices[0].message
    result = {"role": "tool", "tool_call_id": called.tool_calls[0].id, "content": "Sunny."}
    made = ask([*WEATHER, called.model_dump(), result], tools=[TOOL], stream=stream)
    made = litellm.stream_chunk_builder(list(made)) if stream else made
    assert made.choices[0].message.content == "The tools said: Sunny."


def test_tools_can_be_ruled_out(ask: Ask) -> None:
    assert ask(WEATHER, tools=[TOOL], tool_choice="none").choices[0].message.content == GREETING


def test_an_answer_fits_a_model_of_pydantic(ask: Ask) -> None:
    said = ask(WEATHER, response_format=Weather).choices[0].message.content
    assert Weather.model_validate_json(said) == Weather(city="Paris", days=3)


def test_an_answer_is_json(ask: Ask) -> None:
    said = [{"role": "user", "content": "Answer in JSON, with the keys 'one' and 'two'."}]
    answer = ask(said, response_format={"type": "json_object"}).choices[0].message.content
    assert set(json.loads(answer)) == {"one", "two"}


@pytest.mark.parametrize("stream", [False, True])
def test_thoughts_are_shown(ask: Ask, stream: bool) -> None:
    made = ask(reasoning_effort="medium", allowed_openai_params=["reasoning_effort"], stream=stream)
    message = (litellm.stream_chunk_builder(list(made)) if stream else made).choices[0].message
    assert message.reasoning_content == "The user wants an answer, so I shall give one. "
    assert message.content == GREETING


def test_thoughts_are_counted(ask: Ask) -> None:
    made = ask(reasoning_effort="medium", allowed_openai_params=["reasoning_effort"])
    assert made.usage.completion_tokens_details.reasoning_tokens > 0


def test_an_image_is_sent(ask: Ask) -> None:
    picture = {"type": "image_url", "image_url": {"url": PIXEL}}
    said = [{"role": "user", "content": [{"type": "text", "text": "What is this?"}, picture]}]
    assert ask(said).choices[0].message.content == GREETING


def test_sampling_and_limits_are_taken(ask: Ask) -> None:
    made = ask(temperature=0.2, top_p=0.9, max_tokens=2, user="someone", seed=7, drop_params=True).choices[0]
    assert (made.message.content, made.finish_reason) == ("Hello from ", "length")


def test_stop_sequences_stop(ask: Ask) -> None:
    assert ask(stop=["other"]).choices[0].message.content.strip() == "Hello from the"


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"model": "openai/no-such-model"}, litellm.NotFoundError),
        ({"api_key": "sk-2389-wrong"}, litellm.AuthenticationError),
        ({"extra_body": {"temperature": 3}}, litellm.BadRequestError),
        ({"model": "openai/sandbox/rate-limit"}, litellm.RateLimitError),
        ({"model": "openai/sandbox/error"}, litellm.InternalServerError),
    ],
    ids=["model", "key", "temperature", "rate-limit", "error"],
)
@pytest.mark.parametrize("stream", [False, True])
def test_a_refusal_is_of_the_right_class(ask: Ask, wrong: dict[str, Any], error: type[Exception], stream: bool) -> None:
    with pytest.raises(error):
        ask(stream=stream, **wrong)


def test_a_stream_that_breaks_raises(ask: Ask) -> None:
    chunks = ask(model="openai/sandbox/stream-error", stream=True)
    assert next(chunks).choices[0].delta.role == "assistant"
    with pytest.raises(litellm.ServiceUnavailableError, match="failed half way"):
        list(chunks)


def test_the_router_falls_back_to_another_model(base_url: str, key: str, model_id: str) -> None:
    def deployment(name: str, model: str) -> dict[str, Any]:
        params = {"model": f"openai/{model}", "api_base": base_url, "api_key": key, "max_retries": 0}
        return {"model_name": name, "litellm_params": params}

    models = [deployment("first", "sandbox/error"), deployment("second", model_id)]
    router = litellm.Router(model_list=models, fallbacks=[{"first": ["second"]}], num_retries=0)
    assert router.completion(model="first", messages=HELLO).choices[0].message.content == GREETING

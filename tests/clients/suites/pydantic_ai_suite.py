"""What callers do with Pydantic AI, over `OpenAIChatModel` pointed at the gateway."""

from __future__ import annotations

import asyncio
import os
from typing import Any, Literal

import pytest
from pydantic import BaseModel
from pydantic_ai import Agent, ModelHTTPError, ModelRetry, NativeOutput, PromptedOutput, ToolOutput
from pydantic_ai.messages import BinaryContent, ModelResponse, ThinkingPart, ToolReturnPart
from pydantic_ai.models import Model
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider

GREETING = "Hello from the other side."
PNG = b"\x89PNG\r\n\x1a\n" + bytes(32)


class Weather(BaseModel):
    city: str
    degrees: int
    sky: Literal["clear", "cloudy"]


@pytest.fixture
def model(base_url: str, key: str, model_id: str) -> Model:
    return OpenAIChatModel(model_id, provider=OpenAIProvider(base_url=base_url, api_key=key))


def asked_of(agent: Agent[Any, Any], prompt: Any, **options: Any) -> Any:
    return agent.run_sync(prompt, **options)


def test_text_is_answered_with_usage(model: Model) -> None:
    made = asked_of(Agent(model, instructions="Be brief."), "Hello")
    assert made.output == GREETING
    assert made.usage.input_tokens > 0
    assert made.usage.output_tokens > 0
    assert made.response.finish_reason == "stop"
    assert made.response.model_name == model.model_name


def test_text_is_streamed_with_usage(model: Model) -> None:
    async def stream() -> tuple[list[str], Any]:
        async with Agent(model).run_stream("Hello") as made:
            heard = [piece async for piece in made.stream_text(delta=True, debounce_by=None)]
            return heard, made.usage

    heard, usage = asyncio.run(stream())
    assert "".join(heard) == GREETING
    assert len(heard) > 1
    assert usage.output_tokens > 0


@pytest.mark.parametrize("way", [ToolOutput, NativeOutput, PromptedOutput])
def test_an_answer_has_the_type_that_was_asked_for(model: Model, way: Any) -> None:
    made = asked_of(Agent(model, output_type=way(Weather)), "It is 21 degrees in Paris, and the sky is 'cloudy'.")
    assert isinstance(made.output, Weather)


def test_a_typed_answer_is_streamed(model: Model) -> None:
    async def stream() -> Any:
        agent = Agent(model, output_type=NativeOutput(Weather))
        async with agent.run_stream("It is 21 degrees in Paris, and the sky is cloudy.") as made:
            return [partial async for partial in made.stream_output(debounce_by=None)][-1]

    assert asyncio.run(stream()) == Weather(city="Paris", degrees=21, sky="cloudy")


@pytest.mark.parametrize("streamed", [False, True])
def test_a_tool_is_called_and_its_result_is_used(model: Model, streamed: bool) -> None:
    agent = Agent(model)

    @agent.tool_plain
    def get_weather(city: str, days: int) -> str:
        return f"Sunny in {city} for {days} days."

    async def stream() -> str:
        async with agent.run_stream("What is the weather in Paris for 3 days?") as made:
            return str(await made.get_output())

    said = asyncio.run(stream()) if streamed else asked_of(agent, "What is the weather in Paris for 3 days?").output
    assert "Sunny in Paris for 3 days." in said


def test_a_tool_without_arguments_is_called(model: Model) -> None:
    agent = Agent(model)

    @agent.tool_plain
    def current_moment() -> str:
        return "noon"

    assert "noon" in asked_of(agent, "What is the current moment?").output


def test_two_tools_are_called_together(model: Model) -> None:
    agent = Agent(model)

    @agent.tool_plain
    def get_weather(city: str) -> str:
        return f"Sunny in {city}."

    @agent.tool_plain
    def get_population(city: str) -> int:
        return 2_100_000

    made = asked_of(agent, "What are the weather and the population of Paris?")
    results = [part for part in made.all_messages()[2].parts if isinstance(part, ToolReturnPart)]
    assert {part.tool_name for part in results} == {"get_weather", "get_population"}
    assert "Sunny in Paris." in made.output
    assert "2100000" in made.output


def test_a_tool_is_called_before_a_typed_answer_is_given(model: Model) -> None:
    agent = Agent(model, output_type=Weather)

    @agent.tool_plain
    def get_weather(city: str) -> str:
        return "21 degrees, cloudy"

    made = asked_of(agent, "What is the weather in Paris?")
    assert (made.output.degrees, made.output.sky) == (21, "cloudy")


def test_a_tool_that_asks_to_be_called_again_is(model: Model) -> None:
    agent, heard = Agent(model, output_type=Weather, retries=2), []

    @agent.output_validator
    def validate(weather: Weather) -> Weather:
        heard.append(weather.city)
        if weather.city != "Lyon":
            raise ModelRetry("The city must be 'Lyon'.")
        return weather

    assert asked_of(agent, "It is cloudy in Paris at 21 degrees.").output.city == "Lyon"
    assert heard == ["Paris", "Lyon"]


def test_a_conversation_goes_on_after_calls_of_tools(model: Model) -> None:
    agent = Agent(model)

    @agent.tool_plain
    def get_weather(city: str) -> str:
        return f"Sunny in {city}."

    first = asked_of(agent, "What is the weather in Paris?")
    assert asked_of(agent, "Thank you.", message_history=first.all_messages()).output == GREETING
    again = asked_of(agent, "And the weather in Lyon?", message_history=first.all_messages())
    assert "Sunny in Lyon." in again.output


@pytest.mark.parametrize("streamed", [False, True])
def test_thoughts_are_shown(model: Model, streamed: bool) -> None:
    agent = Agent(model, model_settings={"openai_reasoning_effort": "medium"})

    async def stream() -> ModelResponse:
        async with agent.run_stream("Hello") as made:
            await made.get_output()
            return made.response

    response = asyncio.run(stream()) if streamed else asked_of(agent, "Hello").response
    thoughts = [part.content for part in response.parts if isinstance(part, ThinkingPart)]
    assert thoughts == ["The user wants an answer, so I shall give one. "]
    assert response.text == GREETING


def test_thoughts_are_counted(model: Model) -> None:
    agent = Agent(model, model_settings={"openai_reasoning_effort": "medium"})
    assert asked_of(agent, "Hello").usage.details["reasoning_tokens"] > 0


@pytest.mark.parametrize(("media", "data"), [("image/png", PNG), ("application/pdf", b"%PDF-1.4\n")])
def test_a_file_is_sent(model: Model, media: str, data: bytes) -> None:
    assert asked_of(Agent(model), ["What is this?", BinaryContent(data, media_type=media)]).output == GREETING


def test_an_answer_that_was_cut_short_says_so(model: Model) -> None:
    made = asked_of(Agent(model, model_settings={"max_tokens": 2}), "Hello")
    assert (made.response.text, made.response.finish_reason) == ("Hello from ", "length")


def test_stop_sequences_stop(model: Model) -> None:
    made = asked_of(Agent(model, model_settings={"stop_sequences": ["other"]}), "Hello")
    assert made.output.strip() == "Hello from the"


@pytest.mark.parametrize(("wrong", "status"), [("key", 401), ("model", 404), ("temperature", 400)])
def test_a_refusal_raises_with_its_status(base_url: str, key: str, model_id: str, wrong: str, status: int) -> None:
    provider = OpenAIProvider(base_url=base_url, api_key="sk-2389-wrong" if wrong == "key" else key)
    agent = Agent(OpenAIChatModel("no-such-model" if wrong == "model" else model_id, provider=provider))
    settings: Any = {"extra_body": {"temperature": 3}} if wrong == "temperature" else {}
    with pytest.raises(ModelHTTPError) as caught:
        agent.run_sync("Hello", model_settings=settings)
    assert caught.value.status_code == status
    assert isinstance(caught.value.body, dict)
    assert {"message", "type", "param", "code"} <= set(caught.value.body)


def test_a_model_is_named_in_one_string(
    base_url: str, key: str, model_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(os.environ, "OPENAI_BASE_URL", base_url)
    monkeypatch.setitem(os.environ, "OPENAI_API_KEY", key)
    assert asked_of(Agent(f"openai-chat:{model_id}"), "Hello").output == GREETING

"""What callers do with Instructor, over OpenAI's client pointed at the gateway."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Iterable
from enum import StrEnum
from typing import Any, Literal

import instructor
import openai
import pytest
from instructor import Mode
from pydantic import BaseModel, Field, field_validator

SAID = [{"role": "user", "content": "Extract: Jason is 25 years old and likes his work. His plan is pro."}]


class Plan(StrEnum):
    FREE = "free"
    PRO = "pro"


class Address(BaseModel):
    city: str
    zip_code: str | None = None


class Person(BaseModel):
    """A person, with all that a schema can have in it."""

    name: str
    age: int = Field(description="In years.")
    plan: Plan
    mood: Literal["happy", "sad"] = "happy"
    address: Address | None = None
    nicknames: list[str] = Field(default_factory=list)


class Sketch(BaseModel):
    """Without an enum: Instructor does not let one grow, whatever answers it."""

    name: str
    age: int
    mood: Literal["happy", "sad"]
    address: Address


class Name(BaseModel):
    name: str

    @field_validator("name")
    @classmethod
    def is_loud(cls, name: str) -> str:
        if not name.isupper():
            raise ValueError("Write it as 'JASON'.")
        return name


class Weather(BaseModel):
    """The weather somewhere."""

    city: str


class Population(BaseModel):
    """How many live somewhere."""

    city: str


@pytest.fixture
def plain(base_url: str, key: str) -> openai.OpenAI:
    return openai.OpenAI(base_url=base_url, api_key=key, max_retries=0)


@pytest.fixture(autouse=True)
def quiet() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        yield


ONE_ANSWER = [Mode.TOOLS, Mode.TOOLS_STRICT, Mode.JSON, Mode.JSON_SCHEMA, Mode.MD_JSON, Mode.FUNCTIONS]


@pytest.mark.parametrize("mode", ONE_ANSWER, ids=lambda mode: mode.name)
def test_an_answer_has_the_type_that_was_asked_for(plain: openai.OpenAI, model_id: str, mode: Mode) -> None:
    client = instructor.from_openai(plain, mode=mode)
    person = client.chat.completions.create(model=model_id, response_model=Person, messages=SAID, max_retries=0)
    assert (person.name, person.age, person.plan) == ("Jason", 25, Plan.PRO)


@pytest.mark.parametrize("mode", ONE_ANSWER, ids=lambda mode: mode.name)
def test_an_answer_that_does_not_fit_is_asked_for_again(plain: openai.OpenAI, model_id: str, mode: Mode) -> None:
    client = instructor.from_openai(plain, mode=mode)
    name = client.chat.completions.create(model=model_id, response_model=Name, messages=SAID, max_retries=2)
    assert name.name == "JASON"


@pytest.mark.parametrize("mode", [Mode.TOOLS, Mode.JSON, Mode.JSON_SCHEMA, Mode.MD_JSON], ids=lambda mode: mode.name)
def test_a_typed_answer_is_streamed_as_it_grows(plain: openai.OpenAI, model_id: str, mode: Mode) -> None:
    client = instructor.from_openai(plain, mode=mode)
    grown = list(client.chat.completions.create_partial(model=model_id, response_model=Sketch, messages=SAID))
    assert len(grown) > 1
    assert (grown[-1].name, grown[-1].age, grown[-1].mood) == ("Jason", 25, "happy")


@pytest.mark.parametrize("mode", [Mode.TOOLS, Mode.JSON], ids=lambda mode: mode.name)
def test_a_list_of_answers_is_streamed(plain: openai.OpenAI, model_id: str, mode: Mode) -> None:
    client = instructor.from_openai(plain, mode=mode)
    people = list(client.chat.completions.create_iterable(model=model_id, response_model=Person, messages=SAID))
    assert [person.name for person in people] == ["Jason"]


def test_several_types_are_answered_at_once(plain: openai.OpenAI, model_id: str) -> None:
    client = instructor.from_openai(plain, mode=Mode.PARALLEL_TOOLS)
    said = [{"role": "user", "content": "What are the weather and the population of Paris?"}]
    made = client.chat.completions.create(
        model=model_id, messages=said, response_model=Iterable[Weather | Population], max_retries=0
    )
    assert [type(one) for one in made] == [Weather, Population]


def test_the_completion_comes_along_with_its_usage(plain: openai.OpenAI, model_id: str) -> None:
    client = instructor.from_openai(plain)
    person, completion = client.chat.completions.create_with_completion(
        model=model_id, response_model=Person, messages=SAID
    )
    assert person.name == "Jason"
    assert completion.usage.total_tokens == completion.usage.prompt_tokens + completion.usage.completion_tokens > 0


def test_the_asynchronous_client_is_answered_too(base_url: str, key: str, model_id: str) -> None:
    async def ask() -> Person:
        async with openai.AsyncOpenAI(base_url=base_url, api_key=key) as plain:
            client = instructor.from_openai(plain)
            return await client.chat.completions.create(model=model_id, response_model=Person, messages=SAID)

    assert asyncio.run(ask()).name == "Jason"


def test_a_model_is_named_in_one_string(base_url: str, key: str, model_id: str) -> None:
    client = instructor.from_provider(f"openai/{model_id}", base_url=base_url, api_key=key)
    assert client.chat.completions.create(response_model=Person, messages=SAID).name == "Jason"


def test_a_refusal_raises_openais_error_at_once(plain: openai.OpenAI) -> None:
    client = instructor.from_openai(plain)
    with pytest.raises(Exception, match="no-such-model") as caught:
        client.chat.completions.create(model="no-such-model", response_model=Person, messages=SAID, max_retries=0)
    assert "model_not_found" in str(caught.value)

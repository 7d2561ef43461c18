"""`POST /v1/completions`: the older endpoint, where the provider has it."""

from __future__ import annotations

from typing import Any

import openai
import pytest

from tests.end_to_end.conftest import Caller
from tests.end_to_end.priced import COMPATIBLE
from tests.end_to_end.registry import CLAUDE, EMBEDDING, GPT, INSTRUCT
from tests.end_to_end.test_charges import assert_charged, at_usual_price
from tests.fakes.answers import Answer, Ending
from tests.fakes.openai import FakeOpenAI
from tests.fakes.openai_prompts import PER_INPUT

pytestmark = pytest.mark.sdk

SAID = "Hello from the other side."


def test_the_client_creates_one(caller: Caller, fake_openai: FakeOpenAI) -> None:
    made = caller.sdk.completions.create(model=INSTRUCT, prompt="Say hello", max_tokens=9, logit_bias={"50256": -100})
    assert (made.object, made.model, made.choices[0].text) == ("text_completion", INSTRUCT, SAID)
    assert made.choices[0].finish_reason == "stop"
    assert fake_openai.last.path == "/v1/completions"
    assert fake_openai.last.json["logit_bias"] == {"50256": -100}
    row = caller.row()
    assert (row.input_tokens, row.output_tokens, row.finish_reason) == (PER_INPUT, 5, "stop")
    assert row.charged_nano == at_usual_price(row)


@pytest.mark.parametrize("include_usage", [False, True])
def test_a_stream_says_what_the_plain_answer_says(caller: Caller, include_usage: bool) -> None:
    options: Any = {"stream_options": {"include_usage": True}} if include_usage else {}
    chunks = list(caller.sdk.completions.create(model=INSTRUCT, prompt="Say hello", stream=True, **options))
    choices = [choice for chunk in chunks for choice in chunk.choices]
    assert "".join(choice.text for choice in choices) == SAID
    assert [choice.finish_reason for choice in choices if choice.finish_reason] == ["stop"]
    assert {chunk.object for chunk in chunks} == {"text_completion"}
    assert {chunk.model for chunk in chunks} == {INSTRUCT}
    assert [chunk.usage.total_tokens for chunk in chunks if chunk.usage] == ([PER_INPUT + 5] if include_usage else [])
    row = caller.row()
    assert (row.stream, row.input_tokens, row.output_tokens) == (True, PER_INPUT, 5)


def test_several_prompts_and_answers_each_have_their_place(caller: Caller) -> None:
    made = caller.sdk.completions.create(model=INSTRUCT, prompt=["one", "two"], n=2)
    assert [choice.index for choice in made.choices] == [0, 1, 2, 3]
    assert caller.row().output_tokens == 20


def test_the_default_limit_is_sent_because_servers_differ_in_theirs(caller: Caller, fake_openai: FakeOpenAI) -> None:
    caller.sdk.completions.create(model=INSTRUCT, prompt="Say hello")
    assert fake_openai.last.json["max_tokens"] == 16


def test_a_compatible_server_is_asked_unless_the_registry_says_otherwise(
    caller: Caller, fake_openai: FakeOpenAI
) -> None:
    fake_openai.script(Answer(body=b'{"choices":[{"text":"ok","finish_reason":""}]}'))
    made = caller.sdk.completions.create(model=COMPATIBLE, prompt="Say hello")
    assert made.choices[0].model_dump(include={"index", "finish_reason"}) == {"index": 0, "finish_reason": "stop"}
    assert caller.row().usage_source == "counted"


@pytest.mark.parametrize("model", [GPT, CLAUDE, EMBEDDING])
def test_a_model_that_has_none_is_refused_with_the_way_out(caller: Caller, model: str) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        caller.sdk.completions.create(model=model, prompt="Say hello")
    assert (refused.value.code, refused.value.param) == ("unsupported_endpoint", "model")
    assert "/v1/" in refused.value.message
    assert_charged(caller, 0, rule="refused")


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({}, "prompt"),
        ({"prompt": []}, "prompt"),
        ({"prompt": [1, "two"]}, "prompt[1]"),
        ({"prompt": "x", "logprobs": 6}, "logprobs"),
        ({"prompt": "x", "best_of": 2, "stream": True}, "best_of"),
        ({"prompt": "x", "max_tokens": 0}, "max_tokens"),
        ({"prompt": "x", "models": ["other"]}, "models"),
    ],
)
def test_a_field_that_is_wrong_is_refused_by_name(caller: Caller, fields: dict[str, Any], param: str) -> None:
    refused = caller.http.post("/completions", json={"model": INSTRUCT, **fields})
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, param), refused.json()


def test_a_stream_that_is_cut_raises_and_what_came_is_charged(caller: Caller, fake_openai: FakeOpenAI) -> None:
    fake_openai.script(Answer(keep=400, ending=Ending.CLOSE))
    with pytest.raises(openai.APIError):
        list(caller.sdk.completions.create(model=INSTRUCT, prompt="Say hello", stream=True))
    row = caller.row()
    assert (row.rule, row.status) == ("stopped", 502)
    assert row.output_tokens > 0


def test_the_sandbox_goes_on_with_what_it_is_given(caller: Caller) -> None:
    made = caller.sdk.completions.create(model="sandbox/echo", prompt="one two", echo=True)
    assert made.choices[0].text == "one twoYou said: one two"
    chunks = caller.sdk.completions.create(model="sandbox/echo", prompt="one two", echo=True, stream=True)
    assert "".join(choice.text for chunk in chunks for choice in chunk.choices) == made.choices[0].text

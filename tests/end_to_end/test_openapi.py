"""What the document says of the API is true: a program makes requests up from it, and looks at what is answered."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from datetime import date
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import BaseModel

from accounts.models import Scope
from billing import rollups
from billing.entries import Rule
from gateway.capability_words import WORDS
from gateway.openapi import answers, completions
from gateway.sse import DONE, Parser
from tests import live
from tests.billing.events import settle
from tests.end_to_end.conftest import UNLIMITED, Caller, MakeCaller, chat_body
from tests.end_to_end.registry import CLAUDE, GPT
from tests.factories import make_key

HERE = Path(__file__).parent


MODELS = [GPT, CLAUDE, "sandbox/echo", "sandbox/tool", "sandbox/refuse", "sandbox/length"]
TOOLS = [{"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object"}}}]


def told(answer: httpx.Response, model: type[BaseModel], status: int = 200) -> Any:
    """The answer, which must have the documented shape and nothing beyond it."""
    assert answer.status_code == status, answer.text
    return model.model_validate_json(answer.content, strict=True, extra="forbid")


def test_models_are_as_documented(caller: Caller) -> None:
    listed = told(caller.http.get("/models"), answers.ModelList)
    assert len(listed.data) > 10
    for model in listed.data:
        assert set(model.capabilities) <= set(answers.CAPABILITIES["properties"])
        for word, value in model.capabilities.items():
            assert WORDS[word].complaint(value) == ""
    told(caller.http.get(f"/models/{GPT}"), answers.Model)


@pytest.mark.parametrize("model", MODELS)
def test_a_chat_completion_is_as_documented(caller: Caller, model: str) -> None:
    told(caller.chat(model, tools=TOOLS), completions.ChatCompletion)


@pytest.mark.parametrize("model", MODELS)
def test_every_event_of_a_stream_is_as_documented(caller: Caller, model: str) -> None:
    answer = caller.chat(model, stream=True, tools=TOOLS, stream_options={"include_usage": True})
    *events, last = Parser().feed(answer.content)
    assert last.data == DONE
    chunks = [completions.ChatCompletionChunk.model_validate_json(event.data, extra="forbid") for event in events]
    assert chunks[-1].usage is not None


@pytest.mark.parametrize("model", ["sandbox/stream-error", "sandbox/stream-cut"])
def test_a_stream_that_breaks_off_ends_with_the_documented_error(caller: Caller, model: str) -> None:
    *events, last = Parser().feed(caller.chat(model, said="a b c d", stream=True).content)
    assert events
    assert answers.Error.model_validate_json(last.data, strict=True, extra="forbid").error.message


def test_embeddings_are_as_documented(caller: Caller) -> None:
    for encoding in ("float", "base64"):
        body = {"model": "sandbox/embedding", "input": ["a", "b"], "encoding_format": encoding}
        told(caller.http.post("/embeddings", json=body), completions.EmbeddingList)


def test_completions_of_the_older_kind_are_as_documented(caller: Caller) -> None:
    body = {"model": "sandbox/echo", "prompt": "a b"}
    told(caller.http.post("/completions", json=body), completions.Completion)
    streamed = caller.http.post("/completions", json={**body, "stream": True})
    *events, last = Parser().feed(streamed.content)
    assert last.data == DONE
    for event in events:
        completions.Completion.model_validate_json(event.data, extra="forbid")


def test_a_receipt_is_as_documented(caller: Caller) -> None:
    request_id = caller.chat(GPT).headers["x-request-id"]
    receipt = told(caller.http.get(f"/generations/{request_id}"), answers.EndedGeneration)
    assert (receipt.rule, receipt.status) == (Rule.COMPLETE, "ended")


def test_a_receipt_of_what_still_runs_is_as_documented(caller: Caller) -> None:
    body = chat_body("sandbox/slow", "a " * 20, stream=True)
    with caller.http.stream("POST", "/chat/completions", json=body) as slow:
        found = httpx.get(
            f"{caller.base_url}/generations/{slow.headers['x-request-id']}",
            headers={"authorization": f"Bearer {caller.secret}"},
        )
        assert told(found, answers.OpenGeneration).status == "in_progress"


def test_usage_and_costs_are_as_documented(gateway: live.Gateway, caller: Caller) -> None:
    settle(caller.key, charged=1_500, input_tokens=7, output_tokens=11)
    rollups.rebuild(caller.organization, date.min, date.max)
    _, secret = make_key(caller.organization, scopes=[Scope.USAGE])
    caller.http.headers["authorization"] = f"Bearer {secret}"
    asked: dict[str, Any] = {"start_time": int(time.time()) - 3600, "group_by": ["project_id", "api_key_id"]}
    usage = told(caller.http.get("/organization/usage/completions", params=asked), answers.UsagePage)
    costs = told(caller.http.get("/organization/costs", params=asked), answers.CostPage)
    for page in (usage, costs):
        assert [result for bucket in page.data for result in bucket.results]


def test_signing_keys_are_as_documented(gateway: live.Gateway) -> None:
    assert told(httpx.get(f"{gateway.origin}/.well-known/2389-keys.json"), answers.SigningKeys).keys


def test_an_error_is_as_documented(caller: Caller) -> None:
    told(caller.chat(temperature=3), answers.Error, 400)
    told(caller.http.get("/generations/none"), answers.Error, 404)
    told(caller.http.get("/organization/costs"), answers.Error, 403)


def test_a_request_that_cannot_be_paid_is_refused_as_documented(make_caller: MakeCaller) -> None:
    poor = make_caller(credit=0)
    refused = told(poor.chat(GPT), answers.QuotaError, 402)
    assert refused.error.limit.scope is answers.Scope.WALLET


@pytest.mark.slow
def test_schemathesis_finds_nothing_that_the_document_does_not_say(
    gateway: live.Gateway, caller: Caller, tmp_path: Path
) -> None:
    scopes = [Scope.CHAT, Scope.EMBEDDINGS, Scope.USAGE]
    _, secret = make_key(caller.organization, scopes=scopes, requests_per_minute=UNLIMITED)
    command = [
        str(Path(sys.executable).with_name("schemathesis")),
        *("--config-file", str(HERE / "schemathesis.toml")),
        *("run", f"{gateway.base_url}/openapi.json", "--url", gateway.origin),
        *("--header", f"Authorization: Bearer {secret}"),
    ]
    failed = len(_errors(gateway))
    receipt = caller.chat().headers["x-request-id"]
    environment = {**os.environ, "PYTHONPATH": str(live.ROOT), "RECEIPT": receipt}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "No issues found" in done.stdout
    assert len(_errors(gateway)) == failed


def _errors(gateway: live.Gateway) -> list[dict[str, Any]]:
    return [line for line in gateway.lines() if line["level"] in {"error", "critical"}]

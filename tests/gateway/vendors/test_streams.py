"""What compatible servers get wrong in their answers, and what a caller's library gets to see of it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from billing.usage import Usage
from gateway.errors import ApiError
from gateway.providers import providers
from gateway.providers.openai import OpenAI
from tests.gateway import streams
from tests.gateway.vendors.quirks import COUNTS, DONE, END, QUIRKS, chunk

ASK: dict[str, Any] = {"model": "public-model", "messages": [{"role": "user", "content": "hi"}]}


def provider(kind: str) -> OpenAI:
    found = providers()[kind]
    assert isinstance(found, OpenAI)
    return found


COUNTED = [name for name, (_, body, *_) in QUIRKS.items() if b"prompt_tokens" in b"".join(body)]


def run(name: str, *, usage: bool = True) -> streams.Outcome:
    kind, body, *_ = QUIRKS[name]
    return streams.run(provider(kind), streams.call({**ASK, "stream": True}, usage=usage), [b"".join(body)])


def made_calls(chunks: list[dict[str, Any]]) -> list[tuple[str, str]]:
    found: dict[int, tuple[str, str]] = {}
    for fragment in (f for c in chunks for choice in c["choices"] for f in choice["delta"].get("tool_calls") or ()):
        name, arguments = found.get(fragment["index"], ("", ""))
        function = fragment["function"]
        found[fragment["index"]] = name + function.get("name", ""), arguments + function.get("arguments", "")
    return list(found.values())


@pytest.mark.parametrize("name", QUIRKS)
@pytest.mark.parametrize("usage", [True, False])
def test_a_quirk_is_mended(name: str, usage: bool) -> None:
    outcome = run(name, usage=usage)
    assert outcome.error is None
    streams.assert_well_formed(outcome.chunks, usage=usage)
    _, _, text, reasoning, made = QUIRKS[name]
    assert streams.text(outcome.chunks) == text
    assert streams.text(outcome.chunks, "reasoning_content") == reasoning
    assert made_calls(outcome.chunks) == made
    for told in outcome.chunks:
        ChatCompletionChunk.model_validate(told)
    assert len({(told["id"], told["created"]) for told in outcome.chunks}) == 1
    roles = [choice["delta"].get("role") for told in outcome.chunks for choice in told["choices"]]
    assert roles == ["assistant", *[None] * (len(roles) - 1)]


@pytest.mark.parametrize("name", QUIRKS)
def test_the_bytes_may_be_cut_anywhere(name: str) -> None:
    kind, parts, *_ = QUIRKS[name]
    body, chat = b"".join(parts), streams.call({**ASK, "stream": True})
    whole = streams.run(provider(kind), chat, [body]).chunks
    for at in range(1, len(body)):
        assert streams.run(provider(kind), chat, [body[:at], body[at:]]).chunks == whole
    assert streams.run(provider(kind), chat, [body[at : at + 1] for at in range(len(body))]).chunks == whole


@pytest.mark.parametrize("name", QUIRKS)
def test_a_stream_without_its_finish_is_an_error(name: str) -> None:
    kind, parts, *_ = QUIRKS[name]
    finishing = next(at for at, part in enumerate(parts) if b'"finish_reason": "' in part or b'reason":"' in part)
    chat = streams.call({**ASK, "stream": True})
    for keep in range(finishing):
        cut = streams.run(provider(kind), chat, [b"".join(parts[:keep])])
        assert cut.error is not None, f"{keep} of {len(parts)} events are a success"
        assert cut.error.code == "upstream_incomplete"


@pytest.mark.parametrize("name", COUNTED)
def test_the_counts_are_read_wherever_they_come(name: str) -> None:
    outcome = run(name, usage=False)
    assert outcome.translator is not None
    assert outcome.translator.usage is not None
    assert (outcome.translator.usage.prompt_tokens, outcome.translator.usage.completion_tokens) == (9, 3)
    assert "prompt_tokens" not in json.dumps(outcome.chunks)


def test_counts_that_grow_end_with_the_last() -> None:
    def counts(completion: int) -> dict[str, int]:
        return {"prompt_tokens": 9, "completion_tokens": completion, "total_tokens": 9 + completion}

    body = chunk({"content": "a"}, usage=counts(1)) + chunk({"content": "b"}, usage=counts(2))
    body += chunk({}, "stop", usage=counts(3))
    outcome = streams.run(provider("vllm"), streams.call({**ASK, "stream": True}), [body])
    assert outcome.translator is not None
    assert outcome.translator.usage == Usage(input=9, output=3)
    assert outcome.chunks[-1]["usage"] == counts(3)


@pytest.mark.parametrize("kind", ["openai", "openai_compatible", "openrouter"])
@pytest.mark.parametrize("usage", [True, False])
def test_what_a_server_adds_of_its_own_is_kept(kind: str, usage: bool) -> None:
    own: dict[str, Any] = {"citations": ["https://example.com"], "search_results": [{"title": "x"}], "provider": "P"}
    body = chunk({"role": "assistant", "content": "hi", "channel": "final"}, **own) + chunk({}, "stop", obfuscation="x")
    last = {"choices": [], "usage": {**COUNTS, "cost": 0.5}, "brand_new": 1}
    body += b"data: %s\n\n" % json.dumps(last).encode() + DONE
    first, *_, end = streams.run(provider(kind), streams.call({**ASK, "stream": True}, usage=usage), [body]).chunks
    assert {key: first[key] for key in own} == own
    assert first["choices"][0]["delta"]["channel"] == "final"
    if usage:
        assert end["usage"]["cost"] == 0.5
        assert end["brand_new"] == 1
    else:
        assert end["obfuscation"] == "x"


def test_entries_of_a_list_in_a_delta_can_be_told_apart() -> None:
    body = chunk({"content": "", "reasoning_details": [{"text": "a"}, {"text": "b", "index": 7}]}) + END
    outcome = streams.run(provider("openrouter"), streams.call({**ASK, "stream": True}), [body])
    details = outcome.chunks[0]["choices"][0]["delta"]["reasoning_details"]
    assert details == [{"text": "a", "index": 0}, {"text": "b", "index": 7}]


@pytest.mark.parametrize(("kind", "reason"), [("openrouter", "error"), ("deepseek", "insufficient_system_resource")])
def test_an_answer_that_ends_with_an_error_is_no_answer(kind: str, reason: str) -> None:
    outcome = streams.run(
        provider(kind), streams.call({**ASK, "stream": True}), [chunk({"content": "a"}) + chunk({}, reason) + DONE]
    )
    assert outcome.error is not None
    assert (outcome.error.status, outcome.error.code) == (502, "upstream_error")
    choice = {"index": 0, "message": {"role": "assistant", "content": "a"}, "finish_reason": reason}
    with pytest.raises(ApiError):
        provider(kind).response(streams.call(ASK), json.dumps({"choices": [choice]}).encode())


def test_an_empty_reason_is_no_finish_without_the_servers_word_that_it_is_done() -> None:
    body = chunk({"content": "a"}, "")
    chat = streams.call({**ASK, "stream": True})
    cut = streams.run(provider("openai_compatible"), chat, [body])
    assert cut.error is not None
    assert streams.run(provider("openai_compatible"), chat, [body + DONE]).error is None
    assert streams.run(provider("openai_compatible"), chat, [chunk({"content": "a"}) + DONE]).error is not None


def answer(kind: str, choice: dict[str, Any], **fields: Any) -> dict[str, Any]:
    body = json.dumps({"id": "c1", "created": 1, "model": "m", "choices": [choice], **fields}).encode()
    told = provider(kind).response(streams.call(ASK), body).body
    ChatCompletion.model_validate(told)
    return told


def test_a_whole_answer_is_mended_as_a_stream_is() -> None:
    message = {
        "content": [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}, {"type": "text", "text": "so"}],
        "tool_calls": [
            {"id": "a", "index": 0, "type": "function", "function": {"name": "f", "arguments": ""}},
            {"function": {"name": "g", "arguments": {"b": 2}}},
        ],
    }
    told = answer("openai_compatible", {"message": message, "finish_reason": ""}, service_tier="on_demand", extra=1)
    choice = told["choices"][0]
    assert (choice["index"], choice["finish_reason"]) == (0, "tool_calls")
    assert (choice["message"]["content"], choice["message"]["reasoning_content"]) == ("so", "hm")
    assert choice["message"]["role"] == "assistant"
    first, second = choice["message"]["tool_calls"]
    assert first == {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    assert second["function"] == {"name": "g", "arguments": '{"b":2}'}
    assert second["id"]
    assert told["extra"] == 1
    assert "service_tier" not in told


def test_a_whole_answer_without_identity_gets_one() -> None:
    told = answer("openai_compatible", {"message": {"content": "hi"}}, id=None, created=None)
    assert told["id"]
    assert told["created"] == 1_800_000_000
    assert told["choices"][0]["finish_reason"] == "stop"


@pytest.mark.parametrize(
    ("counts", "shown"),
    [
        ({"prompt_tokens": 9, "completion_tokens": 3}, (9, 3, 12)),
        ({"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 3}, (9, 3, 12)),
        ({"prompt_tokens": 9, "completion_tokens": None, "total_tokens": 9}, (9, 0, 9)),
        (
            {
                "prompt_tokens": 466,
                "completion_tokens": 68,
                "total_tokens": 800,
                "completion_tokens_details": {"reasoning_tokens": 266},
            },
            (466, 334, 800),
        ),
        (
            {
                "prompt_tokens": 43,
                "completion_tokens": 10,
                "total_tokens": 53,
                "completion_tokens_details": {"reasoning_tokens": 11},
            },
            (43, 10, 53),
        ),
    ],
)
def test_the_counts_that_are_shown_add_up(counts: dict[str, Any], shown: tuple[int, int, int]) -> None:
    choice = {"index": 0, "message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}
    usage = answer("xai", choice, usage=counts)["usage"]
    assert (usage["prompt_tokens"], usage["completion_tokens"], usage["total_tokens"]) == shown
    assert (usage.get("completion_tokens_details") or {}).get("reasoning_tokens", 0) <= usage["completion_tokens"]


def test_what_deepseek_read_from_its_cache_stands_where_client_libraries_look() -> None:
    choice = {"index": 0, "message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}
    counts = {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12, "prompt_cache_hit_tokens": 4}
    usage = answer("deepseek", choice, usage=counts)["usage"]
    assert usage["prompt_tokens_details"] == {"cached_tokens": 4}
    assert usage["prompt_cache_hit_tokens"] == 4
    told = answer("deepseek", choice, usage={**counts, "prompt_tokens_details": {"cached_tokens": 3}})["usage"]
    assert told["prompt_tokens_details"] == {"cached_tokens": 3}
    assert answer("deepseek", choice, usage={**counts, "prompt_cache_hit_tokens": 40})["usage"][
        "prompt_tokens_details"
    ] == {"cached_tokens": 9}

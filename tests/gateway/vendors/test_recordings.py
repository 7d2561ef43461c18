"""What vendors really sent, through the modules that are for them, held against what it says when it is simply read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from gateway.providers import providers
from gateway.providers.openai import OpenAI
from tests.gateway import streams, transcripts
from tests.gateway.transcripts import Case

RECORDED = transcripts.cases("openai-chat") + transcripts.cases("openai-compatible")
STREAMS = [case for case in RECORDED if case.stream and case.status == 200]
KINDS = {"azure": "azure_openai", "anthropic": "openai_compatible"}
# What is told under another name, or once for the whole stream.
MOVED = {"usage", "reasoning", "content", "model", "index", "role", "id", "type", "name", "text", "thinking", "closed"}
SHORT = 3000  # bytes; a longer body is cut at some places only
ERRORS = {
    "groq-error-mid-stream": (400, "tool_use_failed"),
    "openrouter-comments-and-error-stream": (400, None),
    "error-400-bad-request": (400, "unsupported_parameter"),
    "error-400-legacy-max-tokens": (400, "unsupported_parameter"),
    "error-400-system-role": (400, "unsupported_value"),
    "error-404-model": (404, "model_not_found"),
    "deepseek-error-401": (502, "upstream_authentication_error"),
    "ollama-cloud-error-401": (502, "upstream_authentication_error"),
    "openrouter-error-401": (502, "upstream_authentication_error"),
    "openrouter-error-429": (429, "rate_limit_exceeded"),
}


def short_name(case: Case) -> str:
    return case.name.split("/")[1]


def provider(case: Case) -> OpenAI:
    vendor = short_name(case).split("-")[0]
    kind = KINDS.get(vendor) or (vendor if case.name.startswith("openai-compatible/") else "openai")
    found = providers()[kind]
    assert isinstance(found, OpenAI)
    return found


def raw(case: Case) -> list[dict[str, Any]]:
    lines = [line.removeprefix(b"data: ") for line in case.body.splitlines() if line.startswith(b"data: {")]
    return [json.loads(line) for line in lines]


def said(chunks: list[dict[str, Any]]) -> tuple[str, str, str]:
    """Text, reasoning and arguments, wherever they stand."""
    text, thought, arguments = "", "", ""
    for choice in (choice for chunk in chunks for choice in chunk.get("choices") or ()):
        delta = choice.get("delta") or {}
        content = delta.get("content") or ""
        parts: list[dict[str, Any]] = content if isinstance(content, list) else [{"text": content}]
        for part in parts:
            text += part.get("text") or ""
            thought += "".join(inner["text"] for inner in part.get("thinking") or ())
        thought += delta.get("reasoning_content") or delta.get("reasoning") or ""
        arguments += "".join((c.get("function") or {}).get("arguments") or "" for c in delta.get("tool_calls") or ())
    return text, thought, arguments


def keys(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from keys(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from keys(inner)


@pytest.mark.parametrize("case", STREAMS, ids=str)
def test_a_stream_says_what_the_vendor_said(case: Case) -> None:
    outcome = streams.run(provider(case), streams.call({**case.sent, "stream": True}, usage=True), [case.body])
    if short_name(case) not in ERRORS:
        streams.assert_well_formed(outcome.chunks, usage=True)
    assert said(outcome.chunks) == said(raw(case))


@pytest.mark.parametrize("case", [case for case in STREAMS if short_name(case) not in ERRORS], ids=str)
def test_no_field_is_lost(case: Case) -> None:
    outcome = streams.run(provider(case), streams.call({**case.sent, "stream": True}, usage=True), [case.body])
    foreign = {"service_tier"} if "groq" in case.name else set()  # its value is none of OpenAI's
    assert {*keys(raw(case))} - MOVED - foreign - {*keys(outcome.chunks)} == set()


@pytest.mark.parametrize("case", STREAMS, ids=str)
def test_nobody_sees_counts_who_did_not_ask(case: Case) -> None:
    body = {**case.sent, "stream": True}
    body.pop("stream_options", None)
    outcome = streams.run(provider(case), streams.call(body, usage=False), [case.body])
    assert {"usage", "prompt_tokens"} & {*keys(outcome.chunks)} == set()


@pytest.mark.parametrize("case", STREAMS, ids=str)
def test_the_bytes_may_be_cut_anywhere(case: Case) -> None:
    chat, body = streams.call({**case.sent, "stream": True}), case.body
    whole = streams.run(provider(case), chat, [body])
    for at in range(1, len(body), 1 if len(body) < SHORT else 1499):
        assert streams.run(provider(case), chat, [body[:at], body[at:]]).chunks == whole.chunks
    assert streams.run(provider(case), chat, [body[at : at + 1] for at in range(len(body))]).chunks == whole.chunks


@pytest.mark.parametrize("case", STREAMS, ids=str)
def test_no_stream_that_was_cut_is_a_success(case: Case) -> None:
    events = case.body.split(b"\n\n")
    finishing = next(
        (at for at, part in enumerate(events) if b'"finish_reason":"' in part or b'"finish_reason": "' in part),
        len(events),
    )
    chat = streams.call({**case.sent, "stream": True})
    for keep in range(0, finishing, max(1, finishing // 40)):
        cut = streams.run(provider(case), chat, [b"".join(part + b"\n\n" for part in events[:keep])])
        assert cut.error is not None


@pytest.mark.parametrize("case", [case for case in RECORDED if short_name(case) in ERRORS], ids=str)
def test_a_recorded_error_is_whose_it_is(case: Case) -> None:
    chat = streams.call({**case.sent, "stream": case.stream}, upstream_model=str(case.sent["model"]))
    if case.stream:
        error = streams.run(provider(case), chat, [case.body]).error
        assert error is not None
    else:
        error = provider(case).error(chat, case.status, case.headers, case.body)
    assert (error.status, error.code) == ERRORS[short_name(case)]


@pytest.mark.skipif(not RECORDED, reason="the recordings do not lie beside this checkout")
def test_every_expected_error_has_its_recording() -> None:
    assert ERRORS.keys() <= {short_name(case) for case in RECORDED}


@pytest.mark.parametrize("case", [c for c in RECORDED if not c.stream and c.status == 200], ids=str)
def test_a_whole_answer_is_the_vendors_own_but_for_its_name_and_what_is_mended(case: Case) -> None:
    told, recorded = provider(case).response(streams.call(case.sent), case.body).body, json.loads(case.body)
    for choice in recorded["choices"]:
        message = choice["message"]
        if "reasoning" in message:
            message["reasoning_content"] = message.pop("reasoning")
        for call in message.get("tool_calls") or ():
            call.pop("index", None)
    assert told == {**recorded, "model": "public-model"}

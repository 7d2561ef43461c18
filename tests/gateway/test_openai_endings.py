"""How a stream in OpenAI's format ends: what a caller is told of it, and when."""

from __future__ import annotations

import json
from typing import Any

from gateway.providers.openai import OpenAI
from tests.gateway import streams
from tests.gateway.transcripts import fixtures

ASK: dict[str, Any] = {"model": "public-model", "messages": [{"role": "user", "content": "hi"}], "stream": True}
TEXT = 'Grüße, 世界 👋 and\n"lines"'
(PLAIN,) = (case.body for case in fixtures("openai-chat") if case.name.endswith("/text"))


def test_words_that_come_with_the_finish_are_told_at_once_and_the_finish_at_the_end() -> None:
    """Whatever fails after it: what was paid for was heard, and what failed never looked complete."""
    head = {"id": "1", "object": "chat.completion.chunk", "created": 1}
    delta = {"role": "assistant", "content": "all of it"}
    last = {**head, "choices": [{"index": 0, "delta": delta, "finish_reason": "stop"}]}
    sent = b"data: " + json.dumps(last).encode() + b"\n\n"
    failed = streams.run(OpenAI(), streams.call(ASK), [sent, b'data: {"error": "no"}\n\n'])
    assert failed.error is not None
    assert streams.text(failed.chunks) == "all of it"
    assert [choice["finish_reason"] for chunk in failed.chunks for choice in chunk["choices"]] == [None]
    assert failed.finish_reason == ""
    whole = streams.run(OpenAI(), streams.call(ASK), [sent, b"data: [DONE]\n\n"])
    streams.assert_well_formed(whole.chunks, usage=True)
    assert (streams.text(whole.chunks), whole.finish_reason) == ("all of it", "stop")


def test_an_event_of_blanks_is_not_the_last_one() -> None:
    outcome = streams.run(OpenAI(), streams.call(ASK), [b"data:   \n\ndata: \n\n" + PLAIN])
    assert outcome.error is None
    assert streams.text(outcome.chunks) == TEXT


def test_nothing_is_read_after_the_last_event() -> None:
    sent = PLAIN + b'data: {"error": "too late"}\n\ndata: no json\n\n'
    outcome = streams.run(OpenAI(), streams.call(ASK), [sent])
    assert outcome.error is None
    assert outcome.translator is not None
    assert outcome.translator.done

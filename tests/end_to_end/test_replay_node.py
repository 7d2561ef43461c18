"""The same answers, read by the official Node client: one run over all of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from billing import audit
from tests import books, invariants
from tests.end_to_end import node
from tests.end_to_end.conftest import Caller
from tests.end_to_end.replayed import MODELS, request
from tests.end_to_end.test_replay import ANSWERS, ASKED, BROKEN, FAILURES, STREAMS, TOLD
from tests.fakes.answers import Answer
from tests.fakes.replay import Replay
from tests.gateway.transcripts import Case
from tests.gateway.whole import spoken_in, whole_of

pytestmark = pytest.mark.sdk


def test_the_node_client_reads_what_the_provider_said_and_throws_what_it_must(
    caller: Caller, replay: Replay, node_program: str
) -> None:
    """In one run, for each answer: whole, streamed, and through the client's own helper."""
    cases = [*STREAMS, *ANSWERS, *BROKEN, *FAILURES]
    asked = [{"name": case.name, "requests": requests_for(case, replay)} for case in cases]
    report = node.run(node_program, "replay.mjs", key=caller.secret, base_url=caller.base_url, given=json.dumps(asked))
    complaints = [complaint(case, report[case.name]) for case in cases]
    assert "\n".join(filter(None, complaints)) == ""
    caller.rows(sum(len(one["requests"]) for one in asked), seconds=30)
    assert audit.look(full=True, organization_id=caller.organization.pk)[1] == []
    with books.connect() as own:
        assert books.wallet(own, caller.organization.pk)[1] == 0


def requests_for(case: Case, replay: Replay) -> dict[str, Any]:
    """What is asked of the gateway about an answer, by the way it is to be read."""
    recorded = Answer.recorded(case)
    if case in ANSWERS:
        return {"whole": request(case.dialect, replay.prompt_for(recorded))}
    streamed = {reader: request(case.dialect, replay.prompt_for(recorded), **ASKED) for reader in ("stream", "helper")}
    whole = Answer(body=whole_of(case)) if case in STREAMS else recorded
    if case in BROKEN:
        return streamed
    return {**streamed, "whole": request(case.dialect, replay.prompt_for(whole))}


def complaint(case: Case, had: Mapping[str, Any]) -> str:
    """What is wrong with what the client had of an answer; nothing when it is as it must be."""
    try:
        if case in BROKEN:
            _assert_broken(case, had)
        elif case in FAILURES:
            _assert_refused(case, had)
        else:
            _assert_read(case, had)
    except (AssertionError, LookupError, ValueError) as error:
        return f"{case}: {error!r}"
    return ""


def _assert_read(case: Case, had: Mapping[str, Any]) -> None:
    model = MODELS[case.dialect]
    for reader, outcome in had.items():
        assert "error" not in outcome, (reader, outcome["error"])
        if reader == "stream":
            heard = invariants.heard_in(outcome["chunks"], model=model, usage=True)
        else:
            heard = invariants.read_in(outcome["completion"], model=model)
        told = [(said.content, said.reasoning, list(said.calls)) for said in heard.choices]
        said = spoken_in(case.dialect, whole_of(case))
        if reader == "helper":  # which keeps only the last piece of a field that OpenAI does not have
            told, said = ([(text, "", calls) for text, _, calls in one] for one in (told, said))
        assert told == said, reader


def _assert_broken(case: Case, had: Mapping[str, Any]) -> None:
    assert had["stream"]["error"]["name"] == "APIError", had["stream"]["error"]
    invariants.begun_in(had["stream"]["chunks"], model=MODELS[case.dialect])
    assert had["helper"]["error"]["raised"], had["helper"]["error"]


def _assert_refused(case: Case, had: Mapping[str, Any]) -> None:
    kind, code, param = TOLD[case.name]
    for reader, outcome in had.items():
        error = outcome["error"]
        assert (error["name"], error["code"], error["param"]) == (kind.__name__, code, param), (reader, error)

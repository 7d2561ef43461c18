"""Whatever goes wrong at a provider, at whatever moment: the caller's library raises, the provider is let go, and the
row and the ledger say what it came to. Never is half an answer told as a whole one."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import openai
import pytest

from billing import audit, money
from billing.models import UsageEvent
from tests import books, invariants, live
from tests.end_to_end import broken, replayed
from tests.end_to_end.broken import SAID_NOTHING, STREAM, Trouble
from tests.end_to_end.conftest import Caller, MakeCaller
from tests.end_to_end.replayed import MODELS, Reading, request
from tests.fakes.answers import Answer
from tests.fakes.replay import Replay
from tests.gateway.whole import spoken_in, whole_of

pytestmark = pytest.mark.sdk

EVERY_FORMAT = pytest.mark.parametrize("dialect", list(MODELS))
AT_ONCE = 8
LET_GO_SECONDS = 5
MANY_ROWS_SECONDS = 30


def each_row(caller: Caller, readings: Iterable[Reading]) -> dict[str, UsageEvent]:
    """The rows by the ids that the client was told, one for each reading; and the books are in order."""
    readings = list(readings)
    rows = {str(row.request_id): row for row in caller.rows(len(readings), seconds=MANY_ROWS_SECONDS)}
    assert set(rows) == {reading.request_id for reading in readings}
    assert audit.look(full=True, organization_id=caller.organization.pk)[1] == []
    with books.connect() as own:
        posted, held = books.wallet(own, caller.organization.pk)
    assert held == 0
    assert posted == 1000 * money.NANO - sum(row.charged_nano for row in rows.values())
    return rows


def complaint(trouble: Trouble, reading: Reading, row: UsageEvent) -> str:
    """What is wrong with how a trouble was told and booked; nothing when it is as it must be."""
    try:
        if trouble.is_whole:
            _assert_whole(trouble, reading, row)
        else:
            _assert_failed(trouble, reading, row)
    except (AssertionError, LookupError, ValueError) as error:
        return f"{trouble}: {error!r}"
    return ""


def _assert_whole(trouble: Trouble, reading: Reading, row: UsageEvent) -> None:
    assert reading.error is None, reading.error
    heard = invariants.heard_in(reading.chunks, model=MODELS[trouble.dialect], usage=False)
    told = [(said.content, said.reasoning, list(said.calls)) for said in heard.choices]
    assert told == spoken_in(trouble.dialect, whole_of(broken.tools_of(trouble.dialect)))
    assert (row.status, row.rule) == (200, "complete")
    _assert_paid(row)


def _assert_failed(trouble: Trouble, reading: Reading, row: UsageEvent) -> None:
    error = reading.error
    assert error is not None, "the client noticed nothing"
    invariants.begun_in(reading.chunks, model=MODELS[trouble.dialect])
    if isinstance(error, openai.APIStatusError):
        assert error.status_code == row.status, (error.status_code, row.status)
    assert row.status >= 500, row.status
    assert row.error_code == (error.code or error.type), (row.error_code, error.code)
    assert row.finish_reason == "", row.finish_reason
    if trouble.moment in SAID_NOTHING or not reading.chunks:
        assert (row.rule, row.cost_nano, row.charged_nano) == ("failed", 0, 0), (row.rule, row.charged_nano)
    else:
        assert row.rule == "stopped", row.rule
        assert row.output_tokens > 0
        _assert_paid(row)


def _assert_paid(row: UsageEvent) -> None:
    assert row.charged_nano == row.input_tokens * 1000 + row.output_tokens * 2000 > 0
    assert row.absorbed_nano == 0


def assert_let_go(replay: Replay, prompts: Iterable[str]) -> None:
    """No provider is still writing to a gateway that does not listen, or waits for it."""
    for prompt in prompts:
        for received in replay.received(prompt):
            assert received.ended.wait(LET_GO_SECONDS), prompt


@EVERY_FORMAT
def test_a_stream_in_trouble_is_raised_and_paid_as_far_as_it_came(caller: Caller, replay: Replay, dialect: str) -> None:
    troubles = [*broken.headers(dialect), *broken.streams(dialect)]
    prompts = [replay.prompt_for(trouble.answer) for trouble in troubles]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        readings = list(pool.map(lambda prompt: replayed.read(caller.sdk, request(dialect, prompt)), prompts))
    rows = each_row(caller, readings)
    complaints = [
        complaint(trouble, reading, rows[reading.request_id])
        for trouble, reading in zip(troubles, readings, strict=True)
    ]
    assert "\n".join(filter(None, complaints)) == ""
    assert_let_go(replay, prompts)


@EVERY_FORMAT
def test_an_answer_in_trouble_is_an_error_and_costs_nothing(caller: Caller, replay: Replay, dialect: str) -> None:
    whole = whole_of(broken.tools_of(dialect))
    troubles = [*broken.headers(dialect), *broken.answers(dialect, whole)]
    prompts = [replay.prompt_for(trouble.answer) for trouble in troubles]

    def ask(prompt: str) -> Reading:
        try:
            answer = caller.sdk.chat.completions.create(**request(dialect, prompt))
        except openai.APIStatusError as error:
            return Reading([], error, error.request_id or "")
        return Reading([answer.to_dict()], None, answer._request_id or "")

    with ThreadPoolExecutor(AT_ONCE) as pool:
        readings = list(pool.map(ask, prompts))
    rows = each_row(caller, readings)
    for trouble, reading in zip(troubles, readings, strict=True):
        assert isinstance(reading.error, openai.APIStatusError), trouble
        row = rows[reading.request_id]
        assert (row.status, row.rule, row.charged_nano) == (reading.error.status_code, "failed", 0), trouble
        assert row.status >= 500, trouble
    assert_let_go(replay, prompts)


@EVERY_FORMAT
def test_a_slow_stream_that_never_falls_silent_comes_to_its_end(caller: Caller, replay: Replay, dialect: str) -> None:
    case = broken.tools_of(dialect)
    prompt = replay.prompt_for(Answer(body=case.body, headers=STREAM, piece=len(case.body) // 15, pause=0.1))
    reading = replayed.read(caller.sdk, request(dialect, prompt))
    trouble = Trouble(dialect, "after the usage", "it ends", Answer())
    rows = each_row(caller, [reading])
    _assert_whole(trouble, reading, rows[reading.request_id])


@EVERY_FORMAT
@pytest.mark.parametrize("heard", ["Let me add", '{\\"a\\"'])
def test_hanging_up_lets_the_provider_go_and_pays_for_what_was_said(
    caller: Caller, replay: Replay, dialect: str, heard: str
) -> None:
    """In the text, and in a call: the provider would go on for ever."""
    events = broken.events_of(broken.tools_of(dialect).body)
    moments = broken.MOMENTS[dialect]
    come = moments["in the text"] if heard.startswith("Let") else moments.get("in a call") or moments["after a call"]
    answer = Answer(body=b"".join(events[:come]), headers=STREAM, endlessly=b": still here\n\n", pause=0.05)
    prompt = replay.prompt_for(answer)
    with caller.http.stream("POST", "/chat/completions", json=request(dialect, prompt, stream=True)) as response:
        assert any(heard in line for line in response.iter_lines())
    left_at = time.monotonic()
    (received,) = replay.received(prompt)
    assert received.ended.wait(LET_GO_SECONDS)
    assert received.hung_up_at is not None
    assert received.hung_up_at - left_at < LET_GO_SECONDS
    row = each_row(caller, [Reading([], None, response.headers["x-request-id"])])[response.headers["x-request-id"]]
    assert (row.status, row.rule, row.usage_source, row.finish_reason) == (499, "stopped", "counted", "")
    assert row.output_tokens > 0
    _assert_paid(row)


@pytest.fixture(scope="module")
def hurried(
    live_database: str, live_settings: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[live.Gateway]:
    """A gateway that gives no answer more than a moment."""
    log = tmp_path_factory.mktemp("hurried") / "gateway.log"
    with live.serving(database=live_database, log=log, **{**live_settings, "GATEWAY_TOTAL_SECONDS": 1.5}) as gateway:
        yield gateway


@pytest.mark.slow
@EVERY_FORMAT
@pytest.mark.parametrize("endless", ["comments", "words"])
def test_a_stream_without_end_is_ended(
    hurried: live.Gateway, committed: None, make_caller: MakeCaller, replay: Replay, dialect: str, endless: str
) -> None:
    events = broken.events_of(broken.tools_of(dialect).body)
    come = broken.MOMENTS[dialect]["in the text"]
    piece = b": still here\n\n" if endless == "comments" else events[come - 1]
    prompt = replay.prompt_for(Answer(body=b"".join(events[:come]), headers=STREAM, endlessly=piece, pause=0.02))
    caller = make_caller(at=hurried)
    reading = replayed.read(caller.sdk, request(dialect, prompt))
    assert isinstance(reading.error, openai.APIError)
    assert reading.error.code == "upstream_timeout"
    row = each_row(caller, [reading])[reading.request_id]
    assert complaint(Trouble(dialect, "in the text", endless, Answer()), reading, row) == ""
    assert_let_go(replay, [prompt])

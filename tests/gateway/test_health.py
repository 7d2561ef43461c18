"""Providers' health from usage events: whose fault a failure was, and that late events are not missed."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from accounts.models import ApiKey, Organization, User
from billing.models import DetachedMonth
from gateway import health
from gateway.models import ProviderDay, ProviderHealth
from tests.billing.events import settle
from tests.factories import make_key

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


def attempt(status: int = 200, code: str = "", provider: str = "openai") -> dict[str, Any]:
    return {"provider": provider, "upstream_model": "m", "status": status, "error_code": code, "ms": 10}


def call(key: ApiKey, *attempts: dict[str, Any], at: datetime = NOON, **fields: Any) -> None:
    settle(key, at, **{"attempts": list(attempts), **fields})


def counts(provider: str = "openai") -> tuple[int, int, int] | None:
    """Answered, failed, limited, of the whole day around noon."""
    health.rebuild(NOON - timedelta(hours=1), NOON + timedelta(hours=1))
    row = ProviderDay.objects.filter(provider=provider, day=NOON.date()).first()
    return (row.answered, row.failed, row.limited) if row else None


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (502, "upstream_unavailable", (0, 1, 0)),
        (502, "upstream_error", (0, 1, 0)),
        (503, "overloaded", (0, 1, 0)),
        (504, "upstream_timeout", (0, 1, 0)),
        (502, "upstream_authentication_error", (0, 1, 0)),
        (429, "rate_limit_exceeded", (0, 0, 1)),
        (502, "upstream_permission_error", None),
        (500, "internal_error", None),
        (400, "invalid_request_error", None),
        (404, "model_not_found", None),
        (413, "request_too_large", None),
        (0, "cancelled", None),
    ],
)
def test_a_failure_counts_against_the_provider_only_when_it_was_the_providers(
    key: ApiKey, status: int, code: str, expected: tuple[int, int, int] | None
) -> None:
    call(key, attempt(status, code), status=status or 499, error_code=code)
    assert counts() == expected


def test_an_answer_counts_as_answered(key: ApiKey) -> None:
    call(key, attempt())
    assert counts() == (1, 0, 0)


def test_a_caller_who_hung_up_on_an_answer_says_nothing_against_the_provider(key: ApiKey) -> None:
    call(key, attempt(), status=499, stream=True)
    assert counts() == (1, 0, 0)


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (502, "upstream_incomplete", (0, 1, 0)),
        (429, "rate_limit_exceeded", (0, 0, 1)),
        (500, "internal_error", None),
        (400, "invalid_request_error", None),
    ],
)
def test_an_answer_that_began_well_is_judged_by_its_end(
    key: ApiKey, status: int, code: str, expected: tuple[int, int, int] | None
) -> None:
    call(key, attempt(), status=status, error_code=code, stream=True)
    assert counts() == expected


def test_a_request_of_two_providers_counts_for_each(key: ApiKey) -> None:
    call(key, attempt(503, "overloaded"), attempt(provider="azure"), provider="azure")
    assert (counts("openai"), counts("azure")) == ((0, 1, 0), (1, 0, 0))


def test_what_was_refused_before_any_call_counts_nowhere(key: ApiKey) -> None:
    call(key, status=402, error_code="insufficient_quota")
    assert counts() is None


def test_all_organisations_are_summed(key: ApiKey, charlie: User) -> None:

    theirs, _ = make_key(Organization.objects.get(slug="stranger"))
    call(key, attempt())
    call(theirs, attempt())
    assert counts() == (2, 0, 0)


def test_the_first_token_is_the_median_of_streams_that_one_provider_answered(key: ApiKey) -> None:
    for milliseconds in (100, 300, 9000):
        call(key, attempt(), stream=True, first_token_ms=milliseconds)
    call(key, attempt(), stream=False, first_token_ms=50_000)
    call(key, attempt(503, "overloaded", "azure"), attempt(), stream=True, first_token_ms=60_000)
    counts()
    assert ProviderHealth.objects.get(provider="openai").first_token_ms == 300


def test_rolling_up_twice_counts_once(key: ApiKey) -> None:
    call(key, attempt())
    assert counts() == counts() == (1, 0, 0)


def test_what_is_entered_late_is_found_by_the_hourly_run_and_not_by_the_next_minutes(key: ApiKey) -> None:
    call(key, attempt(), at=NOON - timedelta(hours=5))
    health.roll_up_recent(NOON)
    assert not ProviderHealth.objects.exists()
    health.roll_up_late(NOON)
    assert ProviderHealth.objects.get().at == NOON - timedelta(hours=5)


def test_a_stream_of_half_an_hour_is_found_by_the_next_minutes_run(key: ApiKey) -> None:
    call(key, attempt(), at=NOON - timedelta(minutes=31))
    health.roll_up_recent(NOON)
    assert ProviderHealth.objects.get().answered == 1


def test_days_are_days_of_utc(key: ApiKey) -> None:
    midnight = datetime(2026, 11, 20, tzinfo=UTC)
    for at in (midnight - timedelta(seconds=1), midnight, midnight + timedelta(hours=23, minutes=59)):
        call(key, attempt(), at=at)
    health.rebuild_days(date(2026, 11, 19), date(2026, 11, 20))
    found = dict(ProviderDay.objects.values_list("day", "answered"))
    assert found == {date(2026, 11, 19): 1, date(2026, 11, 20): 2}


def test_a_day_keeps_its_other_hours_when_one_is_built_anew(key: ApiKey) -> None:
    call(key, attempt(), at=NOON)
    call(key, attempt(), at=NOON + timedelta(hours=3))
    health.rebuild_days(NOON.date(), NOON.date())
    health.rebuild(NOON, NOON + timedelta(hours=1))
    assert ProviderDay.objects.get().answered == 2


def test_days_whose_events_were_taken_out_keep_what_they_have(key: ApiKey) -> None:
    ProviderDay.objects.create(provider="openai", day=date(2026, 9, 30), answered=7)
    DetachedMonth.objects.create(month=date(2026, 9, 1))
    assert health.rebuild_days(date(2026, 9, 30), date(2026, 10, 2)) == 1
    assert ProviderDay.objects.get().answered == 7


def test_what_is_older_than_the_page_is_forgotten(db: None) -> None:
    for days in (1, 91, 93):
        ProviderHealth.objects.create(provider="openai", at=NOON - timedelta(days=days), answered=1)
    health.roll_up_late(NOON)
    assert ProviderHealth.objects.filter(at__lt=NOON - timedelta(days=30)).count() == 1


def test_the_history_can_be_built_from_the_requests_that_there_are(key: ApiKey) -> None:
    call(key, attempt(), at=datetime.now(UTC))
    call_command("rebuild_health", "--days", "2")
    assert ProviderDay.objects.get().answered == 1
    with pytest.raises(CommandError, match="between 1 and 90, not 91"):
        call_command("rebuild_health", "--days", "91")

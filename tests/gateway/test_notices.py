"""Owners hear of a model's end while they still call it, once; staff hear when a vendor dropped one."""

from datetime import date, timedelta
from typing import Any

import pytest
from django.core import mail
from django.utils import timezone

from accounts.models import ApiKey, Membership, Organization, User
from billing.models import UsageEvent
from gateway import notices, request_ids
from gateway.models import Model

pytestmark = pytest.mark.django_db
TODAY = date(2026, 11, 23)


def make_caller(slug: str, model: str, *, days_ago: int = 1, **fields: Any) -> Organization:
    organization = Organization.objects.create(name=slug.title(), slug=slug, **fields)
    owner = User.objects.create_user(f"{slug}@example.com", "a long password of ours")
    Membership.objects.create(organization=organization, user=owner, role=Membership.Role.OWNER)
    key, _ = ApiKey.objects.issue(organization=organization, name="k")
    at = timezone.now() - timedelta(days=days_ago)
    UsageEvent.objects.create(
        request_id=request_ids.new(), organization=organization, api_key=key, model_requested=model,
        stream=False, status=200, started_at=at, ended_at=at, duration_ms=1,
    )  # fmt: skip
    return organization


def make_model(days: int, successor: Model | None = None) -> Model:
    shutdown = TODAY + timedelta(days=days)
    return Model.objects.create(id="old", owned_by="v", vendor_id="old", shutdown_on=shutdown, successor=successor)


@pytest.fixture
def new() -> Model:
    return Model.objects.create(id="new", owned_by="v", vendor_id="new")


@pytest.mark.parametrize(("days", "mails"), [(31, 0), (30, 1), (20, 1), (7, 1), (0, 1)])
def test_owners_are_told_from_thirty_days_before(days: int, mails: int, new: Model) -> None:
    make_model(days, new)
    make_caller("acme", "old")
    notices.warn_of_shutdowns(TODAY)
    assert len(mail.outbox) == mails


def test_each_notice_is_sent_once_and_the_next_one_when_it_is_due(new: Model) -> None:
    make_model(30, new)
    make_caller("acme", "old")
    for days_on in (0, 0, 5, 23, 23, 30, 30):
        notices.warn_of_shutdowns(TODAY + timedelta(days=days_on))
    assert [message.subject for message in mail.outbox] == [
        "old shuts down on 23 December 2026",
        "old shuts down on 23 December 2026",
        "old is shut down today",
    ]
    assert mail.outbox[0].to == ["acme@example.com"]
    assert "answered by new" in mail.outbox[0].body


def test_only_those_who_still_call_it_are_told(new: Model) -> None:
    make_model(7, new)
    make_caller("charlie", "another-model")
    make_caller("sleepy", "old", days_ago=40)
    assert notices.warn_of_shutdowns(TODAY) == 0
    assert mail.outbox == []


def test_an_organisation_that_refuses_successors_is_told_that_calls_will_fail(new: Model) -> None:
    make_model(7, new)
    make_caller("acme", "old", retired_models="refuse")
    notices.warn_of_shutdowns(TODAY)
    assert "refused with 404" in mail.outbox[0].body


def test_staff_hear_once_of_a_model_that_its_vendor_dropped(new: Model, settings: Any) -> None:
    settings.ADMINS = [("Staff", "staff@example.com")]
    model = make_model(100, new)
    assert notices.alert_of_vanished() == 0
    model.vendor_gone_at = timezone.now()
    model.save()
    assert [notices.alert_of_vanished(), notices.alert_of_vanished()] == [1, 0]
    assert mail.outbox[0].to == ["staff@example.com"]
    assert "served by new" in mail.outbox[0].body

"""The life of a key, and what the audit log says of it. Races are run with threads, against the real database."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any

import pytest
import time_machine
from django.db import connection
from pytest_django import DjangoCaptureOnCommitCallbacks

from accounts import key_life, keys
from accounts.audit import SYSTEM
from accounts.key_life import KeyChangedError
from accounts.models import ApiKey, ApiKeySecret, AuditEvent, Membership, Organization, User
from tests.factories import make_key, make_organization

pytestmark = pytest.mark.django_db


def newest(key: ApiKey) -> int:
    found: int = key.secrets.values_list("pk", flat=True)[0]
    return found


def events(organization: Organization) -> list[str]:
    return list(AuditEvent.objects.of(organization).order_by("pk").values_list("action", flat=True))


def owner_of(text: str) -> ApiKeySecret | None:
    return ApiKeySecret.objects.filter(digest__in=keys.digests(text)).first()


def test_a_key_is_made_with_all_that_it_may_do_and_written_down(organization: Organization, bob: User) -> None:
    key, text = key_life.create(
        SYSTEM, organization, form=uuid.uuid4(), name="batch", owner=bob, models_allowed=["claude-*"],
        tokens_per_minute=9000,
    )  # fmt: skip
    found = owner_of(text)
    assert found is not None
    assert found.api_key == key
    event = AuditEvent.objects.get()
    assert (event.action, event.target_label) == ("key.created", str(key))
    assert event.details["models_allowed"] == ["claude-*"]
    assert "requests_per_minute" not in event.details  # what is not limited is not said
    assert text not in str(event.details)


def test_a_form_that_is_sent_twice_makes_one_key(organization: Organization) -> None:
    form = uuid.uuid4()
    key, _ = key_life.create(SYSTEM, organization, form=form, name="once")
    with pytest.raises(KeyChangedError, match=r"has made the key once \(sk-2389-.* already"):
        key_life.create(SYSTEM, organization, form=form, name="once")
    assert ApiKey.objects.get() == key


def test_a_change_says_what_was_and_what_is(key: ApiKey) -> None:
    key_life.change(SYSTEM, key, name="renamed", tokens_per_minute=5)
    key.refresh_from_db()
    assert (key.name, key.tokens_per_minute) == ("renamed", 5)
    details = AuditEvent.objects.get(action="key.changed").details
    assert details["name"] == {"before": "production", "after": "renamed"}
    assert set(details) == {"name", "tokens_per_minute"}


def test_a_change_of_nothing_is_nothing(key: ApiKey) -> None:
    key_life.change(SYSTEM, key, name="production")
    assert not AuditEvent.objects.exists()


@pytest.mark.parametrize("hours", key_life.OVERLAPS)
def test_after_a_rotation_both_secrets_work_until_the_earlier_ones_end(key: ApiKey, secret: str, hours: int) -> None:
    with time_machine.travel("2026-11-25T12:00:00Z", tick=False):
        _, text = key_life.rotate(SYSTEM, key, seen=newest(key), hours=hours)
    for after, work in [(0, hours > 0), (hours - 0.01, hours > 0), (hours, False)]:
        with time_machine.travel("2026-11-25T12:00:00Z", tick=False) as clock:
            clock.shift(timedelta(hours=max(0, after)))
            working = {one.pk for one in key.secrets.working()}
        earlier, later = owner_of(secret), owner_of(text)
        assert earlier is not None
        assert later is not None
        assert (earlier.pk in working, later.pk in working) == (work, True)
    key.refresh_from_db()
    assert key.hint == f"sk-2389-{text[8:12]}…{text[-4:]}"
    assert AuditEvent.objects.get().details["earlier_secret"].startswith(f"sk-2389-{secret[8:12]}…")


def test_a_rotation_never_makes_an_earlier_end_later(key: ApiKey, secret: str) -> None:
    key_life.rotate(SYSTEM, key, seen=newest(key), hours=1)
    first = ApiKeySecret.objects.get(pk=newest(key) - 1).ends_at
    key_life.rotate(SYSTEM, key, seen=newest(key), hours=24)
    kept = owner_of(secret)
    assert kept is not None
    assert kept.ends_at == first


def test_a_rotation_of_what_was_rotated_meanwhile_is_refused(key: ApiKey) -> None:
    seen = newest(key)
    key_life.rotate(SYSTEM, key, seen=seen, hours=1)
    with pytest.raises(KeyChangedError, match="rotated a moment ago"):
        key_life.rotate(SYSTEM, key, seen=seen, hours=0)
    assert key.secrets.count() == 2


def test_an_earlier_secret_can_be_ended_before_its_time_and_the_newest_cannot(key: ApiKey, secret: str) -> None:
    key_life.rotate(SYSTEM, key, seen=newest(key), hours=24)
    earlier = owner_of(secret)
    assert earlier is not None
    key_life.end_secret(SYSTEM, key, earlier.pk)
    assert list(key.secrets.working()) == [key.secrets.first()]
    with pytest.raises(KeyChangedError, match="the only one that would be left"):
        key_life.end_secret(SYSTEM, key, newest(key))
    with pytest.raises(KeyChangedError, match="the only one that would be left"):
        key_life.end_secret(SYSTEM, key, make_key(key.organization)[0].secrets.get().pk)
    assert AuditEvent.objects.get(action="key.changed").details["ended_secret"] == earlier.hint


def test_revoking_is_written_down_once_and_is_the_end(key: ApiKey, organization: Organization) -> None:
    other, _ = make_key(organization)
    assert key_life.revoke(SYSTEM, [key.pk, other.pk, key.pk]) == [key, other]
    assert key_life.revoke(SYSTEM, [key.pk]) == []
    assert events(organization) == ["key.revoked", "key.revoked"]
    for late in (
        lambda: key_life.rotate(SYSTEM, key, seen=newest(key), hours=1),
        lambda: key_life.change(SYSTEM, key, name="x"),
        lambda: key_life.end_secret(SYSTEM, key, newest(key)),
    ):
        with pytest.raises(KeyChangedError, match="was revoked on"):
            late()


def test_every_secret_of_a_key_is_announced(
    key: ApiKey,
    secret: str,
    monkeypatch: pytest.MonkeyPatch,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    heard: list[bytes] = []
    monkeypatch.setattr(keys, "announce", heard.extend)
    with django_capture_on_commit_callbacks(execute=True):
        _, text = key_life.rotate(SYSTEM, key, seen=newest(key), hours=1)
    assert set(heard) == {keys.digests(secret)[0], keys.digests(text)[0]}
    for change in (
        lambda: key_life.revoke(SYSTEM, [key.pk]),
        lambda: key_life.change(SYSTEM, make_key(key.organization)[0], name="x"),
    ):
        heard.clear()
        with django_capture_on_commit_callbacks(execute=True):
            change()
        assert heard


def test_a_holder_who_leaves_stops_their_keys_and_no_others(key: ApiKey, organization: Organization, bob: User) -> None:
    service, _ = make_key(organization)
    assert {one.name for one in ApiKey.objects.active()} == {key.name, service.name}
    bob.is_active = False
    bob.save()
    assert ApiKey.objects.get(pk=key.pk).status == "stopped"
    bob.is_active = True
    bob.save()
    elsewhere = make_organization("elsewhere", members={bob: Membership.Role.OWNER})
    theirs, _ = make_key(elsewhere, owner=bob)
    Membership.objects.of(organization).filter(user=bob).delete()
    found = {one.pk: one.status for one in ApiKey.objects.with_standing()}
    assert found == {key.pk: "stopped", service.pk: "active", theirs.pk: "active"}
    assert set(ApiKey.objects.active()) == {service, theirs}


# Races


@pytest.fixture
def acme(transactional_db: None) -> Organization:
    return make_organization("acme", name="Acme")


def together(*jobs: Callable[[], Any]) -> list[Any]:
    """What came of them, started at one moment in threads of their own: an answer each, or an error."""
    ready = Barrier(len(jobs))

    def run(job: Callable[[], Any]) -> Any:
        ready.wait()
        try:
            return job()
        except KeyChangedError as error:
            return error
        finally:
            connection.close()

    with ThreadPoolExecutor(len(jobs)) as pool:
        return list(pool.map(run, jobs))


@pytest.mark.django_db(transaction=True)
def test_of_rotations_at_once_one_is_done(acme: Organization) -> None:
    key, first = make_key(acme)
    seen = newest(key)
    found = together(*(lambda: key_life.rotate(SYSTEM, key, seen=seen, hours=0) for _ in range(4)))
    kinds = Counter(type(one).__name__ for one in found)
    assert kinds == {"tuple": 1, "KeyChangedError": 3}
    ((_, text),) = [one for one in found if isinstance(one, tuple)]
    secret, earlier = owner_of(text), owner_of(first)
    assert secret is not None
    assert earlier is not None
    assert list(key.secrets.working()) == [secret]
    assert earlier.ends_at is not None
    assert events(acme) == ["key.rotated"]


@pytest.mark.django_db(transaction=True)
def test_a_key_that_is_revoked_while_it_is_rotated_is_over_either_way(acme: Organization) -> None:
    for _ in range(5):
        key, _ = make_key(acme)
        seen = newest(key)
        rotated, revoked = together(
            lambda: key_life.rotate(SYSTEM, key, seen=seen, hours=24),  # noqa: B023 - run before the next turn
            lambda: key_life.revoke(SYSTEM, [key.pk]),  # noqa: B023 - as above
        )
        assert revoked == [key]
        assert ApiKey.objects.get(pk=key.pk).status == "revoked"
        assert isinstance(rotated, KeyChangedError) == (key.secrets.count() == 1)


@pytest.mark.django_db(transaction=True)
def test_a_form_that_is_sent_by_two_clicks_makes_one_key(acme: Organization) -> None:
    form = uuid.uuid4()
    found = together(*(lambda: key_life.create(SYSTEM, acme, form=form, name="once") for _ in range(4)))
    assert Counter(type(one).__name__ for one in found) == {"tuple": 1, "KeyChangedError": 3}
    assert ApiKey.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_two_who_revoke_many_in_different_orders_do_not_wait_for_each_other(acme: Organization) -> None:
    made = [make_key(acme)[0].pk for _ in range(8)]
    found = together(lambda: key_life.revoke(SYSTEM, made), lambda: key_life.revoke(SYSTEM, made[::-1]))
    assert sum(len(one) for one in found) == 8
    assert not ApiKey.objects.filter(revoked_at=None).exists()

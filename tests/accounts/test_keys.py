"""API keys as text, as digests, and in their life from issue to revocation."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import redis
from django.conf import settings as django_settings
from django.core.exceptions import ImproperlyConfigured
from django.core.serializers import serialize
from django.utils import timezone
from pytest_django import DjangoCaptureOnCommitCallbacks

from accounts import keys
from accounts.models import ApiKey, Organization
from tests.factories import make_key


@pytest.fixture(autouse=True)
def _peppers_read_anew() -> Iterator[None]:
    keys.peppers.cache_clear()
    yield
    keys.peppers.cache_clear()


def test_a_key_has_the_prefix_forty_random_characters_and_six_of_checksum() -> None:
    secret = keys.generate()
    assert len(secret) == 54
    assert secret.startswith("sk-2389-")
    assert keys.PATTERN.fullmatch(secret)
    assert keys.well_formed(secret)


def test_no_two_keys_are_alike() -> None:
    assert len({keys.generate() for _ in range(1000)}) == 1000


def test_the_checksum_is_the_crc32_of_all_that_precedes_in_base62() -> None:
    body = "sk-2389-" + "A" * 40
    digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    value = 0
    for character in keys.checksum(body):
        value = value * 62 + digits.index(character)
    assert value == zlib.crc32(body.encode())


def test_every_single_wrong_character_is_noticed() -> None:
    secret = keys.generate()
    for position in range(len(keys.PREFIX), len(secret)):
        wrong = "x" if secret[position] != "x" else "y"
        assert not keys.well_formed(secret[:position] + wrong + secret[position + 1 :]), position


@pytest.mark.parametrize(
    "change",
    [
        lambda secret: secret[:-1],
        lambda secret: secret + "0",
        lambda secret: secret + "\n",
        lambda secret: " " + secret,
        lambda secret: secret.replace("sk-2389-", "sk-2390-"),
        lambda secret: secret.upper(),
        lambda secret: "",
        lambda secret: "sk-2389-" + "é" * 46,
    ],
    ids=["short", "long", "newline", "space", "prefix", "case", "empty", "alphabet"],
)
def test_what_is_not_a_key_is_known_without_a_look_up(change: Any) -> None:
    assert not keys.well_formed(change(keys.generate()))


def test_the_digest_depends_on_the_pepper(settings: Any) -> None:
    secret = keys.generate()
    first = keys.newest_digest(secret)
    settings.KEY_PEPPER = "2:" + "n" * 32
    keys.peppers.cache_clear()
    second = keys.newest_digest(secret)
    assert (len(first[1]), len(second[1]), second[0]) == (32, 32, 2)
    assert first[1] != second[1]


def test_digests_are_tried_under_the_newest_pepper_first(settings: Any) -> None:
    settings.KEY_PEPPER = f"1:{'a' * 32},3:{'c' * 32},2:{'b' * 32}"
    secret = keys.generate()
    assert [version for version, _ in keys.peppers()] == [3, 2, 1]
    assert keys.digests(secret)[0] == keys.newest_digest(secret)[1]
    assert len(set(keys.digests(secret))) == 3


@pytest.mark.parametrize("pepper", ["", "short", "1:" + "a" * 31, "x:" + "a" * 40, "1" + "a" * 40])
def test_a_weak_or_nameless_pepper_stops_the_process(settings: Any, pepper: str) -> None:
    settings.KEY_PEPPER = pepper
    with pytest.raises(ImproperlyConfigured, match="KEY_PEPPER must look like"):
        keys.peppers()


def test_the_secret_is_nowhere_in_what_is_stored(issued: tuple[ApiKey, str]) -> None:
    key, secret = issued
    kept = key.secrets.get()
    stored = serialize("json", [ApiKey.objects.get(pk=key.pk), kept]) + repr(bytes(kept.digest))
    assert secret not in stored
    assert secret[8:20] not in stored
    assert json.loads(serialize("json", [key]))[0]["fields"]["hint_last4"] == secret[-4:]


def test_people_recognise_a_key_by_its_hint(issued: tuple[ApiKey, str]) -> None:
    key, secret = issued
    assert key.hint == f"sk-2389-{secret[8:12]}\u2026{secret[-4:]}"
    assert str(key) == f"production ({key.hint})"


def test_only_keys_that_may_still_call_are_active(organization: Organization) -> None:
    living, _ = make_key(organization)
    later, _ = make_key(organization, expires_at=timezone.now() + timedelta(minutes=1))
    expired, _ = make_key(organization, expires_at=timezone.now() - timedelta(seconds=1))
    revoked, _ = make_key(organization)
    revoked.revoke()
    assert set(ApiKey.objects.active()) == {living, later}
    assert [one.status for one in (living, later, expired, revoked)] == ["active", "active", "expired", "revoked"]


def test_revoking_twice_keeps_the_first_time(key: ApiKey) -> None:
    key.revoke()
    first = key.revoked_at
    key.revoke()
    assert ApiKey.objects.get(pk=key.pk).revoked_at == first


def test_a_revocation_is_announced_to_the_workers_once_it_holds(
    key: ApiKey, valkey: redis.Redis, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    with valkey.pubsub(ignore_subscribe_messages=True) as pubsub:  # type: ignore[no-untyped-call]
        pubsub.subscribe(keys.CHANGES)
        pubsub.get_message(timeout=2)
        with django_capture_on_commit_callbacks() as announcements:
            key.revoke()
        assert pubsub.get_message(timeout=0.1) is None
        for announce in announcements:
            announce()
        message = None
        while message is None or message["data"] != bytes(key.secrets.get().digest).hex().encode():
            message = pubsub.get_message(timeout=2)
            assert message is not None, "nothing was announced"


def test_a_key_is_revoked_also_when_valkey_is_away(
    key: ApiKey,
    settings: Any,
    caplog: pytest.LogCaptureFixture,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    with django_capture_on_commit_callbacks(execute=True):
        key.revoke()
    assert ApiKey.objects.get(pk=key.pk).status == "revoked"
    assert "within 5 s" in caplog.text
    assert django_settings.REDIS_URL not in caplog.text

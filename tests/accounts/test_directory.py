"""Looking keys up without the ORM: once, remembered for a few seconds, and forgotten in time."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from django.utils import timezone

from accounts import keys
from accounts.directory import Directory, Principal
from accounts.last_use import LastUse
from accounts.models import ApiKey, Membership, Organization, SecretUse
from accounts.pool import Pool
from tests.factories import make_key, make_organization, make_user
from tests.pools import open_pool

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def issued() -> tuple[ApiKey, str]:
    organization = Organization.objects.create(name="Acme", slug="acme", retired_models="refuse")
    return ApiKey.objects.issue(organization=organization, name="test", requests_per_minute=7)


@pytest.fixture(autouse=True)
def _fresh_peppers() -> Iterator[None]:
    keys.peppers.cache_clear()
    yield
    keys.peppers.cache_clear()


def _run(work: Callable[[Pool], Awaitable[Any]]) -> Any:
    async def main() -> Any:
        async with open_pool(size=4) as pool:
            return await work(pool)

    return asyncio.run(main())


def _find(secret: str) -> Principal | None:
    async def work(pool: Pool) -> Principal | None:
        return await Directory(pool, seconds=4).find(keys.digests(secret))

    found: Principal | None = _run(work)
    return found


def test_a_key_leads_to_its_organisation_and_limits(issued: tuple[ApiKey, str]) -> None:
    key, secret = issued
    principal = _find(secret)
    assert principal is not None
    assert (principal.api_key_id, principal.organization_id) == (key.pk, key.organization_id)
    assert (principal.requests_per_minute, principal.retired_models) == (7, "refuse")
    assert not principal.revoked
    assert not principal.expired


def test_both_secrets_of_a_key_that_is_rotated_lead_to_it_each_until_its_own_end(issued: tuple[ApiKey, str]) -> None:
    key, earlier = issued
    later = key.add_secret()
    ends_at = timezone.now() + timedelta(hours=1)
    key.secrets.filter(digest=keys.digests(earlier)[0]).update(ends_at=ends_at)
    first, second = _find(earlier), _find(later)
    assert first is not None
    assert second is not None
    assert (first.api_key_id, second.api_key_id) == (key.pk, key.pk)
    assert first.secret_id < second.secret_id
    assert (first.expires_at, second.expires_at) == (ends_at, None)
    key.expires_at = timezone.now() - timedelta(seconds=1)
    key.save()
    assert all(found is not None and found.expired for found in (_find(earlier), _find(later)))


def test_what_a_key_is_limited_to_is_known(issued: tuple[ApiKey, str]) -> None:
    key, secret = issued
    found = _find(secret)
    assert found is not None
    assert found.may_use("anything")
    assert found.may_call_from("203.0.113.7")
    key.models_allowed, key.address_ranges = ["small", "claude-*"], ["203.0.113.0/24", "2001:db8::/32"]
    key.tokens_per_minute, key.parallel_streams = 9000, 3
    key.save()
    found = _find(secret)
    assert found is not None
    assert (found.tokens_per_minute, found.parallel_streams) == (9000, 3)
    assert [found.may_use(model) for model in ("small", "claude-5", "large")] == [True, True, False]
    assert [found.may_call_from(address) for address in ("203.0.113.7", "2001:db8::1", "10.0.0.1")] == [
        True,
        True,
        False,
    ]


def test_a_personal_key_is_refused_once_its_holder_is_gone() -> None:
    people = [make_user(), make_user(), make_user()]
    organization = make_organization(members=dict.fromkeys(people, Membership.Role.DEVELOPER))
    issued = [make_key(organization, owner=person) for person in people]
    service = make_key(organization)
    Membership.objects.filter(user=people[0]).delete()
    people[1].is_active = False
    people[1].save()
    assert [_revoked(_find(secret)) for _, secret in (*issued, service)] == [True, True, False, False]
    people[2].delete()  # which leaves the key without anybody
    assert _revoked(_find(issued[2][1]))
    organization.closed_at = timezone.now()
    organization.save()
    assert _revoked(_find(service[1]))


def test_a_key_that_was_never_issued_leads_nowhere(issued: tuple[ApiKey, str]) -> None:
    assert _find(keys.generate()) is None


def test_a_key_under_the_older_pepper_still_works(issued: tuple[ApiKey, str], settings: Any) -> None:
    settings.KEY_PEPPER = f"2:{'n' * 40},{settings.KEY_PEPPER}"
    keys.peppers.cache_clear()
    assert _find(issued[1]) is not None


def test_expiry_is_checked_on_every_use_of_a_remembered_key(issued: tuple[ApiKey, str]) -> None:
    key, secret = issued
    key.expires_at = timezone.now() + timedelta(milliseconds=300)
    key.save()

    async def work(pool: Pool) -> tuple[bool, bool]:
        directory = Directory(pool, seconds=60)
        before = await directory.find(keys.digests(secret))
        await asyncio.sleep(0.4)
        after = await directory.find(keys.digests(secret))
        assert before is after
        return bool(before), bool(after and after.expired)

    assert _run(work) == (True, True)


def test_a_hundred_calls_at_once_ask_the_database_once(
    issued: tuple[ApiKey, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    query = Directory._query

    async def counting(self: Directory, digests: list[list[bytes]]) -> list[Principal | None]:
        asked.append(digests)
        return await query(self, digests)

    monkeypatch.setattr(Directory, "_query", counting)

    async def work(pool: Pool) -> list[Principal | None]:
        directory = Directory(pool, seconds=4)
        return list(await asyncio.gather(*(directory.find(keys.digests(issued[1])) for _ in range(100))))

    assert len(set(_run(work))) == 1
    assert len(asked) == 1


def test_many_keys_at_once_are_few_questions_and_each_gets_its_own_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    organization = make_organization()
    issued = [make_key(organization) for _ in range(30)]
    asked: list[int] = []
    query = Directory._query

    async def counting(self: Directory, digests: list[list[bytes]]) -> list[Principal | None]:
        asked.append(len(digests))
        return await query(self, digests)

    monkeypatch.setattr(Directory, "_query", counting)

    async def work(pool: Pool) -> list[Principal | None]:
        directory = Directory(pool, seconds=4)
        secrets = [secret for _, secret in issued] + [keys.generate()]
        return list(await asyncio.gather(*(directory.find(keys.digests(secret)) for secret in secrets)))

    found = _run(work)
    assert [one and one.api_key_id for one in found] == [*(key.pk for key, _ in issued), None]
    assert sum(asked) == 31
    assert len(asked) <= 2


def test_a_revocation_is_seen_when_the_memory_ends_and_at_once_when_it_is_heard(issued: tuple[ApiKey, str]) -> None:
    key, secret = issued
    digests = keys.digests(secret)

    async def work(pool: Pool) -> list[bool]:
        directory, seen = Directory(pool, seconds=0.3), []
        seen.append(_revoked(await directory.find(digests)))
        async with pool.connection() as revoking:
            await revoking.execute("UPDATE accounts_apikey SET revoked_at = now() WHERE id = %s", [key.pk])
        seen.append(_revoked(await directory.find(digests)))
        await asyncio.sleep(0.35)
        seen.append(_revoked(await directory.find(digests)))
        async with pool.connection() as restoring:
            await restoring.execute("UPDATE accounts_apikey SET revoked_at = NULL WHERE id = %s", [key.pk])
        directory.forget(digests[0])
        seen.append(_revoked(await directory.find(digests)))
        return seen

    assert _run(work) == [False, False, True, False]


def test_a_slow_answer_is_not_remembered_for_longer_than_a_quick_one(
    issued: tuple[ApiKey, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    query = Directory._query

    async def slow(self: Directory, digests: list[list[bytes]]) -> list[Principal | None]:
        asked.append(digests)
        found = await query(self, digests)
        await asyncio.sleep(0.4)
        return found

    monkeypatch.setattr(Directory, "_query", slow)

    async def work(pool: Pool) -> None:
        directory = Directory(pool, seconds=0.3)
        for _ in range(2):
            await directory.find(keys.digests(issued[1]))

    _run(work)
    assert len(asked) == 2


def test_a_key_that_is_not_there_yet_is_looked_for_again_soon(
    issued: tuple[ApiKey, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("accounts.directory.NEGATIVE_SECONDS", 0.1)
    key, secret = issued
    digests = keys.digests(secret)

    async def work(pool: Pool) -> list[bool]:
        directory, there = Directory(pool, seconds=60), []
        async with pool.connection() as connection:
            await connection.execute(
                "UPDATE accounts_apikeysecret SET digest = %s WHERE api_key_id = %s", [b"another", key.pk]
            )
            there.append(await directory.find(digests) is not None)
            await connection.execute(
                "UPDATE accounts_apikeysecret SET digest = %s WHERE api_key_id = %s", [digests[0], key.pk]
            )
        await asyncio.sleep(0.15)
        there.append(await directory.find(digests) is not None)
        return there

    assert _run(work) == [False, True]


def _revoked(principal: Principal | None) -> bool:
    assert principal is not None
    return principal.revoked


def test_last_use_is_one_row_a_secret_and_moves_at_most_every_half_minute(issued: tuple[ApiKey, str]) -> None:
    key, _ = issued
    secret = key.secrets.get().pk

    async def work(pool: Pool) -> None:
        last_use = LastUse(pool)
        for _ in range(1000):
            last_use.note(secret)
        await last_use.flush()
        last_use.note(secret)
        await last_use.flush()

    before = timezone.now()
    _run(work)
    use = SecretUse.objects.get(secret__api_key=key)
    first = use.last_used_at
    assert abs(first - before) < timedelta(seconds=5)
    SecretUse.objects.update(last_used_at=before - timedelta(minutes=5))
    _run(work)
    use.refresh_from_db()
    assert use.last_used_at > first - timedelta(seconds=1)
    recently = timezone.now() - timedelta(seconds=10)
    SecretUse.objects.update(last_used_at=recently)
    _run(work)
    use.refresh_from_db()
    assert use.last_used_at == recently


def test_what_could_not_be_written_is_written_the_next_time(issued: tuple[ApiKey, str]) -> None:
    key, _ = issued
    secret = key.secrets.get().pk

    async def work(pool: Pool) -> None:
        async with open_pool(options="-c lock_timeout=50ms") as hurried:
            last_use = LastUse(hurried)
            last_use.note(secret)
            async with pool.connection() as locker, locker.transaction():
                await locker.execute("LOCK TABLE accounts_secretuse IN ACCESS EXCLUSIVE MODE")
                with pytest.raises(psycopg.errors.LockNotAvailable):
                    await last_use.flush()
            await last_use.flush()

    _run(work)
    assert SecretUse.objects.filter(secret__api_key=key).exists()


def test_a_deleted_key_does_not_stop_the_others_last_use(issued: tuple[ApiKey, str]) -> None:
    key, _ = issued
    secret = key.secrets.get().pk

    async def work(pool: Pool) -> None:
        last_use = LastUse(pool)
        last_use.note(secret + 999)
        last_use.note(secret)
        await last_use.flush()

    _run(work)
    assert list(SecretUse.objects.values_list("secret_id", flat=True)) == [secret]


def test_a_database_that_hangs_is_not_waited_for_and_is_believed_again_later(
    issued: tuple[ApiKey, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("accounts.directory.ASK_SECONDS", 0.1)
    digests = keys.digests(issued[1])

    async def work(pool: Pool) -> bool:
        directory = Directory(pool, seconds=4)
        async with pool.connection() as locker, locker.transaction():
            await locker.execute("LOCK TABLE accounts_apikeysecret IN ACCESS EXCLUSIVE MODE")
            async with asyncio.timeout(2):
                for _ in range(3):
                    with pytest.raises(TimeoutError, match="Postgres"):
                        await directory.find(digests)
        monkeypatch.setattr("accounts.directory.ASK_SECONDS", 3.0)
        return await directory.find(digests) is not None

    assert _run(work)


def test_guessed_keys_do_not_push_out_real_ones(issued: tuple[ApiKey, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("accounts.directory.CAPACITY", 5)

    async def work(pool: Pool) -> int:
        directory = Directory(pool, seconds=60)
        await directory.find(keys.digests(issued[1]))
        for _ in range(20):
            await directory.find(keys.digests(keys.generate()))
        async with pool.connection() as connection:
            await connection.execute("DELETE FROM accounts_apikeysecret")
        assert await directory.find(keys.digests(issued[1])) is not None
        return len(directory._unknown)

    assert _run(work) == 5

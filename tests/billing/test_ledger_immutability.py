"""What nobody can change: transfers, balances and usage events, whatever rights on the tables they have."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from psycopg import errors as sql_errors

from accounts.models import Organization
from tests import books
from tests.books import Connection, Wish
from tests.factories import make_organization

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def acme() -> Organization:
    return make_organization("acme")


@pytest.fixture
def opened(acme: Organization) -> Iterator[Connection]:
    with books.connect() as own:
        yield own
        books.assert_balanced(own)


REWRITES = {
    "update": "UPDATE billing_transfer SET amount_nano = 1",
    "delete": "DELETE FROM billing_transfer",
    "truncate": "TRUNCATE billing_transfer CASCADE",
}


def refused(opened: Connection, statement: str, *, role: str = "") -> None:
    """In a transaction that leaves nothing behind, with the trigger that other tests do without."""
    opened.execute("BEGIN")
    try:
        opened.execute("ALTER TABLE billing_transfer ENABLE TRIGGER transfer_is_kept")
        if role:
            opened.execute(f"CREATE ROLE {role}")
            opened.execute(f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {role}")
            opened.execute(f"SET LOCAL ROLE {role}")
        with pytest.raises(sql_errors.RestrictViolation):
            opened.execute(statement)
    finally:
        opened.execute("ROLLBACK")


@pytest.mark.parametrize("role", ["", "clerk"])
@pytest.mark.parametrize("statement", REWRITES.values(), ids=REWRITES)
def test_a_transfer_is_never_rewritten(opened: Connection, acme: Organization, statement: str, role: str) -> None:
    books.enter(opened, acme, 700)
    refused(opened, statement, role=f"{role}_{acme.pk}_{opened.info.backend_pid}" if role else "")
    assert books.wallet(opened, acme.pk) == (700, 0)


def test_a_role_with_every_right_on_the_tables_cannot_disarm_them(opened: Connection, acme: Organization) -> None:
    role = f"clerk_{opened.info.backend_pid}"
    for statement in ("ALTER TABLE billing_transfer DISABLE TRIGGER ALL", "SET session_replication_role = replica"):
        opened.execute("BEGIN")
        opened.execute(f"CREATE ROLE {role}")
        opened.execute(f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {role}")
        opened.execute(f"SET LOCAL ROLE {role}")
        with pytest.raises(sql_errors.InsufficientPrivilege):
            opened.execute(statement)
        opened.execute("ROLLBACK")


@pytest.mark.parametrize("change", ["posted_nano = 5", "posted_nano = posted_nano + 1"])
def test_a_balance_is_not_written_directly(opened: Connection, acme: Organization, change: str) -> None:
    books.enter(opened, acme, 700)
    refused(opened, f"UPDATE billing_wallet SET {change}")  # noqa: S608 - a parameter of this test


def test_a_wallet_does_not_begin_with_money_in_it(opened: Connection, acme: Organization) -> None:
    stranger = make_organization("stranger").pk
    refused(opened, f"INSERT INTO billing_wallet (organization_id, posted_nano) VALUES ({stranger}, 5)")  # noqa: S608


@pytest.mark.parametrize("source", ["provider", "swept"])
@pytest.mark.parametrize(
    "statement", ["UPDATE billing_usageevent SET charged_nano = 0", "DELETE FROM billing_usageevent"]
)
def test_a_usage_event_is_final(opened: Connection, acme: Organization, source: str, statement: str) -> None:
    books.enter(opened, acme, 700)
    wish = Wish(acme.pk, 600)
    books.reserve(opened, wish)
    books.settle(opened, books.event(wish, 100, usage_source=source))
    refused(opened, statement)

"""The application's own role cannot rewrite the ledger, and can do everything else that it needs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.core.management import CommandError, call_command
from django.db import ProgrammingError, connection, transaction

from accounts.models import Organization
from tests.factories import make_credit

pytestmark = pytest.mark.django_db
ROLE = "restricted_for_a_test"


@pytest.fixture
def role(organization: Organization) -> Iterator[str]:
    """A role with the application's rights, which this transaction then acts as."""
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE ROLE {ROLE}")
        call_command("restrict_role", ROLE, verbosity=0)
        make_credit(organization)
        cursor.execute(f"SET LOCAL ROLE {ROLE}")
        yield ROLE
        cursor.execute("RESET ROLE")


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE billing_transfer SET amount_nano = 1",
        "DELETE FROM billing_transfer",
        "TRUNCATE billing_transfer",
        "DELETE FROM billing_usageevent",
        "TRUNCATE billing_usageevent CASCADE",
        "UPDATE billing_price SET input = 0",
        "ALTER TABLE billing_transfer DISABLE TRIGGER ALL",
        "DROP TRIGGER transfer_is_final ON billing_transfer",
    ],
)
def test_what_is_final_cannot_be_rewritten(role: str, statement: str) -> None:
    with pytest.raises(ProgrammingError, match=r"permission denied|must be owner"), transaction.atomic():
        connection.cursor().execute(statement)


def test_money_still_moves(role: str, organization: Organization) -> None:
    make_credit(organization, 5, ref="again")
    with connection.cursor() as cursor:
        cursor.execute("SELECT posted_nano FROM billing_wallet WHERE organization_id = %s", [organization.pk])
        assert cursor.fetchone() == (1005 * 10**9,)


def test_a_role_that_is_not_there_is_named() -> None:
    with pytest.raises(CommandError, match="There is no role 'nobody-of-that-name'"):
        call_command("restrict_role", "nobody-of-that-name")

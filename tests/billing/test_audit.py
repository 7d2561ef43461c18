"""A ledger that was only moved by its own functions balances; every fault that is planted is found and named."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from uuid import UUID

import pytest
from django.core.management import CommandError, call_command
from django.db import transaction
from pytest_django import Settings

from accounts.models import ApiKey, Organization, User
from billing import audit
from billing.models import AuditRun, OutboxMessage, Wallet
from billing.tasks import audit_ledger
from tests.billing import moves
from tests.billing.moves import DOLLAR, tamper
from tests.factories import make_key

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def busy(key: ApiKey) -> ApiKey:
    """Acme after a day: entries of every kind, a request under way, a swept one that was told late, and budgets."""
    acme = key.organization
    ask = moves.ask
    ask("SELECT count(*) FROM billing_lock(ARRAY[%s::bigint])", acme.pk)
    moves.make_budget(acme)
    moves.make_budget(acme, name="a key's", scope="api_key", target_id=key.pk, period="day", hard=False)
    moves.top_up(acme)
    moves.adjust(acme, 3 * DOLLAR, "goodwill")
    moves.reverse(acme, moves.adjust(acme, -DOLLAR, "wrong"))
    ask("SELECT id FROM billing_enter(%s, 'grant', 'welcome', %s, '', '')", acme.pk, DOLLAR)
    moves.spend(key)
    moves.spend(key, charged=0)
    moves.reserve(key)
    silent = moves.reserve(key)
    moves.sweep(silent)
    assert moves.settle(key, silent) == "late"
    return key


@pytest.fixture
def entry(busy: ApiKey) -> int:
    return int(moves.ask("SELECT id FROM billing_transfer WHERE kind = 'usage'"))


@pytest.fixture
def paid(busy: ApiKey) -> UUID:
    """The request that the usage entry is for."""
    return UUID(moves.ask("SELECT ref FROM billing_transfer WHERE kind = 'usage'"))


def found(*, full: bool = True) -> set[str]:
    return {violation.check for violation in audit.look(full=full, organization_id=None)[1]}


@pytest.mark.parametrize("full", [True, False])
def test_what_the_ledgers_own_functions_do_balances(busy: ApiKey, full: bool) -> None:
    checks, violations = audit.look(full=full, organization_id=None)
    assert violations == []
    assert checks > 10


def test_a_wallet_that_says_too_much_is_found(busy: ApiKey) -> None:
    tamper("UPDATE billing_wallet SET posted_nano = posted_nano + 1")
    assert found() == {"wallet_posted", "trial_balance"}
    assert found(full=False) == {"wallet_posted"}


def test_a_wallet_that_holds_too_much_is_found(busy: ApiKey) -> None:
    tamper("UPDATE billing_wallet SET held_nano = held_nano + 1")
    assert found() == found(full=False) == {"wallet_held"}


def test_a_wallet_beyond_its_overdraft_is_found(busy: ApiKey) -> None:
    ask = moves.ask
    ask("ALTER TABLE billing_wallet DROP CONSTRAINT wallet_no_overspend")
    try:
        tamper("UPDATE billing_wallet SET posted_nano = -1")
        assert "wallet_overspent" in found()
    finally:
        tamper("UPDATE billing_wallet SET posted_nano = %s", 10 * DOLLAR)
        ask(
            "ALTER TABLE billing_wallet ADD CONSTRAINT wallet_no_overspend"
            " CHECK (posted_nano - held_nano >= -overdraft_nano)"
        )


def test_a_deleted_entry_is_found(busy: ApiKey, entry: int) -> None:
    tamper("DELETE FROM billing_transfer WHERE id = %s", entry)
    assert found() == {"wallet_posted", "event_is_paid", "trial_balance"}


def test_an_altered_entry_is_found_even_when_the_wallet_was_made_to_fit(busy: ApiKey, entry: int) -> None:
    tamper("UPDATE billing_transfer SET amount_nano = amount_nano - 1 WHERE id = %s", entry)
    tamper("UPDATE billing_wallet SET posted_nano = posted_nano + 1")
    assert found() == found(full=False) == {"event_is_paid"}


def test_a_deleted_event_is_found(busy: ApiKey, paid: UUID) -> None:
    tamper("DELETE FROM billing_usageevent WHERE request_id = %s", paid)
    assert found() == {"entry_has_its_event", "budget_spent"}
    assert found(full=False) == {"entry_has_its_event"}


def test_an_event_that_was_moved_to_somebody_else_is_found(busy: ApiKey, paid: UUID, charlie: User) -> None:
    stranger = Organization.objects.get(slug="stranger")
    tamper("UPDATE billing_usageevent SET organization_id = %s WHERE request_id = %s", stranger.pk, paid)
    _, violations = audit.look(full=True, organization_id=None)
    named = {(violation.check, violation.organization_id) for violation in violations}
    assert named >= {("entry_has_its_event", busy.organization_id), ("event_is_paid", stranger.pk)}


def test_an_entry_for_a_request_that_never_was_is_found(busy: ApiKey) -> None:
    moves.ask(
        "INSERT INTO billing_transfer (organization_id, kind, ref, debit, credit, amount_nano)"
        " VALUES (%s, 'usage', 'no request', 'wallet', 'revenue', 5) RETURNING id",
        busy.organization_id,
    )
    assert found() == found(full=False) == {"entry_has_its_event"}


def test_a_hold_of_a_request_that_is_closed_is_found(busy: ApiKey, paid: UUID) -> None:
    tamper("UPDATE billing_hold SET request_id = %s", paid)
    assert found() == {"closed_once"}


def test_a_hold_that_nobody_is_heard_of_is_found(busy: ApiKey) -> None:
    tamper("UPDATE billing_hold SET heard_at = now() - interval '11 minutes'")
    assert found() == {"hold_is_heard_of"}


@pytest.mark.parametrize(
    ("change", "check"),
    [
        ("held_nano = held_nano + 1", "budget_held"),
        ("spent_nano = spent_nano + 1", "budget_spent"),
    ],
)
def test_a_budget_that_is_off_is_found(busy: ApiKey, change: str, check: str) -> None:
    period = "budget_id = (SELECT id FROM billing_budget WHERE scope = 'organization')"
    tamper(f"UPDATE billing_budgetperiod SET {change} WHERE {period}")  # noqa: S608 - from the lines above
    assert found() == {check}


def test_a_budget_that_was_switched_off_for_a_while_is_no_fault(busy: ApiKey) -> None:
    moves.ask("UPDATE billing_budget SET enabled = false RETURNING id")
    moves.spend(busy)
    moves.ask("UPDATE billing_budget SET enabled = true RETURNING id")
    assert found() == set()


def test_an_entry_between_the_wrong_accounts_is_found(busy: ApiKey) -> None:
    tamper("UPDATE billing_transfer SET debit = 'promotion' WHERE kind = 'topup'")
    assert found() == {"entry_accounts"}


def test_a_reversal_of_another_amount_is_found(busy: ApiKey) -> None:
    tamper("UPDATE billing_transfer SET amount_nano = amount_nano - 1 WHERE kind = 'reversal'")
    assert "reversal_is_the_opposite" in found()


def test_a_message_that_is_stuck_is_found(busy: ApiKey) -> None:
    long_ago = datetime(2026, 1, 1, tzinfo=UTC)
    OutboxMessage.objects.create(topic="x", dedupe="x", payload={}, created_at=long_ago, due_at=long_ago)
    assert found() == {"outbox_moves"}


def test_an_audit_refuses_to_run_where_it_could_not_have_a_snapshot_of_its_own(busy: ApiKey) -> None:
    with pytest.raises(RuntimeError), transaction.atomic():
        audit.look(full=True, organization_id=None)


# -- what follows -------------------------------------------------------------------------------------


def test_an_organisation_that_does_not_balance_is_halted_and_no_other(busy: ApiKey, charlie: User) -> None:
    theirs, _ = make_key(Organization.objects.get(slug="stranger"))
    moves.top_up(theirs.organization)
    tamper("UPDATE billing_wallet SET held_nano = held_nano + 1 WHERE organization_id = %s", busy.organization_id)
    audit_ledger()
    assert Wallet.objects.get(pk=theirs.organization_id).halted_at is None
    wallet = Wallet.objects.get(pk=busy.organization_id)
    assert wallet.halted_at is not None
    assert wallet.halted_reason.startswith("wallet_held: the wallet holds")
    run = AuditRun.objects.newest(busy.organization)
    assert run is not None
    assert (run.verdict, run.differences, run.full) == ("differences", 1, False)
    assert not run.is_clean_for(busy.organization)
    assert run.is_clean_for(theirs.organization)
    assert [found["check"] for found in run.violations_of(busy.organization)] == ["wallet_held"]


def test_what_only_delays_halts_nobody(busy: ApiKey) -> None:
    tamper("UPDATE billing_hold SET heard_at = now() - interval '11 minutes'")
    audit_ledger()
    assert Wallet.objects.get().halted_at is None
    assert OutboxMessage.objects.filter(topic="ledger.violation").count() == 1


def test_staff_are_told_once_of_what_stays_the_same(busy: ApiKey, settings: Settings) -> None:
    settings.ADMINS = [("staff@example.com", "staff@example.com")]
    tamper("UPDATE billing_wallet SET held_nano = held_nano + 1")
    audit_ledger()
    audit_ledger()
    message = OutboxMessage.objects.get(topic="ledger.violation")
    assert message.payload["to"] == ["staff@example.com"]
    assert "wallet_held: organisation" in message.payload["text"]
    audit_ledger(full=True)
    assert OutboxMessage.objects.filter(topic="ledger.violation").count() == 2


def test_an_audit_that_balances_says_so_and_tells_nobody(busy: ApiKey) -> None:
    audit_ledger(full=True)
    run = AuditRun.objects.newest()
    assert run is not None
    assert (run.verdict, run.differences, run.violations) == ("balanced", 0, [])
    assert not OutboxMessage.objects.exists()


def command(*arguments: str) -> str:
    out = io.StringIO()
    call_command("audit_ledger", *arguments, stdout=out)
    return out.getvalue()


def test_the_command_counts_its_checks_when_all_is_well(busy: ApiKey) -> None:
    assert command() == f"Balanced: {AuditRun.objects.get().checks} checks, 0 differences.\n"


def test_the_command_fails_with_a_line_for_each_difference(busy: ApiKey) -> None:
    tamper("UPDATE billing_wallet SET held_nano = held_nano + 1")
    out = io.StringIO()
    with pytest.raises(CommandError) as failure:
        call_command("audit_ledger", stdout=out)
    assert failure.value.returncode == 1
    assert [line.split(":")[0] for line in out.getvalue().splitlines()] == ["wallet_held"]


def test_the_command_looks_at_one_organisation_when_told(busy: ApiKey, charlie: User) -> None:
    tamper("UPDATE billing_wallet SET held_nano = held_nano + 1")
    assert "0 differences" in command("--org", "stranger")
    with pytest.raises(CommandError):
        command("--org", "acme")
    with pytest.raises(CommandError, match="no organisation 'nobody'"):
        command("--org", "nobody")


def test_a_halt_is_lifted_only_when_all_is_well(busy: ApiKey) -> None:
    tamper("UPDATE billing_wallet SET held_nano = held_nano + 1")
    audit_ledger()
    with pytest.raises(CommandError):
        command("--resume", "acme")
    assert Wallet.objects.get().halted_at is not None
    tamper("UPDATE billing_wallet SET held_nano = held_nano - 1")
    assert command("--resume", "acme").endswith("acme is resumed.\n")
    assert Wallet.objects.get().halted_at is None
    assert command("--resume", "acme").endswith("acme was not halted.\n")

"""Entries by hand are made once, are exact, and are refused with a sentence."""

from __future__ import annotations

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from accounts.models import Organization
from billing import money, wallets
from billing.models import Transfer

pytestmark = pytest.mark.django_db


def grant(*arguments: str) -> str:
    out = StringIO()
    call_command("grant_credit", *arguments, stdout=out)
    return out.getvalue()


@pytest.mark.parametrize(
    ("text", "nano"),
    [
        ("12", 12 * 10**9), ("12.5", 12_500_000_000), ("$0.000842", 842_000), ("0.000000001", 1), ("-3", -3 * 10**9),
        (" 7.10 ", 7_100_000_000), ("-$0.10", -100_000_000),
        ("$1,234.56", 1_234_560_000_000), ("9,000,000", 9_000_000 * 10**9),
        ("9223372036.854775807", 2**63 - 1), ("0", 0),
    ],
)  # fmt: skip
def test_dollars_are_read_exactly(text: str, nano: int) -> None:
    assert money.nano_from_dollars(text) == nano


@pytest.mark.parametrize(
    "text",
    [
        "",
        "abc",
        "1e3",
        "1,00",
        "1234,567",
        "12,50",
        "1,0000",
        ",100",
        "1,234,",
        "0.0000000001",
        ".5",
        "5.",
        "NaN",
        "+1",
        "--1",
        "٣",
        "1_000",
        "9223372036.854775808",
    ],
)
def test_what_is_not_an_exact_amount_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"amount|more than the ledger holds"):
        money.nano_from_dollars(text)


@pytest.mark.parametrize("nano", [0, 1, 842_000, 12_500_000_000, -3 * 10**9, 2**63 - 1])
def test_an_amount_that_is_shown_can_be_typed(nano: int) -> None:
    assert money.nano_from_dollars(money.dollars(nano)) == nano


def test_an_entry_is_made_once_for_its_ref(organization: Organization) -> None:
    first = wallets.enter(organization, "topup", "invoice 1", 5 * 10**9, "", "root")
    second = wallets.enter(organization, "topup", "invoice 1", 5 * 10**9, "", "root")
    assert (first[1], second) == (True, (first[0], False))
    assert wallets.of(organization).posted_nano == 5 * 10**9


@pytest.mark.parametrize(
    ("kind", "ref", "amount", "reason", "complaint"),
    [
        ("grant", "used", 2, "", "for another amount"),
        ("adjustment", "used too", -100, "why", "not enough balance"),
        ("refund", "r", 1, "", "needs a reason"),
        ("refund", "r", 1, "   ", "needs a reason"),
        ("grant", " ", 1, "", "The ref is empty"),
        ("grant", "r", 0, "", "above zero"),
        ("grant", "r", -1, "", "above zero"),
        ("usage", "r", 1, "", "not made by hand"),
        ("grant", "r", 2**63, "", "more than the ledger holds"),
        ("grant", "r", 2**63 - 1, "", "more than the ledger holds"),
    ],
)
def test_a_refusal_says_what_is_wrong(
    organization: Organization, kind: str, ref: str, amount: int, reason: str, complaint: str
) -> None:
    wallets.enter(organization, "grant", "used", 1, "", "root")
    with pytest.raises(wallets.LedgerError, match=complaint):
        wallets.enter(organization, kind, ref, amount, reason, "root")
    assert wallets.of(organization).posted_nano == 1


def test_an_adjustment_may_take_away(organization: Organization) -> None:
    wallets.enter(organization, "grant", "a", 10, "", "root")
    wallets.enter(organization, "adjustment", "b", -4, "counted twice", "root")
    assert wallets.of(organization).posted_nano == 6


def test_an_entry_is_reversed_once_and_for_a_reason(organization: Organization) -> None:
    entry, _ = wallets.enter(organization, "grant", "a", 10, "", "root")
    with pytest.raises(wallets.LedgerError, match="needs a reason"):
        wallets.reverse(organization, entry, "", "root")
    back, created = wallets.reverse(organization, entry, "typed wrong", "root")
    assert created
    assert wallets.reverse(organization, entry, "typed wrong", "root") == (back, False)
    assert wallets.of(organization).posted_nano == 0
    with pytest.raises(wallets.LedgerError, match="A reversal is not reversed"):
        wallets.reverse(organization, back, "again", "root")


def test_nobody_reverses_an_entry_of_another_organisation(organization: Organization, charlie: object) -> None:
    entry, _ = wallets.enter(organization, "grant", "a", 10, "", "root")
    with pytest.raises(wallets.LedgerError, match="no such entry"):
        wallets.reverse(Organization.objects.get(slug="stranger"), entry, "mine", "charlie")
    assert wallets.of(organization).posted_nano == 10


def test_credit_that_was_spent_cannot_be_reversed(organization: Organization) -> None:
    entry, _ = wallets.enter(organization, "grant", "a", 10, "", "root")
    wallets.enter(organization, "adjustment", "b", -4, "spent", "root")
    with pytest.raises(wallets.LedgerError, match="not enough balance"):
        wallets.reverse(organization, entry, "typed wrong", "root")


def test_credit_is_granted_from_a_terminal_and_the_same_ref_grants_it_once(organization: Organization) -> None:
    assert "Entered granted credit of $12.50 for acme" in grant("acme", "12.5", "--ref", "welcome", "--reason", "hello")
    assert grant("acme", "12.50", "--ref", "welcome").startswith("Nothing to do")
    assert "The balance is $32.500000001." in grant("acme", "20.000000001", "--ref", "invoice 7", "--kind", "topup")
    entry = Transfer.objects.get(kind="grant")
    assert (entry.reason, entry.author, entry.credit) == ("hello", "manage.py grant_credit", "wallet")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("nobody", "5", "--ref", "a"), "There is no organisation 'nobody'"),
        (("acme", "-5", "--ref", "a"), "is not above zero"),
        (("acme", "0", "--ref", "a"), "is not above zero"),
        (("acme", "five", "--ref", "a"), "is not an amount"),
        (("acme", "0.0000000001", "--ref", "a"), "at most nine decimals"),
        (("acme", "5", "--ref", ""), "The ref is empty"),
        (("acme", "5", "--ref", "used"), "for another amount"),
    ],
)
def test_the_command_says_what_is_wrong(organization: Organization, arguments: tuple[str, ...], complaint: str) -> None:
    wallets.enter(organization, "grant", "used", 1, "", "root")
    with pytest.raises(CommandError, match=complaint):
        grant(*arguments)
    assert wallets.of(organization).posted_nano == 1

"""Receipts, credit notes and invoices: exact, numbered without a gap, and final."""

from __future__ import annotations

import html
import re
from datetime import UTC, date, datetime

import pytest
import time_machine
from django.db import Error, connection, transaction
from django.test import Client
from pytest_django import Settings

from accounts.models import ApiKey, AuditEvent, Organization, User
from billing import documents, rollups, tasks
from billing.models import BillingProfile, Document, Payment, Wallet
from tests.billing.cards import make_profile
from tests.billing.moves import DOLLAR, ask, enter_at, top_up
from tests.billing.test_pages import make_charge
from tests.factories import make_organization

pytestmark = pytest.mark.django_db
LIST = "/o/acme/billing/invoices/"
DETAILS = "/o/acme/billing/details/"
OCTOBER, NOVEMBER = date(2026, 10, 1), date(2026, 11, 1)


@pytest.fixture
def owner(client: Client, alice: User, organization: Organization) -> Client:
    client.force_login(alice)
    return client


def words(client: Client, path: str) -> str:
    page = html.unescape(client.get(path).content.decode())
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))


def entry(organization: Organization, kind: str, nano: int, at: datetime, *, ref: str = "") -> int:
    """One of the ledger's entries, at an instant that has passed."""
    debit, credit = {"usage": ("wallet", "revenue"), "refund": ("revenue", "wallet"), "grant": ("promotion", "wallet")}[
        kind
    ]
    return int(ask(
        "INSERT INTO billing_transfer (organization_id, kind, ref, debit, credit, amount_nano, created_at, reason,"
        " author) VALUES (%s, %s, %s, %s, %s, %s, %s, 'why', 'who') RETURNING id",
        organization.pk, kind, ref or f"{kind} {nano} {at}", debit, credit, nano, at,
    ))  # fmt: skip


def spent(organization: Organization) -> None:
    """$100.00 are there; October cost $3.000000001 less $0.50, November $1.00."""
    ask("SELECT count(*) FROM billing_lock(ARRAY[%s::bigint])", organization.pk)
    enter_at(organization, datetime(2026, 9, 1, tzinfo=UTC), 100 * DOLLAR)
    entry(organization, "usage", 9 * DOLLAR, datetime(2026, 9, 30, 23, 59, 59, tzinfo=UTC))
    entry(organization, "usage", DOLLAR, datetime(2026, 10, 1, tzinfo=UTC))
    entry(organization, "usage", 2 * DOLLAR + 1, datetime(2026, 10, 31, 23, 59, 59, tzinfo=UTC))
    entry(organization, "refund", DOLLAR // 2, datetime(2026, 10, 15, tzinfo=UTC))
    entry(organization, "grant", 7 * DOLLAR, datetime(2026, 10, 15, tzinfo=UTC))
    entry(organization, "usage", DOLLAR, datetime(2026, 11, 1, tzinfo=UTC))


def pay(organization: Organization, nano: int = 25 * DOLLAR) -> Payment:
    made: Payment = Payment.objects.create(organization=organization, kind="checkout", amount_nano=nano, state="paid")
    return made


def test_a_months_invoice_is_what_its_entries_with_revenue_come_to(owner: Client, organization: Organization) -> None:
    spent(organization)
    made = documents.invoice(organization, OCTOBER)
    assert made is not None
    assert (made.label, made.total_nano) == ("I-000001", 2_500_000_001)
    page = words(owner, f"{LIST}{made.pk}/")
    assert "Requests to models 2 entries of the ledger $3.000000001" in page
    assert "Refunds 1 entry of the ledger \u2212$0.50" in page
    assert "Total $2.500000001" in page
    assert "Due $0.00" in page
    assert "October 2026, UTC" in page


@time_machine.travel("2026-11-02T01:40:00Z", tick=False)
def test_last_months_invoices_are_issued_once_for_whoever_bought_something(organization: Organization) -> None:
    spent(organization)
    idle = make_organization()
    top_up(idle)
    make_organization()
    for _ in range(3):
        tasks.issue_invoices()
    assert [(one.organization, one.month) for one in Document.objects.all()] == [(organization, OCTOBER)]


@time_machine.travel("2026-11-25T12:00:00Z", tick=False)
def test_a_month_that_is_not_over_has_no_invoice(organization: Organization) -> None:
    spent(organization)
    assert documents.invoice(organization, NOVEMBER) is None


def test_what_was_used_beyond_the_credit_of_the_month_is_due(owner: Client, organization: Organization) -> None:
    ask("SELECT count(*) FROM billing_lock(ARRAY[%s::bigint])", organization.pk)
    Wallet.objects.update(overdraft_nano=100 * DOLLAR)
    enter_at(organization, datetime(2026, 9, 1, tzinfo=UTC), 3 * DOLLAR)
    entry(organization, "usage", 4 * DOLLAR, datetime(2026, 10, 5, tzinfo=UTC))
    top_up(organization, 50 * DOLLAR, "after the month")
    made = documents.invoice(organization, OCTOBER)
    assert made is not None
    assert "Paid from prepaid credit \u2212$3.00 Due $1.00" in words(owner, f"{LIST}{made.pk}/")


def test_an_invoice_tells_what_each_model_came_to(owner: Client, organization: Organization, key: ApiKey) -> None:
    spent(organization)
    make_charge(key, 1_230_000_000, datetime(2026, 10, 5, tzinfo=UTC))
    rollups.rebuild(organization, OCTOBER, date(2026, 10, 31))
    made = documents.invoice(organization, OCTOBER)
    assert made is not None
    assert "By model" in words(owner, f"{LIST}{made.pk}/")
    assert made.contents["models"][0]["nano"] == "1230000000"


def test_numbers_are_the_operators_and_run_without_a_gap(organization: Organization) -> None:
    other = make_organization()
    found = [documents.receipt(pay(one)) for one in (organization, other, organization)]
    again = documents.receipt(Payment.objects.earliest("id"))
    assert [one.label for one in (*found, again)] == ["R-000001", "R-000002", "R-000003", "R-000001"]


def test_a_document_that_came_to_nothing_gives_its_number_back(organization: Organization) -> None:
    documents.receipt(pay(organization))
    with transaction.atomic():
        documents.receipt(pay(organization))
        transaction.set_rollback(True)
    assert documents.receipt(pay(organization)).label == "R-000002"


@pytest.mark.parametrize("statement", ["UPDATE billing_document SET total_nano = 1", "DELETE FROM billing_document"])
def test_a_document_is_final(organization: Organization, statement: str) -> None:
    documents.receipt(pay(organization))
    with pytest.raises(Error, match="append-only"), transaction.atomic():
        connection.cursor().execute(statement)


def test_names_and_addresses_are_those_of_the_day(
    owner: Client, organization: Organization, settings: Settings
) -> None:
    settings.INVOICE_NAME, settings.INVOICE_ADDRESS, settings.INVOICE_TAX_ID = "2389 Ltd", "1 Main St\nTown", "GB1"
    make_profile(organization, name="Acme Holding", address="2 Side St", tax_id="DE2")
    made = documents.receipt(pay(organization))
    settings.INVOICE_NAME = "Renamed Ltd"
    BillingProfile.objects.update(name="Other", address="Elsewhere")
    page = words(owner, f"{LIST}{made.pk}/")
    for shown in ("2389 Ltd", "1 Main St Town", "Tax number GB1", "Acme Holding", "2 Side St", "Tax number DE2"):
        assert shown in page
    assert "Renamed" not in page
    assert "Elsewhere" not in page


def test_without_names_there_are_still_two_parties(
    owner: Client, organization: Organization, settings: Settings
) -> None:
    settings.PUBLIC_URL = "https://gateway.example"
    page = words(owner, f"{LIST}{documents.receipt(pay(organization)).pk}/")
    assert "From gateway.example" in page
    assert "To Acme" in page


def test_details_are_changed_and_written_down(owner: Client, organization: Organization) -> None:
    form = {"name": "Acme Holding", "address": " 2 Side St \r\n\r\n Town ", "tax_id": "DE2"}
    assert owner.post(DETAILS, form).headers["location"] == LIST
    owner.post(DETAILS, form)
    profile = BillingProfile.objects.get()
    assert (profile.name, profile.address, profile.tax_id) == ("Acme Holding", "2 Side St\nTown", "DE2")
    event = AuditEvent.objects.of(organization).get()
    assert (event.action, event.details["tax_id"]) == ("billing.changed", {"before": "", "after": "DE2"})


def test_what_people_wrote_is_text_and_never_markup(owner: Client, organization: Organization) -> None:
    make_profile(organization, name="<script>alert(1)</script>", address="<b>x</b>")
    page = owner.get(f"{LIST}{documents.receipt(pay(organization)).pk}/").content.decode()
    assert not re.search("<script>alert|<b>x", page)


def test_documents_of_others_are_not_there(client: Client, charlie: User, organization: Organization) -> None:
    made = documents.receipt(pay(organization))
    client.force_login(charlie)
    assert client.get(f"/o/stranger/billing/invoices/{made.pk}/").status_code == 404
    assert made.label not in words(client, "/o/stranger/billing/invoices/")
    assert client.post("/o/acme/billing/details/", {"name": "x"}).status_code == 404


def test_the_list_is_read_page_by_page(owner: Client, organization: Organization) -> None:
    for _ in range(53):
        documents.receipt(pay(organization))
    first = owner.get(LIST).content.decode()
    older = re.findall(r'href="(\?before=\d+)"', first)[0]
    pages = [re.findall(r">R-(\d+)<", page) for page in (first, owner.get(f"{LIST}{older}").content.decode())]
    assert [len(page) for page in pages] == [50, 3]
    assert "All of them" in words(owner, "/o/acme/billing/")


def test_a_month_in_which_nothing_was_bought_has_no_invoice(organization: Organization) -> None:
    top_up(organization)
    assert documents.invoice(organization, OCTOBER) is None
    assert not Document.objects.exists()

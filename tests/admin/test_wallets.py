"""Staff move money by entries alone, each once, each with their name, and each in the log."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.test import Client
from django.utils import timezone

from accounts.models import ApiKey, Organization, User
from billing import wallets
from billing.models import Budget, OutboxMessage, Transfer, Wallet
from gateway.models import Webhook
from tests.admin.pages import html, make_usage, run
from tests.billing.receiver import make_alert, make_budget
from tests.factories import make_key, make_user

pytestmark = pytest.mark.django_db
CREDIT = "/admin/billing/wallet/enter-credit/"


def credit_form(**fields: str) -> dict[str, str]:
    known = {"organization": "acme", "kind": "grant", "amount": "12.50", "ref": "welcome", "reason": ""}
    return {**known, **fields}


def helper(client: Client, *rights: str) -> Client:
    """Staff with these rights and no others."""
    person = make_user("helper@example.com", is_staff=True)
    person.user_permissions.add(*Permission.objects.filter(codename__in=rights))
    client.force_login(person)
    return client


def reverse_url(entry: int) -> str:
    return f"/admin/billing/transfer/{entry}/reverse/"


def test_credit_is_entered_once_however_often_the_form_is_sent(staff: Client, organization: Organization) -> None:
    first = staff.post(CREDIT, credit_form(), follow=True).content.decode()
    assert "Granted credit of $12.50" in first
    assert "Nothing was entered" in staff.post(CREDIT, credit_form(), follow=True).content.decode()
    entry = Transfer.objects.get()
    assert (entry.amount_nano, entry.author) == (12_500_000_000, "root@example.com")
    assert [log.change_message for log in LogEntry.objects.all()] == [
        f"Granted credit of $12.50, entry {entry.pk}, ref welcome."
    ]


def test_the_form_suggests_the_organisation_and_a_ref_that_nobody_used(
    staff: Client, organization: Organization
) -> None:
    wallets.enter(organization, "grant", "a", 1, "", "root")
    page = staff.get(f"/admin/billing/wallet/{organization.pk}/enter-credit-here/", follow=True).content.decode()
    assert 'value="acme"' in page
    refs = {re.findall(r'value="(staff-[^"]+)"', html(staff, CREDIT))[0] for _ in range(2)}
    assert len(refs) == 2


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"organization": "nobody"}, "There is no organisation"),
        ({"amount": "five"}, "is not an amount"),
        ({"amount": "1.0000000001"}, "at most nine decimals"),
        ({"amount": "-1"}, "only an adjustment may take away"),
        ({"amount": "0"}, "above zero"),
        ({"kind": "refund"}, "needs a reason"),
        ({"kind": "adjustment", "amount": "-1", "reason": "x"}, "not enough balance"),
        ({"kind": "usage"}, "Select a valid choice"),
        ({"ref": ""}, "This field is required"),
    ],
)
def test_an_entry_that_the_ledger_does_not_take_is_explained(
    staff: Client, organization: Organization, fields: dict[str, str], complaint: str
) -> None:
    assert complaint in staff.post(CREDIT, credit_form(**fields)).content.decode()
    assert not Transfer.objects.exists()
    assert not LogEntry.objects.exists()


def test_an_entry_is_reversed_with_a_reason_and_stays(staff: Client, organization: Organization) -> None:
    entry, _ = wallets.enter(organization, "grant", "a", 5, "", "root")
    assert "Reverse the entry" in html(staff, reverse_url(entry))
    assert "This field is required" in staff.post(reverse_url(entry), {"reason": ""}).content.decode()
    assert Transfer.objects.count() == 1
    staff.post(reverse_url(entry), {"reason": "typed wrong"})
    staff.post(reverse_url(entry), {"reason": "typed wrong"})
    assert Transfer.objects.count() == 2
    opposite = Transfer.objects.get(kind="reversal")
    assert (opposite.reverses_id, opposite.reason, opposite.author) == (entry, "typed wrong", "root@example.com")
    assert LogEntry.objects.get().change_message == f"Reversed by entry {opposite.pk}. typed wrong"


def test_opening_the_page_reverses_nothing(staff: Client, organization: Organization) -> None:
    entry, _ = wallets.enter(organization, "grant", "a", 5, "", "root")
    html(staff, reverse_url(entry))
    html(staff, CREDIT)
    assert Transfer.objects.count() == 1


def test_credit_that_was_spent_is_not_reversed(staff: Client, organization: Organization) -> None:
    entry, _ = wallets.enter(organization, "grant", "a", 5, "", "root")
    wallets.enter(organization, "adjustment", "b", -1, "spent", "root")
    assert "not enough balance" in staff.post(reverse_url(entry), {"reason": "x"}).content.decode()
    assert not Transfer.objects.filter(kind="reversal").exists()


def test_staff_who_may_only_look_or_agree_cannot_move_money(client: Client, organization: Organization) -> None:
    entry, _ = wallets.enter(organization, "grant", "a", 5, "", "root")
    helper(client, "view_wallet", "change_wallet", "view_transfer", "change_transfer")
    assert client.get(CREDIT).status_code == 403
    assert client.post(CREDIT, credit_form()).status_code == 403
    assert client.post(reverse_url(entry), {"reason": "x"}).status_code == 403
    assert Transfer.objects.count() == 1


def test_a_customer_cannot_reach_the_forms(client: Client, organization: Organization, alice: User) -> None:
    client.force_login(alice)
    for url in (CREDIT, reverse_url(1)):
        assert client.post(url, credit_form()).status_code in {302, 403}
    assert not Transfer.objects.exists()


def wallet_form(**fields: str) -> dict[str, str]:
    return {"overdraft": "20", "markup_basis_points": "1000", **fields}


def save_wallet(client: Client, wallet: Wallet, **fields: str) -> str:
    page = client.post(f"/admin/billing/wallet/{wallet.pk}/change/", wallet_form(**fields), follow=True)
    wallet.refresh_from_db()
    return page.content.decode()


@pytest.fixture
def wallet(organization: Organization) -> Wallet:
    wallets.enter(organization, "grant", "a", 5 * 10**9, "", "root")
    return Wallet.objects.get()


def test_overdraft_and_markup_are_agreed_and_nothing_else_can_be_set(staff: Client, wallet: Wallet) -> None:
    save_wallet(staff, wallet, posted_nano="999", held_nano="999", halted_reason="x", organization="7")
    assert (wallet.overdraft_nano, wallet.markup_basis_points) == (20 * 10**9, 1000)
    assert (wallet.posted_nano, wallet.held_nano, wallet.halted_reason) == (5 * 10**9, 0, "")
    assert "Overdraft" in LogEntry.objects.get().get_change_message()
    page = html(staff, "/admin/billing/wallet/")
    for shown in ("$5.00", "$25.00", "$20.00", "10 %"):
        assert shown in page


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"overdraft": "-1"}, "not below zero"),
        ({"overdraft": "much"}, "is not an amount"),
        ({"markup_basis_points": "-10001"}, "greater than or equal to -10000"),
    ],
)
def test_what_cannot_be_agreed_is_refused(
    staff: Client, wallet: Wallet, fields: dict[str, str], complaint: str
) -> None:
    assert complaint in save_wallet(staff, wallet, **fields)
    assert (wallet.overdraft_nano, wallet.markup_basis_points) == (0, 0)


def test_an_overdraft_that_is_used_cannot_be_taken_away(staff: Client, wallet: Wallet) -> None:
    Wallet.objects.filter(pk=wallet.pk).update(overdraft_nano=10 * 10**9, held_nano=12 * 10**9)
    assert "$7.00 of it is used or held" in save_wallet(staff, wallet, overdraft="6.999999999")
    assert "was changed successfully" in save_wallet(staff, wallet, overdraft="7")
    assert (wallet.overdraft_nano, wallet.held_nano) == (7 * 10**9, 12 * 10**9)


def test_staff_who_may_only_look_see_the_wallet_and_change_nothing(client: Client, wallet: Wallet) -> None:
    helper(client, "view_wallet")
    page = html(client, f"/admin/billing/wallet/{wallet.pk}/change/")
    assert "$5.00" in page
    assert "Enter credit" not in page
    assert client.post(f"/admin/billing/wallet/{wallet.pk}/change/", wallet_form()).status_code == 403


# -- budgets ----------------------------------------------------------------------------------------


def budget_form(organization: Organization, **fields: Any) -> dict[str, Any]:
    known = {"organization": organization.pk, "name": "Team", "scope": "organization", "target_id": ""}
    known |= {"period": "month", "limit": "50", "hard": "on", "thresholds": "50,80,100", "enabled": "on"}
    return {**known, **fields}


def add_budget(client: Client, organization: Organization, **fields: Any) -> str:
    return client.post("/admin/billing/budget/add/", budget_form(organization, **fields)).content.decode()


def test_a_budget_is_made_in_dollars_and_changed_in_dollars(staff: Client, organization: Organization) -> None:
    add_budget(staff, organization, limit="0.000000001")
    budget = Budget.objects.get()
    assert (budget.limit_nano, budget.thresholds) == (1, [50, 80, 100])
    page = html(staff, f"/admin/billing/budget/{budget.pk}/change/")
    assert 'value="0.000000001"' in page
    staff.post(
        f"/admin/billing/budget/{budget.pk}/change/",
        {"name": "Team", "limit": "75.25", "thresholds": "90", "scope": "project", "period": "day"},
    )
    budget.refresh_from_db()
    assert (budget.limit_nano, budget.thresholds, budget.hard, budget.enabled) == (75_250_000_000, [90], False, False)
    assert (budget.scope, budget.period) == ("organization", "month")
    assert "Limit" in LogEntry.objects.latest("id").get_change_message()


def test_a_budgets_target_belongs_to_the_organisation(
    staff: Client, organization: Organization, key: ApiKey, bob: User, charlie: User
) -> None:
    strangers, _ = make_key(Organization.objects.get(slug="stranger"))
    own = {"project": key.project_id, "api_key": key.pk, "member": bob.pk}
    other = {"project": strangers.project_id, "api_key": strangers.pk, "member": charlie.pk}
    for scope, target in other.items():
        assert "has nobody and nothing with this id" in add_budget(staff, organization, scope=scope, target_id=target)
    for scope in own:
        assert "Give the id of the project, key or person" in add_budget(staff, organization, scope=scope)
    assert not Budget.objects.exists()
    for scope, target in own.items():
        add_budget(staff, organization, scope=scope, target_id=target)
    assert Budget.objects.count() == 3


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"limit": "-1"}, "not below zero"),
        ({"limit": "much"}, "is not an amount"),
        ({"thresholds": "0"}, "between 1 and 1000"),
        ({"target_id": "7"}, "none for the organisation"),
    ],
)
def test_a_budget_that_makes_no_sense_is_refused(
    staff: Client, organization: Organization, fields: dict[str, str], complaint: str
) -> None:
    assert complaint in add_budget(staff, organization, **fields)
    assert not Budget.objects.exists()


# -- outbox, webhooks, usage ------------------------------------------------------------------------


def test_what_was_given_up_is_tried_again_by_those_who_may(client: Client, organization: Organization) -> None:
    message = make_alert(make_budget(organization))
    OutboxMessage.objects.update(tries=20)
    helper(client, "view_outboxmessage")
    run(client, "billing/outboxmessage", "try_again", message)
    message.refresh_from_db()
    assert message.tries == 20
    client.force_login(make_user("root@example.com", is_staff=True, is_superuser=True))
    assert message.dedupe in html(client, f"/admin/billing/outboxmessage/{message.pk}/change/")
    assert "given up" in html(client, "/admin/billing/outboxmessage/?state=given-up")
    assert "Tried again within seconds: 1." in run(client, "billing/outboxmessage", "try_again", message)
    message.refresh_from_db()
    assert message.tries == 0
    assert LogEntry.objects.get().change_message == "Tried again."


def test_what_was_sent_is_not_sent_again(staff: Client, organization: Organization) -> None:
    message = make_alert(make_budget(organization))
    OutboxMessage.objects.update(sent_at=timezone.now(), tries=1)
    assert "Nothing is waiting." in run(staff, "billing/outboxmessage", "try_again", message)
    message.refresh_from_db()
    assert message.tries == 1


def test_a_webhooks_secret_is_shown_once(staff: Client, organization: Organization) -> None:
    form = {"organization": organization.pk, "url": "https://example.com/hooks", "enabled": "on"}
    page = staff.post("/admin/gateway/webhook/add/", form, follow=True).content.decode()
    webhook = Webhook.objects.get()
    secret = webhook.open_secret()
    assert secret in page.replace("&#x3D;", "=")
    url = f"/admin/gateway/webhook/{webhook.pk}/change/"
    assert "whsec_" not in html(staff, url)
    staff.post(url, {"url": "https://example.com/other"})
    webhook.refresh_from_db()
    assert (webhook.url, webhook.enabled, webhook.open_secret()) == ("https://example.com/other", False, secret)
    assert "whsec_" in run(staff, "gateway/webhook", "new_secret", webhook)
    webhook.refresh_from_db()
    assert webhook.open_secret() != secret
    assert not [log for log in LogEntry.objects.all() if "whsec_" in log.change_message + log.object_repr]


def test_a_webhook_to_a_private_address_is_refused(staff: Client, organization: Organization) -> None:
    form = {"organization": organization.pk, "url": "https://169.254.169.254/", "enabled": "on"}
    assert "is not a public address" in staff.post("/admin/gateway/webhook/add/", form).content.decode()
    assert not Webhook.objects.exists()


def test_a_usage_row_shows_what_it_cost_and_what_was_tried(staff: Client, key: ApiKey) -> None:
    event = make_usage(
        key, cost_nano=842_000, charged_nano=900_000, held_nano=2_000_000, rule="complete", price_id=7,
        attempts=[{"provider": "openai", "status": 503}],
    )  # fmt: skip
    for url in ("/admin/billing/usageevent/", f"/admin/billing/usageevent/{event.pk}/change/"):
        page = html(staff, url)
        for shown in ("$0.000842", "$0.0009", "complete"):
            assert shown in page, url
    assert "503" in page


def test_nothing_of_another_organisation_changes_with_an_entry(
    staff: Client, organization: Organization, charlie: User
) -> None:
    stranger = Organization.objects.get(slug="stranger")
    before = wallets.of(organization).posted_nano
    staff.post(CREDIT, credit_form(organization="stranger", ref="other"))
    assert (wallets.of(organization).posted_nano, wallets.of(stranger).posted_nano) == (before, 12_500_000_000)

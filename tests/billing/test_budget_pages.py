"""Members with money in their care make budgets, change them, remove them and bring them back."""

from __future__ import annotations

import html
import re
from typing import Any

import pytest
from django.test import Client

from accounts.models import ApiKey, AuditEvent, Membership, Organization, Project, User
from billing import rollups
from billing.models import Budget, BudgetPeriod
from tests.billing.moves import DOLLAR, reserve, settle, spend
from tests.factories import make_credit, make_key, make_user

pytestmark = pytest.mark.django_db
LIST = "/o/acme/billing/budgets/"
NEW = f"{LIST}new/"


def form(**fields: Any) -> dict[str, Any]:
    known = {
        "name": "Team", "covers": "organization:", "limit": "$1,234.56", "period": "month", "does": "refuse",
        "thresholds": "80, 50 100",
    }  # fmt: skip
    return {**known, **fields}


def words(client: Client, path: str) -> str:
    page = html.unescape(client.get(path).content.decode())
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", page))


def actions(organization: Organization) -> list[str]:
    found = AuditEvent.objects.of(organization).filter(action__startswith="budget.").order_by("pk")
    return list(found.values_list("action", flat=True))


@pytest.fixture
def member(client: Client, organization: Organization) -> Client:
    """Somebody who looks after the money and makes no keys."""
    user = make_user("money@acme.example")
    Membership.objects.create(organization=organization, user=user, role=Membership.Role.BILLING)
    client.force_login(user)
    return client


def test_a_budget_is_made_as_the_form_says(member: Client, organization: Organization) -> None:
    assert member.post(NEW, form(does="tell", period="week")).headers["location"] == LIST
    made = Budget.objects.get()
    assert (made.organization, made.scope, made.target_id, made.period) == (organization, "organization", None, "week")
    assert (made.name, made.limit_nano, made.hard, made.thresholds) == ("Team", 1_234_560_000_000, False, [50, 80, 100])
    assert "The budget Team is in force. $0.00 of $1,234.56 is spent in this period: $1,234.56 is left." in words(
        member, LIST
    )
    event = AuditEvent.objects.of(organization).get(action="budget.created")
    assert (event.actor_label, event.target_label) == ("money@acme.example", str(made))
    assert event.details["limit"] == "$1,234.56 week (from monday, utc)"


def test_a_budget_covers_what_was_chosen(member: Client, organization: Organization, key: ApiKey, bob: User) -> None:
    project = Project.objects.default_of(organization)
    for covers in (f"project:{project.pk}", f"member:{bob.pk}", f"api_key:{key.pk}"):
        member.post(NEW, form(covers=covers))
    assert set(Budget.objects.values_list("scope", "target_id")) == {
        ("project", project.pk), ("member", bob.pk), ("api_key", key.pk),
    }  # fmt: skip
    assert "Covers the keys of bob@acme.example." in words(member, LIST)


def test_what_is_anothers_cannot_be_covered(member: Client, charlie: User) -> None:
    theirs = Organization.objects.get(slug="stranger")
    key, _ = make_key(theirs)
    for covers in (f"api_key:{key.pk}", f"project:{key.project_id}", f"member:{charlie.pk}"):
        assert member.post(NEW, form(covers=covers)).status_code == 200
    assert not Budget.objects.exists()


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("name", "", "Give the budget a name."),
        ("limit", "", "Give an amount in dollars"),
        ("limit", "12,50", "'12,50' is not an amount"),
        ("limit", "-1", "Give an amount that is not below zero."),
        ("limit", "9999999999.99", "is more than the ledger holds"),
        ("thresholds", "fifty", "Give whole per cents between 1 and 1000"),
        ("thresholds", "0", "Give whole per cents between 1 and 1000"),
        ("thresholds", " ".join(map(str, range(1, 12))), "Give at most 10."),
        ("covers", "member:x", "Select a valid choice"),
        ("period", "year", "Select a valid choice"),
    ],
)
def test_what_makes_no_sense_is_said_beside_its_field(member: Client, field: str, value: str, said: str) -> None:
    page = words(member, NEW) and html.unescape(member.post(NEW, form(**{field: value})).content.decode())
    assert said in page
    assert f'id="id_{field}_error"' in page
    assert not Budget.objects.exists()


def test_a_budget_of_nothing_is_a_budget(member: Client, organization: Organization, key: ApiKey) -> None:
    member.post(NEW, form(limit="0"))
    make_credit(organization)
    with pytest.raises(AssertionError):
        reserve(key)


def test_a_new_budget_knows_what_was_spent_in_its_period(
    member: Client, organization: Organization, key: ApiKey
) -> None:
    make_credit(organization)
    other, _ = make_key(organization)
    spend(key, 3 * DOLLAR // 4)
    rollups.roll_up()
    spend(key, DOLLAR // 4)  # its hour is behind again
    spend(other, DOLLAR // 2)
    member.post(NEW, form(covers=f"api_key:{key.pk}", limit="1.50"))
    member.post(NEW, form(limit="1.50"))
    spent = dict(BudgetPeriod.objects.values_list("budget__scope", "spent_nano"))
    assert spent == {"api_key": DOLLAR, "organization": 3 * DOLLAR // 2}
    assert "$1.50 is spent in this period already: what it covers is refused now." in words(member, LIST)


def test_the_sum_of_roll_ups_counts_no_hour_twice(member: Client, organization: Organization, key: ApiKey) -> None:
    make_credit(organization)
    spend(key, DOLLAR)
    rollups.roll_up()
    member.post(NEW, form())
    assert BudgetPeriod.objects.get().spent_nano == DOLLAR


def test_a_new_budget_refuses_what_no_longer_fits(member: Client, organization: Organization, key: ApiKey) -> None:
    make_credit(organization)
    spend(key, DOLLAR)
    member.post(NEW, form(limit="2"))
    request = reserve(key, DOLLAR)
    with pytest.raises(AssertionError):
        reserve(key, 1)
    assert settle(key, request, DOLLAR // 2) == "new"
    assert BudgetPeriod.objects.get().spent_nano == 3 * DOLLAR // 2


def test_a_budget_is_changed_and_keeps_what_it_counted(member: Client, organization: Organization, key: ApiKey) -> None:
    make_credit(organization)
    member.post(NEW, form(limit="10"))
    spend(key, DOLLAR)
    budget = Budget.objects.get()
    page = f"{LIST}{budget.pk}/"
    assert 'value="10.00"' in member.get(page).content.decode()
    terms = {"name": "Team", "limit": "4", "does": "tell", "thresholds": ""}
    assert member.post(page, terms).headers["location"] == LIST
    budget.refresh_from_db()
    assert (budget.limit_nano, budget.hard, budget.thresholds, budget.period) == (4 * DOLLAR, False, [], "month")
    assert re.search(r"Spent\S? \$1\.00", words(member, page))
    changed = AuditEvent.objects.of(organization).get(action="budget.changed").details
    assert changed["refuses"] == {"before": True, "after": False}
    member.post(page, terms)
    assert actions(organization) == ["budget.created", "budget.changed"]


def test_a_budget_that_is_brought_back_knows_what_was_spent_meanwhile(
    member: Client, organization: Organization, key: ApiKey
) -> None:
    make_credit(organization)
    member.post(NEW, form(limit="2"))
    budget = Budget.objects.get()
    assert "It limits nothing any more." not in words(member, f"{LIST}{budget.pk}/remove/")
    member.post(f"{LIST}{budget.pk}/remove/")
    for _ in range(3):
        spend(key, DOLLAR)
    page = words(member, LIST)
    assert "The budget Team is removed." in page
    assert "Bring back" in page
    member.post(f"{LIST}{budget.pk}/restore/")
    member.post(f"{LIST}{budget.pk}/restore/")
    assert BudgetPeriod.objects.get().spent_nano == 3 * DOLLAR
    with pytest.raises(AssertionError):
        reserve(key, 1)
    assert actions(organization) == ["budget.created", "budget.deleted", "budget.restored"]


def test_a_budget_whose_key_is_gone_is_not_brought_back(member: Client, organization: Organization, bob: User) -> None:
    member.post(NEW, form(covers=f"member:{bob.pk}"))
    budget = Budget.objects.get()
    member.post(f"{LIST}{budget.pk}/remove/")
    Membership.objects.filter(user=bob).delete()
    member.post(f"{LIST}{budget.pk}/restore/")
    assert "What it covered is gone. Make another budget." in words(member, LIST)
    assert not Budget.objects.get().enabled


def test_whoever_may_only_look_is_shown_no_button(client: Client, organization: Organization, bob: User) -> None:
    budget = Budget.objects.create(organization=organization, name="Team", limit_nano=DOLLAR)
    client.force_login(bob)
    assert "Create budget" not in words(client, LIST)
    page = words(client, f"{LIST}{budget.pk}/")
    assert "Refuses requests that do not fit" in page
    assert "Remove" not in page
    assert client.post(NEW, form()).status_code == 403


def test_budgets_of_others_are_not_there(client: Client, charlie: User, organization: Organization) -> None:
    budget = Budget.objects.create(organization=organization, name="Secret plans", limit_nano=DOLLAR)
    client.force_login(charlie)
    for path in ("", "remove/", "restore/"):
        assert client.post(f"/o/stranger/billing/budgets/{budget.pk}/{path}", form()).status_code == 404
    assert "Secret plans" not in words(client, "/o/stranger/billing/budgets/")
    budget.refresh_from_db()
    assert budget.enabled


def test_the_list_is_read_page_by_page(member: Client, organization: Organization) -> None:
    for number in range(53):
        Budget.objects.create(organization=organization, name=f"number {number:02}", limit_nano=DOLLAR)
    first = member.get(LIST).content.decode()
    after = re.findall(r'href="(\?after=\d+)"', first)[0]
    second = member.get(f"{LIST}{after}").content.decode()
    seen = [re.findall(r">number (\d\d)<", page) for page in (first, second)]
    assert [len(page) for page in seen] == [50, 3]
    assert [number for page in seen for number in page] == [f"{number:02}" for number in range(53)]


def test_many_budgets_of_keys_do_not_fill_the_billing_page(
    member: Client, organization: Organization, key: ApiKey
) -> None:
    for number in range(23):
        Budget.objects.create(
            organization=organization, name=f"k{number}", scope="api_key", target_id=key.pk, limit_nano=DOLLAR
        )
    assert "23 budgets of single keys." in words(member, "/o/acme/billing/")

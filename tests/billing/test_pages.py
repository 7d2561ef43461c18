"""Members see their organisation's money, all of it and no other's."""

from __future__ import annotations

import html
import re
import secrets
import uuid
from datetime import UTC, date, datetime, timedelta

import pytest
import time_machine
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from accounts.models import ApiKey, Membership, Organization, User
from billing import overview, periods, rollups, signing, verification, wallets
from billing.models import AuditRun, Budget, BudgetPeriod, UsageEvent, Wallet
from billing.templatetags import amounts
from tests.admin.pages import make_statement
from tests.billing.receiver import make_budget
from tests.factories import make_organization, make_user

pytestmark = pytest.mark.django_db


def text(client: Client, path: str = "/o/acme/billing/") -> str:
    response = client.get(path)
    assert response.status_code == 200, path
    return html.unescape(response.content.decode())


def words(page: str) -> str:
    """Without markup, with single spaces."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", page))


def make_period(budget: Budget, *, spent: int, held: int = 0) -> None:
    BudgetPeriod.objects.create(
        organization=budget.organization, budget=budget, starts_at=periods.start(budget.period, timezone.now()),
        spent_nano=spent, held_nano=held,
    )  # fmt: skip


def make_charge(key: ApiKey, nano: int, at: datetime) -> None:
    moment = int(at.timestamp() * 1000) << 80 | 0x7 << 76 | 0x2 << 62 | secrets.randbits(62)  # a UUID version 7
    UsageEvent.objects.create(
        request_id=uuid.UUID(int=moment), organization=key.organization, api_key=key, model_requested="m", stream=False,
        status=200, held_nano=nano, charged_nano=nano, admitted_at=at, started_at=at, ended_at=at, duration_ms=1,
    )  # fmt: skip


@pytest.fixture
def member(client: Client, bob: User, organization: Organization) -> Client:
    client.force_login(bob)
    return client


@pytest.mark.parametrize("path", ["/dashboard/", "/o/acme/billing/"])
def test_a_visitor_is_sent_to_sign_in(client: Client, organization: Organization, path: str) -> None:
    response = client.get(path)
    assert response.status_code == 302
    assert response["location"] == f"/sign-in/?next={path}"


def test_a_stranger_sees_nothing(client: Client, charlie: User, organization: Organization) -> None:
    wallets.enter(organization, "grant", "acme's own", 5, "", "root")
    client.force_login(charlie)
    assert client.get("/o/acme/billing/").status_code == 404
    assert client.get("/o/acme/billing/?before=9").status_code == 404
    assert "Acme" not in text(client, "/o/stranger/billing/")
    assert "acme's own" not in text(client, "/o/stranger/billing/")
    assert client.get("/dashboard/").headers["location"] == "/o/stranger/start/"


def test_staff_who_are_no_members_look_in_the_admin(client: Client, organization: Organization) -> None:
    client.force_login(make_user("root@example.com", is_staff=True, is_superuser=True))
    assert client.get("/o/acme/billing/").status_code == 404


@pytest.mark.parametrize("role", Membership.Role.values)
def test_every_role_sees_the_same(client: Client, organization: Organization, role: str) -> None:
    wallets.enter(organization, "topup", "invoice 7", 12_500_000_000, "", "root")
    user = make_user("someone@acme.example")
    Membership.objects.create(organization=organization, user=user, role=role)
    client.force_login(user)
    page = words(text(client))
    assert "Available $12.50" in page
    assert "Top-up invoice 7 +$12.50" in page


@pytest.mark.parametrize("path", ["/dashboard/", "/o/acme/billing/"])
def test_the_pages_take_no_posts_and_are_kept_by_nobody(member: Client, path: str) -> None:
    assert member.post(path).status_code == 405
    assert "no-store" in member.get(path)["Cache-Control"]


def test_somebody_with_several_organisations_goes_from_one_to_the_other(
    client: Client, alice: User, organization: Organization
) -> None:
    make_organization("second", owner=alice)
    client.force_login(alice)
    page = text(client)
    assert 'href="/o/acme/" aria-current="true"' in page
    assert 'href="/o/second/"' in page


def test_the_way_here_is_shown_to_people_who_are_signed_in(client: Client, bob: User) -> None:
    assert 'href="/dashboard/"' not in text(client, "/")
    client.force_login(bob)
    assert 'href="/dashboard/"' in text(client, "/")


def test_a_new_organisation_is_told_what_will_stand_here(member: Client) -> None:
    page = words(text(member))
    for told in ("Available $0.00", "There is no budget", "Nothing was entered yet"):
        assert told in page
    assert not Wallet.objects.exists()


@time_machine.travel("2026-11-20T12:00:00Z", tick=False)
def test_the_balance_says_what_is_held_and_what_this_month_cost(
    member: Client, organization: Organization, key: ApiKey
) -> None:
    wallets.enter(organization, "grant", "a", 10 * 10**9, "", "root")
    Wallet.objects.update(held_nano=3_000_000_001, overdraft_nano=10**9)
    make_charge(key, 1_230_000_000, datetime(2026, 11, 1, tzinfo=UTC))
    make_charge(key, 9_000_000_000, datetime(2026, 10, 31, 23, 59, 59, tzinfo=UTC))
    rollups.rebuild(organization, date(2026, 10, 31), date(2026, 11, 1))
    page = text(member)
    assert "Available $7.99 Balance $10.00, and an overdraft of $1.00" in words(page)
    assert 'title="$7.999999999"' in page
    assert "Held $3.00" in words(page)
    assert "Spent in November $1.23" in words(page)


@time_machine.travel("2026-11-20T12:00:00Z", tick=False)
def test_budgets_are_shown_with_what_is_spent_held_and_left(
    member: Client, organization: Organization, key: ApiKey, bob: User
) -> None:
    make_period(make_budget(organization, name="All"), spent=20 * 10**9, held=5 * 10**9)
    make_period(make_budget(organization, name="Key", scope="api_key", target_id=key.pk), spent=45 * 10**9)
    make_period(make_budget(organization, name="Bob", scope="member", target_id=bob.pk, period="day"), spent=50 * 10**9)
    make_budget(organization, name="Warn", hard=False, period="total")
    make_budget(organization, name="Off", enabled=False)
    page = text(member)
    said = words(page)
    assert "All $20.00 of $50.00 (40 %) $25.00 left, $5.00 held by requests under way." in said
    assert "Resets 1 December 2026, 00:00 UTC." in said
    assert f"Covers the key {key}." in said
    assert "Used up: requests are refused. Covers the keys of bob@acme.example. Resets 21 November 2026" in said
    assert "Never resets. Only tells." in said
    assert "Off" not in said
    assert '<rect class="spent" width="40.0" height="1"/><rect class="held" x="40.0" width="10.0"' in page
    assert [page.count(f'<li class="{state}">') for state in ("within", "near", "over")] == [2, 1, 1]


def test_many_budgets_cost_no_more_queries(
    member: Client, organization: Organization, key: ApiKey, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(10):
        make_period(make_budget(organization, scope="api_key", target_id=key.pk), spent=1)
    text(member)  # the first page in five minutes notes besides when they were last seen
    with django_assert_max_num_queries(15):
        text(member)


def test_the_ledger_is_read_page_by_page(member: Client, organization: Organization) -> None:
    for number in range(120):
        wallets.enter(organization, "grant", f"entry-{number:03}", 1, "", "root")
    path, seen = "/o/acme/billing/", []
    for _ in range(3):
        page = text(member, path)
        seen.append(re.findall(r"entry-(\d+)", page))
        older = re.search(r'href="(\?before=\d+)#ledger"', page)
        path = f"/o/acme/billing/{older.group(1)}" if older else ""
    assert [len(numbers) for numbers in seen] == [50, 50, 20]
    assert [number for numbers in seen for number in numbers] == [f"{number:03}" for number in range(119, -1, -1)]
    assert path == ""


@pytest.mark.parametrize("before", ["x", "-1", "0", "9" * 30, "1e5", "٣", "9223372036854775808"])
def test_a_cursor_that_is_none_means_the_newest_page(member: Client, organization: Organization, before: str) -> None:
    wallets.enter(organization, "grant", "welcome", 1, "", "root")
    assert "welcome" in text(member, f"/o/acme/billing/?before={before}")


def test_beyond_the_oldest_entry_there_is_a_way_back(member: Client) -> None:
    assert "There is nothing older." in text(member, "/o/acme/billing/?before=1")


def test_what_staff_wrote_is_text_and_never_markup(member: Client, organization: Organization) -> None:
    wallets.enter(organization, "grant", "<script>alert(1)</script>", 1, "<b>bold</b>", "root")
    make_budget(organization, name="<img src=x>")
    page = member.get("/o/acme/billing/").content.decode()
    assert not re.search("<script>alert|<b>bold|<img", page)


def test_the_page_needs_no_inline_style_and_has_one_heading(member: Client, organization: Organization) -> None:
    make_period(make_budget(organization), spent=1)
    response = member.get("/o/acme/billing/")
    page = response.content.decode()
    assert not re.search(r"<style|\sstyle=|\son\w+=", page)
    assert len(re.findall("<h1[ >]", page)) == 1
    assert "unsafe" not in response["Content-Security-Policy"]
    names = re.findall(r'\bid="([^"]+)"', page)
    assert sorted(names) == sorted(set(names))


# -- the check of the ledger ------------------------------------------------------------------------


def _audited(ended_at: datetime, *organizations: Organization) -> None:
    """A check of everybody, with a difference of each of these."""
    AuditRun.objects.create(
        full=True,
        started_at=ended_at,
        ended_at=ended_at,
        checks=17,
        differences=len(organizations),
        organizations=[one.pk for one in organizations],
        violations=[{"check": "held", "organization_id": one.pk, "detail": "1"} for one in organizations],
    )


@time_machine.travel("2026-11-20T12:00:00Z", tick=False)
@pytest.mark.parametrize(
    ("day", "said"),
    [
        (20, "Balanced at 03:00 UTC, 0 differences"),
        (19, "Balanced on 19 November 2026 at 03:00 UTC, 0 differences"),
    ],
)
def test_the_page_says_that_the_ledger_adds_up(member: Client, day: int, said: str) -> None:
    _audited(datetime(2026, 11, day, 3, tzinfo=UTC))
    assert said in words(text(member))


@time_machine.travel("2026-11-20T12:00:00Z", tick=False)
def test_the_page_says_that_it_does_not(member: Client, organization: Organization) -> None:
    _audited(datetime(2026, 11, 20, 3, tzinfo=UTC), organization)
    assert "Checked at 03:00 UTC, 1 difference: the operator has been" in words(text(member))


@time_machine.travel("2026-11-20T12:00:00Z", tick=False)
def test_the_differences_of_others_are_not_told(member: Client) -> None:
    _audited(datetime(2026, 11, 20, 3, tzinfo=UTC), make_organization())
    assert "Balanced at 03:00 UTC, 0 differences" in words(text(member))


def test_without_a_check_nothing_is_claimed(member: Client) -> None:
    assert "Balanced" not in text(member)


@pytest.mark.parametrize(
    ("nano", "shown"),
    [
        (0, "$0.00"), (12_500_000_000, "$12.50"), (1_234_567_890_000_000, "$1,234,567.89"), (842_000, "$0.000842"),
        (19_999_999, "$0.01"), (-3 * 10**9, "\u2212$3.00"), (-1, "\u2212$0.000000001"),
    ],
)  # fmt: skip
def test_amounts_are_short_and_never_rounded_to_nothing(nano: int, shown: str) -> None:
    assert f">{shown}</data>" in amounts.cents(nano)


def test_a_period_is_the_one_that_runs(organization: Organization) -> None:
    budget = make_budget(organization, period="day")
    BudgetPeriod.objects.create(
        organization=organization, budget=budget, spent_nano=9,
        starts_at=periods.start("day", timezone.now()) - timedelta(days=1),
    )  # fmt: skip
    assert [line.spent_nano for line in overview.budgets(organization, timezone.now())] == [0]


def test_a_member_takes_a_statement_along_and_a_stranger_does_not(
    member: Client, organization: Organization, charlie: User
) -> None:
    make_statement(organization)
    path = "/o/acme/billing/statements/2026-03.json"
    page = text(member)
    assert f'href="{path}"' in page
    assert "verify_statement acme-2026-03.json --keys keys.json" in page
    assert "/.well-known/2389-keys.json" in page
    answer = member.get(path)
    assert answer["content-disposition"] == 'attachment; filename="acme-2026-03.json"'
    verification.verify(answer.json(), signing.public_keys())
    assert member.get("/o/acme/billing/statements/2026-04.json").status_code == 404
    assert member.get("/o/acme/billing/statements/2026-13.json").status_code == 404
    member.force_login(charlie)
    assert member.get(path).status_code == 404

"""What people see of what they may not do: no button for it, and a page that says why when they know its address."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from accounts.models import User
from accounts.roles import Role
from tests.browser.demonstration import Acme
from tests.browser.test_first_minute import looked_at
from tests.browser.watch import Watch
from tests.factories import make_organization, make_user

SignIn = Callable[[User], None]


@pytest.mark.parametrize("role", [Role.BILLING, Role.VIEWER])
def test_who_makes_no_keys_has_no_button_and_is_told_why_by_address(
    page: Page, watch: Watch, acme: Acme, sign_in: SignIn, axe: str, role: Role
) -> None:
    sign_in(acme.people[role])
    page.goto("/o/acme/keys/")
    expect(page.get_by_role("link", name="support-production")).to_be_visible()
    expect(page.get_by_role("link", name="Create key")).to_have_count(0)
    expect(page.get_by_role("checkbox")).to_have_count(0)
    watch.expected.add(403)
    answer = page.goto("/o/acme/keys/new/")
    assert answer is not None
    assert answer.status == 403
    expect(page.get_by_text(f"Your role in Acme is {role.label.lower()}.")).to_be_visible()
    assert looked_at(page, axe) == []


def test_a_developer_makes_keys_and_ends_only_their_own(page: Page, watch: Watch, acme: Acme, sign_in: SignIn) -> None:
    sign_in(acme.people[Role.DEVELOPER])
    page.goto("/o/acme/keys/")
    expect(page.get_by_role("link", name="Create key")).to_be_visible()
    expect(page.get_by_label("Choose li-na-laptop")).to_have_count(1)
    expect(page.get_by_label("Choose support-production")).to_have_count(0)


@pytest.mark.parametrize("role", list(Role))
def test_the_rail_leads_nowhere_that_is_refused(
    page: Page, watch: Watch, acme: Acme, sign_in: SignIn, role: Role
) -> None:
    sign_in(acme.people[role])
    page.goto("/o/acme/keys/")
    rail = page.get_by_role("navigation", name="Acme").get_by_role("link")
    for url in [rail.nth(number).get_attribute("href") for number in range(rail.count())]:
        answer = page.goto(str(url))
        assert answer is not None
        assert answer.status == 200, url


def test_a_stranger_finds_nothing_and_is_not_told_that_there_is_something(
    page: Page, watch: Watch, acme: Acme, sign_in: SignIn, axe: str
) -> None:
    charlie = make_user()
    make_organization(owner=charlie)
    sign_in(charlie)
    watch.expected.add(404)
    for slug in ("acme", "no-such-organisation"):
        answer = page.goto(f"/o/{slug}/keys/")
        assert answer is not None
        assert answer.status == 404
        expect(page.get_by_role("heading", name="This page does not exist")).to_be_visible()
        assert "Acme" not in page.content()
    assert looked_at(page, axe) == []


def test_a_visitor_signs_in_and_comes_to_the_page_that_was_asked_for(page: Page, watch: Watch, acme: Acme) -> None:
    page.goto("/o/acme/members/")
    page.get_by_label("E-mail address").fill(acme.people[Role.VIEWER].email)
    page.get_by_label("Password").fill("correct horse battery staple")
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.wait_for_url("**/o/acme/members/")


def test_a_theme_that_was_chosen_stays(page: Page, watch: Watch, acme: Acme, sign_in: SignIn) -> None:
    sign_in(acme.people[Role.VIEWER])
    page.goto("/o/acme/members/")
    page.get_by_role("button", name="Priya Raman").click()
    page.get_by_role("button", name="Dark").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    page.reload()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")


def test_on_a_narrow_screen_the_rail_is_a_drawer(page: Page, watch: Watch, acme: Acme, sign_in: SignIn) -> None:
    sign_in(acme.people[Role.OWNER])
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto("/o/acme/keys/")
    members = page.get_by_role("navigation", name="Acme").get_by_role("link", name="Members")
    expect(members).to_be_hidden()
    page.get_by_role("button", name="Menu").click()
    expect(members).to_be_visible()
    page.keyboard.press("Escape")
    expect(members).to_be_hidden()
    page.get_by_role("button", name="Menu").click()
    members.click()
    page.wait_for_url("**/members/")

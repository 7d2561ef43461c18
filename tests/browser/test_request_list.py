"""The list of requests, and the receipt of one."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Page, expect

from accounts.models import User
from accounts.roles import Role
from tests.browser.demonstration import Acme
from tests.browser.watch import Watch

SignIn = Callable[[User], None]


def test_a_request_leads_to_its_receipt(page: Page, watch: Watch, acme: Acme, sign_in: SignIn) -> None:
    sign_in(acme.people[Role.DEVELOPER])
    page.goto("/o/acme/requests/")
    rows = page.get_by_role("region", name="Requests").locator("tbody tr")
    assert rows.count() > 10
    rows.first.get_by_role("link").first.click()
    page.wait_for_url("**/o/acme/requests/*-*-*/")
    expect(page.locator("h1")).to_have_count(1)


def test_older_ones_are_a_page_away(page: Page, watch: Watch, acme: Acme, sign_in: SignIn) -> None:
    sign_in(acme.people[Role.DEVELOPER])
    page.goto("/o/acme/requests/")
    newest = page.locator("tbody time").first.get_attribute("title")
    page.get_by_role("link", name="Older").click()
    page.wait_for_url("**before=*")
    assert page.locator("tbody time").first.get_attribute("title") != newest
    page.get_by_role("link", name="Newest").click()
    page.wait_for_url(lambda url: "before=" not in url)


def test_who_may_not_see_single_requests_is_told_so(page: Page, watch: Watch, acme: Acme, sign_in: SignIn) -> None:
    sign_in(acme.people[Role.BILLING])
    watch.expected.add(403)
    answer = page.goto("/o/acme/requests/")
    assert answer is not None
    assert answer.status == 403

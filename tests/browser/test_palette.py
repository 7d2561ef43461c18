"""What is everywhere: the palette, by which any page is reached from the keyboard."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Page, expect

from accounts.models import User
from tests.browser.demonstration import Acme
from tests.browser.watch import Watch
from tests.factories import make_organization, make_user

SignIn = Callable[[User], None]


def test_the_palette_finds_a_page_by_keyboard(page: Page, watch: Watch, acme: Acme, sign_in: SignIn) -> None:
    owner = make_user(name="Grace")
    organization = make_organization(owner=owner)
    sign_in(owner)
    page.goto(f"/o/{organization.slug}/keys/")
    page.keyboard.press("Control+k")
    page.keyboard.type("members")
    expect(page.get_by_role("dialog").get_by_role("option").first).to_contain_text("Members")
    page.keyboard.press("Enter")
    page.wait_for_url("**/members/")


def test_what_is_typed_and_entered_at_once_leads_to_what_it_finds(
    page: Page, watch: Watch, acme: Acme, sign_in: SignIn
) -> None:
    owner = make_user(name="Grace")
    organization = make_organization(owner=owner)
    sign_in(owner)
    page.goto(f"/o/{organization.slug}/keys/")
    page.keyboard.press("Control+k")
    expect(page.get_by_role("dialog").get_by_role("option").first).to_be_visible()
    page.keyboard.type("audit", delay=0)
    page.keyboard.press("Enter")
    page.wait_for_url("**/audit-log/")

"""The life of a key, as people go through it: made, copied, rotated with an overlap, revoked, several at once."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest
from playwright.sync_api import BrowserContext, Page, expect

from accounts.models import ApiKey, Organization, User
from tests import live
from tests.browser.demonstration import Acme
from tests.browser.test_first_minute import looked_at
from tests.browser.watch import Watch
from tests.factories import make_key, make_organization, make_user

pytestmark = pytest.mark.usefixtures("valkey")
WITHIN = 8.0  # seconds until a process has forgotten a key: less than five, and a busy machine


@pytest.fixture
def organization(acme: Acme, sign_in: Callable[[User], None]) -> Organization:
    """A new one, whose owner looks."""
    owner = make_user(name="Alice")
    made = make_organization(owner=owner)
    sign_in(owner)
    return made


def works(site: live.Gateway, secret: str) -> bool:
    answer = httpx.get(f"{site.base_url}/models", headers={"authorization": f"Bearer {secret}"})
    assert answer.status_code in {200, 401}
    return answer.status_code == 200


def shown(page: Page) -> str:
    return page.get_by_role("group", name="Secret").locator("code").inner_text()


def create(page: Page, organization: Organization, name: str) -> str:
    page.goto(f"/o/{organization.slug}/keys/new/")
    page.get_by_label("Name").fill(name)
    page.get_by_role("button", name="Create key").click()
    return shown(page)


def test_the_secret_can_be_copied_and_works(
    page: Page, watch: Watch, context: BrowserContext, site: live.Gateway, organization: Organization
) -> None:
    context.grant_permissions(["clipboard-read", "clipboard-write"], origin=site.origin)
    secret = create(page, organization, "production")
    panel = page.get_by_role("group", name="Secret")
    panel.get_by_role("button", name="Copy").click()
    expect(panel.get_by_role("button")).to_have_text("Copied")
    assert page.evaluate("() => navigator.clipboard.readText()") == secret
    assert works(site, secret)


def test_limits_that_cannot_be_are_named_at_their_field(page: Page, watch: Watch, organization: Organization) -> None:
    page.goto(f"/o/{organization.slug}/keys/new/")
    page.get_by_label("Name").fill("production")
    page.get_by_text("Limits, budget and end").click()
    page.get_by_label("Addresses").fill("everywhere")
    page.get_by_role("button", name="Create key").click()
    expect(page.get_by_label("Addresses")).to_be_visible()
    expect(page.get_by_label("Addresses")).to_have_attribute("aria-invalid", "true")
    assert not ApiKey.objects.of(organization).exists()


def test_both_secrets_work_while_a_rotation_overlaps_until_the_earlier_is_ended(
    page: Page, watch: Watch, site: live.Gateway, organization: Organization, axe: str
) -> None:
    earlier = create(page, organization, "production")
    page.get_by_role("link", name="Go to the key").click()
    page.get_by_role("link", name="Rotate key").click()
    assert looked_at(page, axe) == []
    page.get_by_label("It works for another 24 hours").check()
    page.get_by_role("button", name="Rotate key").click()
    expect(page.get_by_role("heading", name="production has a new secret")).to_be_visible()
    newer = shown(page)
    assert newer != earlier
    assert works(site, earlier)
    assert works(site, newer)
    page.get_by_role("link", name="Go to the key").click()
    page.get_by_role("button", name="End now").click()
    live.wait_for(lambda: not works(site, earlier), seconds=WITHIN, what="the end of the earlier secret")
    assert works(site, newer)


def test_a_key_is_revoked_after_it_was_asked(
    page: Page, watch: Watch, site: live.Gateway, organization: Organization, axe: str
) -> None:
    secret = create(page, organization, "production")
    page.get_by_role("link", name="Go to the key").click()
    page.get_by_role("link", name="Revoke key").click()
    expect(page.get_by_text("This is for good")).to_be_visible()
    assert looked_at(page, axe) == []
    page.get_by_role("link", name="Cancel").click()
    assert works(site, secret)
    page.get_by_role("link", name="Revoke key").click()
    page.get_by_role("button", name="Revoke key").click()
    expect(page.get_by_text("is revoked. Calls with it are refused.")).to_be_visible()
    live.wait_for(lambda: not works(site, secret), seconds=WITHIN, what="the end of the key")


def test_several_keys_are_revoked_at_once_in_a_dialog_that_can_be_left(
    page: Page, watch: Watch, organization: Organization, axe: str
) -> None:
    for name in ("one", "two", "three"):
        make_key(organization, name=name)
    page.goto(f"/o/{organization.slug}/keys/")
    bar = page.get_by_role("button", name="Revoke 2 keys")
    page.get_by_label("Choose one").check()
    page.get_by_label("Choose two").check()
    bar.click()
    dialog = page.get_by_role("dialog", name="Revoke 2 keys?")
    expect(dialog).to_be_visible()
    assert looked_at(page, axe) == []
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    bar.click()
    dialog.get_by_role("button", name="Revoke 2 keys").click()
    expect(page.get_by_text("2 keys are revoked.")).to_be_visible()
    left = ApiKey.objects.of(organization).filter(revoked_at=None)
    assert [key.name for key in left] == ["three"]


def test_all_keys_of_a_page_are_chosen_by_one_box(page: Page, watch: Watch, organization: Organization) -> None:
    for name in ("one", "two"):
        make_key(organization, name=name)
    page.goto(f"/o/{organization.slug}/keys/")
    page.get_by_label("Choose all keys of this page").check()
    expect(page.get_by_role("button", name="Revoke 2 keys")).to_be_visible()
    page.get_by_label("Choose two").uncheck()
    expect(page.get_by_role("button", name="Revoke 1 key")).to_be_visible()


def test_a_filter_sends_itself_and_stands_in_the_address(page: Page, watch: Watch, organization: Organization) -> None:
    key, _ = make_key(organization, name="old")
    key.revoke()
    make_key(organization, name="new")
    page.goto(f"/o/{organization.slug}/keys/")
    page.get_by_label("Search").fill("new")
    page.get_by_label("Search").press("Enter")
    page.wait_for_url("**/keys/?*q=new*")
    expect(page.get_by_role("link", name="new", exact=True)).to_be_visible()
    expect(page.get_by_role("link", name="old", exact=True)).to_have_count(0)

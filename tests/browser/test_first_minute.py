"""From the front page to a call that was answered and paid, as somebody does it who has just heard of us."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from accounts.models import KeptMail, Organization, User
from accounts.roles import Role
from billing import rollups
from billing.models import UsageEvent
from tests import live
from tests.browser import demonstration, measures
from tests.browser.demonstration import Acme
from tests.browser.watch import Watch

NEW = "grace@navy.example"
CODE = re.compile(r"^[B-Z]{4}-[B-Z]{4}$", re.MULTILINE)
SECRET = re.compile(r"sk-2389-[0-9A-Za-z]{30,}")

pytestmark = pytest.mark.usefixtures("valkey", "acme")


def looked_at(page: Page, axe: str) -> list[str]:
    """What a page is asked that is met only on the way."""
    found = [line for theme in ("light", "dark") for line in measures.violations(page, axe, theme)]
    found += [*measures.bearings(page), *measures.overflows(page)]
    page.set_viewport_size({"width": 1440, "height": 900})
    return found


def mailed_code(address: str) -> str:
    mails = KeptMail.objects.filter(recipients__contains=address)
    live.wait_for(mails.exists, what="a mail")
    text = mails.latest("pk").text
    found = CODE.search(text)
    assert found, text
    return found.group()


def test_somebody_signs_up_makes_a_key_and_calls_with_it(page: Page, watch: Watch, axe: str) -> None:
    page.goto("/")
    page.get_by_role("link", name="Sign in").first.click()
    page.get_by_role("link", name="Sign up").click()
    page.get_by_label("E-mail address").fill(NEW)
    page.get_by_label("Password").fill(demonstration.PASSWORD)
    page.get_by_role("button", name="Sign up").click()

    expect(page.get_by_role("heading", name="Enter the code")).to_be_visible()
    assert looked_at(page, axe) == []
    page.get_by_label("Code").fill(mailed_code(NEW))
    page.get_by_role("button", name="Go on").click()

    expect(page.get_by_role("heading", name="Your first request")).to_be_visible()
    page.get_by_role("button", name="Create key").click()
    expect(page.get_by_text("Waiting for a request with this key")).to_be_visible()
    assert looked_at(page, axe) == []
    secret = page.get_by_role("group", name="Secret").locator("code").inner_text()
    assert SECRET.fullmatch(secret)
    page.get_by_role("tab", name="curl").click()
    line = page.get_by_role("tabpanel", name="curl").locator("code").inner_text()
    assert secret in line
    answered = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=True, timeout=30)
    assert '"chat.completion"' in answered.stdout

    expect(page.get_by_text("It worked.")).to_be_visible()
    made = Organization.objects.get(memberships__user__email=NEW)
    assert UsageEvent.objects.of(made).filter(status=200).count() == 1
    rollups.roll_up()
    page.get_by_role("navigation", name=made.name).get_by_role("link", name="Keys").click()
    page.get_by_role("link", name="First key").click()
    tile = page.locator(".tile").filter(has_text="Requests")
    expect(tile.locator(".tile-value")).to_have_text("1")


def test_a_secret_is_not_there_for_whoever_goes_back(
    page: Page, watch: Watch, acme: Acme, sign_in: Callable[[User], None]
) -> None:
    sign_in(acme.people[Role.OWNER])
    page.goto("/o/acme/keys/new/")
    page.get_by_label("Name").fill("shown once")
    page.get_by_role("button", name="Create key").click()
    secret = page.get_by_role("group", name="Secret").locator("code").inner_text()
    # What Chromium tells a page that is left and may be come back to; it keeps none that is not to be stored.
    page.evaluate("() => { dispatchEvent(new PageTransitionEvent('pagehide')); }")
    assert secret not in page.content()
    expect(page.get_by_text("The secret was shown once and is gone from this page.")).to_be_visible()


def test_a_code_that_is_wrong_is_said_at_its_field(page: Page, watch: Watch) -> None:
    page.goto("/sign-up/")
    page.get_by_label("E-mail address").fill("ada@navy.example")
    page.get_by_label("Password").fill(demonstration.PASSWORD)
    page.get_by_role("button", name="Sign up").click()
    page.get_by_label("Code").fill("BBBB-BBBB")
    page.get_by_role("button", name="Go on").click()
    expect(page.get_by_label("Code")).to_have_attribute("aria-invalid", "true")
    expect(page).to_have_title(re.compile("^Error: "))

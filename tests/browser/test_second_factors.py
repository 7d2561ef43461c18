"""Second factors: an app, recovery codes, and passkeys that Chromium keeps in a device of its own making."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from playwright.sync_api import BrowserContext, CDPSession, Page, expect

from accounts import email_addresses
from accounts.models import User
from tests.accounts.doorway import app_code, recovery_codes, with_app
from tests.browser.demonstration import PASSWORD, Acme
from tests.browser.test_first_minute import looked_at
from tests.browser.watch import Watch
from tests.factories import make_organization, make_user

pytestmark = pytest.mark.usefixtures("valkey")

STEP, MARGIN = 30, 5  # seconds that a code of an app is shown, and that a form may take
DEVICE = {
    "protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True,
    "isUserVerified": True, "automaticPresenceSimulation": True,
}  # fmt: skip


@pytest.fixture
def ada(acme: Acme) -> User:
    """Somebody with a password and an organisation."""
    user = make_user(name="Ada")
    user.set_password(PASSWORD)
    user.save()
    email_addresses.vouch_for(user)
    make_organization(owner=user)
    return user


@pytest.fixture
def device(context: BrowserContext, page: Page) -> Iterator[CDPSession]:
    """What asks for a finger, and gets it."""
    session = context.new_cdp_session(page)
    session.send("WebAuthn.enable")
    session.send("WebAuthn.addVirtualAuthenticator", {"options": DEVICE})
    yield session
    session.detach()


def with_password(page: Page, user: User) -> None:
    page.goto("/sign-in/")
    page.get_by_label("E-mail address").fill(user.email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.wait_for_url(lambda url: not url.endswith("/sign-in/"))


def confirm(page: Page) -> None:
    """What is asked before something that changes how one signs in."""
    expect(page.get_by_role("heading", name="Is it you?")).to_be_visible()
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Go on").click()


def sign_out(page: Page) -> None:
    page.goto("/sign-out/")
    page.locator("main").get_by_role("button", name="Sign out").click()
    page.wait_for_url(lambda url: "sign-out" not in url)


def shown_now(secret: str) -> str:
    """What the app shows, with time enough to send it."""
    left = STEP - time.time() % STEP
    if left < MARGIN:
        time.sleep(left)
    return app_code(datetime.now(UTC), secret)


def assert_signed_in(page: Page, user: User) -> None:
    page.wait_for_url(lambda url: "/sign-in/" not in url)
    page.goto("/account/")
    expect(page.get_by_role("heading", name="Your account")).to_be_visible()
    expect(page.locator("main").get_by_text(user.email)).to_be_visible()


def test_an_app_is_set_up_and_its_code_is_asked_for_from_then_on(page: Page, watch: Watch, ada: User, axe: str) -> None:
    with_password(page, ada)
    page.goto("/account/")
    page.get_by_role("link", name="Set up an authenticator app").click()
    confirm(page)
    expect(page.get_by_role("heading", name="Set up an authenticator app")).to_be_visible()
    assert looked_at(page, axe) == []
    secret = page.get_by_role("group", name="Secret").locator("code").inner_text()
    page.get_by_label("Code").fill("000000")
    page.get_by_role("button", name="Turn it on").click()
    expect(page.get_by_label("Code")).to_have_attribute("aria-invalid", "true")
    secret = page.get_by_role("group", name="Secret").locator("code").inner_text()
    page.get_by_label("Code").fill(shown_now(secret))
    page.get_by_role("button", name="Turn it on").click()
    codes = page.get_by_role("group", name="Recovery codes").locator("code").inner_text().split()
    assert len(codes) == 10
    assert looked_at(page, axe) == []

    sign_out(page)
    with_password(page, ada)
    expect(page.get_by_role("heading", name="Your second factor")).to_be_visible()
    assert looked_at(page, axe) == []
    page.goto("/account/")
    expect(page.get_by_role("heading", name="Your account")).to_have_count(0)
    with_password(page, ada)
    page.get_by_label("Code").fill(shown_now(secret))
    page.get_by_role("button", name="Sign in", exact=True).click()
    assert_signed_in(page, ada)

    sign_out(page)
    with_password(page, ada)
    page.get_by_label("Code").fill(codes[0])
    page.get_by_role("button", name="Sign in", exact=True).click()
    assert_signed_in(page, ada)
    expect(page.get_by_text("9 ")).not_to_have_count(0)


def test_a_recovery_code_works_once(page: Page, watch: Watch, ada: User) -> None:
    with_app(ada)
    code = recovery_codes(ada)[0]
    with_password(page, ada)
    page.get_by_label("Code").fill(code)
    page.get_by_role("button", name="Sign in", exact=True).click()
    assert_signed_in(page, ada)
    sign_out(page)
    with_password(page, ada)
    page.get_by_label("Code").fill(code)
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_label("Code")).to_have_attribute("aria-invalid", "true")


def test_a_passkey_is_added_and_signs_in_by_itself(
    page: Page, watch: Watch, ada: User, device: CDPSession, axe: str
) -> None:
    with_password(page, ada)
    page.goto("/account/")
    page.get_by_role("link", name="Add a passkey").click()
    confirm(page)
    expect(page.get_by_role("heading", name="Add a passkey")).to_be_visible()
    assert looked_at(page, axe) == []
    page.get_by_label("Name").fill("This laptop")
    page.get_by_role("button", name="Add passkey").click()
    page.wait_for_url(lambda url: "passkeys/add" not in url)
    page.goto("/account/")
    expect(page.get_by_text("This laptop").first).to_be_visible()
    expect(page.get_by_text("Instead of the password")).to_be_visible()

    sign_out(page)
    page.goto("/sign-in/")
    page.get_by_role("button", name="Sign in with a passkey").click()
    page.wait_for_url(lambda url: "sign-in" not in url)
    assert_signed_in(page, ada)


def test_a_passkey_beside_the_password_is_asked_for_after_it(
    page: Page, watch: Watch, ada: User, device: CDPSession
) -> None:
    with_password(page, ada)
    page.goto("/account/passkeys/add/")
    confirm(page)
    page.get_by_label("Name").fill("Security key")
    page.get_by_label("Use it instead of the password").uncheck()
    page.get_by_role("button", name="Add passkey").click()
    page.wait_for_url(lambda url: "passkeys/add" not in url)

    sign_out(page)
    with_password(page, ada)
    page.get_by_role("button", name="Use a passkey").click()
    page.wait_for_url(lambda url: "sign-in" not in url)
    assert_signed_in(page, ada)


def test_without_the_device_nobody_is_in_and_the_page_says_why(
    page: Page, watch: Watch, ada: User, device: CDPSession
) -> None:
    page.goto("/sign-in/")
    page.get_by_role("button", name="Sign in with a passkey").click()
    expect(page.locator("form[data-passkey] [role=alert]")).to_contain_text("No passkey was chosen.")

"""The playground: an answer that grows, its cost, the same in code, and two models beside one another."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Page, expect

from accounts.models import User
from accounts.roles import Role
from billing.models import UsageEvent
from tests import live
from tests.browser.demonstration import Acme
from tests.browser.watch import Watch

SignIn = Callable[[User], None]
ECHO, SLOW = "sandbox/echo", "sandbox/slow"


def choose(page: Page, label: str, model: str) -> None:
    field = page.get_by_role("combobox", name=label, exact=True)
    field.click()
    field.fill(model)
    field.press("Enter")
    expect(field).to_have_value(model)


def test_an_answer_comes_as_a_stream_and_is_a_request_like_any_other(
    page: Page, watch: Watch, acme: Acme, sign_in: SignIn
) -> None:
    sign_in(acme.people[Role.DEVELOPER])
    mine = UsageEvent.objects.of(acme.organization).filter(model=ECHO)
    before = mine.count()
    page.goto("/o/acme/playground/")
    choose(page, "Model", ECHO)
    page.get_by_label("Message", exact=True).fill("How do you do?")
    page.get_by_role("button", name="Send", exact=True).click()
    answer = page.get_by_role("region", name=f"Answer of {ECHO}")
    expect(answer).to_contain_text("How do you do?")
    expect(answer.get_by_role("button", name="Run again")).to_be_visible()
    live.wait_for(lambda: mine.count() == before + 1, what="the request's row")
    assert mine.latest("request_id").stream


def test_an_answer_can_be_stopped(page: Page, watch: Watch, acme: Acme, sign_in: SignIn) -> None:
    sign_in(acme.people[Role.DEVELOPER])
    page.goto("/o/acme/playground/")
    choose(page, "Model", SLOW)
    page.get_by_label("Message", exact=True).fill("word " * 200)
    page.get_by_role("button", name="Send", exact=True).click()
    page.get_by_role("button", name="Stop", exact=True).click()
    expect(page.get_by_role("button", name="Stop", exact=True)).to_be_hidden()
    expect(page.get_by_role("button", name="Send", exact=True)).to_be_visible()


def test_two_models_answer_side_by_side(page: Page, watch: Watch, acme: Acme, sign_in: SignIn) -> None:
    sign_in(acme.people[Role.DEVELOPER])
    page.goto("/o/acme/playground/")
    choose(page, "Model", ECHO)
    page.get_by_role("button", name="Compare").click()
    choose(page, "Second model", "sandbox/length")
    page.get_by_label("Message", exact=True).fill("Compare this")
    page.get_by_role("button", name="Send", exact=True).click()
    for model in (ECHO, "sandbox/length"):
        expect(page.get_by_role("region", name=f"Answer of {model}")).to_be_visible()
    expect(page.get_by_role("button", name="Run both again")).to_be_visible()


def test_the_same_request_is_shown_in_code(page: Page, watch: Watch, acme: Acme, sign_in: SignIn) -> None:
    sign_in(acme.people[Role.DEVELOPER])
    page.goto("/o/acme/playground/")
    choose(page, "Model", ECHO)
    page.get_by_label("Message", exact=True).fill("In code")
    page.get_by_role("button", name="View code").click()
    dialog = page.get_by_role("dialog", name="The same request in code")
    expect(dialog).to_contain_text(ECHO)
    expect(dialog).to_contain_text("curl")
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()

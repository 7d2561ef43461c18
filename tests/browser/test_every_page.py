"""Every page there is, in both themes and at all widths: axe finds nothing serious, nothing moves or sticks out, the
keyboard gets everywhere, and nobody else is asked for anything."""

from __future__ import annotations

import pytest
from playwright.sync_api import BrowserContext, Page, Response

from tests import live
from tests.browser import measures
from tests.browser.demonstration import Acme
from tests.browser.places import ADMIN, Place, places
from tests.browser.session import answers_with_a_page, enter
from tests.browser.watch import Watch

PLACES = [pytest.param(place, id=str(place)) for place in places()]


def look(page: Page, axe: str, responses: list[Response], *, ours: bool = True) -> list[str]:
    wrong: list[str] = []
    weight = measures.weight(responses)
    if ours:
        wrong += measures.shifts(page) + measures.bearings(page)
        if weight > measures.MOST_BYTES:
            wrong.append(f"weighs {weight / 1024:.0f} KB")
        wrong += measures.stops(page)
        wrong += [line for theme in ("light", "dark") for line in measures.violations(page, axe, theme)]
    return wrong + list(measures.overflows(page))


@pytest.mark.parametrize("place", PLACES)
def test_a_page_is_as_it_must_be(
    place: Place,
    site: live.Gateway,
    acme: Acme,
    context: BrowserContext,
    page: Page,
    watch: Watch,
    axe: str,
) -> None:
    enter(context, site.origin, place.person(acme))
    url = place.url(acme)
    if not answers_with_a_page(context, site.origin, url, place.status):
        return
    watch.expected.add(place.status)
    responses: list[Response] = []
    page.on("response", lambda response: responses.append(response))
    page.goto(url, wait_until="networkidle")
    assert look(page, axe, responses, ours=place.address not in ADMIN) == []


def test_most_of_it_is_pages() -> None:
    """The test above lets pass what is no page: not so much that it looks at nothing."""
    names = {str(place.values[0]) for place in PLACES}
    assert names >= {
        "gateway:home", "gateway:docs", "gateway:docs-page-quickstart", "gateway:keys", "gateway:keys-key",
        "billing:organization", "accounts:members", "accounts:audit-log", "accounts:settings", "accounts:account",
        "accounts:sign-in", "accounts:sign-up", "accounts:design", "accounts:outbox-mail", "mfa_activate_totp",
        "/admin/",
    }  # fmt: skip

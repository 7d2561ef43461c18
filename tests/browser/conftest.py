"""One gateway with a month of data, one browser, and a window of its own for each test.

The browser lives as long as the tests of this folder run: Playwright's loop stands in the thread meanwhile, where
Django then sees an asynchronous caller, and tests of other folders could run none of their own.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright
from pytest_django import DjangoDbBlocker

from accounts.models import User
from config.stack import chromium
from tests import live
from tests.browser import demonstration, measures
from tests.browser.demonstration import Acme
from tests.browser.session import enter
from tests.browser.watch import Watch

MISSING = f"NOT TESTED: there is no Chromium, so no page was looked at. {chromium.HOW_TO_GET_IT}"
WIDE = {"width": 1440, "height": 900}
PATIENCE = 15_000


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whoever uses the browser is marked: it takes seconds, and may not be there."""
    for item in items:
        if "browser" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.browser)
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def demonstrated(empty_database: str, django_db_blocker: DjangoDbBlocker) -> Iterator[tuple[str, Acme]]:
    with live.database(f"{empty_database}_browser", template=empty_database) as name:
        with django_db_blocker.unblock(), live.connected_to(name):
            acme = demonstration.make(a_day=20)
        yield name, acme


@pytest.fixture(scope="session")
def site(demonstrated: tuple[str, Acme], tmp_path_factory: pytest.TempPathFactory) -> Iterator[live.Gateway]:
    """Addressed by a name, because browsers keep passkeys for names."""
    log, port = tmp_path_factory.mktemp("browser") / "gateway.log", live.free_port()
    named = f"http://localhost:{port}"
    with live.serving(
        database=demonstrated[0], log=log, port=port, PUBLIC_URL=named, SIGN_UP_OPEN="everybody", TRUSTED_PROXIES=""
    ) as gateway:
        gateway.origin = named
        yield gateway


@pytest.fixture
def acme(demonstrated: tuple[str, Acme], django_db_blocker: DjangoDbBlocker) -> Iterator[Acme]:
    """The organisation that has everything. Rows are read and written where the gateway reads them."""
    name, made = demonstrated
    with django_db_blocker.unblock(), live.connected_to(name):
        yield made


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    program = chromium.find(os.environ)
    if program is None:
        pytest.skip(MISSING)
    allowed = pytest.MonkeyPatch()
    allowed.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
    try:
        with sync_playwright() as playwright:
            arguments = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
            launched = playwright.chromium.launch(executable_path=program, args=arguments)
            yield launched
            launched.close()
    finally:
        allowed.undo()


@pytest.fixture(scope="session")
def axe() -> str:
    return measures.axe_source()


@pytest.fixture
def context(browser: Browser, site: live.Gateway) -> Iterator[BrowserContext]:
    made = browser.new_context(base_url=site.origin, viewport=WIDE, reduced_motion="reduce")  # type: ignore[arg-type]
    made.set_default_timeout(PATIENCE)
    made.add_init_script(measures.LISTEN)
    yield made
    made.close()


@pytest.fixture
def page(context: BrowserContext) -> Page:
    return context.new_page()


@pytest.fixture
def watch(page: Page, site: live.Gateway) -> Iterator[Watch]:
    """Looks over the page's shoulder to the end of the test."""
    watching = Watch(page, site.origin)
    yield watching
    watching.assert_clean()


@pytest.fixture
def sign_in(context: BrowserContext, site: live.Gateway, acme: Acme) -> Callable[[User], None]:
    """Without the form, which has tests of its own."""

    return lambda user: enter(context, site.origin, user)

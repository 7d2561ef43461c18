"""Charts of what was used: drawn, told in a table too, and given as a file that says exactly what is shown."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

from playwright.sync_api import Page, expect

from accounts.models import User
from accounts.roles import Role
from tests.browser.demonstration import Acme
from tests.browser.watch import Watch

SignIn = Callable[[User], None]
MONTH = "/o/acme/usage/?range=30d"


def test_the_overview_says_what_was_spent_and_draws_it(page: Page, watch: Watch, acme: Acme, sign_in: SignIn) -> None:
    sign_in(acme.people[Role.VIEWER])
    page.goto("/o/acme/")
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()
    expect(page.locator(".chart-box canvas").first).to_be_visible()


def test_a_chart_is_drawn_and_its_table_has_the_same(page: Page, watch: Watch, acme: Acme, sign_in: SignIn) -> None:
    sign_in(acme.people[Role.VIEWER])
    page.goto(MONTH)
    expect(page.locator(".chart-box canvas").first).to_be_visible()
    legend = page.get_by_role("list", name="What is drawn").get_by_role("button")
    assert legend.count() > 1
    page.get_by_text("Table", exact=True).click()
    table = page.locator(".chart-table table")
    expect(table).to_be_visible()
    heads = table.locator("thead th").all_inner_texts()
    for name in legend.all_inner_texts():
        assert name in heads


def test_a_series_is_hidden_and_shown_by_its_name(page: Page, watch: Watch, acme: Acme, sign_in: SignIn) -> None:
    sign_in(acme.people[Role.VIEWER])
    page.goto(MONTH)
    first = page.get_by_role("list", name="What is drawn").get_by_role("button").first
    first.click()
    expect(first).to_have_attribute("aria-pressed", "false")
    first.press("Enter")
    expect(first).to_have_attribute("aria-pressed", "true")


def test_the_file_has_what_the_table_has(page: Page, watch: Watch, acme: Acme, sign_in: SignIn, tmp_path: Path) -> None:
    sign_in(acme.people[Role.VIEWER])
    page.goto(MONTH)
    with page.expect_download() as started:
        page.get_by_role("link", name="CSV").click()
    started.value.save_as(tmp_path / "usage.csv")
    rows = list(csv.reader(io.StringIO((tmp_path / "usage.csv").read_text(encoding="utf-8-sig"))))
    page.get_by_text("Table", exact=True).click()
    assert len(rows) > 2
    sums = [cell for row in rows[1:] for cell in row if cell.replace(".", "", 1).isdigit()]
    assert sum(map(Decimal, sums)) > 0


def test_a_choice_of_what_is_shown_stands_in_the_address(page: Page, watch: Watch, acme: Acme, sign_in: SignIn) -> None:
    sign_in(acme.people[Role.VIEWER])
    page.goto(MONTH)
    page.get_by_label("Split by").select_option(label="Key")
    page.wait_for_url("**/usage/?*group=*")
    expect(page.get_by_role("list", name="What is drawn")).to_contain_text("support-production")
    page.go_back()
    page.wait_for_url(lambda url: "group=" not in url)

"""Audits, blocks and statements say on their pages whether all is well, and are only looked at."""

from __future__ import annotations

import pytest
from django.db import connection
from django.db.models import Model as Row
from django.test import Client
from pytest_django import Settings

from tests.admin.pages import change_url, html, make_audit

pytestmark = pytest.mark.django_db

PAGES = ["billing/auditrun", "billing/block", "billing/statement"]


@pytest.mark.parametrize("page", PAGES)
def test_nobody_adds_or_changes_one(staff: Client, rows: dict[str, Row], page: str) -> None:
    assert staff.get(f"/admin/{page}/add/").status_code == 403
    assert staff.post(change_url(page, rows), {"full": "on"}).status_code == 403


def test_the_list_of_audits_tells_at_once_which_found_something(staff: Client) -> None:
    make_audit()
    page = html(staff, "/admin/billing/auditrun/")
    assert "balanced" in page
    found = make_audit("the wallet holds <b>2</b>")
    assert ">differences<" in "".join(html(staff, "/admin/billing/auditrun/").split())
    detail = html(staff, f"/admin/billing/auditrun/{found.pk}/change/")
    assert "wallet_held: organisation 7: the wallet holds &lt;b&gt;2&lt;/b&gt;" in detail


def test_a_block_is_held_against_the_ledger_of_this_moment(staff: Client, rows: dict[str, Row]) -> None:
    assert "intact" in html(staff, change_url("billing/block", rows))
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute("UPDATE billing_transfer SET amount_nano = 1")
        cursor.execute("SET LOCAL session_replication_role = origin")
    page = html(staff, change_url("billing/block", rows))
    assert "altered" in page
    assert "intact" not in page


def test_a_statement_is_verified_as_customers_would(staff: Client, rows: dict[str, Row], settings: Settings) -> None:
    page = html(staff, change_url("billing/statement", rows))
    assert "The signature is that of key" in page
    assert "unsound" not in page
    settings.SIGNING_KEYS = ""
    page = html(staff, change_url("billing/statement", rows))
    assert "unsound" in page
    assert "which is not among the keys" in page

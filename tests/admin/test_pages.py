"""Every page opens for staff and for nobody else, and no page shows a secret."""

from __future__ import annotations

import pytest
from django.db import connection
from django.db.models import Model as Row
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.models import ApiKey, User
from gateway.models import Provider, Webhook
from tests.admin.pages import EDITABLE, PAGES, STORED, UPSTREAM, change_url, html, make_usage
from tests.factories import make_key, make_model, make_provider, make_route, make_user

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("page", PAGES)
def test_lists_and_rows_open_for_staff(staff: Client, rows: dict[str, Row], page: str) -> None:
    assert "/admin/" in html(staff, f"/admin/{page}/")
    html(staff, change_url(page, rows))
    html(staff, f"/admin/{page}/?q=a")


@pytest.mark.parametrize("page", EDITABLE)
def test_add_pages_open_for_staff(staff: Client, page: str) -> None:
    html(staff, f"/admin/{page}/add/")


def test_the_front_page_names_every_page_once_at_the_side(staff: Client) -> None:
    front = html(staff, "/admin/")
    for group in ("Customers", "Registry", "Money and usage", "Telling", "Access"):
        assert group in front
    for page in PAGES:
        assert f'href="/admin/{page}/"' in front


@pytest.mark.parametrize("page", PAGES)
def test_a_stranger_and_a_customer_are_sent_to_sign_in(client: Client, charlie: User, page: str) -> None:
    assert client.get(f"/admin/{page}/").status_code == 302
    client.force_login(charlie)
    response = client.get(f"/admin/{page}/")
    assert response.status_code == 302
    assert response["location"].startswith("/admin/login/")


@pytest.mark.parametrize("page", PAGES)
def test_staff_without_a_right_see_nothing_of_it(client: Client, rows: dict[str, Row], page: str) -> None:
    client.force_login(make_user("helper@example.com", is_staff=True))
    assert client.get(f"/admin/{page}/").status_code == 403
    assert client.get(change_url(page, rows)).status_code == 403
    assert f'href="/admin/{page}/"' not in html(client, "/admin/")


@pytest.mark.parametrize("page", ["accounts/apikey", "billing/usageevent", "gateway/model", "gateway/provider"])
def test_a_longer_list_takes_no_more_queries(staff: Client, rows: dict[str, Row], page: str) -> None:
    staff.get(f"/admin/{page}/")  # content types are remembered from here on
    with CaptureQueriesContext(
        connection,
    ) as few:
        html(staff, f"/admin/{page}/")
    for _ in range(5):
        key, _secret = make_key()
        make_usage(key)
        make_route(make_model(successor=make_model()), make_provider())
    with CaptureQueriesContext(connection) as many:
        html(staff, f"/admin/{page}/")
    assert len(many) == len(few)


def test_no_page_shows_a_secret_a_digest_or_a_ciphertext(
    staff: Client, rows: dict[str, Row], key: ApiKey, secret: str
) -> None:
    provider = Provider.objects.get()
    digest = bytes(key.secrets.get().digest)
    hidden = [secret, digest.hex(), repr(digest), UPSTREAM, STORED, provider.credential]
    webhook = Webhook.objects.get()
    hidden += [webhook.secret, webhook.open_secret()]
    urls = ["/admin/", *(f"/admin/{page}/" for page in PAGES), *(change_url(page, rows) for page in PAGES)]
    for url in [*urls, *(f"{change_url(page, rows).removesuffix('change/')}history/" for page in PAGES)]:
        page = html(staff, url)
        assert [text for text in hidden if text in page] == [], url
    assert key.hint in html(staff, "/admin/accounts/apikey/")


def test_a_password_hash_is_not_shown(staff: Client, root: User) -> None:
    root.set_password("a long enough password")
    root.save()
    staff.force_login(root)
    page = html(staff, f"/admin/accounts/user/{root.pk}/change/")
    assert root.password not in page

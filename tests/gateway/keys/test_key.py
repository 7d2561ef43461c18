"""One key: its page, settings, secrets and end, as Alice (owner), Bob (developer) and Charlie (a stranger)."""

from __future__ import annotations

import re
import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from accounts import keys
from accounts.models import ApiKey, AuditEvent, Organization, User
from billing.models import Budget, UsageHour
from tests.factories import make_key
from tests.gateway.keys.pages import DOLLAR, LIST, create, fields, path, spend, text

pytestmark = pytest.mark.django_db


# One key


def test_the_page_of_a_key_says_what_it_did_and_may_do(owner: Client, key: ApiKey) -> None:
    spend(key, 2 * DOLLAR)
    key.models_allowed, key.address_ranges, key.parallel_streams = ["claude-*"], ["10.0.0.0/8"], 4
    key.save()
    page = text(owner.get(path(key)))
    for told in (
        "$2.00", "Requests 3 1 of them failed", "Tokens in 2,000", "Tokens out 25", "claude-*", "10.0.0.0/8",
        "Streams at once 4", "Bob: it stops when they leave", "It has no budget of its own",
    ):  # fmt: skip
        assert told in page, told


def test_who_sees_the_audit_log_sees_the_keys_history(owner: Client, developer: Client, key: ApiKey) -> None:
    owner.post(path(key, "edit/"), {**fields(owner.get(path(key, "edit/"))), "name": "renamed"})
    page = text(owner.get(path(key)))
    assert "Changed the key alice@acme.example" in page
    assert "production → renamed" in page
    assert "History" not in text(developer.get(path(key)))


def test_a_key_is_changed_as_the_form_says(owner: Client, key: ApiKey) -> None:
    before = fields(owner.get(path(key, "edit/")))
    response = owner.post(
        path(key, "edit/"), {**before, "tokens_per_minute": 500, "address_ranges": "10.0.0.1", "budget": "3"},
        follow=True,
    )  # fmt: skip
    assert "The key production is as you set it" in text(response)
    key.refresh_from_db()
    assert (key.tokens_per_minute, key.address_ranges, key.scopes) == (500, ["10.0.0.1/32"], ["chat", "embeddings"])
    assert Budget.objects.get().limit_nano == 3 * DOLLAR
    again = fields(owner.get(path(key, "edit/")))
    assert (again["budget"], again["address_ranges"]) == ("3.00", "10.0.0.1/32")
    events = AuditEvent.objects.count()
    owner.post(path(key, "edit/"), again)
    assert AuditEvent.objects.count() == events  # nothing was changed


def test_a_budget_is_changed_replaced_and_taken_away(owner: Client, key: ApiKey) -> None:
    def change(**given: Any) -> list[tuple[int, str, bool]]:
        owner.post(path(key, "edit/"), {**fields(owner.get(path(key, "edit/"))), **given})
        return list(Budget.objects.order_by("pk").values_list("limit_nano", "period", "enabled"))

    assert change(budget="3") == [(3 * DOLLAR, "month", True)]
    assert change(budget="4") == [(4 * DOLLAR, "month", True)]
    assert change(budget="4", period="day") == [(4 * DOLLAR, "month", False), (4 * DOLLAR, "day", True)]
    assert change(budget="") == [(4 * DOLLAR, "month", False), (4 * DOLLAR, "day", False)]


def test_an_expiry_is_kept_to_the_second_when_it_is_not_touched(owner: Client, key: ApiKey) -> None:
    at = timezone.now().replace(microsecond=0) + timedelta(days=3, seconds=7)
    ApiKey.objects.filter(pk=key.pk).update(expires_at=at)
    page = owner.get(path(key, "edit/"))
    shown = re.search(r'name="expires_at" value="([^"]+)"', page.content.decode())
    assert shown is not None
    owner.post(path(key, "edit/"), {**fields(page), "expires_at": shown[1]})
    key.refresh_from_db()
    assert key.expires_at == at


def test_a_key_is_handed_over_to_a_service_account_by_those_who_manage(
    owner: Client, developer: Client, key: ApiKey
) -> None:
    assert "hand_over" not in developer.get(path(key, "edit/")).context["form"].fields
    owner.post(path(key, "edit/"), {**fields(owner.get(path(key, "edit/"))), "hand_over": "on"})
    key.refresh_from_db()
    assert (key.owner, key.service_account) == (None, True)
    assert "hand_over" not in owner.get(path(key, "edit/")).context["form"].fields
    assert developer.get(path(key, "edit/")).status_code == 403  # it is not theirs any more


def test_scopes_that_one_may_not_give_are_not_lost(developer: Client, key: ApiKey) -> None:
    ApiKey.objects.filter(pk=key.pk).update(scopes=["chat", "administration"])
    developer.post(path(key, "edit/"), {**fields(developer.get(path(key, "edit/"))), "scopes": ["usage"]})
    key.refresh_from_db()
    assert key.scopes == ["usage", "administration"]


@pytest.mark.parametrize("what", ["edit/", "rotate/", "revoke/", "secrets/1/end/"])
def test_developers_change_their_own_keys_alone(
    developer: Client, organization: Organization, key: ApiKey, what: str
) -> None:
    others, _ = make_key(organization)
    method = developer.post if "secrets" in what else developer.get
    assert method(path(key, what)).status_code in {200, 302}
    for refused in (developer.post(path(others, what)), method(path(others, what))):
        assert refused.status_code == 403
    others.refresh_from_db()
    assert (others.status, others.secrets.count()) == ("active", 1)


@pytest.mark.parametrize("what", ["", "edit/", "rotate/", "revoke/"])
def test_a_stranger_finds_no_key(charlie: User, key: ApiKey, what: str) -> None:
    client = Client()
    client.force_login(charlie)
    assert client.get(path(key, what)).status_code == 404
    assert client.get(f"/o/stranger/keys/{key.pk}/{what}").status_code == 404
    assert client.post(f"/o/stranger/keys/{key.pk}/revoke/").status_code == 404
    assert client.post("/o/stranger/keys/revoke/", {"key": key.pk}).status_code == 302  # to a list without it
    key.refresh_from_db()
    assert key.status == "active"
    assert "production" not in text(client.get("/o/stranger/keys/?status=all"))


# Its secrets and its end


def test_a_rotation_shows_the_new_secret_once_and_keeps_the_earlier_one_for_a_while(
    owner: Client, key: ApiKey, secret: str
) -> None:
    sent = {**fields(owner.get(path(key, "rotate/"))), "hours": 24}
    response = owner.post(path(key, "rotate/"), sent)
    (new,) = set(keys.PATTERN.findall(response.content.decode()))
    assert new != secret
    assert "no-store" in response.headers["cache-control"]
    assert f"The earlier secret {key.hint} works until" in text(response)
    page = text(owner.get(path(key)))
    assert f"sk-2389-{secret[8:12]}…{secret[-4:]}" in page
    assert f"sk-2389-{new[8:12]}…{new[-4:]}" in page
    again = owner.post(path(key, "rotate/"), sent, follow=True)  # the page is reloaded
    assert "was rotated a moment ago" in text(again)
    assert key.secrets.count() == 2


def test_an_earlier_secret_is_ended_from_the_keys_page(owner: Client, key: ApiKey) -> None:
    earlier = key.secrets.get()
    owner.post(path(key, "rotate/"), {"seen": earlier.pk, "hours": 168})
    assert "End now" in text(owner.get(path(key)))
    response = owner.post(path(key, f"secrets/{earlier.pk}/end/"), follow=True)
    assert "The earlier secret has ended" in text(response)
    assert "End now" not in text(response)
    newest = key.secrets.get(ends_at=None)
    assert "the only one that would be left" in text(owner.post(path(key, f"secrets/{newest.pk}/end/"), follow=True))


@pytest.mark.parametrize("hours", ["2", "", "-1", "x"])
def test_a_rotation_takes_only_the_overlaps_that_there_are(owner: Client, key: ApiKey, hours: str) -> None:
    owner.post(path(key, "rotate/"), {"seen": key.secrets.get().pk, "hours": hours})
    assert key.secrets.count() == 1


def test_whoever_revokes_is_told_what_stops(owner: Client, key: ApiKey) -> None:
    hour = timezone.now().replace(minute=0, second=0, microsecond=0)
    for ago, requests in ((0, 1200), (23, 34), (24, 5)):
        UsageHour.objects.create(
            organization=key.organization, hour=hour - timedelta(hours=ago), api_key_id=key.pk, requests=requests
        )
    page = text(owner.get(path(key, "revoke/")))
    assert "Every call with this key is refused with 401, at once." in page
    assert "1,234 requests in the last 24 hours" in page
    assert "is revoked. Calls with it are refused." in text(owner.post(path(key, "revoke/"), follow=True))
    key.refresh_from_db()
    assert key.status == "revoked"
    for what in ("edit/", "rotate/", "revoke/"):
        assert "there is nothing left to change" in text(owner.get(path(key, what), follow=True))
    assert "is revoked" not in text(owner.post(path(key, "revoke/"), follow=True))


def test_several_keys_are_revoked_at_once(owner: Client, several: dict[str, ApiKey]) -> None:
    chosen = {"key": [several[name].pk for name in ("bobs", "side", "revoked")]}
    page = owner.get(f"{LIST}revoke/", chosen)
    assert "Revoke 2 keys?" in text(page)
    assert several["revoked"].hint not in text(page)
    part = owner.get(f"{LIST}revoke/", chosen, headers={"hx-request": "true"})
    assert "Revoke 2 keys?" in text(part)
    assert "<html" not in part.content.decode()
    assert not ApiKey.objects.filter(pk=several["bobs"].pk).exclude(revoked_at=None).exists()  # looking ends nothing
    assert "2 keys are revoked." in text(owner.post(f"{LIST}revoke/", chosen, follow=True))
    assert set(ApiKey.objects.exclude(revoked_at=None)) == {several[name] for name in ("bobs", "side", "revoked")}


def test_of_several_keys_a_developer_revokes_own_ones_or_none(developer: Client, several: dict[str, ApiKey]) -> None:
    both = {"key": [several["bobs"].pk, several["side"].pk]}
    assert developer.post(f"{LIST}revoke/", both).status_code == 403
    assert set(ApiKey.objects.exclude(revoked_at=None)) == {several["revoked"]}
    developer.post(f"{LIST}revoke/", {"key": several["bobs"].pk})
    assert set(ApiKey.objects.exclude(revoked_at=None)) == {several["revoked"], several["bobs"]}
    boxes = re.findall(r'name="key" value="(\d+)"', developer.get(f"{LIST}?status=all").content.decode())
    assert boxes == []


@pytest.mark.parametrize("given", [[], ["x"], ["-1"], ["9" * 30], [str(2**40)]])
def test_when_nothing_is_chosen_nothing_ends(owner: Client, key: ApiKey, given: list[str]) -> None:
    for response in (
        owner.get(f"{LIST}revoke/", {"key": given}, follow=True),
        owner.post(f"{LIST}revoke/", {"key": given}, follow=True),
    ):
        assert "No key was chosen" in text(response)
    key.refresh_from_db()
    assert key.status == "active"


def test_a_key_is_made_with_a_form_of_ones_own_alone(owner: Client) -> None:
    create(owner, form="no form")
    assert not ApiKey.objects.exists()
    create(owner, form=str(uuid.uuid4()))
    assert ApiKey.objects.count() == 1

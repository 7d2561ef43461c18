"""Members: their list, their roles, their going, and the keys that go with them."""

from __future__ import annotations

import html
import re
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
import redis
from django.core.exceptions import PermissionDenied
from django.db import connection
from django.http import Http404, HttpRequest
from django.test import Client, RequestFactory
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, DjangoCaptureOnCommitCallbacks

from accounts import keys, members, roles
from accounts.members import MembershipError
from accounts.models import ApiKey, AuditEvent, Membership, Organization, SecretUse, User
from accounts.roles import Role
from tests.factories import make_key, make_organization, make_user

pytestmark = pytest.mark.django_db


def request_of(user: User) -> HttpRequest:
    request = RequestFactory().post("/", REMOTE_ADDR="203.0.113.7")
    request.user = user
    return request


def place(organization: Organization, user: User) -> Membership:
    found: Membership = Membership.objects.get(organization=organization, user=user)
    return found


def words(client: Client, path: str) -> str:
    page = client.get(path).content.decode()
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", page)))


@pytest.fixture
def owner(client: Client, alice: User, organization: Organization) -> Client:
    client.force_login(alice)
    return client


# -- the list ---------------------------------------------------------------------------------------


def test_the_list_names_everybody_with_role_and_working_keys(
    owner: Client, organization: Organization, bob: User
) -> None:
    for _ in range(2):
        make_key(organization, owner=bob)
    make_key(organization, owner=bob)[0].revoke()
    make_key(make_organization(owner=bob), owner=bob)
    page = words(owner, "/o/acme/members/")
    assert re.search(r"Bob bob@acme\.example Developer just now never 2 ", page)
    assert re.search(r"Alice you alice@acme\.example Owner just now just now 0 ", page)


def test_last_active_is_the_later_of_a_page_and_a_call_here(organization: Organization, alice: User, bob: User) -> None:
    at = datetime(2026, 11, 20, 12, tzinfo=UTC)
    Membership.objects.filter(user=bob).update(last_active_at=at)
    for key, called in ((make_key(organization, owner=bob)[0], at + timedelta(hours=1)),
                        (make_key(make_organization(owner=bob), owner=bob)[0], at + timedelta(hours=2))):  # fmt: skip
        SecretUse.objects.create(secret=key.secrets.get(), last_used_at=called)
    seen = {member.user: member.seen_at for member in members.listed(organization)}  # type: ignore[attr-defined]
    assert seen == {alice: None, bob: at + timedelta(hours=1)}


def test_looking_at_pages_is_noted_every_five_minutes_at_most(
    owner: Client, organization: Organization, alice: User
) -> None:
    recent = timezone.now() - timedelta(minutes=4)
    for before, moved in ((None, True), (recent, False), (recent - timedelta(minutes=2), True)):
        Membership.objects.filter(user=alice).update(last_active_at=before)
        owner.get("/o/acme/members/")
        assert (place(organization, alice).last_active_at != before) is moved


def test_more_members_cost_no_more_queries(
    owner: Client, organization: Organization, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(20):
        Membership.objects.create(organization=organization, user=make_user(), role=Role.VIEWER)
    owner.get("/o/acme/members/")
    with django_assert_max_num_queries(8):
        owner.get("/o/acme/members/")


def test_the_matrix_that_is_printed_is_the_table_that_is_asked(owner: Client) -> None:
    page = owner.get("/o/acme/members/").content.decode()
    rows = re.findall(r'<tr><th scope="row">(.*?)</th>(.*?)</tr>', page)
    printed = [(html.unescape(what), re.findall(r">(yes|no)<", cells)) for what, cells in rows]
    assert printed == [(what, ["yes" if one else "no" for one in allowed]) for what, allowed in roles.matrix()]


def test_what_people_call_themselves_is_text(owner: Client, bob: User) -> None:
    User.objects.filter(pk=bob.pk).update(name="<script>alert(1)</script>")
    assert "<script>alert" not in owner.get("/o/acme/members/").content.decode()


# -- roles ------------------------------------------------------------------------------------------


def test_a_role_is_changed_and_written_down(owner: Client, organization: Organization, bob: User) -> None:
    member = place(organization, bob)
    assert owner.post(f"/o/acme/members/{member.pk}/", {"role": "billing"}).status_code == 302
    assert place(organization, bob).role == "billing"
    event = AuditEvent.objects.get()
    assert (event.action, event.target_label) == ("member.changed", "bob@acme.example")
    assert event.details == {"role": {"before": "developer", "after": "billing"}}


def test_a_role_that_stays_is_no_change(organization: Organization, alice: User, bob: User) -> None:
    members.change_role(request_of(alice), organization, place(organization, bob).pk, Role.DEVELOPER)
    assert not AuditEvent.objects.exists()


def test_only_owners_make_and_unmake_owners(client: Client, organization: Organization, alice: User, bob: User) -> None:
    Membership.objects.filter(user=bob).update(role=Role.ADMIN)
    boss, admin = place(organization, alice), place(organization, bob)
    for pk, role in ((admin.pk, Role.OWNER), (boss.pk, Role.VIEWER)):
        with pytest.raises(PermissionDenied):
            members.change_role(request_of(bob), organization, pk, role)
    with pytest.raises(PermissionDenied):
        members.remove(request_of(bob), organization, boss.pk)
    client.force_login(bob)
    assert client.post(f"/o/acme/members/{admin.pk}/", {"role": "owner"}).status_code == 200  # no such choice
    assert client.post(f"/o/acme/members/{boss.pk}/", {"role": "viewer"}).status_code == 403
    assert "Only owners make and unmake owners." in words(client, f"/o/acme/members/{boss.pk}/")
    assert [place(organization, user).role for user in (alice, bob)] == ["owner", "admin"]


def test_rights_are_looked_up_when_it_is_done_and_not_when_the_page_was_opened(
    organization: Organization, alice: User, bob: User, charlie: User
) -> None:
    with pytest.raises(PermissionDenied):
        members.change_role(request_of(bob), organization, place(organization, alice).pk, Role.VIEWER)
    with pytest.raises(Http404):
        members.remove(request_of(charlie), organization, place(organization, bob).pk)


# -- the last owner ---------------------------------------------------------------------------------


def test_the_last_owner_is_neither_unmade_nor_can_leave(owner: Client, organization: Organization, alice: User) -> None:
    pk = place(organization, alice).pk
    said = "alice@acme.example is the only owner of Acme. Make somebody else an owner first."
    assert said in html.unescape(owner.post(f"/o/acme/members/{pk}/", {"role": "admin"}).content.decode())
    assert said in html.unescape(owner.post("/o/acme/members/leave/").content.decode())
    assert place(organization, alice).role == "owner"
    assert not AuditEvent.objects.exists()


def test_an_owner_who_cannot_sign_in_does_not_count(organization: Organization, alice: User, bob: User) -> None:
    Membership.objects.filter(user=bob).update(role=Role.OWNER)
    User.objects.filter(pk=bob.pk).update(is_active=False)
    with pytest.raises(MembershipError, match="the only owner"):
        members.leave(request_of(alice), place(organization, alice))


def at_once(*deeds: Callable[[], object]) -> list[str]:
    """Run them in threads that begin together. Returns what each raised."""
    barrier, raised = threading.Barrier(len(deeds)), [""] * len(deeds)

    def run(number: int) -> None:
        try:
            barrier.wait(10)
            deeds[number]()
        except (MembershipError, PermissionDenied, Http404) as error:
            raised[number] = type(error).__name__
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=[number]) for number in range(len(deeds))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return raised


@pytest.mark.django_db(transaction=True)
def test_of_two_owners_who_leave_at_once_one_stays(organization: Organization, alice: User, bob: User) -> None:
    for _ in range(5):
        Membership.objects.all().delete()
        places = [Membership.objects.create(organization=organization, user=user, role=Role.OWNER)
                  for user in (alice, bob)]  # fmt: skip
        raised = at_once(*[lambda own=own: members.leave(request_of(own.user), own) for own in places])
        assert sorted(raised) == ["", "MembershipError"]
        assert Membership.objects.filter(role=Role.OWNER).count() == 1


@pytest.mark.django_db(transaction=True)
def test_of_two_owners_who_unmake_each_other_at_once_one_stays(
    organization: Organization, alice: User, bob: User
) -> None:
    for _ in range(5):
        Membership.objects.update(role=Role.OWNER)
        hers, his = place(organization, alice).pk, place(organization, bob).pk
        raised = at_once(
            lambda his=his: members.change_role(request_of(alice), organization, his, Role.VIEWER),  # type: ignore[misc]
            lambda hers=hers: members.change_role(request_of(bob), organization, hers, Role.VIEWER),  # type: ignore[misc]
        )
        assert sorted(raised) == ["", "PermissionDenied"]
        assert Membership.objects.filter(role=Role.OWNER).count() == 1


# -- going ------------------------------------------------------------------------------------------


def test_who_is_removed_loses_their_keys_here_at_once_and_service_accounts_go_on(
    owner: Client,
    organization: Organization,
    bob: User,
    valkey: redis.Redis,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    personal, service = make_key(organization, owner=bob)[0], make_key(organization)[0]
    elsewhere = make_key(make_organization(owner=bob), owner=bob)[0]
    pk = place(organization, bob).pk
    assert personal.hint in words(owner, f"/o/acme/members/{pk}/remove/")
    with valkey.pubsub(ignore_subscribe_messages=True) as pubsub:  # type: ignore[no-untyped-call]
        pubsub.subscribe(keys.CHANGES)
        pubsub.get_message(timeout=2)
        with django_capture_on_commit_callbacks(execute=True):
            assert owner.post(f"/o/acme/members/{pk}/remove/").status_code == 302
        heard = pubsub.get_message(timeout=5)
    assert heard is not None
    assert heard["data"] == bytes(personal.secrets.get().digest).hex().encode()
    assert set(ApiKey.objects.active()) == {service, elsewhere}
    assert not Membership.objects.filter(organization=organization, user=bob).exists()
    events = {event.action: event for event in AuditEvent.objects.all()}
    assert events["member.removed"].details == {"role": "developer", "keys_revoked": [personal.hint]}
    assert events["key.revoked"].target_label == str(personal)
    owner.force_login(bob)
    assert owner.get("/o/acme/members/").status_code == 404


def test_whoever_leaves_takes_their_keys_along(client: Client, organization: Organization, bob: User) -> None:
    make_key(organization, owner=bob)
    client.force_login(bob)
    assert client.post("/o/acme/members/leave/").headers["location"] == "/dashboard/"
    assert not ApiKey.objects.active().exists()
    assert set(AuditEvent.objects.values_list("action", flat=True)) == {"member.left", "key.revoked"}


def test_nobody_removes_themselves(owner: Client, organization: Organization, alice: User) -> None:
    answer = owner.post(f"/o/acme/members/{place(organization, alice).pk}/remove/").content.decode()
    assert "This is you. To go, leave the organisation." in answer


@pytest.mark.django_db(transaction=True)
def test_no_key_is_made_for_somebody_while_they_are_removed(organization: Organization, alice: User, bob: User) -> None:
    pk = place(organization, bob).pk
    threads = [threading.Thread(target=_make_keys, args=[organization, bob]) for _ in range(2)]
    for thread in threads:
        thread.start()
    members.remove(request_of(alice), organization, pk)
    for thread in threads:
        thread.join(30)
    assert not ApiKey.objects.active().exists()


def _make_keys(organization: Organization, holder: User) -> None:
    try:
        for _ in range(20):
            make_key(organization, owner=holder)
    except Exception as error:  # noqa: BLE001 - looked at by name
        assert type(error).__name__ == "NotIssuedError", error  # noqa: PT017
    finally:
        connection.close()

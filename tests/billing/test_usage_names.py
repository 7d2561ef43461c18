"""Usage by name, narrowed by name, and as a file: named as people named it, and nobody else's."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import pytest
import time_machine
from django.test import Client

from accounts.models import ApiKey, Membership, Organization, Project, User
from billing import rollups
from tests.billing.usage_pages import CSV, DAY, NOW, USAGE, drawn, rows, text, use, words
from tests.factories import make_key, make_organization, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _now() -> Any:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def member(client: Client, bob: User, organization: Organization) -> Client:
    client.force_login(bob)
    return client


# -- names --------------------------------------------------------------------------------------------


def test_what_is_gone_is_still_named(member: Client, organization: Organization) -> None:
    carol = make_user("carol@acme.example", name="Carol")
    place = Membership.objects.create(organization=organization, user=carol, role=Membership.Role.DEVELOPER)
    project = Project.objects.create(organization=organization, name="Apollo", slug="apollo")
    gone, _ = make_key(organization, name="old", owner=carol, project=project)
    service, _ = make_key(organization, name="robot")
    use(gone, NOW, 2, model="retired-1", provider="vendor")
    use(service, NOW, 1)
    rollups.roll_up()
    gone.revoke()
    place.delete()
    Project.objects.filter(pk=project.pk).update(archived_at=NOW)
    for group, labels in {
        "key": ["old (revoked)", "robot"],
        "member": ["Carol (left)", "Service accounts"],
        "project": ["Apollo (archived)", "Default"],
        "model": ["retired-1", "gpt-6-luna"],
        "provider": ["vendor", "openai"],
    }.items():
        path = f"{USAGE}?group={group}"
        assert [one["label"] for one in drawn(member, path)["series"]] == labels
        assert all(f">{label}</option>" in text(member, path) for label in labels)


def test_two_of_one_name_are_told_apart(member: Client, organization: Organization) -> None:
    keys = [make_key(organization, name="same")[0] for _ in range(2)]
    for key in keys:
        use(key, NOW, 1)
    rollups.roll_up()
    labels = {one["label"] for one in drawn(member, f"{USAGE}?group=key")["series"]}
    assert labels == {f"same, {key.pk}" for key in keys}


def test_names_are_text_and_never_markup(member: Client, organization: Organization) -> None:
    evil, _ = make_key(organization, name="</script><img src=x onerror=alert(1)>")
    use(evil, NOW, 1, model='"><b>')
    rollups.roll_up()
    for path in (f"{USAGE}?group=key", f"{USAGE}?group=model", "/o/acme/"):
        page = member.get(path).content.decode()
        assert not re.search(r"<img|\"><b>", page)


# -- filters ------------------------------------------------------------------------------------------


def test_filters_are_in_the_address_and_stay(member: Client, organization: Organization, key: ApiKey) -> None:
    other, _ = make_key(organization, name="other")
    use(key, NOW, 1, model="a")
    use(other, NOW, 2, model="a")
    use(other, NOW, 4, model="b", provider="groq")
    rollups.roll_up()

    def spent(query: str) -> Any:
        return drawn(member, f"{USAGE}?group=none&{query}")["total"][-1] // 10**9

    assert spent("") == 7
    assert spent(f"key={other.pk}") == 6
    assert spent(f"key={other.pk}&model=a") == 2
    assert spent("provider=groq") == 4
    assert spent("member=none") == 6
    assert "Nothing matches" in text(member, f"{USAGE}?model=nothing-like-it")
    page = text(member, f"{USAGE}?model=a&key={other.pk}&range=7d")
    assert f'<option value="{other.pk}" selected>other</option>' in page
    assert '<option value="a" selected>a</option>' in page
    assert f'href="?range=24h&key={other.pk}&model=a"' in page or f"key={other.pk}" in page
    assert 'href="?range=7d">Clear filters' in page


def test_ids_of_strangers_give_nothing_and_no_name(member: Client, key: ApiKey) -> None:
    stranger = make_user("eve@secret.example", name="Eve Secret")
    theirs = make_organization("theirs", owner=stranger)
    project = Project.objects.create(organization=theirs, name="Secret project", slug="s")
    secret, _ = make_key(theirs, name="secret key", owner=stranger, project=project)
    use(secret, NOW, 99)
    use(key, NOW, 1)
    rollups.roll_up()
    for name, value in (("key", secret.pk), ("project", project.pk), ("member", stranger.pk)):
        for group in ("model", name):
            page = text(member, f"{USAGE}?{name}={value}&group={group}")
            assert "Nothing matches" in page
            assert not re.search("[Ss]ecret|99.00", words(page))
        assert all(set(row[2:]) <= {"0.00"} for row in rows(member, f"{name}={value}")[1:])


def test_a_stranger_sees_nothing(client: Client, charlie: User, key: ApiKey) -> None:
    use(key, NOW, 7)
    rollups.roll_up()
    client.force_login(charlie)
    for path in ("/o/acme/", USAGE, CSV):
        assert client.get(path).status_code == 404
    assert "7.00" not in text(client, "/o/stranger/usage/")
    assert "7.00" not in text(client, f"/o/stranger/usage/?key={key.pk}")


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("range=forever", "range: Choose 24h, 7d, 30d, month, last-month, 12m or custom."),
        ("range=custom", "from: Choose a day."),
        ("from=tomorrow&to=2026-11-25", "from: Write a day as 2026-11-25, or a minute as 2026-11-25T14:00."),
        ("from=2026-11-25&to=2026-11-20", "to: The end is before the beginning."),
        ("by=minute", "by: Choose hour, day or month."),
        ("by=hour", "by: By the hour at most 14 days can be shown. Choose a shorter time or a wider step."),
        ("metric=money", "metric: Choose spend, requests,"),
        ("group=colour", "group: Choose model, key,"),
        ("compare=everything", "compare: Choose previous or none."),
        ("zone=Mars/Base", "zone: There is no such time zone."),
        ("key=abc", "key: There is no key like that. Choose one of the list."),
        ("key=-1", "key: There is no key like that."),
        ("key=99999999999999999999", "key: There is no key like that."),
        ("member=%D9%A3", "member: There is no member like that."),
        ("model=a%00b", "model: There is no model like that."),
        (f"model={'x' * 200}", "model: There is no model like that."),
    ],
)
def test_what_makes_no_sense_is_told_and_no_file_is_made_of_it(member: Client, query: str, told: str) -> None:
    page = words(text(member, f"{USAGE}?{query}"))
    assert told in page.replace(" :", ":")
    response = member.get(f"{CSV}?{query}")
    assert response.status_code == 400
    assert told in response.content.decode()


# -- files --------------------------------------------------------------------------------------------


def test_the_file_has_exactly_the_table_of_the_page(member: Client, organization: Organization, key: ApiKey) -> None:
    for number in range(10):
        use(key, NOW - number % 3 * DAY, 0.001 * (number + 1), model=f"m{number}")
    use(key, NOW - 8 * DAY, 1)
    rollups.roll_up()
    query = "range=7d&metric=spend"
    page = text(member, f"{USAGE}?{query}")
    found = rows(member, query)
    table = re.search(r"<thead>(.*?)</thead>\s*<tbody>(.*?)</tbody>", page, re.DOTALL)
    assert table
    assert re.findall(r">([^<]+)</th>", table[1])[1:] == [*(f"m{n}" for n in range(9, 1, -1)), "2 others", "Total",
                                                          "The 7 days before"]  # fmt: skip
    assert found[0][2:] == [*(f"m{n}" for n in range(9, 1, -1)), "2 others", "Total (US dollars)", "The 7 days before"]
    cells = [re.findall(r"<td[^>]*?(?: title=\"([^\"]*)\")?>([^<]*)</td>", row) for row in table[2].split("</tr>")[:-1]]
    shown = [[(exact or value).lstrip("$") for exact, value in row] for row in cells]
    assert [row[2:] for row in found[1:]] == shown
    assert found[1][:2] == ["2026-11-19T00:00:00+00:00", "2026-11-20T00:00:00+00:00"]


def test_the_file_is_named_for_what_it_has(member: Client) -> None:
    response = member.get(f"{CSV}?metric=requests&group=key&range=7d")
    assert response["content-disposition"] == (
        'attachment; filename="acme-requests-by-key-2026-11-19-to-2026-11-25.csv"'
    )
    assert response["content-type"] == "text/csv; charset=utf-8"
    assert "no-store" in response["cache-control"]


def test_hours_of_the_clocks_change_carry_their_offset(member: Client, key: ApiKey) -> None:
    use(key, datetime(2026, 10, 25, 0, 10, tzinfo=UTC))
    use(key, datetime(2026, 10, 25, 1, 10, tzinfo=UTC))
    rollups.roll_up()
    found = rows(member, "from=2026-10-25&to=2026-10-25&zone=Europe/Berlin&metric=requests&compare=none&by=hour")
    assert len(found) == 26
    assert found[3] == ["2026-10-25T02:00:00+02:00", "2026-10-25T02:00:00+01:00", "1", "1"]
    assert found[4] == ["2026-10-25T02:00:00+01:00", "2026-10-25T03:00:00+01:00", "1", "1"]


@pytest.mark.parametrize("name", ['=HYPERLINK("http://x")', "+1", "-1", "@SUM(A1)", "\tx"])
def test_no_name_in_a_file_is_a_formula(member: Client, organization: Organization, name: str) -> None:
    made, _ = make_key(organization, name=name)
    use(made, NOW, 1)
    rollups.roll_up()
    assert rows(member, "group=key")[0][2] == f"'{name}"

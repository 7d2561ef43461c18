"""A month is signed once, and whoever changes a letter of it is found out without a database."""

from __future__ import annotations

import base64
import copy
import io
import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.checks import run_checks
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection
from django.test import Client
from pytest_django import Settings

from accounts.models import Organization, User
from billing import canonical, signing, statements
from billing.models import Statement
from billing.tasks import make_statements
from billing.verification import UnsoundError, verify
from tests.billing.moves import DOLLAR, ask, enter_at, tamper

FEBRUARY, MARCH = date(2026, 2, 1), date(2026, 3, 1)
OTHER_KEY = f"9:{base64.b64encode(b'o' * 32).decode()}"

File = dict[str, Any]


@pytest.fixture
def acme(transactional_db: None, organization: Organization) -> Organization:
    """Acme with entries at both edges of March, around them and within."""
    ask("SELECT count(*) FROM billing_lock(ARRAY[%s::bigint])", organization.pk)
    start, end = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC)
    instant = timedelta(microseconds=1)
    for at in (start - instant, start, start + timedelta(minutes=5), start + timedelta(days=9), end - instant, end):
        enter_at(organization, at, ref=at.isoformat())
    return organization


@pytest.fixture
def march(acme: Organization) -> File:
    return json.loads(json.dumps(statements.contents(statements.make(acme, MARCH))))  # type: ignore[no-any-return]


def signed(document: File) -> File:
    """As whoever holds our key could make it."""
    key_id, signature = signing.sign(canonical.encode(document))
    return {"document": document, "key_id": key_id, "signature": signature}


def test_a_month_has_the_entries_from_its_first_instant_to_its_last(march: File) -> None:
    document = march["document"]
    assert [entry["ref"] for entry in document["entries"]] == [
        "2026-03-01T00:00:00+00:00",
        "2026-03-01T00:05:00+00:00",
        "2026-03-10T00:00:00+00:00",
        "2026-03-31T23:59:59.999999+00:00",
    ]
    assert (document["opening_nano"], document["closing_nano"]) == (str(DOLLAR), str(5 * DOLLAR))
    assert document["totals"] == {"topup": str(4 * DOLLAR)}
    assert [block["entries"] for block in document["blocks"]] == [2, 1, 1]


def test_what_was_made_is_sound_and_is_made_once(acme: Organization, march: File) -> None:
    assert len(verify(march, signing.public_keys())) == 5
    assert statements.contents(statements.make(acme, MARCH)) == march
    with pytest.raises(DatabaseError, match="append-only"):
        Statement.objects.update(document="{}")


def test_one_month_begins_where_the_one_before_it_ended(acme: Organization, march: File) -> None:
    before = statements.contents(statements.make(acme, FEBRUARY))["document"]
    assert before["closing_nano"] == march["document"]["opening_nano"]
    assert before["blocks"][-1]["hash"] == march["document"]["previous_hash"]


def test_a_month_without_entries_has_a_statement_too(acme: Organization) -> None:
    may = statements.contents(statements.make(acme, date(2026, 5, 1)))
    assert may["document"]["opening_nano"] == may["document"]["closing_nano"] == str(6 * DOLLAR)
    assert verify(may, signing.public_keys())


def test_a_month_that_is_not_over_has_none(acme: Organization) -> None:
    with pytest.raises(statements.StatementError, match="is not over"):
        statements.make(acme, datetime.now(UTC).date().replace(day=1))


def test_what_cannot_be_verified_is_not_signed(acme: Organization) -> None:
    statements.make(acme, FEBRUARY)  # everything is sealed by now
    tamper("UPDATE billing_transfer SET amount_nano = 5 WHERE created_at = '2026-03-10T00:00:00Z'")
    with pytest.raises(UnsoundError, match="Block 3 does not hold these entries"):
        statements.make(acme, MARCH)
    assert not Statement.objects.filter(month=MARCH).exists()


# -- tampering ----------------------------------------------------------------------------------------


def _amount(document: File) -> None:
    document["entries"][1]["amount_nano"] = str(DOLLAR + 1)


def _dropped(document: File) -> None:
    del document["entries"][0]


def _last_dropped(document: File) -> None:
    del document["entries"][-1]


def _swapped(document: File) -> None:
    entries = document["entries"]
    entries[0], entries[1] = entries[1], entries[0]


def _added(document: File) -> None:
    document["entries"].append(copy.deepcopy(document["entries"][-1]))


def _opening(document: File) -> None:
    document["opening_nano"] = "0"


def _closing(document: File) -> None:
    document["closing_nano"] = str(6 * DOLLAR)


def _totals(document: File) -> None:
    document["totals"] = {"topup": "1"}


def _block_dropped(document: File) -> None:
    del document["blocks"][1], document["entries"][2]


def _block_closing(document: File) -> None:
    document["blocks"][0]["closing_nano"] = "1"


def _other_organization(document: File) -> None:
    document["organization"]["id"] += 1


def _other_month(document: File) -> None:
    document["month"] = "2026-04"


def _another_past(document: File) -> None:
    document["previous_hash"] = "f" * 64


TAMPERED: dict[Callable[[File], None], str] = {
    _amount: "Block 2 does not hold these entries",
    _dropped: "Block 2 does not hold these entries",
    _last_dropped: "Block 4 has 1 entries, of which some are missing",
    _swapped: "Block 2 does not hold these entries",
    _added: "There are entries that are in no block",
    _opening: "Block 2 closes with 3000000000, not with 2000000000",
    _closing: "The closing balance is not",
    _totals: "The totals are not",
    _block_dropped: "Block 4 does not follow",
    _block_closing: "Block 2 does not have the hash",
    _other_organization: "Block 2 is another organisation's",
    _other_month: "Block 2 is of another month",
    _another_past: "Block 2 does not follow",
}


@pytest.mark.parametrize("change", TAMPERED, ids=lambda change: change.__name__.strip("_"))
def test_a_changed_statement_is_unsound_even_when_it_is_signed_anew(
    march: File, change: Callable[[File], None]
) -> None:
    change(march["document"])
    with pytest.raises(UnsoundError, match=r"The signature is not that of key '1'"):
        verify(march, signing.public_keys())
    with pytest.raises(UnsoundError, match=TAMPERED[change]):
        verify(signed(march["document"]), signing.public_keys())


@pytest.mark.parametrize("field", ["reason", "author", "ref", "kind", "debit", "created_at"])
def test_every_field_of_an_entry_is_sealed(march: File, field: str) -> None:
    march["document"]["entries"][0][field] += "x"
    with pytest.raises(UnsoundError, match="does not hold these entries"):
        verify(signed(march["document"]), signing.public_keys())


def test_a_statement_of_another_key_is_unsound(march: File, settings: Settings) -> None:
    ours, settings.SIGNING_KEYS = signing.public_keys(), OTHER_KEY
    with pytest.raises(UnsoundError, match="key '9', which is not among the keys: 1"):
        verify(signed(march["document"]), ours)
    theirs = signed(march["document"])
    with pytest.raises(UnsoundError, match="The signature is not that of key '1'"):
        verify({**theirs, "key_id": "1"}, ours)


@pytest.mark.parametrize("content", [{}, [], {"document": {}}, {"document": None}, {"document": {"format": "x"}}])
def test_what_is_no_statement_is_said_to_be_none(content: Any) -> None:
    with pytest.raises(UnsoundError):
        verify(content, {"keys": []})


# -- keys -----------------------------------------------------------------------------------------------


def test_the_public_keys_are_told_to_everybody_and_the_seeds_to_nobody(client: Client, settings: Settings) -> None:
    settings.SIGNING_KEYS = f"{OTHER_KEY},1:{base64.b64encode(b's' * 32).decode()}"
    response = client.get("/.well-known/2389-keys.json")
    assert [key["kid"] for key in response.json()["keys"]] == ["9", "1"]
    assert {(key["kty"], key["crv"], len(key)) for key in response.json()["keys"]} == {("OKP", "Ed25519", 6)}
    assert base64.urlsafe_b64encode(b"s" * 32).decode().rstrip("=") not in response.content.decode()
    response = Client(enforce_csrf_checks=True).post("/.well-known/2389-keys.json")
    assert (response.status_code, response.headers["allow"]) == (405, "GET, HEAD")


def test_a_former_key_still_checks_its_statements(march: File, settings: Settings) -> None:
    settings.SIGNING_KEYS = f"{OTHER_KEY},{settings.SIGNING_KEYS}"
    assert verify(march, signing.public_keys())
    assert signed(march["document"])["key_id"] == "9"


@pytest.mark.parametrize("wrong", ["secret", "1:hunter2", f"{OTHER_KEY},{OTHER_KEY}", ":" + OTHER_KEY[2:]])
def test_a_wrong_setting_is_explained_and_not_shown(settings: Settings, wrong: str) -> None:
    settings.SIGNING_KEYS = wrong
    with pytest.raises(ImproperlyConfigured, match="SIGNING_KEYS must look like") as caught:
        signing.public_keys()
    assert wrong not in str(caught.value)
    assert [found.id for found in run_checks(include_deployment_checks=True) if found.id].count("billing.E001") == 1


def test_only_a_deployment_is_warned_that_it_signs_nothing(settings: Settings) -> None:
    settings.SIGNING_KEYS = ""
    assert "billing.W001" in {found.id for found in run_checks(include_deployment_checks=True)}
    assert "billing.W001" not in {found.id for found in run_checks()}


# -- the task and the commands --------------------------------------------------------------------------


def test_last_months_statements_are_made_once_for_all_who_have_entries(
    acme: Organization, charlie: User, settings: Settings
) -> None:
    month = (datetime.now(UTC).date().replace(day=1) - timedelta(days=1)).replace(day=1)
    settings.SIGNING_KEYS, kept = "", settings.SIGNING_KEYS
    make_statements()
    assert not Statement.objects.exists()
    settings.SIGNING_KEYS = kept
    make_statements()
    make_statements()
    assert [(made.organization, made.month) for made in Statement.objects.all()] == [(acme, month)]
    assert not Statement.objects.visible_to(charlie).exists()


def test_one_that_is_unsound_does_not_keep_the_others_from_theirs(
    acme: Organization, charlie: User, caplog: pytest.LogCaptureFixture
) -> None:
    stranger = Organization.objects.get(slug="stranger")
    ask("SELECT count(*) FROM billing_lock(ARRAY[%s::bigint])", stranger.pk)
    for organization in (acme, stranger):
        enter_at(organization, datetime.now(UTC).replace(day=1) - timedelta(days=2))
    statements.make(acme, FEBRUARY)
    tamper("UPDATE billing_block SET closing_nano = 7 WHERE number = 6 AND organization_id = %s", acme.pk)
    make_statements()
    assert [made.organization for made in Statement.objects.exclude(month=FEBRUARY)] == [stranger]
    assert "the statement of acme was not made" in caplog.text


def test_the_commands_make_a_file_and_check_it(
    acme: Organization, tmp_path: Path, client: Client, django_db_blocker: Any
) -> None:
    file, keys, out = tmp_path / "march.json", tmp_path / "keys.json", io.StringIO()
    call_command("make_statement", "acme", "2026-03", "--output", str(file))
    keys.write_bytes(client.get("/.well-known/2389-keys.json").content)
    connection.close()
    with django_db_blocker.block():
        call_command("verify_statement", str(file), "--keys", str(keys), stdout=out)
        call_command("verify_statement", str(file), stdout=out)
    assert out.getvalue().count("The statement is sound.") == 2
    assert "3 blocks hold 4 entries" in out.getvalue()


def test_a_file_that_was_changed_fails_with_the_first_thing_wrong(acme: Organization, tmp_path: Path) -> None:
    out, file = io.StringIO(), tmp_path / "march.json"
    call_command("make_statement", "acme", "2026-03", stdout=out)
    file.write_text(out.getvalue().replace('"amount_nano": "1000000000"', '"amount_nano": "1000000001"'))
    with pytest.raises(CommandError, match="The signature is not that of key '1' over this document") as failure:
        call_command("verify_statement", str(file))
    assert failure.value.returncode == 1


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("make_statement", "nobody", "2026-03"), "no organisation 'nobody'"),
        (("make_statement", "acme", "March"), "March is not a month"),
        (("make_statement", "acme", "2999-01"), "2999-01 is not over"),
        (("verify_statement", "/nowhere"), "/nowhere cannot be read"),
    ],
)
def test_a_wrong_argument_is_explained(acme: Organization, arguments: tuple[str, ...], complaint: str) -> None:
    with pytest.raises(CommandError, match=complaint):
        call_command(*arguments)


def test_a_file_that_is_no_json_is_explained(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("{")
    with pytest.raises(CommandError, match="is not JSON"):
        call_command("verify_statement", str(tmp_path / "x"))

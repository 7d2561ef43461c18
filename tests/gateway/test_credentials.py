"""Providers' credentials: unreadable in the database, bound to their row, and rotated without being lost."""

from __future__ import annotations

import io
from io import StringIO
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command
from pytest_django import Settings

from gateway import credentials
from gateway.credentials import CredentialError, Source
from gateway.models import Provider
from tests.factories import make_provider

OLD, NEW = Fernet.generate_key().decode(), Fernet.generate_key().decode()
SECRET = "sk-upstream-0123456789"


@pytest.fixture(autouse=True)
def keys(settings: Settings) -> None:
    settings.CREDENTIAL_KEYS = f"2:{NEW},1:{OLD}"
    settings.PROVIDER_SECRET = {"SET": "from-the-environment"}.get


def under(settings: Settings, keys: str, slug: str = "openai") -> str:
    """A credential as it was stored while CREDENTIAL_KEYS was `keys`."""
    now, settings.CREDENTIAL_KEYS = settings.CREDENTIAL_KEYS, keys
    stored = credentials.encrypt(slug, SECRET)
    settings.CREDENTIAL_KEYS = now
    return stored


def test_what_is_stored_opens_again_and_does_not_show_the_secret() -> None:
    stored = credentials.encrypt("openai", SECRET)
    assert stored.startswith("2:")
    assert SECRET not in stored
    assert credentials.decrypt("openai", stored) == SECRET


def test_an_older_key_still_opens_what_it_closed(settings: Settings) -> None:
    assert credentials.decrypt("openai", under(settings, f"1:{OLD}")) == SECRET


def test_a_ciphertext_moved_to_another_provider_does_not_open() -> None:
    stored = credentials.encrypt("openai", SECRET)
    with pytest.raises(CredentialError, match="set for the provider openai and moved here") as caught:
        credentials.decrypt("groq", stored)
    assert "set_credential groq" in str(caught.value)
    assert SECRET not in str(caught.value)


def test_a_missing_key_is_named_with_the_way_out(settings: Settings) -> None:
    stored = under(settings, f"7:{NEW}")
    with pytest.raises(CredentialError, match=r"key '7', which is not in CREDENTIAL_KEYS. Put that key back"):
        credentials.decrypt("openai", stored)


@pytest.mark.parametrize("harm", ["2:nonsense", "2:", "", "no colon at all"])
def test_a_ciphertext_that_was_tampered_with_is_an_error_with_a_way_out(harm: str) -> None:
    with pytest.raises(CredentialError, match=r"manage.py set_credential openai"):
        credentials.decrypt("openai", harm)


def test_one_changed_character_is_noticed() -> None:
    stored = credentials.encrypt("openai", SECRET)
    middle = len(stored) // 2
    changed = stored[:middle] + ("A" if stored[middle] != "A" else "B") + stored[middle + 1 :]
    with pytest.raises(CredentialError, match="does not open under key 2"):
        credentials.decrypt("openai", changed)


def test_keys_that_are_not_keys_are_refused_without_being_repeated(settings: Settings) -> None:
    settings.CREDENTIAL_KEYS = "1:hunter2"
    with pytest.raises(CredentialError, match="CREDENTIAL_KEYS must look like") as caught:
        credentials.encrypt("openai", SECRET)
    assert "hunter2" not in str(caught.value)


def test_the_stored_credential_wins_over_the_environment() -> None:
    stored = credentials.encrypt("openai", SECRET)
    assert credentials.secret_for(slug="openai", credential=stored, api_key_env="SET") == SECRET
    assert credentials.secret_for(slug="openai", credential="", api_key_env="SET") == "from-the-environment"
    assert credentials.secret_for(slug="openai", credential="", api_key_env="UNSET") is None
    assert credentials.secret_for(slug="openai", credential="", api_key_env="") is None


def test_a_file_can_hold_the_secret(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text(f"{SECRET}\n")
    assert credentials.secret_for(slug="openai", credential="", api_key_env=f"file:{path}") == SECRET
    path.write_text("\n")
    assert credentials.secret_for(slug="openai", credential="", api_key_env=f"file:{path}") is None


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(CredentialError, match="gone cannot be read: No such file"):
        credentials.secret_for(slug="openai", credential="", api_key_env=f"file:{tmp_path / 'gone'}")


def test_a_variable_whose_file_cannot_be_read_is_a_credential_error(settings: Settings) -> None:
    def unreadable(name: str) -> str:
        raise ImproperlyConfigured(f"{name}_FILE names a file that cannot be read.")

    settings.PROVIDER_SECRET = unreadable
    with pytest.raises(CredentialError, match="SET_FILE names a file"):
        credentials.secret_for(slug="openai", credential="", api_key_env="SET")
    assert credentials.source(credential="", api_key_env="SET", needed=True) is Source.MISSING


def test_the_source_is_known_without_opening_anything() -> None:
    assert credentials.source(credential="9:unreadable", api_key_env="SET", needed=True) is Source.STORED
    assert credentials.source(credential="", api_key_env="SET", needed=True) is Source.ENVIRONMENT
    assert credentials.source(credential="", api_key_env="UNSET", needed=True) is Source.MISSING
    assert credentials.source(credential="", api_key_env="", needed=False) is Source.NOT_NEEDED


# -- manage.py rotate_credentials -------------------------------------------------------------


def rotate() -> str:
    out = StringIO()
    call_command("rotate_credentials", stdout=out)
    return out.getvalue()


@pytest.mark.django_db
def test_rotation_moves_every_credential_to_the_newest_key_once(settings: Settings) -> None:
    old = make_provider("openai", credential=under(settings, f"1:{OLD}"))
    new = make_provider("groq", credential=credentials.encrypt("groq", SECRET))
    make_provider("bare")
    assert rotate() == "1 rotated to key 2, 1 already there, 0 failed.\n"
    old.refresh_from_db()
    assert old.credential.startswith("2:")
    assert credentials.decrypt("openai", old.credential) == SECRET
    kept = new.credential
    new.refresh_from_db()
    assert new.credential == kept
    assert rotate() == "0 rotated to key 2, 2 already there, 0 failed.\n"
    settings.CREDENTIAL_KEYS = f"2:{NEW}"
    assert credentials.decrypt("openai", old.credential) == SECRET


@pytest.mark.django_db
def test_one_credential_that_cannot_be_rotated_does_not_hold_up_the_others(settings: Settings) -> None:
    lost = make_provider("a-lost", credential="9:unreadable")
    good = make_provider("good", credential=under(settings, f"1:{OLD}", slug="good"))
    err = StringIO()
    with pytest.raises(CommandError, match="Keep the older keys"):
        call_command("rotate_credentials", stdout=StringIO(), stderr=err)
    assert "The credential of a-lost cannot be rotated" in err.getvalue()
    lost.refresh_from_db()
    good.refresh_from_db()
    assert lost.credential == "9:unreadable"
    assert good.credential.startswith("2:")


# -- manage.py set_credential -----------------------------------------------------------------


def set_credential(monkeypatch: pytest.MonkeyPatch, typed: str, *arguments: str) -> str:
    monkeypatch.setattr("sys.stdin", io.StringIO(typed))
    out, err = StringIO(), StringIO()
    call_command("set_credential", *arguments, stdout=out, stderr=err)
    assert out.getvalue() == ""
    return err.getvalue()


@pytest.mark.django_db
def test_a_credential_is_read_from_standard_input_and_stored_encrypted(monkeypatch: pytest.MonkeyPatch) -> None:
    make_provider("openai")
    said = set_credential(monkeypatch, f"{SECRET}\n", "openai")
    assert said == "The credential of openai is stored.\n"
    stored = Provider.objects.get().credential
    assert SECRET not in stored
    assert credentials.decrypt("openai", stored) == SECRET


@pytest.mark.django_db
def test_a_person_at_a_terminal_is_asked_without_an_echo(monkeypatch: pytest.MonkeyPatch) -> None:
    make_provider("openai")
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("gateway.management.commands.set_credential.getpass", lambda prompt: SECRET)
    call_command("set_credential", "openai", stderr=StringIO())
    assert credentials.decrypt("openai", Provider.objects.get().credential) == SECRET


@pytest.mark.django_db
def test_a_stored_credential_can_be_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    make_provider("openai", credential=credentials.encrypt("openai", SECRET))
    assert set_credential(monkeypatch, "", "openai", "--remove") == "The credential of openai is removed.\n"
    assert Provider.objects.get().credential == ""


@pytest.mark.django_db
@pytest.mark.parametrize(("typed", "complaint"), [("  \n", "is empty"), ("two words", "one word")])
def test_what_cannot_be_a_credential_is_refused(monkeypatch: pytest.MonkeyPatch, typed: str, complaint: str) -> None:
    make_provider("openai")
    with pytest.raises(CommandError, match=complaint):
        set_credential(monkeypatch, typed, "openai")
    assert Provider.objects.get().credential == ""


@pytest.mark.django_db
def test_an_unknown_provider_is_answered_with_the_known_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CommandError, match="run sync_registry first"):
        set_credential(monkeypatch, SECRET, "opneai")
    make_provider("openai")
    with pytest.raises(CommandError, match=r"no provider 'opneai'. There are: openai."):
        set_credential(monkeypatch, SECRET, "opneai")

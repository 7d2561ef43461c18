"""Reading the environment: files beside variables, and errors that name what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from config import env


def test_a_value_may_be_in_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("from a file\n")
    monkeypatch.setenv("SOME_SECRET_FILE", str(tmp_path / "secret"))
    assert env.read("SOME_SECRET") == "from a file"
    monkeypatch.setenv("SOME_SECRET", "from the variable")
    assert env.read("SOME_SECRET") == "from the variable"


def test_a_file_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SOME_SECRET_FILE", str(tmp_path / "none"))
    with pytest.raises(ImproperlyConfigured, match=r"SOME_SECRET_FILE names .*none"):
        env.read("SOME_SECRET")


@pytest.mark.parametrize(("value", "meant"), [("true", True), ("1", True), ("Off", False), ("no", False), ("", True)])
def test_a_flag_is_what_people_write(monkeypatch: pytest.MonkeyPatch, value: str, meant: bool) -> None:
    monkeypatch.setenv("SOME_FLAG", value)
    assert env.flag("SOME_FLAG", default=True) is meant


@pytest.mark.parametrize(
    ("read", "value"),
    [
        (lambda: env.flag("X", default=False), "maybe"),
        (lambda: env.integer("X", 1), "1.5"),
        (lambda: env.number("X", 1), "a"),
    ],
)
def test_what_cannot_be_read_names_the_setting(monkeypatch: pytest.MonkeyPatch, read: object, value: str) -> None:
    monkeypatch.setenv("X", value)
    with pytest.raises(ImproperlyConfigured, match=r"^X is '"):
        read()  # type: ignore[operator]


def test_a_database_url_keeps_its_parameters_and_its_odd_characters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("X_URL", "postgresql://a%40b:p%2Fw@db.example:6432/name?sslmode=verify-full&sslrootcert=/ca.pem")
    database = env.database("X_URL")
    assert (database["USER"], database["PASSWORD"], database["NAME"]) == ("a@b", "p/w", "name")
    assert (database["HOST"], database["PORT"]) == ("db.example", "6432")
    assert database["OPTIONS"] == {"sslmode": "verify-full", "sslrootcert": "/ca.pem"}


@pytest.mark.parametrize("url", ["mysql://x/y", "postgresql://", "nonsense"])
def test_a_database_that_is_not_postgres_is_refused(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("X_URL", url)
    with pytest.raises(ImproperlyConfigured, match="X_URL must look like postgresql://"):
        env.database("X_URL")

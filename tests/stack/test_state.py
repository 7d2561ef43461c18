"""What a checkout keeps between runs, and how it keeps others out."""

from __future__ import annotations

import socket
import stat
from pathlib import Path

import pytest

from config.stack.state import StackError, State, is_free, read_env_file


@pytest.fixture
def state(tmp_path: Path) -> State:
    return State(tmp_path / ".dev")


def test_a_port_is_chosen_once_and_kept(state: State) -> None:
    port = state.port("postgres")
    assert is_free(port)
    assert State(state.folder).port("postgres") == port


def test_a_preferred_port_that_is_taken_is_passed_over(state: State) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        preferred = taken.getsockname()[1]
        chosen = state.port("gateway", preferred=preferred)
    assert chosen != preferred
    assert state.known_port("gateway") == chosen


def test_a_kept_port_that_somebody_took_is_chosen_anew(state: State) -> None:
    kept = state.port("valkey")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", kept))
        taken.listen()
        assert state.port("valkey") != kept


def test_secrets_are_made_once_and_only_the_owner_reads_them(state: State) -> None:
    made = state.secrets()
    assert State(state.folder).secrets() == made
    assert made["KEY_PEPPER"].startswith("1:")
    assert len(made["SECRET_KEY"]) >= 50
    assert stat.S_IMODE((state.folder / "secrets.json").stat().st_mode) == 0o600


def test_a_checkout_is_held_by_one_at_a_time_and_says_by_whom(state: State) -> None:
    with state.locked("./dev up serves http://127.0.0.1:8000/"):
        assert state.running()
        with pytest.raises(StackError, match=r"http://127.0.0.1:8000/ \(pid \d+\)"), state.locked("again"):
            pass
    assert not state.running()
    with state.locked("again"):
        pass


def test_an_env_file_is_read_as_people_write_it(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_text("# a comment\n\nexport A=1\nB = two words \nC='quoted # not a comment'\nD=\"x=y\"\nEMPTY=\n")
    assert read_env_file(path) == {"A": "1", "B": "two words", "C": "quoted # not a comment", "D": "x=y"}
    assert read_env_file(tmp_path / "none") == {}


def test_a_line_that_is_no_setting_is_named(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_text("A=1\njust words\n")
    with pytest.raises(StackError, match=r"\.env, line 2"):
        read_env_file(path)

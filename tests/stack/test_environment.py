"""Which servers and settings the stack's processes are given."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from config.stack import environment
from config.stack.environment import Servers, read_env_file
from config.stack.state import ROOT, StackError, State

ELSEWHERE = {"DATABASE_URL": "postgresql://db.example/x", "REDIS_URL": "redis://cache.example/1"}
SERVERS = Servers(ELSEWHERE["DATABASE_URL"], ELSEWHERE["REDIS_URL"])


@pytest.fixture
def state(tmp_path: Path) -> Iterator[State]:
    state = State(tmp_path / ".dev")
    yield state
    state.release_ports()


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


def test_the_shipped_example_is_a_readable_env_file_that_sets_nothing() -> None:
    example = ROOT / ".env.example"
    assert example.exists()
    assert read_env_file(example) == {}


def test_servers_that_the_caller_names_are_used_and_none_is_started(state: State) -> None:
    assert environment.kept(state, ELSEWHERE) == SERVERS
    with environment.throwaway(ELSEWHERE) as (servers, _):
        assert servers.services == ()


def test_a_server_may_be_named_by_a_file(state: State, tmp_path: Path) -> None:
    (tmp_path / "url").write_text("postgresql://secret.example/x\n")
    given = {"DATABASE_URL_FILE": str(tmp_path / "url"), "REDIS_URL": "redis://cache.example/1"}
    assert environment.kept(state, given).database_url == "postgresql://secret.example/x"


def test_the_servers_of_a_running_stack_are_found_without_starting_any(state: State) -> None:
    port = state.port("postgres")
    found = environment.running(state, {"REDIS_URL": "redis://cache.example/1"})
    assert found.database_url == f"postgresql://app:{state.secrets()['postgres']}@127.0.0.1:{port}/gateway"
    assert found.redis_url == "redis://cache.example/1"


def test_the_callers_secrets_come_before_those_of_the_checkout(state: State, tmp_path: Path) -> None:
    (tmp_path / "pepper").write_text("1:from-a-file")
    given = {"SECRET_KEY": "the caller's", "KEY_PEPPER_FILE": str(tmp_path / "pepper")}
    settings = environment.settings_of_stack(state, SERVERS, given)
    assert settings["SECRET_KEY"] == "the caller's"
    assert "KEY_PEPPER" not in settings
    assert settings["CREDENTIAL_KEYS"] == state.secrets()["CREDENTIAL_KEYS"]
    assert not {"postgres", "valkey"} & set(settings)


def test_tests_are_not_given_the_checkouts_secrets() -> None:
    one, other = (environment.settings_of_tests(SERVERS, {"SECRET_KEY": "real"}) for _ in range(2))
    assert one["SECRET_KEY"] != "real"
    assert one["SECRET_KEY"] != other["SECRET_KEY"]
    assert one["DATABASE_URL"] == ELSEWHERE["DATABASE_URL"]


def test_a_folder_for_tests_is_gone_afterwards() -> None:
    with environment.throwaway(ELSEWHERE) as (_, folder):
        assert folder.is_dir()
    assert not folder.exists()

"""The servers and the settings that every command of the stack runs with."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from config.stack import postgres, valkey
from config.stack.processes import Service
from config.stack.state import ROOT, StackError, State, free_port, read_env_file


@dataclass(frozen=True)
class Addresses:
    """Where the state lives, and the services that must be started for it to be there."""

    database_url: str
    redis_url: str
    services: tuple[Service, ...]

    def prepare(self) -> None:
        """Once Postgres answers: make the database when the server is ours."""
        if any(service.name == "Postgres" for service in self.services):
            postgres.ensure_database(self.database_url.rsplit("/", 1)[0] + "/postgres")


def with_env_file(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment, with `.env` for what it does not set."""
    return {**read_env_file(ROOT / ".env"), **environment}


def addresses(state: State, environment: Mapping[str, str]) -> Addresses:
    """The servers that DATABASE_URL and REDIS_URL name; our own for those that are not named."""
    services: list[Service] = []
    secrets = state.secrets()
    database_url, redis_url = environment.get("DATABASE_URL"), environment.get("REDIS_URL")
    if not database_url:
        data, port = state.folder / "postgres" / "data", state.port("postgres")
        postgres.create(data, password=secrets["postgres"])
        services.append(postgres.service(data, port=port, log=state.logs / "postgres.log"))
        database_url = _database_url(port, secrets["postgres"])
    if not redis_url:
        port = state.port("valkey")
        folder, log = state.folder / "valkey", state.logs / "valkey.log"
        services.append(valkey.service(folder, port=port, password=secrets["valkey"], log=log))
        redis_url = _redis_url(port, secrets["valkey"])
    return Addresses(database_url, redis_url, tuple(services))


def running_addresses(state: State, environment: Mapping[str, str]) -> Addresses:
    """The servers of the `up` that holds this checkout."""
    secrets, database, cache = state.secrets(), state.known_port("postgres"), state.known_port("valkey")
    return Addresses(
        environment.get("DATABASE_URL") or _database_url(database or 0, secrets["postgres"]),
        environment.get("REDIS_URL") or _redis_url(cache or 0, secrets["valkey"]),
        (),
    )


@contextmanager
def throwaway(environment: Mapping[str, str]) -> Iterator[Addresses]:
    """Servers for one run of the tests, in a folder that is gone afterwards. The caller starts and stops them."""
    with tempfile.TemporaryDirectory(prefix="2389-test-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        services: list[Service] = []
        database_url, redis_url = environment.get("DATABASE_URL"), environment.get("REDIS_URL")
        if not database_url:
            data, port = folder / "postgres" / "data", free_port()
            postgres.create(data, password="test", durable=False)  # noqa: S106 - lives as long as the tests
            log = folder / "postgres.log"
            services.append(postgres.service(data, port=port, log=log, durable=False))
            database_url = _database_url(port, "test")
        if not redis_url:
            port = free_port()
            services.append(
                valkey.service(folder / "valkey", port=port, password="test", log=folder / "valkey.log")  # noqa: S106
            )
            redis_url = _redis_url(port, "test")
        yield Addresses(database_url, redis_url, tuple(services))


def settings_for(state: State, where: Addresses, environment: Mapping[str, str]) -> dict[str, str]:
    """The environment of our own processes."""
    secrets = {name: value for name, value in state.secrets().items() if name.isupper()}
    return {
        **secrets,
        **environment,
        "DATABASE_URL": where.database_url,
        "REDIS_URL": where.redis_url,
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "PYTHONPATH": str(ROOT),
        "PYTHONUNBUFFERED": "1",
    }


def current() -> dict[str, str]:
    return with_env_file(os.environ)


def _database_url(port: int, password: str) -> str:
    return f"postgresql://{postgres.USER}:{quote(password)}@127.0.0.1:{port}/{postgres.DATABASE}"


def _redis_url(port: int, password: str) -> str:
    return f"redis://:{quote(password)}@127.0.0.1:{port}/0"


__all__ = ["Addresses", "StackError", "addresses", "current", "running_addresses", "settings_for", "throwaway"]

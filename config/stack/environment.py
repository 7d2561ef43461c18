"""The servers and the settings that every command of the stack runs with."""

from __future__ import annotations

import os
import secrets
import tempfile
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from config.stack.postgres import Cluster
from config.stack.processes import Service
from config.stack.state import ROOT, StackError, State, free_port
from config.stack.valkey import Server

Environment = Mapping[str, str]


@dataclass(frozen=True)
class Servers:
    """Where the state lives, and the services that must run for it to be there."""

    database_url: str
    redis_url: str
    services: tuple[Service, ...] = ()

    def settings(self) -> dict[str, str]:
        return {"DATABASE_URL": self.database_url, "REDIS_URL": self.redis_url}


def given() -> dict[str, str]:
    """The caller's environment, with `.env` for what it does not set."""
    return {**read_env_file(ROOT / ".env"), **os.environ}


def value(environment: Environment, name: str) -> str | None:
    """As config.env reads it: NAME, or the content of the file that NAME_FILE points at."""
    if environment.get(name):
        return environment[name]
    path = environment.get(f"{name}_FILE")
    if not path:
        return None
    try:
        return Path(path).read_text(encoding="utf-8").strip() or None
    except OSError as error:
        raise StackError(f"{name}_FILE names {path}, which cannot be read: {error.strerror}.") from error


def kept(state: State, environment: Environment) -> Servers:
    """The servers that DATABASE_URL and REDIS_URL name; our own, with their data in `.dev`, for those not named."""
    return _servers(environment, lambda: _cluster(state, state.port), lambda: _server(state, state.port), state.logs)


def running(state: State, environment: Environment) -> Servers:
    """The same servers, started by somebody else."""
    return Servers(
        value(environment, "DATABASE_URL") or _cluster(state, state.kept_port).url(),
        value(environment, "REDIS_URL") or _server(state, state.kept_port).url(),
    )


@contextmanager
def throwaway(environment: Environment) -> Iterator[tuple[Servers, Path]]:
    """Servers for one run of the tests, for the caller to start and stop; and their folder, which then is gone."""
    with tempfile.TemporaryDirectory(prefix="2389-test-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # Postgres runs as another user than root
        password = secrets.token_urlsafe(12)
        servers = _servers(
            environment,
            lambda: Cluster(folder / "postgres" / "data", free_port(), password, durable=False),
            lambda: Server(folder / "valkey", free_port(), password),
            folder,
        )
        yield servers, folder


def settings_of_stack(state: State, servers: Servers, environment: Environment) -> dict[str, str]:
    """The environment of our own processes: the caller's, our secrets where it has none, and the servers."""
    ours = {name: text for name, text in state.secrets().items() if name.isupper()}
    ours = {name: text for name, text in ours.items() if not value(environment, name)}
    if not value(environment, "SIGN_UP_OPEN"):
        ours["SIGN_UP_OPEN"] = "everybody"  # whoever reaches this machine may try it; a deployment says whom it wants
    return {**environment, **ours, **servers.settings(), **_python()}


def settings_of_tests(servers: Servers, environment: Environment) -> dict[str, str]:
    """The tests see nothing of the stack's secrets, nor of the provider keys in `.env`."""
    secret = {
        "SECRET_KEY": secrets.token_urlsafe(50),
        "KEY_PEPPER": f"1:{secrets.token_urlsafe(32)}",
        "CREDENTIAL_KEYS": f"1:{urlsafe_b64encode(secrets.token_bytes(32)).decode()}",
        "SIGNING_KEYS": f"1:{urlsafe_b64encode(secrets.token_bytes(32)).decode()}",
    }
    return {**environment, **secret, **servers.settings(), **_python()}


def read_env_file(path: Path) -> dict[str, str]:
    """`NAME=VALUE` lines; `#` begins a comment line; quotes around a value are taken off; empty means not set."""
    values = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines() if path.exists() else (), start=1):
        text = line.strip().removeprefix("export ").strip()
        if not text or text.startswith("#"):
            continue
        name, equals, content = text.partition("=")
        if not equals or not name.strip().isidentifier():
            raise StackError(f"{path.name}, line {number}: this is not NAME=VALUE.")
        content = content.strip()
        if len(content) > 1 and content[0] == content[-1] and content[0] in "'\"":
            content = content[1:-1]
        if content:
            values[name.strip()] = content
    return values


def _servers(
    environment: Environment, cluster: Callable[[], Cluster], server: Callable[[], Server], logs: Path
) -> Servers:
    services: list[Service] = []
    database_url, redis_url = value(environment, "DATABASE_URL"), value(environment, "REDIS_URL")
    if not database_url:
        postgres = cluster()
        services.append(postgres.service(logs / "postgres.log"))
        database_url = postgres.url()
    if not redis_url:
        valkey = server()
        services.append(valkey.service(logs / "valkey.log"))
        redis_url = valkey.url()
    return Servers(database_url, redis_url, tuple(services))


def _cluster(state: State, port: Callable[[str], int]) -> Cluster:
    return Cluster(state.folder / "postgres" / "data", port("postgres"), state.secrets()["postgres"])


def _server(state: State, port: Callable[[str], int]) -> Server:
    return Server(state.folder / "valkey", port("valkey"), state.secrets()["valkey"])


def _python() -> dict[str, str]:
    return {"DJANGO_SETTINGS_MODULE": "config.settings", "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}

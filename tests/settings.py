"""The settings under test: config.settings, after each parallel worker was given a Valkey database of its own.

Named by `--ds` in pyproject.toml, because the environment must be ready before pytest-django reads any setting.
"""

import base64
import os
from urllib.parse import urlsplit, urlunsplit

import pytest

for _name in ("DATABASE_URL", "REDIS_URL"):
    if not os.environ.get(_name) and not os.environ.get(f"{_name}_FILE"):
        raise pytest.UsageError(f"{_name} is not set. Run ./dev test, which starts Postgres and Valkey for the tests.")

os.environ.setdefault("SECRET_KEY", "only-for-tests-" * 4)
os.environ.setdefault("KEY_PEPPER", "1:" + "pepper-for-tests" * 2)
os.environ.setdefault("CREDENTIAL_KEYS", "1:" + base64.urlsafe_b64encode(b"t" * 32).decode())
os.environ.setdefault("SIGNING_KEYS", "1:" + base64.b64encode(b"s" * 32).decode())


def _own_database(url: str, worker: str) -> str:
    """`redis://host/3` for worker gw2 is `redis://host/5`."""
    parts = urlsplit(url)
    number = int(parts.path.strip("/") or 0) + int(worker.removeprefix("gw") or 0)
    return urlunsplit(parts._replace(path=f"/{number}"))


if "REDIS_URL" in os.environ:
    os.environ["REDIS_URL"] = _own_database(os.environ["REDIS_URL"], os.environ.get("PYTEST_XDIST_WORKER", "gw0"))

from config.settings import *  # noqa: E402, F403 - the whole point of this module

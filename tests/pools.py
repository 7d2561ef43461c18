"""A pool on the test database, for what the data plane asks without Django."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from django.db import connection
from psycopg_pool import AsyncConnectionPool

from accounts.pool import Pool


@asynccontextmanager
async def open_pool(*, size: int = 2, wait: float = 30, **parameters: Any) -> AsyncIterator[Pool]:
    """As wide as `size`; nobody waits longer than `wait` seconds for a connection. `parameters` are the connection's
    own and stand before the test database's."""
    given = connection.get_connection_params()
    kwargs = {name: given[name] for name in ("dbname", "user", "password", "host", "port")} | {"autocommit": True}
    pool: Pool
    async with AsyncConnectionPool(
        kwargs=kwargs | parameters, min_size=1, max_size=size, timeout=wait, open=False
    ) as pool:
        yield pool

"""`/healthz`: this process answers. `/readyz`: it could also serve, because Postgres answers with our tables."""

from __future__ import annotations

from collections.abc import Mapping

import orjson
from asgiref.sync import sync_to_async
from django.db import DatabaseError, connection, connections
from django.db.migrations.executor import MigrationExecutor

from gateway.bounds import Send

CHECKS = ("/healthz", "/readyz")


async def answer(path: str, send: Send) -> None:
    problem = None if path == "/healthz" else await sync_to_async(_not_ready)()
    body = {"status": "ok"} if problem is None else {"status": "unavailable", "reason": problem}
    await write(send, 200 if problem is None else 503, body)


async def write(send: Send, status: int, body: Mapping[str, object]) -> None:
    content = orjson.dumps(body)
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(content)).encode()),
        (b"cache-control", b"no-store"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content})


def _not_ready() -> str | None:
    try:
        executor = MigrationExecutor(connection)
        if executor.migration_plan(executor.loader.graph.leaf_nodes()):
            return "migrations are waiting: run manage.py migrate"
    except DatabaseError:
        return "Postgres does not answer"
    finally:
        connections.close_all()
    return None

"""What a data-plane process holds open: one pool, one limiter, one registry, one ledger, for one event loop."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import psycopg
import redis.asyncio
from django.conf import settings
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool, PoolTimeout
from redis.exceptions import RedisError

from accounts import directory, keys
from accounts.directory import Directory
from accounts.last_use import FLUSH_SECONDS, LastUse
from accounts.pool import Pool
from billing import moves
from billing.ledger import ADOPT_SECONDS, REPLAY_SECONDS, Ledger
from billing.spool import Spool
from billing.tariffs import Tariffs
from gateway import tokens
from gateway.access_log import AccessLog
from gateway.allowances import Allowances
from gateway.buckets import Buckets
from gateway.dispatch import Dispatch
from gateway.egress import Egress
from gateway.idempotency import Idempotency
from gateway.keeping import Keeping
from gateway.limits import SCRIPT, Limiter
from gateway.payment import Cashier
from gateway.registry import Registry
from gateway.scripts import Scripts
from gateway.strangers import Strangers
from gateway.streams import RENEW_SECONDS, Streams

log = logging.getLogger(__name__)

POOL_WAIT_SECONDS = 1.0
WARM_CONNECTIONS = 3  # for keys, reservations and settlements, which the first callers need at once
START_SECONDS = 1.0  # that a start waits for them: without a database it starts all the same
DETACHED_SECONDS = 10.0  # what a process that stops gives to requests whose callers have gone


class Runtime:
    """Make it inside the loop, `start` it, and `stop` it when the loop ends."""

    def __init__(self) -> None:
        self.pool: Pool = AsyncConnectionPool(
            kwargs=_connection_settings(),
            min_size=min(WARM_CONNECTIONS, settings.GATEWAY_POOL_SIZE),
            max_size=settings.GATEWAY_POOL_SIZE,
            timeout=POOL_WAIT_SECONDS,
            configure=_warm,
            open=False,
            name="data-plane",
        )
        self.valkey: redis.asyncio.Redis = redis.asyncio.Redis.from_url(
            settings.REDIS_URL, socket_connect_timeout=0.5, health_check_interval=15
        )
        self.directory = Directory(self.pool, seconds=settings.GATEWAY_KEY_CACHE_SECONDS)
        self.last_use = LastUse(self.pool)
        self._scripts = scripts = Scripts(self.valkey)
        limiter = Limiter(scripts, workers=settings.GATEWAY_WORKERS)
        self.allowances = Allowances(limiter, Buckets(scripts, workers=settings.GATEWAY_WORKERS))
        self.strangers = Strangers(limiter)
        self.streams = Streams(scripts, workers=settings.GATEWAY_WORKERS)
        self.registry = Registry(self.pool)
        self.tariffs = Tariffs(self.pool)
        self.ledger = Ledger(self.pool, Spool(settings.GATEWAY_SPOOL_DIR))
        self.egress = Egress()
        cashier = Cashier(ledger=self.ledger, tariffs=self.tariffs)
        self.dispatch = Dispatch(registry=self.registry, ledger=self.ledger, cashier=cashier, egress=self.egress)
        self.idempotency = Idempotency(self.pool, self.ledger)
        self.keeping = Keeping(self.pool)
        self.access_log = AccessLog()
        self._tasks: list[asyncio.Task[None]] = []
        self._detached: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        await self.pool.open(wait=False)  # an absent database makes answers 503, not a process that does not start
        await asyncio.to_thread(tokens.count, "warm")  # the vocabulary takes a moment to load
        chores = (
            self._hear_changes(),
            self._keep_last_use(),
            self._keep_registry(),
            self.keeping.run(),
            self._keep_at(settings.GATEWAY_HEARTBEAT_SECONDS, self.ledger.report_progress, "progress is told later"),
            self._keep_at(settings.GATEWAY_HEARTBEAT_SECONDS, self.idempotency.renew, "runs are renewed later"),
            self._keep_at(RENEW_SECONDS, self.streams.renew, "streams are renewed later"),
            self._keep_at(REPLAY_SECONDS, self.ledger.replay, "settlements stay on disk"),
            self._keep_at(ADOPT_SECONDS, self.ledger.adopt, "what others left stays on disk"),
        )
        self._tasks = [asyncio.create_task(chore) for chore in chores]
        with suppress(TimeoutError):
            async with asyncio.timeout(START_SECONDS):
                await self._be_ready()

    async def _be_ready(self) -> None:
        """Have everything at hand that the first callers need, so that they wait no longer than others do."""
        with suppress(PoolTimeout):
            await self.pool.wait(START_SECONDS)
        await asyncio.gather(
            self.registry.renew(), self.tariffs.renew(), self.ledger.be_ready(), self._scripts.prepare(SCRIPT)
        )

    def keep_running(self, task: asyncio.Task[None]) -> None:
        """Go on with it although nobody waits for it."""
        self._detached.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._detached.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.warning("a request failed after its caller had gone: %s", type(task.exception()).__name__)

    async def stop(self) -> None:
        """Finish what is being written, then let go of everything."""
        if self._detached:
            await asyncio.wait(self._detached, timeout=DETACHED_SECONDS)
        for task in list(self._detached):
            task.cancel()
        await self.keeping.drain()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.ledger.drain()
        await self.streams.drain()
        await self.allowances.drain()
        await self._flush_last_use()
        await self.egress.aclose()
        self.access_log.write()
        await self.valkey.aclose()
        await self.pool.close()

    async def _keep_registry(self) -> None:
        """Read it also while nobody calls: after a quiet night the first caller gets what staff changed in it."""
        while True:
            await self.registry.renew()
            await self.tariffs.renew()
            await asyncio.sleep(max(settings.GATEWAY_REGISTRY_SECONDS, 0.1))

    async def _keep_at(self, seconds: float, chore: Callable[[], Awaitable[None]], otherwise: str) -> None:
        """Do it at once and then again and again; a database that is away is no reason to stop."""
        while True:
            try:
                await chore()
            except (psycopg.Error, OSError) as error:
                log.warning("%s: %s", otherwise, type(error).__name__)
            await asyncio.sleep(seconds)

    async def _hear_changes(self) -> None:
        """Forget changed keys at once. When Valkey is away the directory's own time limit still holds."""
        while True:
            try:
                async with self.valkey.pubsub() as pubsub:
                    await pubsub.subscribe(keys.CHANGES)
                    async for message in pubsub.listen():
                        if message["type"] == "message":
                            self.directory.forget(bytes.fromhex(message["data"].decode()))
            except (RedisError, OSError, ValueError) as error:
                log.info("not hearing of changed keys: %s", type(error).__name__)
                await asyncio.sleep(1)

    async def _keep_last_use(self) -> None:
        while True:
            await asyncio.sleep(FLUSH_SECONDS)
            await self._flush_last_use()

    async def _flush_last_use(self) -> None:
        try:
            await self.last_use.flush()
        except (psycopg.Error, OSError) as error:
            log.warning("last use of keys is written later: %s", type(error).__name__)


async def _warm(connection: AsyncConnection[Any]) -> None:
    """Each of the pool may be the one that the first caller gets."""
    await directory.warm(connection)
    await moves.warm(connection)


def _connection_settings() -> dict[str, Any]:
    database = settings.DATABASES["default"]
    return {
        **database["OPTIONS"],
        "dbname": database["NAME"],
        "user": database["USER"],
        "password": database["PASSWORD"],
        "host": database["HOST"],
        "port": database["PORT"],
        "autocommit": True,
        "connect_timeout": 5,
        "tcp_user_timeout": 10_000,  # a peer that the network lost is given up, and its connection with it
        # Compiling a plan takes longer than any statement here does.
        "options": "-c statement_timeout=5000 -c lock_timeout=2000 -c idle_in_transaction_session_timeout=10000"
        " -c jit=off -c enable_seqscan=off",
    }

"""Questions to Valkey, each answered by a script there, so that no two workers can get the same answer.

Concurrent questions share one round trip, whatever they are about. A Valkey that fails is left alone for a second:
until then callers are told at once that it is away, and decide for themselves.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, NamedTuple

import redis.asyncio
from hiredis import pack_command
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import ConnectionError as DisconnectedError
from redis.exceptions import NoScriptError, RedisError, ResponseError

from accounts.batching import Batcher

TIMEOUT_SECONDS = 1.0
OPEN_SECONDS = 1.0  # how long Valkey is left alone after it failed

log = logging.getLogger(__name__)


class AwayError(Exception):
    """Valkey does not answer: each worker is on its own."""


class _Question(NamedTuple):
    script: str
    keys: Sequence[str]
    arguments: Sequence[str | int]
    asked_at: float


class Scripts:
    """One for an event loop."""

    def __init__(self, valkey: redis.asyncio.Redis) -> None:
        self._valkey = valkey
        self._batcher: Batcher[_Question, Any] = Batcher(self._ask)
        self._loaded: dict[str, str] = {}
        self._line: AbstractConnection | None = None
        self._away = False
        self._closed_until = 0.0
        self._failed_at = 0.0

    async def prepare(self, *scripts: str) -> None:
        """Have a connection, and Valkey know them, before anybody asks. If it does not answer, they will find out."""
        with suppress(RedisError, OSError, TimeoutError):
            async with asyncio.timeout(TIMEOUT_SECONDS):
                for script in scripts:
                    self._loaded[script] = await self._valkey.script_load(script)
                if self._line is None:
                    self._line = await self._valkey.connection_pool.get_connection()  # type: ignore[no-untyped-call]

    async def run(self, script: str, keys: Sequence[str], arguments: Sequence[str | int]) -> Any:
        """What the script returns. Raises `AwayError`."""
        now = time.monotonic()
        if now < self._closed_until:
            raise AwayError
        if self._away:  # this question finds out whether Valkey is back; the others do not wait for it
            self._closed_until = now + TIMEOUT_SECONDS + OPEN_SECONDS
        try:
            answer = await self._batcher.submit(_Question(script, keys, arguments, now))
        except (RedisError, OSError, TimeoutError) as error:
            if not self._away:
                log.warning("Valkey does not answer; limits are kept by each worker: %s", type(error).__name__)
            self._away = True
            raise AwayError from error
        if self._away:
            log.warning("Valkey answers again; limits are exact")
            self._away, self._closed_until = False, 0.0
        return answer

    async def _ask(self, questions: list[_Question]) -> Sequence[Any]:
        if questions[0].asked_at < self._failed_at:
            raise TimeoutError("Valkey failed while these were waiting")  # they need not wait for the same again
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                try:
                    return await self._run(questions)
                # It was restarted. What was counted twice leaves its window as all else does.
                except (NoScriptError, DisconnectedError):
                    self._loaded.clear()
                    return await self._run(questions)
        except (RedisError, OSError, TimeoutError):
            self._failed_at = time.monotonic()
            self._closed_until = self._failed_at + OPEN_SECONDS
            raise

    async def _run(self, questions: list[_Question]) -> Sequence[Any]:
        for question in questions:
            if question.script not in self._loaded:
                self._loaded[question.script] = await self._valkey.script_load(question.script)
        commands = [
            ("EVALSHA", self._loaded[one.script], len(one.keys), *one.keys, *map(str, one.arguments))
            for one in questions
        ]
        return await self._exchange(commands)

    async def _exchange(self, commands: Sequence[tuple[Any, ...]]) -> Sequence[Any]:
        """The answers to all of them, over a connection that nobody else uses: a pipeline of the client's does more
        for each command than Valkey does. Raises the first answer that is an error."""
        if self._line is None:
            self._line = await self._valkey.connection_pool.get_connection()  # type: ignore[no-untyped-call]
        answers: list[Any] = []
        try:
            await self._line.send_packed_command(b"".join(map(pack_command, commands)))
            for _ in commands:
                try:
                    answers.append(await self._line.read_response())
                except ResponseError as error:
                    answers.append(error)
        except BaseException:
            await self._line.disconnect(nowait=True)  # what is still to come must not be taken for the next answer
            raise
        for answer in answers:
            if isinstance(answer, ResponseError):
                raise answer
        return answers

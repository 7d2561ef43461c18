"""The load generator, in a process of its own: reads a `Plan` as JSON, tells an `Outcome`.

    python -m benchmarks.load < plan.json

It writes `begin` and `end` when what is measured begins and ends, so that others can measure the same seconds.

With a rate, a request's time runs from the moment at which it was due, not from when it could be sent: when the
gateway stands still for a second, everything that was due in that second has waited, and counts (what is known as
coordinated omission would leave it out).
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from itertools import cycle
from typing import cast

import uvloop

from benchmarks.answers import STAMP, BadAnswerError, Events, Reader
from benchmarks.plans import Ask, Outcome, Plan

HUNG_UP = "hung up"
TICK_SECONDS = 0.005  # how often the generator looks whether it is behind


class Connection(asyncio.Protocol):
    """Sends a request, reads its answer, and then asks the run what to do next."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.reader, self.events = Reader(), Events()
        self.transport: asyncio.Transport
        self.lost = False
        self.ask: Ask | None = None
        self.due = self.arrived = 0.0
        self.giving_up: asyncio.TimerHandle | None = None
        self.gave_up = ""  # why

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's is none by its class
        self.run.is_free(self)

    def send(self, ask: Ask, message: bytes, due: float) -> None:
        self.ask, self.due, self.arrived = ask, due, 0.0
        self.reader.begin()
        self.events.begin()
        self.transport.write(message)

    def give_up(self, why: str) -> None:
        if self.ask is not None and not self.lost:
            self.gave_up = why
            self.transport.abort()

    def data_received(self, data: bytes) -> None:
        if self.ask is None:
            return  # what comes after an answer belongs to none
        self.run.outcome.bytes += len(data)
        try:
            piece = self.reader.feed(data)
        except (BadAnswerError, ValueError) as error:
            self._finish(f"not HTTP: {error}")
            return
        if piece and self.ask.stream and self.reader.status == 200:
            self._read_events(piece)
        if self.reader.done:
            self._finish(self._problem())

    def _read_events(self, piece: bytes) -> None:
        before = self.events.count
        text = self.events.feed(piece)
        if self.events.count > before:
            self.run.came(self, self.events.count - before, text)

    def _problem(self) -> str:
        if self.reader.status != 200:
            return f"status {self.reader.status}"
        return "" if self.events.complete or not (self.ask and self.ask.stream) else "the stream did not end well"

    def connection_lost(self, error: Exception | None) -> None:
        self.lost = True
        if self.ask is not None:
            self._finish(self.gave_up or f"cut off: {type(error).__name__ if error else 'closed'}")
        self.run.is_gone(self)

    def _finish(self, problem: str) -> None:
        self.ask = None
        if self.giving_up is not None:
            self.giving_up.cancel()
            self.giving_up = None
        self.run.finished(self, problem)
        if problem.startswith("not HTTP") and not self.lost:
            self.transport.abort()
        elif not self.lost and not self.transport.is_closing():
            self.run.is_free(self)


LONGEST_PROBLEM = 60  # characters that are kept of it: some quote what came


class Run:
    """One plan as it is carried out."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.outcome = Outcome()
        self.loop = asyncio.get_running_loop()
        self.chance = random.Random(plan.seed)  # noqa: S311 - to be repeatable
        self.turns = self._mixed()
        self.free: list[Connection] = []
        self.all: set[Connection] = set()
        self.waiting: deque[float] = deque()  # moments at which requests were due that no connection was free for
        self.opening = 0
        self.open = 0  # requests that are measured and not yet answered
        self.sent = 0
        self.measuring = self.stopping = False
        self.begins = self.ends = 0.0
        self.begun, self.over = asyncio.Event(), asyncio.Event()

    def _mixed(self) -> Iterator[tuple[Ask, bytes]]:
        """The requests in turn, for ever, each as often as its weight says."""
        turns = [(ask, ask.message(f"127.0.0.1:{self.plan.port}")) for ask in self.plan.asks for _ in range(ask.weight)]
        self.chance.shuffle(turns)
        return cycle(turns)

    async def carry_out(self) -> Outcome:
        now = time.monotonic()
        self.begins = now + self.plan.warm_up
        self.ends = self.begins + self.plan.seconds
        chores = [asyncio.create_task(self._watch_clock())]
        if self.plan.rate:
            chores.append(asyncio.create_task(self._arrivals()))
        else:
            chores.append(asyncio.create_task(self._connect_all()))
        await self._measure()
        for chore in chores:
            chore.cancel()
        for connection in list(self.all):
            connection.transport.abort()
        return self.outcome

    async def _measure(self) -> None:
        await asyncio.sleep(self.begins - time.monotonic())
        began, computed = time.monotonic(), time.process_time()
        self.measuring = True
        self.outcome = Outcome()
        print("begin", flush=True)
        self.begun.set()
        if self.plan.once:
            with suppress(TimeoutError):
                await asyncio.wait_for(self.over.wait(), self.plan.ramp + self.plan.timeout + 1)
            if self.open:
                self.outcome.failed["not answered"] += self.open
        else:
            await asyncio.sleep(self.ends - time.monotonic())
        self.stopping = True
        self.outcome.seconds = time.monotonic() - began
        self.outcome.processor = time.process_time() - computed
        print("end", flush=True)
        if self.plan.rate:
            await self._last_answers()

    async def _last_answers(self) -> None:
        """What was due within the seconds is waited for: to leave out the slow ones would flatter."""
        if self.open or self.waiting:
            with suppress(TimeoutError):
                await asyncio.wait_for(self.over.wait(), self.plan.timeout + 1)
        if left := self.open + len(self.waiting):
            self.outcome.failed["not answered"] += left

    async def _connect_all(self) -> None:
        if self.plan.once:
            await self.begun.wait()
        for number in range(self.plan.connections):
            self._connect()
            if self.plan.ramp:
                await asyncio.sleep(self.begins_at(number + 1) - time.monotonic())

    def begins_at(self, number: int) -> float:
        start = self.begins if self.plan.once else self.begins - self.plan.warm_up
        return start + self.plan.ramp * number / self.plan.connections

    async def _arrivals(self) -> None:
        due, apart = time.monotonic(), 1 / self.plan.rate
        while due < self.ends:
            now = time.monotonic()
            if due > now:
                await asyncio.sleep(due - now)
                continue
            self._arrive(due)
            due += apart

    def _arrive(self, due: float) -> None:
        if self.free:
            self._send(self.free.pop(), due)
            return
        self.waiting.append(due)
        if len(self.all) + self.opening < self.plan.connections:
            self._connect()

    def _connect(self) -> None:
        self.opening += 1
        self.loop.create_task(self._open())

    async def _open(self) -> None:
        try:
            await self.loop.create_connection(lambda: Connection(self), "127.0.0.1", self.plan.port)
        except OSError as error:
            self.opening -= 1
            self.outcome.failed[f"no connection: {type(error).__name__}"] += 1
            if self.plan.once:
                self._count_down()
            elif self.waiting or not self.stopping:
                self.loop.call_later(0.1, self._connect)

    def is_free(self, connection: Connection) -> None:
        if connection not in self.all:
            self.all.add(connection)
            self.opening -= 1
        if self.waiting:
            self._send(connection, self.waiting.popleft())
        elif self.stopping:
            return
        elif self.plan.rate:
            self.free.append(connection)
        elif not self.plan.once or self.sent < self.plan.connections:
            self._send(connection, time.monotonic())

    def is_gone(self, connection: Connection) -> None:
        self.all.discard(connection)
        if connection in self.free:
            self.free.remove(connection)
        keeps_its_number = not (self.plan.rate or self.plan.once or self.stopping)
        if keeps_its_number or self.waiting:
            self._connect()

    def _send(self, connection: Connection, due: float) -> None:
        ask, message = next(self.turns)
        self.sent += 1
        if self._counts(due):
            self.open += 1
        connection.send(ask, message, due)
        if self.plan.hang_up and self.chance.random() < self.plan.hang_up:
            after = self.chance.random() * self.plan.hang_up_within
            connection.giving_up = self.loop.call_later(after, connection.give_up, HUNG_UP)
        else:
            connection.giving_up = self.loop.call_later(self.plan.timeout, connection.give_up, "too slow")

    def _counts(self, due: float) -> bool:
        """With a rate what is due in the measured seconds is measured; otherwise, what is answered in them."""
        return self.begins <= due < self.ends if self.plan.rate else True

    def came(self, connection: Connection, count: int, text: bytes) -> None:
        """So many events of a stream."""
        now, outcome = time.monotonic(), self.outcome
        if not connection.arrived:
            if self.measuring and self._counts(connection.due):
                outcome.first_event.record(round((now - connection.due) * 1e6))
        else:
            outcome.gap.record(round((now - connection.arrived) * 1e6))
        connection.arrived = now
        if not self.stopping:
            outcome.events += count
        clock = time.monotonic_ns() // 1000
        for stamp in STAMP.findall(text):
            outcome.age.record(clock - int(stamp))

    def finished(self, connection: Connection, problem: str) -> None:
        counts = self._counts(connection.due)
        if counts:
            self.open -= 1
        if counts and self.measuring and (self.plan.rate or not self.stopping):
            self._note(connection, problem)
        if self.plan.once:
            self._count_down()
        elif self.stopping and not (self.open or self.waiting):
            self.over.set()

    def _note(self, connection: Connection, problem: str) -> None:
        if not problem:
            self.outcome.answered += 1
            self.outcome.latency.record(round((time.monotonic() - connection.due) * 1e6))
        elif problem == HUNG_UP:
            self.outcome.hung_up += 1
        else:
            self.outcome.failed[problem[:LONGEST_PROBLEM]] += 1

    def _count_down(self) -> None:
        ended = self.outcome.answered + self.outcome.hung_up + self.outcome.failures
        if ended >= self.plan.connections:
            self.over.set()

    async def _watch_clock(self) -> None:
        """A timer that fires late says that the generator itself had no time, or its processor was taken."""
        while True:
            due = time.monotonic() + TICK_SECONDS
            await asyncio.sleep(TICK_SECONDS)
            self.outcome.late.record(round((time.monotonic() - due) * 1e6))


async def carry_out(plan: Plan) -> Outcome:
    return await Run(plan).carry_out()


def main() -> None:
    plan = Plan.from_json(json.load(sys.stdin))
    outcome = uvloop.run(carry_out(plan))
    with open(sys.stdout.fileno(), "wb", closefd=False) as out:  # `print` would lose what the pipe cannot hold at once
        out.write(json.dumps(outcome.to_json()).encode() + b"\n")


if __name__ == "__main__":
    main()

"""What the load generator is told to do, and what it tells afterwards: both cross a pipe as JSON."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Self

from benchmarks.histogram import Histogram


@dataclass(frozen=True, slots=True)
class Ask:
    """A request, ready to be sent. One of several is taken as often as its weight says."""

    path: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    stream: bool = False
    weight: int = 1

    def message(self, host: str) -> bytes:
        """The request as it goes over the wire."""
        told = {"host": host, "content-type": "application/json", **self.headers, "content-length": len(self.body)}
        lines = [f"POST {self.path} HTTP/1.1", *(f"{name}: {value}" for name, value in told.items())]
        return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + self.body


@dataclass(frozen=True, slots=True)
class Plan:
    """A load. With a `rate` requests are due at fixed moments, whatever became of those before; without, each
    connection sends its next request when the last is answered."""

    port: int
    asks: tuple[Ask, ...]
    seconds: float
    warm_up: float = 1.0
    connections: int = 32  # at most, when there is a rate
    rate: float = 0.0
    once: bool = False  # one request for each connection, and no end before they are all answered
    ramp: float = 0.0  # seconds over which the connections begin
    hang_up: float = 0.0  # the share of requests that are given up
    hang_up_within: float = 1.0  # seconds, at random
    timeout: float = 60.0
    seed: int = 2389

    def to_json(self) -> dict[str, Any]:
        plain = {one.name: getattr(self, one.name) for one in fields(self)}
        asks = [
            {**{one.name: getattr(ask, one.name) for one in fields(ask)}, "body": base64.b64encode(ask.body).decode()}
            for ask in self.asks
        ]
        return {**plain, "asks": asks}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        asks = tuple(Ask(**{**ask, "body": base64.b64decode(ask["body"])}) for ask in data["asks"])
        return cls(**{**data, "asks": asks})


@dataclass
class Outcome:
    """What came of a plan, within its seconds."""

    seconds: float = 0.0
    answered: int = 0  # whole, with status 200
    hung_up: int = 0
    events: int = 0
    bytes: int = 0
    processor: float = 0.0  # seconds that the generator itself computed
    failed: Counter[str] = field(default_factory=Counter)
    latency: Histogram = field(default_factory=Histogram)
    first_event: Histogram = field(default_factory=Histogram)
    gap: Histogram = field(default_factory=Histogram)  # between two arrivals of the same stream
    age: Histogram = field(default_factory=Histogram)  # of an event that carries when it was sent
    late: Histogram = field(default_factory=Histogram)  # by how much the generator itself was behind its clock

    @property
    def rate(self) -> float:
        return self.answered / self.seconds if self.seconds else 0.0

    @property
    def event_rate(self) -> float:
        return self.events / self.seconds if self.seconds else 0.0

    @property
    def failures(self) -> int:
        return sum(self.failed.values())

    def to_json(self) -> dict[str, Any]:
        return {one.name: _plain(getattr(self, one.name)) for one in fields(self)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        made = cls()
        for one in fields(cls):
            kind, value = type(getattr(made, one.name)), data[one.name]
            setattr(made, one.name, kind.from_json(value) if issubclass(kind, Histogram) else kind(value))
        return made


def _plain(value: Any) -> Any:
    return value.to_json() if isinstance(value, Histogram) else dict(value) if isinstance(value, Counter) else value

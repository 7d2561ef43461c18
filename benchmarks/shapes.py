"""What is asked for in the measurements: the fake provider's behaviours, and the requests that lead to them."""

from __future__ import annotations

import base64
import random
import re
from dataclasses import dataclass, fields
from functools import cache, cached_property

import orjson

OPENAI, ANTHROPIC = "openai", "anthropic"
PATHS = {OPENAI: "chat/completions", ANTHROPIC: "messages"}
MEGABYTE = 1_000_000
_KNOB = re.compile(r"([a-z])(\d+)")


@dataclass(frozen=True, slots=True)
class Behaviour:
    """How the fake provider answers. It is told by the path of the request, so that every gateway can pass it on."""

    delay: int = 0  # milliseconds before the first byte
    events: int = 20  # deltas of a stream
    rate: int = 0  # of them a second; none: as fast as they are taken
    size: int = 20  # characters of a delta, or of a whole plain answer
    times: int = 0  # whether each delta carries the time at which it was sent
    packet: int = 1  # deltas that are sent together, when there is no rate

    @property
    def word(self) -> str:
        """As one part of a path, with only what differs from the usual: `d50_r10`."""
        told = [f"{one.name[0]}{value}" for one in fields(self) if (value := getattr(self, one.name)) != one.default]
        return "_".join(told) or "usual"

    @classmethod
    def read(cls, word: str) -> Behaviour:
        names = {one.name[0]: one.name for one in fields(cls)}
        return cls(**{names[letter]: int(value) for letter, value in _KNOB.findall(word) if letter in names})


@dataclass(frozen=True)
class Shape:
    """One kind of call: a dialect of the provider, plain or streaming, with a prompt of a certain size."""

    dialect: str = OPENAI
    stream: bool = False
    behaviour: Behaviour = Behaviour()
    image: int = 0  # bytes of the request, nearly all of them one base64 image

    @property
    def name(self) -> str:
        """The model by which gateways know it."""
        return f"bench-{self.dialect}-{self.behaviour.word}".replace("_", "-")

    @property
    def base_path(self) -> str:
        """Where the provider serves it, for a base URL."""
        return f"/{self.behaviour.word}/v1"

    @property
    def path(self) -> str:
        return f"{self.base_path}/{PATHS[self.dialect]}"

    @cached_property
    def body(self) -> bytes:
        """The request as callers of an OpenAI-compatible gateway write it."""
        return body_for(self.name, stream=self.stream, image=self.image)


def body_for(model: str, *, stream: bool, image: int = 0) -> bytes:
    body: dict[str, object] = {
        "model": model,
        "messages": [
            {"role": "system", "content": "You are a helpful assistant. Answer in one short paragraph."},
            {
                "role": "user",
                "content": _with_image(image) if image else "What is a durable ledger, and who needs one?",
            },
        ],
        "max_tokens": 400,
        "temperature": 0.2,
    }
    if stream:
        body |= {"stream": True, "stream_options": {"include_usage": True}}
    return orjson.dumps(body)


@cache
def _with_image(size: int) -> list[dict[str, object]]:
    """Noise that begins as a PNG does: what it shows is nobody's business here."""
    noise = b"\x89PNG\r\n\x1a\n" + random.Random(2389).randbytes(size * 3 // 4 - 400)  # noqa: S311 - to be repeatable
    url = f"data:image/png;base64,{base64.b64encode(noise).decode()}"
    return [{"type": "text", "text": "What is this?"}, {"type": "image_url", "image_url": {"url": url}}]


PLAIN = Shape(behaviour=Behaviour(size=600))
SLOW = Shape(behaviour=Behaviour(delay=50, size=600))
FAST = Behaviour(events=400, packet=8)
FAST_STREAM = Shape(stream=True, behaviour=FAST)
FAST_TRANSLATED = Shape(ANTHROPIC, stream=True, behaviour=FAST)
PACED = Shape(stream=True, behaviour=Behaviour(events=100, rate=10, times=1))
PACED_BRIEFLY = Shape(stream=True, behaviour=Behaviour(events=30, rate=10, times=1))
SOAK_STREAM = Shape(stream=True, behaviour=Behaviour(events=40, rate=20))
SOAK_TRANSLATED = Shape(ANTHROPIC, stream=True, behaviour=Behaviour(events=40, rate=20))
IMAGE_5 = Shape(image=5 * MEGABYTE)
IMAGE_20 = Shape(image=20 * MEGABYTE)
ALL = (
    PLAIN, SLOW, FAST_STREAM, FAST_TRANSLATED, PACED, PACED_BRIEFLY, SOAK_STREAM, SOAK_TRANSLATED, IMAGE_5, IMAGE_20,
)  # fmt: skip

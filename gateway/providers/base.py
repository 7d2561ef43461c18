"""What a provider module is: one class that puts a chat call into a vendor's words and the answer back into OpenAI's.

A vendor is one file in this folder. The class attribute `kind` is what the registry calls it. The methods
are pure, except `send`: dicts and bytes in, dicts and bytes out. All outbound HTTP goes through `gateway.egress`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Protocol

from billing.usage import Usage
from gateway import tokens
from gateway.errors import ApiError
from gateway.sse import Event


@dataclass(frozen=True, slots=True)
class Target:
    """One route, ready to be called."""

    provider: str  # the provider's slug
    kind: str
    base_url: str
    credential: str | None = field(repr=False)
    model: str  # the public id of the model that serves
    upstream_model: str
    max_output_tokens: int | None = None
    capabilities: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    default_system_prompt: str = ""


@dataclass(frozen=True, slots=True)
class ChatCall:
    """A validated chat completion request on its way to one target. `body` is the caller's own and is never changed."""

    body: Mapping[str, Any]
    target: Target
    request_id: str
    created: int  # unix seconds; the same in every chunk
    organization_id: int = 0  # whose call it is: what is derived of its users must differ from another's
    output_limit: int | None = None  # tokens that are paid for, when the caller named no limit: to be sent upstream

    @property
    def streaming(self) -> bool:
        return self.body.get("stream") is True

    @property
    def include_usage(self) -> bool:
        """Whether the caller asked for the usage chunk at the end of the stream."""
        return bool((self.body.get("stream_options") or {}).get("include_usage"))

    @property
    def legacy_functions(self) -> bool:
        """Whether the caller speaks `functions` / `function_call` and wants its answer so."""
        return bool(self.body.get("functions")) and not self.body.get("tools")


@dataclass(frozen=True, slots=True)
class Outbound:
    """An HTTP request to a provider. `headers` hold the credential: never log them."""

    url: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    method: str = "POST"


class Answer(Protocol):
    """A provider's HTTP answer, its body not yet read."""

    status: int
    headers: Mapping[str, str]  # names in lower case

    async def read(self) -> bytes: ...
    def chunks(self) -> AsyncGenerator[bytes]: ...
    async def aclose(self) -> None: ...


class Egress(Protocol):
    """The one outbound HTTP client, `gateway.egress.Egress`."""

    async def send(self, outbound: Outbound) -> Answer: ...


@dataclass(frozen=True, slots=True)
class Completion:
    """A whole answer in OpenAI's shape (`chat.completion`), with what the ledger needs to know of it."""

    body: dict[str, Any]
    usage: Usage | None  # None when the provider gave no counts
    finish_reason: str = ""


class ChunkStream(ABC):
    """Turns a provider's events into `chat.completion.chunk` payloads, one upstream event at a time.

    `feed` and `end` return the JSON of each chunk, without SSE framing and without `[DONE]`: the API adds both.
    They raise `ApiError` when the provider reports an error or the stream ends before the answer did; what was
    returned before stands. Nothing follows the finish chunk but the usage chunk, and that only when asked for.
    """

    def __init__(self, call: ChatCall) -> None:
        self.call = call
        self.usage: Usage | None = None  # the provider's counts, as soon and as far as they are known
        self.finish_reason = ""
        self.produced: list[str] = []  # text, reasoning and arguments so far, for counting when the provider does not
        self._measured = (0, 0)  # how many pieces of `produced` were counted, and their tokens
        self._prompt: int | None = None

    def counted(self) -> Usage:
        """Our own count of the call so far, for a provider that gives none."""
        return Usage(input=self._counted_prompt(), output=self.counted_output())

    def measured(self) -> Usage:
        """The same while the stream goes on, cheaply: pieces are counted once, each by itself, and so not to the
        last token. The provider's own counts stand where they are higher."""
        pieces, so_far = self._measured
        fresh = "".join(self.produced[pieces:])
        self._measured = len(self.produced), so_far + tokens.count(fresh)
        if self.usage is None:
            return Usage(input=self._counted_prompt(), output=self._measured[1])
        if self._measured[1] <= self.usage.completion_tokens:
            return self.usage
        return replace(self.usage, output=self._measured[1], reasoning=0, audio_output=0, image_output=0)

    def _counted_prompt(self) -> int:
        if self._prompt is None:
            self._prompt = tokens.count_messages(self.call.body["messages"])
        return self._prompt

    def counted_output(self) -> int:
        return tokens.count("".join(self.produced))

    @abstractmethod
    def feed(self, event: Event) -> list[bytes]: ...

    @abstractmethod
    def end(self) -> list[bytes]:
        """The upstream body has ended: the closing chunks, or `ApiError` when the answer was cut."""


class Provider(ABC):
    """One vendor's wire format."""

    kind: ClassVar[str]
    label: ClassVar[str]  # what people read in the admin
    default_base_url: ClassVar[str] = ""

    @abstractmethod
    def request(self, call: ChatCall) -> Outbound:
        """The HTTP request. Raises `ApiError` (400, with `param`) for what this vendor cannot be asked."""

    @abstractmethod
    def response(self, call: ChatCall, body: bytes) -> Completion:
        """A 200 answer that was not streamed. Raises `ApiError` (502) when it cannot be read."""

    @abstractmethod
    def stream(self, call: ChatCall) -> ChunkStream:
        """A fresh translator for one streamed answer."""

    @abstractmethod
    def error(self, call: ChatCall, status: int, headers: Mapping[str, str], body: bytes) -> ApiError:
        """What the caller is told when the provider answered with an error status."""

    async def send(self, call: ChatCall, egress: Egress) -> Answer:
        """Make the call. A provider that is not on the network answers by itself."""
        return await egress.send(self.request(call))

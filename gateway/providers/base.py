"""What a provider module is: one class that puts a call into a vendor's words and the answer back into OpenAI's.

A vendor is one file in this folder. The class attribute `kind` is what the registry calls it. The methods
are pure, except `send`: dicts and bytes in, dicts and bytes out. All outbound HTTP goes through `gateway.egress`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from billing.usage import Usage
from gateway import tokens
from gateway.errors import ApiError
from gateway.lifting import Media, like, media_of, spliced
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
class Call:
    """A validated request on its way to one target. `body` is the caller's own and is never changed."""

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

    @classmethod
    def prepared(cls, body: Mapping[str, Any], target: Target) -> Mapping[str, Any]:
        """The body with what the target's model adds to it."""
        return body

    @staticmethod
    def count_prompt(body: Mapping[str, Any]) -> int:
        """Our own count of what is asked, for when the provider gives none."""
        raise NotImplementedError

    @staticmethod
    def said(answer: Mapping[str, Any]) -> str:
        """The text of a whole answer."""
        return ""

    def counted(self, answer: Mapping[str, Any]) -> Usage:
        """Our own count of the call and its answer."""
        return Usage(input=self.count_prompt(self.body), output=tokens.count(self.said(answer)))


class ChatCall(Call):
    """A chat completion."""

    __slots__ = ()

    @property
    def legacy_functions(self) -> bool:
        """Whether the caller speaks `functions` / `function_call` and wants its answer so."""
        return bool(self.body.get("functions")) and not self.body.get("tools")

    @classmethod
    def prepared(cls, body: Mapping[str, Any], target: Target) -> Mapping[str, Any]:
        """With the model's own system prompt, for callers who send none."""
        prompt = target.default_system_prompt
        if not prompt or any(message["role"] in {"system", "developer"} for message in body["messages"]):
            return body
        return like(body, {**body, "messages": [{"role": "system", "content": prompt}, *body["messages"]]})

    @staticmethod
    def count_prompt(body: Mapping[str, Any]) -> int:
        return tokens.count_messages(body["messages"])

    @staticmethod
    def said(answer: Mapping[str, Any]) -> str:
        return "".join(tokens.text_of(choice["message"].get("content")) for choice in answer["choices"])


class PromptCall(Call):
    """A completion of OpenAI's older kind, `/completions`: text, or tokens, that go on."""

    __slots__ = ()

    @staticmethod
    def count_prompt(body: Mapping[str, Any]) -> int:
        return tokens.count_inputs(body.get("prompt")) + tokens.count(body.get("suffix") or "")

    @staticmethod
    def said(answer: Mapping[str, Any]) -> str:
        return "".join(choice.get("text") or "" for choice in answer["choices"])


class EmbeddingsCall(Call):
    """Vectors for texts."""

    __slots__ = ()

    @property
    def streaming(self) -> bool:
        return False

    @staticmethod
    def count_prompt(body: Mapping[str, Any]) -> int:
        return tokens.count_inputs(body.get("input"))


@dataclass(frozen=True, slots=True)
class Outbound:
    """An HTTP request to a provider. `headers` hold the credential: never log them."""

    url: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    method: str = "POST"
    media: Media = field(default_factory=dict, repr=False)  # what names in the body stand for

    @property
    def pieces(self) -> Sequence[bytes | memoryview]:
        """What is sent: the body, with everything in it that was put aside."""
        return spliced(self.body, self.media) if self.media else (self.body,)


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
    """A whole answer in OpenAI's shape, with what the ledger needs to know of it."""

    body: dict[str, Any]
    usage: Usage | None  # None when the provider gave no counts
    finish_reason: str = ""


class ChunkStream(ABC):
    """Turns a provider's events into OpenAI's chunks, one upstream event at a time.

    `feed` and `end` return the JSON of each chunk, without SSE framing and without `[DONE]`: the API adds both.
    They raise `ApiError` when the provider reports an error or the stream ends before the answer did; what was
    returned before stands. Nothing follows the finish chunk but the usage chunk, and that only when asked for.
    """

    def __init__(self, call: Call) -> None:
        self.call = call
        self.usage: Usage | None = None  # the provider's counts, as soon and as far as they are known
        self.finish_reason = ""
        self.done = False  # the provider said that this was the last event: what comes after it is no matter
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
            self._prompt = self.call.count_prompt(self.call.body)
        return self._prompt

    def counted_output(self) -> int:
        return tokens.count("".join(self.produced))

    @abstractmethod
    def feed(self, event: Event) -> list[bytes]: ...

    @abstractmethod
    def end(self) -> list[bytes]:
        """The upstream body has ended: the closing chunks, or `ApiError` when the answer was cut."""


DEFAULT_COMPLETION_TOKENS = 16  # of a completion of the older kind, as OpenAI's reference says
C = TypeVar("C", bound=Call)


class Dialect(ABC, Generic[C]):
    """How one vendor speaks of one operation: chat, completions or embeddings."""

    assumed: ClassVar[bool] = True  # whether models can do it of which the registry does not say

    @abstractmethod
    def request(self, call: C) -> Outbound:
        """The HTTP request. Raises `ApiError` (400, with `param`) for what this vendor cannot be asked."""

    @abstractmethod
    def response(self, call: C, body: bytes) -> Completion:
        """A 200 answer that was not streamed. Raises `ApiError` (502) when it cannot be read."""

    @abstractmethod
    def stream(self, call: C) -> ChunkStream:
        """A fresh translator for one streamed answer."""

    @abstractmethod
    def error(self, call: C, status: int, headers: Mapping[str, str], body: bytes) -> ApiError:
        """What the caller is told when the provider answered with an error status."""

    async def prepare(self, call: C) -> C:
        """What must be had before the provider is asked anything, and costs nothing. Raises `ApiError`."""
        return call

    async def send(self, call: C, egress: Egress) -> Answer:
        """Make the call. A provider that is not on the network answers by itself."""
        outbound, media = self.request(call), media_of(call.body)
        return await egress.send(replace(outbound, media=media) if media else outbound)


class Provider(Dialect[ChatCall]):
    """One vendor's wire format: of chat in its own methods, of other operations in the dialects that it names."""

    kind: ClassVar[str]
    label: ClassVar[str]  # what people read in the admin
    default_base_url: ClassVar[str] = ""
    needs_base_url: ClassVar[bool] = False  # whether an address must be given where there is none above
    # Words of the registry (gateway/capability_words.py): what its models are taken to lack unless the registry says
    # otherwise; what a model may lack because the translation gives the same by other means; and what it may lack
    # because the translation can do without, as well as it goes.
    lacks: ClassVar[frozenset[str]] = frozenset()
    emulates: ClassVar[frozenset[str]] = frozenset()
    does_without: ClassVar[frozenset[str]] = frozenset()

    def dialect(self, operation: str) -> Dialect[Any] | None:
        """How it speaks of `operation`, or None when it has no such thing."""
        return self if operation == "chat" else None

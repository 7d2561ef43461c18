"""What callers can ask for. Whatever differs between chat, completions of the older kind and embeddings stands here;
all else is the same road for all of them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from accounts.models import Scope
from gateway import errors
from gateway.estimate import UNPRICED_FIELDS, Estimate, chat_estimate
from gateway.prompt_estimate import completion_estimate, embeddings_estimate
from gateway.prompt_schemas import check_completion, check_embeddings
from gateway.providers import providers
from gateway.providers.base import Call, ChatCall, EmbeddingsCall, PromptCall, Target
from gateway.registry import Entry
from gateway.schemas import check_chat


@dataclass(frozen=True, slots=True)
class Operation:
    """One of the things a model can do."""

    name: str  # what providers call it in `dialect`, and the word for it among a model's capabilities
    path: str  # where callers find it
    wanted: str  # a model that has it, in a sentence
    scope: Scope  # what a key must be allowed
    call: type[Call]
    check: Callable[[dict[str, Any]], None]  # raises `ApiError` (400)
    estimate: Callable[[Mapping[str, Any], Entry], Awaitable[Estimate]]  # raises `ApiError` (400)
    unpriced: tuple[str, ...] = UNPRICED_FIELDS  # fields that make it cost what no price says

    def serving(self, entry: Entry) -> tuple[Target, ...]:
        """The model's routes that can do it. Raises `ApiError` (400) when it is not that kind of model."""
        found = self.routes(entry)
        if not found and (entry.targets or entry.capabilities.get(self.name) is False):
            raise self._refusal(entry)
        return found

    def routes(self, entry: Entry) -> tuple[Target, ...]:
        return tuple(target for target in entry.targets if self._is_served(entry, target))

    def _is_served(self, entry: Entry, target: Target) -> bool:
        dialect = providers()[target.kind].dialect(self.name)
        said = entry.capabilities.get(self.name)
        return dialect is not None and (dialect.assumed if said is None else bool(said))

    def _refusal(self, entry: Entry) -> errors.ApiError:
        others = [other for other in OPERATIONS if other is not self and other.routes(entry)]
        instead = "".join(f" It answers at /v1{other.path}." for other in others[:1])
        return errors.ApiError(
            400,
            f"'{entry.id}' is not {self.wanted}.{instead}",
            type=errors.INVALID,
            code="unsupported_endpoint",
            param="model",
        )


CHAT = Operation("chat", "/chat/completions", "a chat model", Scope.CHAT, ChatCall, check_chat, chat_estimate)
COMPLETIONS = Operation(
    "completions",
    "/completions",
    "a model for completions of text",
    Scope.CHAT,
    PromptCall,
    check_completion,
    completion_estimate,
    unpriced=tuple(field for field in UNPRICED_FIELDS if field != "best_of"),  # its tries are held
)
EMBEDDINGS = Operation(
    "embeddings",
    "/embeddings",
    "an embedding model",
    Scope.EMBEDDINGS,
    EmbeddingsCall,
    check_embeddings,
    embeddings_estimate,
)
OPERATIONS = (CHAT, COMPLETIONS, EMBEDDINGS)

"""OpenAI's embeddings over Gemini's `batchEmbedContents`.

Gemini takes a hundred texts at most in one call, so a request becomes as many calls as it needs, and `joined` makes
one answer of theirs. Whoever calls counts the tokens when `usage` is missing: older servers give no counts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from billing.usage import Usage
from gateway import errors, vectors
from gateway.providers.base import Completion
from gateway.translation.gemini_reading import read_object

MAX_BATCH = 100
METHOD = "batchEmbedContents"


def embed_requests(body: Mapping[str, Any], upstream_model: str) -> list[dict[str, Any]]:
    """The bodies of the calls that answer the request together, in the order of its texts.

    Raises `ApiError` (400, with `param`) for what Gemini cannot be asked: tokens, and texts that are empty.
    """
    _encoding(body)
    model = f"models/{upstream_model.removeprefix('models/')}"
    dimensions = _dimensions(body.get("dimensions"))
    wanted = {} if dimensions is None else {"outputDimensionality": dimensions}
    requests = [{"model": model, "content": {"parts": [{"text": text}]}, **wanted} for text in _texts(body)]
    return [{"requests": requests[at : at + MAX_BATCH]} for at in range(0, len(requests), MAX_BATCH)]


def joined(answers: Sequence[bytes]) -> bytes:
    """The answers to all calls of a request as if it had been one. Raises `ApiError` (502)."""
    if len(answers) == 1:
        return answers[0]
    read = [read_object(answer) for answer in answers]
    whole: dict[str, Any] = {"embeddings": [vector for answer in read for vector in _listed(answer)]}
    counts = [_count(answer) for answer in read]
    if None not in counts:
        whole["usageMetadata"] = {"promptTokenCount": sum(count or 0 for count in counts)}
    return orjson.dumps(whole)


def embeddings(body: Mapping[str, Any], model: str, answer: bytes) -> Completion:
    """The answer in OpenAI's shape, under the public id `model`. Raises `ApiError` (502) when it cannot be read."""
    read = read_object(answer)
    encoding = _encoding(body)
    found = [_vector(vector, encoding) for vector in _listed(read)]
    texts = 1 if isinstance(body["input"], str) else len(body["input"])
    if len(found) != texts:
        raise errors.upstream_unavailable(f"Gemini sent {len(found)} embeddings for {texts} texts")
    data = [{"object": "embedding", "index": index, "embedding": vector} for index, vector in enumerate(found)]
    made: dict[str, Any] = {"object": "list", "data": data, "model": model}
    tokens = _count(read)
    if tokens is None:
        return Completion(made, None)
    made["usage"] = {"prompt_tokens": tokens, "total_tokens": tokens}
    return Completion(made, Usage(input=tokens))


def _texts(body: Mapping[str, Any]) -> list[str]:
    given = body.get("input")
    if isinstance(given, str):
        _check(given, "input")
        return [given]
    if not isinstance(given, list) or not given:
        raise errors.invalid("'input' must be a text, or a list of at least one text.", param="input")
    if all(isinstance(one, int | list) for one in given):
        raise errors.invalid(
            "'input' must be text for this model: it does not share OpenAI's tokens.",
            param="input",
            code="unsupported_value",
        )
    for position, text in enumerate(given):
        _check(text, f"input[{position}]")
    return given


def _check(text: object, at: str) -> None:
    if not isinstance(text, str) or not text:
        raise errors.invalid(f"'{at}' must be a text that is not empty.", param=at)


def _dimensions(given: object) -> int | None:
    if given is None:
        return None
    if not isinstance(given, int) or isinstance(given, bool) or given < 1:
        raise errors.invalid("'dimensions' must be a whole number of at least 1.", param="dimensions")
    return given


def _encoding(body: Mapping[str, Any]) -> str:
    given = body.get("encoding_format")
    if given not in (None, "float", "base64"):
        raise errors.invalid("'encoding_format' must be float or base64.", param="encoding_format")
    return str(given or "float")


def _listed(answer: Mapping[str, Any]) -> list[Any]:
    listed = answer.get("embeddings")
    if not isinstance(listed, list):
        raise errors.upstream_unavailable("Gemini sent no embeddings")
    return listed


def _vector(vector: object, encoding: str) -> list[float] | str:
    values = vector.get("values") if isinstance(vector, dict) else None
    if not isinstance(values, list) or not values:
        raise errors.upstream_unavailable("Gemini sent an embedding without values")
    try:
        packed = vectors.packed(values)  # made in any case: it is how to see that these are all numbers
    except (TypeError, OverflowError) as error:
        raise errors.upstream_unavailable("Gemini sent an embedding that is not of numbers") from error
    return packed if encoding == "base64" else values


def _count(answer: Mapping[str, Any]) -> int | None:
    metadata = answer.get("usageMetadata")
    count = metadata.get("promptTokenCount") if isinstance(metadata, dict) else None
    return count if isinstance(count, int) and not isinstance(count, bool) and count >= 0 else None

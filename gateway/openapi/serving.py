"""`GET /v1/openapi.json`: for everybody, from any origin, by either plane, and without a database."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import orjson
from django.conf import settings

from gateway import errors, request_ids
from gateway.bounds import Scope, Send
from gateway.openapi.document import document_for

MAX_AGE = 300
TAKES = "GET, HEAD"


@dataclass(frozen=True, slots=True)
class Written:
    """The document as it is sent."""

    content: bytes
    etag: str

    def is_known(self, if_none_match: str) -> bool:
        """Whether a caller who sends this has the same version. A weak tag is as good here: RFC 9110, 13.1.2."""
        tags = [tag.strip().removeprefix("W/") for tag in if_none_match.split(",")]
        return self.etag in tags or tags == ["*"]


@cache
def written(public_url: str) -> Written:
    content = orjson.dumps(document_for(public_url), option=orjson.OPT_INDENT_2)
    return Written(content, f'"{hashlib.sha256(content).hexdigest()[:32]}"')


async def answer(scope: Scope, send: Send) -> None:
    if scope["method"] not in {"GET", "HEAD"}:
        await _refuse(scope, send)
        return
    found = written(settings.PUBLIC_URL)
    asked = b",".join(value for name, value in scope["headers"] if name.lower() == b"if-none-match")
    headers = {
        "etag": found.etag,
        "cache-control": f"public, max-age={MAX_AGE}",
        "access-control-allow-origin": "*",
        "x-content-type-options": "nosniff",
    }
    if asked and found.is_known(asked.decode("latin-1")):
        await _write(send, 304, headers)
        return
    headers |= {"content-type": "application/json", "content-length": str(len(found.content))}
    await _write(send, 200, headers, b"" if scope["method"] == "HEAD" else found.content)


async def _refuse(scope: Scope, send: Send) -> None:
    refusal = errors.ApiError(
        405,
        f"{scope['path']} does not take {scope['method']}; it takes {TAKES}.",
        type=errors.INVALID,
        code="method_not_allowed",
    )
    content = refusal.body()
    headers = {"allow": TAKES, "content-type": "application/json", "content-length": str(len(content))}
    await _write(send, 405, headers, content)


async def _write(send: Send, status: int, headers: Mapping[str, str], content: bytes = b"") -> None:
    told = {**headers, "x-request-id": str(request_ids.new())}
    raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in told.items()]
    await send({"type": "http.response.start", "status": status, "headers": raw})
    await send({"type": "http.response.body", "body": content})

"""The routes of the data plane as values: what is there, and which methods it takes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from gateway.api import api


@dataclass(frozen=True, slots=True)
class Route:
    """One method of one path."""

    method: str
    path: str  # with its parameters in braces: /v1/models/{model}
    name: str  # by which Django finds it
    operation_id: str
    summary: str
    body: dict[str, Any] | None  # the schema of its request


def routes() -> Iterator[Route]:
    """All of them, in the order in which they are written."""
    for prefix, router in api._routers:  # noqa: SLF001 - the only name that they have
        for path, view in router.path_operations.items():
            for operation in view.operations:
                content = (operation.openapi_extra or {}).get("requestBody", {}).get("content", {})
                for method in operation.methods:
                    yield Route(
                        method=method,
                        path="/v1" + prefix + re.sub(r"{\w+:(\w+)}", r"{\1}", path),
                        name=api.get_operation_url_name(operation, router),
                        operation_id=str(operation.operation_id),
                        summary=str(operation.summary),
                        body=content.get("application/json", {}).get("schema"),
                    )


def methods_of(name: str | None) -> list[str]:
    """The methods of the path that has this route; none for a name that no route of the API has."""
    return _methods().get(name or "", [])


@cache
def _methods() -> dict[str, list[str]]:
    found = list(routes())
    return {one.name: sorted({other.method for other in found if other.path == one.path}) for one in found}

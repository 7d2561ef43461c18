"""The catalogue's pages, and how tests read them."""

from __future__ import annotations

import html
import re
from typing import Any

from django.test import Client

from gateway.models import Model
from tests.factories import make_model, make_provider, make_route


def make_served(id: str, **fields: Any) -> Model:  # noqa: A002 - the column's own name
    """A model with a provider that needs no credential."""
    model = make_model(id, **fields)
    make_route(model, make_provider(needs_credential=False))
    return model


def words(client: Client, path: str, status: int = 200) -> str:
    """Without markup, with single spaces."""
    response = client.get(path)
    assert response.status_code == status, path
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", response.content.decode())))


def ids(client: Client, path: str = "/models/") -> list[str]:
    """The models on a page, in their order."""
    return re.findall(r'<td class="name"><a href="[^"]+">([^<]+)</a>', client.get(path).content.decode())

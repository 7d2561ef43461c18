"""The pages of usage as tests read them: in words, as what is drawn, and as files."""

from __future__ import annotations

import csv
import html
import io
import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

from django.test import Client

from accounts.models import ApiKey
from tests.billing.events import settle

NOW = datetime(2026, 11, 25, 12, 30, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
USAGE = "/o/acme/usage/"
CSV = "/o/acme/usage.csv"


def use(key: ApiKey, at: datetime, dollars: float = 0, **fields: Any) -> None:
    settle(key, at, charged=round(dollars * 10**9), **fields)


def text(client: Client, path: str, **headers: str) -> str:
    response = client.get(path, headers=headers)
    assert response.status_code == 200, path
    return html.unescape(response.content.decode())


def words(page: str) -> str:
    """Without scripts and markup, with single spaces."""
    page = re.sub(r"<script.*?</script>", "", page, flags=re.DOTALL)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))


def drawn(client: Client, path: str = USAGE) -> Any:
    """What the browser is given to draw."""
    found = re.search(
        r'<script id="\w+-data" type="application/json">(.*?)</script>', client.get(path).content.decode()
    )
    assert found
    return json.loads(found[1])


def rows(client: Client, query: str = "") -> list[list[str]]:
    response = client.get(f"{CSV}?{query}")
    assert response.status_code == 200, response.content
    return list(csv.reader(io.StringIO(response.content.decode())))

"""One way to write a value as bytes, so that whoever has the value can hash it and find what we found."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any


def encode(value: Mapping[str, Any]) -> bytes:
    """JSON in UTF-8 with sorted keys and without spaces. Amounts come as text: not every reader keeps large numbers."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def digest(value: Mapping[str, Any]) -> str:
    return hashlib.sha256(encode(value)).hexdigest()


def instant(at: datetime) -> str:
    """`2026-11-25T12:00:00.000000Z`: UTC, always with six decimals."""
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"

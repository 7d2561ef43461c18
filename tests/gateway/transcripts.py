"""Recorded provider traffic, read in place when it lies beside the checkout; the suite stands without it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3] / "shared" / "transcripts"


@dataclass(frozen=True)
class Case:
    """One recorded exchange."""

    name: str
    status: int
    stream: bool
    response: Path
    request: Path | None
    headers: dict[str, str]

    @property
    def body(self) -> bytes:
        return self.response.read_bytes()

    @property
    def sent(self) -> dict[str, Any]:
        """What the recording's client sent, or a small request of the same kind."""
        if self.request is None:
            return {"model": "m", "messages": [{"role": "user", "content": "hi"}], "stream": self.stream}
        sent: dict[str, Any] = json.loads(self.request.read_bytes())
        return sent

    def __str__(self) -> str:
        return self.name


def cases(provider: str) -> list[Case]:
    """All recordings of `provider`, or none when they are not there."""
    manifest = ROOT / "manifest.json"
    if not manifest.exists():
        return []
    found = json.loads(manifest.read_bytes())["cases"]
    return [
        Case(
            name=f"{provider}/{case['name']}",
            status=case["status"],
            stream=bool(case["stream"]),
            response=ROOT / case["response"],
            request=ROOT / case["request"] if case.get("request") else None,
            headers=case.get("headers") or {},
        )
        for case in found
        if case["provider"] == provider
    ]

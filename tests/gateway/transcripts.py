"""What providers sent: recorded traffic, read in place when it lies beside the checkout, and small answers written by
hand, which are always there. The suite stands on the latter alone."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3] / "shared" / "transcripts"
FIXTURES = Path(__file__).resolve().parents[1] / "fixtures" / "wire"
CHAT = ("openai-chat", "openai-compatible", "anthropic", "gemini")


@dataclass(frozen=True)
class Case:
    """One recorded exchange."""

    name: str
    status: int
    stream: bool
    response: Path
    request: Path | None
    headers: dict[str, str]
    whole: Path | None = None  # the same answer as it would have been without streaming, where somebody wrote it down

    @property
    def dialect(self) -> str:
        return self.name.partition("/")[0]

    @cached_property
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
    return _listed(ROOT, provider, prefix="")


def fixtures(provider: str) -> list[Case]:
    """The answers written by hand in the format of `provider`."""
    return _listed(FIXTURES, provider, prefix="written/")


def everything() -> list[Case]:
    """All answers to a chat request that there are."""
    return [case for provider in CHAT for case in (*fixtures(provider), *cases(provider))]


def _listed(root: Path, provider: str, *, prefix: str) -> list[Case]:
    manifest = root / "manifest.json"
    if not manifest.exists():
        return []
    listed = {case["name"]: case for case in json.loads(manifest.read_bytes())["cases"] if case["provider"] == provider}
    return [
        Case(
            name=f"{provider}/{prefix}{name}",
            status=case["status"],
            stream=bool(case["stream"]),
            response=root / case["response"],
            request=root / case["request"] if case.get("request") else None,
            headers=case.get("headers") or {},
            whole=root / listed[case["whole"]]["response"] if case.get("whole") else None,
        )
        for name, case in listed.items()
    ]

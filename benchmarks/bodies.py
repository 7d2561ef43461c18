"""What a large body costs: the processor's time and memory, step by step.

    ./dev bench bodies [--megabytes N ...]

The steps are those of the data plane, called one after the other on a chat request that holds one base64 image, or as
much text. Memory is what a step needs beyond what was there before it, its own result included.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson

MEGABYTE = 1024 * 1024
WORDS = "All happy families are alike, [so they say]; every unhappy family is unhappy in its own way. "


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    import django

    django.setup()
    parser = argparse.ArgumentParser(prog="./dev bench bodies")
    parser.add_argument("--megabytes", type=int, nargs="+", default=[5, 20])
    for size in parser.parse_args().megabytes:
        for label, content in (("an image", _image(size)), ("texts", _texts(size))):
            print(f"\n{size} MB, {label}:\n\n| step | ms | peak memory, in bodies |\n|---|---|---|", flush=True)
            _steps(content)


def _chat(parts: list[dict[str, Any]]) -> bytes:
    body = {"model": "gpt-test", "max_tokens": 5, "messages": [{"role": "user", "content": parts}]}
    return orjson.dumps(body)


def _image(megabytes: int) -> bytes:
    data = base64.b64encode(os.urandom(megabytes * MEGABYTE * 3 // 4)).decode()
    url = f"data:image/png;base64,{data}"
    return _chat([{"type": "text", "text": "Look."}, {"type": "image_url", "image_url": {"url": url}}])


def _texts(megabytes: int) -> bytes:
    text = (WORDS * (5 * MEGABYTE // len(WORDS)))[: 5 * MEGABYTE]
    return _chat([{"type": "text", "text": text}] * max(1, megabytes // 5))


def _steps(content: bytes) -> None:
    from gateway import bodies, schemas, tokens
    from gateway.bounds import read_body
    from gateway.estimate import chat_estimate
    from gateway.idempotency import _digest
    from gateway.providers.anthropic import Anthropic
    from gateway.providers.base import ChatCall
    from gateway.providers.gemini import Gemini
    from gateway.providers.openai import OpenAI

    entry = _entry()
    tokens.count("warm")
    pieces = [content[at : at + 65_536] for at in range(0, len(content), 65_536)]
    _show("arrives in pieces", len(content), lambda: asyncio.run(_arrives(read_body, pieces)))
    body = _show("parsed, within bounds", len(content), lambda: bodies.parse_object(content))
    _show("checked", len(content), lambda: schemas.check_chat(body))
    _show("estimated", len(content), lambda: asyncio.run(chat_estimate(body, entry)))
    _show("digested, for an Idempotency-Key", len(content), lambda: asyncio.run(_digest("/chat/completions", content)))
    for provider in (OpenAI(), Anthropic(), Gemini()):
        call = ChatCall(body=body, target=entry.targets[0], request_id="", created=0)
        _show(f"written for {provider.label}", len(content), lambda call=call, of=provider: of.request(call))  # type: ignore[misc]


async def _arrives(read_body: Any, pieces: list[bytes]) -> None:
    """Gives nothing back: `asyncio.run` writes out whatever a coroutine returns, when it puts signals back."""
    await read_body(_receive(pieces))


def _receive(pieces: list[bytes]) -> Any:
    waiting = iter(pieces)

    async def receive() -> dict[str, Any]:
        piece = next(waiting, None)
        return {"type": "http.request", "body": piece or b"", "more_body": piece is not None}

    return receive


def _entry() -> Any:
    from gateway.providers.base import Target
    from gateway.registry import Entry

    target = Target(
        provider="bench",
        kind="openai",
        base_url="http://127.0.0.1",
        credential=None,
        model="gpt-test",
        upstream_model="gpt-test",
        capabilities={"vision": True},
    )
    named: dict[str, Any] = dict.fromkeys(Entry.__dataclass_fields__)
    return Entry(**{**named, "id": "gpt-test", "targets": (target,), "context_window": 1_000_000, "capabilities": {}})


def _show(label: str, size: int, work: Callable[[], Any]) -> Any:
    best, peak, result = 1e9, 0, None
    for _ in range(3):
        result = None
        before = _resident("VmRSS", forget_peak=True)
        began = time.process_time()
        result = work()
        best = min(best, time.process_time() - began)
        peak = max(peak, _resident("VmHWM") - before)
    print(f"| {label} | {best * 1000:.1f} | {peak / size:.2f} |", flush=True)
    return result


def _resident(field: str, *, forget_peak: bool = False) -> int:
    """Bytes of memory that this process really has, now or at most so far. Only Linux tells.

    What is allocated says nothing: orjson asks for twelve times a body, and touches of that what it needs.
    """
    if forget_peak:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.split(f"{field}:")[1].split()[0]) * 1024


if __name__ == "__main__":
    main()

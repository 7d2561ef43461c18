"""`./dev up --once`: one streamed and one plain request through the gateway, checked."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.client import HTTPResponse
from typing import Any

from config.stack.state import StackError

QUESTION = "What is the capital of France?"


def ask(base_url: str, key: str, model: str) -> None:
    """Prints the question and both answers. Raises `StackError` when either is not what it should be."""
    print(f"\n  {model} is asked: {QUESTION}", flush=True)
    body = {"model": model, "messages": [{"role": "user", "content": QUESTION}], "max_tokens": 60, "temperature": 0}
    print(f"  streamed   {_streamed(base_url, key, body)}", flush=True)
    print(f"  plain      {_plain(base_url, key, body)}\n", flush=True)


def _streamed(base_url: str, key: str, body: dict[str, Any]) -> str:
    answer = _post(base_url, key, {**body, "stream": True, "stream_options": {"include_usage": True}})
    with answer:
        if not answer.headers.get("content-type", "").startswith("text/event-stream"):
            raise StackError(f"A stream was asked for; the answer is {answer.headers.get('content-type')}.")
        events = list(_events(answer))
    if not events or events[-1] != "[DONE]":
        raise StackError("The stream did not end with [DONE].")
    chunks = [json.loads(event) for event in events[:-1]]
    failure = next((chunk["error"] for chunk in chunks if "error" in chunk), None)
    if failure:
        raise StackError(f"The stream broke off: {failure.get('message')}")
    text = "".join(choice["delta"].get("content") or "" for chunk in chunks for choice in chunk["choices"])
    return _checked(text, chunks[-1].get("usage") if chunks else None)


def _plain(base_url: str, key: str, body: dict[str, Any]) -> str:
    with _post(base_url, key, body) as answer:
        completion = json.load(answer)
    return _checked(completion["choices"][0]["message"]["content"] or "", completion["usage"])


def _events(answer: HTTPResponse) -> Iterator[str]:
    for line in answer:
        text = line.decode().rstrip("\r\n")
        if text.startswith("data:"):
            yield text.removeprefix("data:").strip()


def _checked(text: str, usage: dict[str, Any] | None) -> str:
    if not text.strip():
        raise StackError("The model answered with nothing.")
    if not usage or usage["prompt_tokens"] < 1 or usage["completion_tokens"] < 1:
        raise StackError("The answer came without its token counts.")
    return f"{' '.join(text.split())}   [{usage['prompt_tokens']} tokens in, {usage['completion_tokens']} out]"


def _post(base_url: str, key: str, body: dict[str, Any]) -> HTTPResponse:
    request = urllib.request.Request(  # noqa: S310 - our own loopback address
        f"{base_url}/chat/completions",
        data=json.dumps(body).encode(),
        headers={"Authorization": f"Bearer {key}", "Content-Type": "application/json"},
    )
    try:
        answer: HTTPResponse = urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=120)
    except urllib.error.HTTPError as error:
        raise StackError(f"The gateway answered {error.code}: {error.read().decode(errors='replace')}") from error
    except urllib.error.URLError as error:
        raise StackError(f"The gateway cannot be reached: {error.reason}") from error
    return answer

"""`./dev up --once`: one streamed and one plain request through the gateway, checked, then everything stops."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.error
import urllib.request
from typing import Any

from config.stack.state import ROOT, StackError

QUESTION = "What is the capital of France?"


def run(port: int, env: dict[str, str], model: str) -> int:
    key = _key(env)
    base = f"http://127.0.0.1:{port}/v1"
    print(f"\n  {model}, asked: {QUESTION}")
    print(f"  streamed:  {_streamed(base, key, model)}")
    print(f"  plain:     {_plain(base, key, model)}\n", flush=True)
    return 0


def _key(env: dict[str, str]) -> str:
    command = ["create_key", "--org", "self-check", "--name", "./dev up --once", "--create-org"]
    done = subprocess.run(
        [sys.executable, "manage.py", *command], cwd=ROOT, env=env, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise StackError(f"No key could be made:\n{done.stderr.strip()}")
    return done.stdout.strip()


def _streamed(base: str, key: str, model: str) -> str:
    lines = _post(base, key, {"model": model, "stream": True, "stream_options": {"include_usage": True}}).splitlines()
    payloads = [line.removeprefix("data: ") for line in lines if line.startswith("data: ")]
    if not payloads or payloads[-1] != "[DONE]":
        raise StackError("The stream did not end with [DONE].")
    chunks = [json.loads(payload) for payload in payloads[:-1]]
    text = "".join(c["delta"].get("content") or "" for chunk in chunks for c in chunk["choices"])
    return _checked(text, chunks[-1].get("usage"))


def _plain(base: str, key: str, model: str) -> str:
    answer = json.loads(_post(base, key, {"model": model}))
    return _checked(answer["choices"][0]["message"]["content"], answer["usage"])


def _checked(text: str, usage: dict[str, Any] | None) -> str:
    if not text.strip():
        raise StackError("The model answered with nothing.")
    if not usage or usage["prompt_tokens"] < 1 or usage["completion_tokens"] < 1:
        raise StackError("The answer came without its token counts.")
    return f"{text.strip()}   ({usage['prompt_tokens']} tokens in, {usage['completion_tokens']} out)"


def _post(base: str, key: str, body: dict[str, Any]) -> str:
    body = {**body, "messages": [{"role": "user", "content": QUESTION}], "max_tokens": 60, "temperature": 0}
    request = urllib.request.Request(  # noqa: S310 - our own loopback address
        f"{base}/chat/completions",
        data=json.dumps(body).encode(),
        headers={"Authorization": f"Bearer {key}", "Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=120) as answer:  # noqa: S310
            content: bytes = answer.read()
    except urllib.error.HTTPError as error:
        raise StackError(f"The gateway answered {error.code}: {error.read().decode()}") from error
    return content.decode()

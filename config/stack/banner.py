"""What a person sees of `./dev up`: a line a step, then where everything is."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def step(name: str) -> Iterator[None]:
    begun = time.monotonic()
    print(f"  {name:22}", end="", flush=True)
    try:
        yield
    except BaseException:
        print("failed", flush=True)
        raise
    print(f"{time.monotonic() - begun:5.1f} s", flush=True)


def show(public_url: str, made: dict[str, str], model: str) -> None:
    lines = ["", "2389 is running. Ctrl-C stops it.", ""]
    lines += [
        f"  Front page   {public_url}/",
        f"  Admin        {public_url}/admin/",
        f"  API          {public_url}/v1",
        "",
    ]
    lines.append(f"  Staff e-mail       {made['email']}")
    if "password" in made:
        lines.append(f"  One-time password  {made['password']}      (shown only now; change it in the admin)")
    if "key" in made:
        lines.append(f"  Demo key           {made['key']}      (shown only now)")
    lines += ["", "Ask a model:", "", *_curl(public_url, made.get("key", "$KEY"), model)]
    if "key" not in made:
        lines += ["", "A new key:  KEY=$(./dev manage create_key --org demo --name mine)"]
    print("\n".join([*lines, ""]), flush=True)


def _curl(public_url: str, key: str, model: str) -> list[str]:
    body = f'{{"model": "{model}", "messages": [{{"role": "user", "content": "What is the capital of France?"}}]}}'
    return [
        f"  curl {public_url}/v1/chat/completions \\",
        f'    -H "Authorization: Bearer {key}" -H "Content-Type: application/json" \\',
        f"    -d '{body}'",
    ]

"""What a person sees of `./dev up`: a line a step, then where everything is."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager


@contextmanager
def step(name: str) -> Iterator[None]:
    begun = time.monotonic()
    print(f"  {name:22}", end="", flush=True)
    try:
        yield
    except BaseException:
        print(" stopped", flush=True)
        raise
    print(f"{time.monotonic() - begun:5.1f} s", flush=True)


def show(url: str, made: Mapping[str, str], model: str) -> None:
    """`made` has `password` and `key` only on the start that made them."""
    sections = [
        ["", "2389 is running. Ctrl-C stops it."],
        [
            f"  Dashboard            {url}/",
            f"  Admin                {url}/admin/",
            f"  API                  {url}/v1",
        ],
        secrets(made),
        ["Ask a model:"],
        curl(url, made.get("key", "$KEY"), model),
    ]
    if "key" not in made:
        sections.insert(-2, ["Make a key:"])
        sections.insert(-2, ["  KEY=$(./dev manage create_key --org demo --name mine)"])
    print("\n\n".join("\n".join(lines) for lines in sections) + "\n", flush=True)


def secrets(made: Mapping[str, str]) -> list[str]:
    lines = [f"  Staff e-mail         {made['email']}"]
    if "password" in made:
        lines.append(f"  One-time password    {made['password']}")
    if "key" in made:
        lines.append(f"  Demo key             {made['key']}")
    if "password" in made or "key" in made:
        lines.append("                       Shown only now: note what you need.")
    return lines


def curl(url: str, key: str, model: str) -> list[str]:
    return [
        f"  curl {url}/v1/chat/completions \\",
        f'    -H "Authorization: Bearer {key}" \\',
        '    -H "Content-Type: application/json" \\',
        f"""    -d '{{"model": "{model}",""",
        """         "messages": [{"role": "user", "content": "What is the capital of France?"}]}'""",
    ]

"""Requests in the languages that most callers use, made from the document's own examples. The tests run them all."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from gateway.openapi.shapes import Schema
from gateway.samples import PLACEHOLDER

WIDTH = 60


@dataclass(frozen=True, slots=True)
class CodeSample:
    """One request in one language."""

    slug: str
    label: str
    code: str


@dataclass(frozen=True, slots=True)
class Asked:
    """One example of a request, with the values that its parameters have in it."""

    operation_id: str
    method: str
    url: str  # of the server and the path, with everything filled in
    base_url: str
    values: Mapping[str, Any]  # parameters
    body: Mapping[str, Any] | None
    needs_key: bool


def samples_of(asked: Asked) -> list[CodeSample]:
    return [
        CodeSample("curl", "curl", _curl(asked)),
        CodeSample("python", "Python", _python(asked)),
        CodeSample("node", "Node", _node(asked)),
    ]


BODY, KEY = "{{body}}", "OPENAI_API_KEY"


def frames(server: str) -> list[dict[str, str]]:
    """A chat completion in each language with its body left open, `whole` and `streamed`, for pages that fill in their
    own; the key comes from the environment."""
    found: list[dict[str, str]] = []
    for name, streams in (("whole", False), ("streamed", True)):
        body = {"stream": streams}
        asked = Asked(
            operation_id="create_chat_completion", method="POST", url=f"{server}/v1/chat/completions",
            base_url=f"{server}/v1", values={}, body=body, needs_key=True,
        )  # fmt: skip
        written = {"curl": _json(body, 2), "python": _keywords(body), "node": _object(body)}
        codes = {sample.slug: sample.code.replace(written[sample.slug], BODY) for sample in samples_of(asked)}
        codes["curl"] = codes["curl"].replace(PLACEHOLDER, f"${KEY}")
        codes["python"] = "import os\n\n" + codes["python"].replace(f'"{PLACEHOLDER}"', f'os.environ["{KEY}"]')
        codes["node"] = codes["node"].replace(f'"{PLACEHOLDER}"', f"process.env.{KEY}")
        found.append({"slug": name, **codes})
    return found


def asked_by(server: str, path: str, method: str, operation: Schema) -> Iterator[tuple[str, Asked]]:
    """Each example of an operation's requests, and what it is called."""
    parameters = [one for one in operation.get("parameters", ()) if "example" in one]
    values = {one["name"]: one["example"] for one in parameters}
    filled = path
    for name in [one["name"] for one in parameters if one["in"] == "path"]:
        filled = filled.replace(f"{{{name}}}", quote(str(values[name])))
    query = {one["name"]: one["example"] for one in parameters if one["in"] == "query"}
    content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    bodies = content.get("examples") or {"": {"summary": operation["summary"], "value": None}}
    for example in bodies.values():
        yield (
            example["summary"],
            Asked(
                operation_id=operation["operationId"],
                method=method.upper(),
                url=f"{server}{filled}" + (f"?{urlencode(query)}" if query else ""),
                base_url=f"{server}/v1",
                values=values,
                body=example["value"],
                needs_key=operation.get("security") != [],
            ),
        )


# -- curl --------------------------------------------------------------------------------------------


def _curl(asked: Asked) -> str:
    address = f'"{asked.url}"' if "?" in asked.url else asked.url
    lines = [f"curl {'-N ' if asked.body and asked.body.get('stream') else ''}{address}"]
    if asked.needs_key:
        lines.append(f'  -H "Authorization: Bearer {PLACEHOLDER}"')
    if asked.body is not None:
        lines.append('  -H "Content-Type: application/json"')
        lines.append("  -d '" + _json(asked.body, 2).replace("'", "'\\''") + "'")
    return " \\\n".join(lines)


# -- client libraries --------------------------------------------------------------------------------


def _python(asked: Asked) -> str:
    call = PYTHON.get(asked.operation_id)
    if call is None:
        return (
            "import json\nfrom urllib.request import urlopen\n\n"
            f'with urlopen("{asked.url}") as answer:\n    print(json.load(answer))'
        )
    admin = f'\n    admin_api_key="{PLACEHOLDER}",' if "client.admin" in call(asked) else ""
    return f"""from openai import OpenAI

client = OpenAI(
    base_url="{asked.base_url}",
    api_key="{PLACEHOLDER}",{admin}
)

{call(asked)}"""


def _node(asked: Asked) -> str:
    call = NODE.get(asked.operation_id)
    if call is None:
        return f'const answer = await fetch("{asked.url}");\nconsole.log(await answer.json());'
    admin = f'\n  adminAPIKey: "{PLACEHOLDER}",' if "client.admin" in call(asked) else ""
    return f"""import OpenAI from "openai";

const client = new OpenAI({{
  baseURL: "{asked.base_url}",
  apiKey: "{PLACEHOLDER}",{admin}
}});

{call(asked)}"""


def _python_chat(asked: Asked) -> str:
    body = asked.body or {}
    if body.get("stream"):
        return (
            f"stream = client.chat.completions.create({_keywords(body)})\nfor chunk in stream:\n    if chunk.choices:\n"
            '        print(chunk.choices[0].delta.content or "", end="", flush=True)\nprint()'
        )
    shown = "tool_calls[0].function" if body.get("tools") else "content"
    return (
        f"completion = client.chat.completions.create({_keywords(body)})\nprint(completion.choices[0].message.{shown})"
    )


def _node_chat(asked: Asked) -> str:
    body = asked.body or {}
    if body.get("stream"):
        return (
            f"const stream = await client.chat.completions.create({_object(body)});\n"
            "for await (const chunk of stream) {\n"
            '  process.stdout.write(chunk.choices[0]?.delta?.content ?? "");\n}\nprocess.stdout.write("\\n");'
        )
    shown = "tool_calls[0].function" if body.get("tools") else "content"
    return (
        f"const completion = await client.chat.completions.create({_object(body)});\n"
        f"console.log(completion.choices[0].message.{shown});"
    )


def _python_usage(name: str) -> Callable[[Asked], str]:
    return lambda asked: (
        f"page = client.admin.organization.usage.{name}({_keywords(asked.values)})\nfor bucket in page.data:\n"
        "    print(bucket.start_time, bucket.results)"
    )


def _node_usage(name: str) -> Callable[[Asked], str]:
    return lambda asked: (
        f"const page = await client.admin.organization.usage.{name}({_object(asked.values)});\n"
        "for (const bucket of page.data) {\n  console.log(bucket.start_time, bucket.results);\n}"
    )


PYTHON: Mapping[str, Callable[[Asked], str]] = {
    "list_models": lambda asked: "for model in client.models.list():\n    print(model.id)",
    "retrieve_model": lambda asked: f'model = client.models.retrieve("{asked.values["model"]}")\nprint(model.owned_by)',
    "create_chat_completion": _python_chat,
    "create_completion": lambda asked: (
        f"completion = client.completions.create({_keywords(asked.body or {})})\nprint(completion.choices[0].text)"
    ),
    "create_embeddings": lambda asked: (
        f"answer = client.embeddings.create({_keywords(asked.body or {})})\n"
        "for item in answer.data:\n    print(item.embedding)"
    ),
    "retrieve_generation": lambda asked: (
        f'receipt = client.get(\n    "/generations/{asked.values["request_id"]}",\n    cast_to=object,\n)\n'
        'print(receipt["cost"])'
    ),
    "read_completions_usage": _python_usage("completions"),
    "read_costs": _python_usage("costs"),
}
NODE: Mapping[str, Callable[[Asked], str]] = {
    "list_models": lambda asked: "for await (const model of client.models.list()) {\n  console.log(model.id);\n}",
    "retrieve_model": lambda asked: (
        f'const model = await client.models.retrieve("{asked.values["model"]}");\nconsole.log(model.owned_by);'
    ),
    "create_chat_completion": _node_chat,
    "create_completion": lambda asked: (
        f"const completion = await client.completions.create({_object(asked.body or {})});\n"
        "console.log(completion.choices[0].text);"
    ),
    "create_embeddings": lambda asked: (
        f"const answer = await client.embeddings.create({_object(asked.body or {})});\n"
        "for (const item of answer.data) {\n  console.log(item.embedding);\n}"
    ),
    "retrieve_generation": lambda asked: (
        f'const receipt = await client.get(\n  "/generations/{asked.values["request_id"]}",\n);\n'
        "console.log(receipt.cost);"
    ),
    "read_completions_usage": _node_usage("completions"),
    "read_costs": _node_usage("costs"),
}


# -- values ------------------------------------------------------------------------------------------


def _keywords(values: Mapping[str, Any]) -> str:
    """Python's keyword arguments, one on a line."""
    lines = (f"    {name}={_written(value, 4, _python_atom, _quoted_key)},\n" for name, value in values.items())
    return f"\n{''.join(lines)}"


def _object(values: Mapping[str, Any]) -> str:
    """A JavaScript object, a property on a line."""
    lines = (f"  {name}: {_written(value, 2, json.dumps, _bare_key)},\n" for name, value in values.items())
    return f"{{\n{''.join(lines)}}}"


def _json(values: Mapping[str, Any], indent: int) -> str:
    pad = " " * (indent + 2)
    lines = (f'{pad}"{name}": {_written(value, indent + 2, json.dumps, _quoted_key)}' for name, value in values.items())
    return "{\n" + ",\n".join(lines) + f"\n{' ' * indent}}}"


def _written(value: Any, indent: int, atom: Callable[[Any], str], key: Callable[[str], str]) -> str:
    """On one line where it is short, else a part on a line."""
    if not isinstance(value, dict | list) or not value:
        return atom(value)
    parts = (
        [f"{key(name)}: {_written(one, indent + 2, atom, key)}" for name, one in value.items()]
        if isinstance(value, dict)
        else [_written(one, indent + 2, atom, key) for one in value]
    )
    opening, closing = ("{", "}") if isinstance(value, dict) else ("[", "]")
    flat = f"{opening}{', '.join(parts)}{closing}"
    if "\n" not in flat and len(flat) + indent <= WIDTH:
        return flat
    pad = " " * (indent + 2)
    return f"{opening}\n{pad}" + f",\n{pad}".join(parts) + f"\n{' ' * indent}{closing}"


def _python_atom(value: Any) -> str:
    return repr(value) if value is None or isinstance(value, bool) else json.dumps(value)


def _quoted_key(name: str) -> str:
    return json.dumps(name)


def _bare_key(name: str) -> str:
    return name if name.isidentifier() else json.dumps(name)

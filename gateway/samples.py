"""A first request in the languages that most callers use: shown on the front page, and run by the tests as shown."""

from __future__ import annotations

from dataclasses import dataclass

PLACEHOLDER = "sk-2389-YOUR_API_KEY"
MODEL = "sandbox/echo"


@dataclass(frozen=True, slots=True)
class Sample:
    """One language: the answer whole, and the answer as a stream."""

    slug: str
    label: str
    whole: str
    streamed: str
    install: str = ""


def samples(base_url: str) -> list[Sample]:
    return [_curl(base_url), _python(base_url), _node(base_url)]


def _curl(base_url: str) -> Sample:
    def command(option: str, last: str) -> str:
        return f"""curl {option}{base_url}/chat/completions \\
  -H "Authorization: Bearer {PLACEHOLDER}" \\
  -H "Content-Type: application/json" \\
  -d '{{
    "model": "{MODEL}",
    "messages": [{{"role": "user", "content": "Hello!"}}]{last}
  }}'"""

    return Sample("curl", "curl", command("", ""), command("-N ", ',\n    "stream": true'))


def _python(base_url: str) -> Sample:
    head = f"""from openai import OpenAI

client = OpenAI(
    base_url="{base_url}",
    api_key="{PLACEHOLDER}",
)
"""
    whole = f"""{head}
completion = client.chat.completions.create(
    model="{MODEL}",
    messages=[{{"role": "user", "content": "Hello!"}}],
)
print(completion.choices[0].message.content)"""
    streamed = f"""{head}
stream = client.chat.completions.create(
    model="{MODEL}",
    messages=[{{"role": "user", "content": "Hello!"}}],
    stream=True,
)
for chunk in stream:
    if chunk.choices:
        print(chunk.choices[0].delta.content or "", end="", flush=True)
print()"""
    return Sample("python", "Python", whole, streamed, install="pip install openai")


def _node(base_url: str) -> Sample:
    head = f"""import OpenAI from "openai";

const client = new OpenAI({{
  baseURL: "{base_url}",
  apiKey: "{PLACEHOLDER}",
}});
"""
    whole = f"""{head}
const completion = await client.chat.completions.create({{
  model: "{MODEL}",
  messages: [{{ role: "user", content: "Hello!" }}],
}});
console.log(completion.choices[0].message.content);"""
    streamed = f"""{head}
const stream = await client.chat.completions.create({{
  model: "{MODEL}",
  messages: [{{ role: "user", content: "Hello!" }}],
  stream: true,
}});
for await (const chunk of stream) {{
  process.stdout.write(chunk.choices[0]?.delta?.content ?? "");
}}
process.stdout.write("\\n");"""
    return Sample("node", "Node", whole, streamed, install="npm install openai")

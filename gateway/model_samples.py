"""Code that calls one model, for its page: a chat where it can chat, vectors where it makes those."""

from __future__ import annotations

from django.conf import settings

from gateway.catalogue import Listing
from gateway.readers import Reader
from gateway.samples import MODEL, PLACEHOLDER, Sample, samples


def samples_for(listing: Listing, reader: Reader) -> list[Sample]:
    """In each language. None of a model that can neither."""
    base_url = f"{settings.PUBLIC_URL}/v1"
    if listing.can.get("chat") is not False:
        written = samples(base_url)
    elif listing.does("embeddings"):
        written = [_curl(base_url), _python(base_url), _node(base_url)]
    else:
        written = []
    return [_about(sample, listing.id, reader.stands_for_key) for sample in written]


def _about(sample: Sample, model: str, key: str) -> Sample:
    def filled(text: str) -> str:
        return text.replace(MODEL, model).replace(PLACEHOLDER, key)

    return Sample(sample.slug, sample.label, filled(sample.whole), filled(sample.streamed), sample.install)


def _curl(base_url: str) -> Sample:
    whole = f"""curl {base_url}/embeddings \\
  -H "Authorization: Bearer {PLACEHOLDER}" \\
  -H "Content-Type: application/json" \\
  -d '{{"model": "{MODEL}", "input": ["Hello!"]}}'"""
    return Sample("curl", "curl", whole, "")


def _python(base_url: str) -> Sample:
    whole = f"""from openai import OpenAI

client = OpenAI(
    base_url="{base_url}",
    api_key="{PLACEHOLDER}",
)

answer = client.embeddings.create(model="{MODEL}", input=["Hello!"])
print(answer.data[0].embedding)"""
    return Sample("python", "Python", whole, "", install="pip install openai")


def _node(base_url: str) -> Sample:
    whole = f"""import OpenAI from "openai";

const client = new OpenAI({{
  baseURL: "{base_url}",
  apiKey: "{PLACEHOLDER}",
}});

const answer = await client.embeddings.create({{ model: "{MODEL}", input: ["Hello!"] }});
console.log(answer.data[0].embedding);"""
    return Sample("node", "Node", whole, "", install="npm install openai")

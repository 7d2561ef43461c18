// What callers do with the embeddings of the Vercel AI SDK, its two OpenAI providers pointed at the gateway.

import assert from "node:assert/strict";
import { test } from "node:test";

import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { APICallError, embed, embedMany } from "ai";

const { GATEWAY_URL: baseURL, GATEWAY_KEY: apiKey, GATEWAY_MODEL: id } = process.env;
const PROVIDERS = {
  openai: createOpenAI({ baseURL, apiKey }),
  "openai-compatible": createOpenAICompatible({ name: "2389", baseURL, apiKey }),
};

for (const [name, provider] of Object.entries(PROVIDERS)) {
  const model = provider.embeddingModel(id);
  const check = (rule, run) => test(`${name}: ${rule}`, { timeout: 30_000 }, run);

  check("a text gets a vector and its tokens are counted", async () => {
    const { embedding, usage } = await embed({ model, value: "The first text", maxRetries: 0 });
    assert.ok(embedding.length > 0 && embedding.every((number) => typeof number === "number"));
    assert.ok(usage.tokens > 0);
  });

  check("each of many texts gets a vector", async () => {
    const values = Array.from({ length: 5 }, (_, at) => `Text ${at}`);
    const { embeddings } = await embedMany({ model, values, maxRetries: 0 });
    assert.equal(embeddings.length, values.length);
    assert.equal(new Set(embeddings.map((vector) => vector.length)).size, 1);
  });

  check("vectors are as long as was asked for", async () => {
    const providerOptions = { openai: { dimensions: 8 }, 2389: { dimensions: 8 } };
    const { embedding } = await embed({ model, value: "The first text", maxRetries: 0, providerOptions });
    assert.equal(embedding.length, 8);
  });

  check("a model that makes none is refused", async () => {
    const attempt = embed({ model: provider.embeddingModel("sandbox/echo"), value: "Text", maxRetries: 0 });
    await assert.rejects(attempt, (error) => APICallError.isInstance(error) && error.statusCode === 400);
  });
}

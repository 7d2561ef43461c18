// What callers do with the Vercel AI SDK, its two OpenAI providers pointed at the gateway.

import assert from "node:assert/strict";
import { test } from "node:test";

import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { APICallError, Output, generateText, isStepCount, streamText, tool } from "ai";
import { z } from "zod";

const { GATEWAY_URL: baseURL, GATEWAY_KEY: apiKey, GATEWAY_MODEL: id } = process.env;
const GREETING = "Hello from the other side.";
const THOUGHT = "The user wants an answer, so I shall give one. ";
const PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

const official = (key = apiKey) => createOpenAI({ baseURL, apiKey: key }).chat;
const compatible = (key = apiKey) =>
  createOpenAICompatible({ name: "2389", baseURL, apiKey: key, includeUsage: true, supportsStructuredOutputs: true });
const PROVIDERS = { openai: official, "openai-compatible": compatible };

const getWeather = tool({
  description: "The weather somewhere.",
  inputSchema: z.object({ city: z.string(), days: z.number().int() }),
  execute: async ({ city, days }) => `Sunny in ${city} for ${days} days.`,
});
const getPopulation = tool({
  description: "How many live somewhere.",
  inputSchema: z.object({ city: z.string() }),
  execute: async () => 2100000,
});
const weather = z.object({ city: z.string(), degrees: z.number().int(), sky: z.enum(["clear", "cloudy"]) });
const PARIS = "It is 21 degrees in Paris, and the sky is cloudy.";

for (const [name, connect] of Object.entries(PROVIDERS)) {
  const model = connect()(id);
  const ask = (options) => generateText({ model, maxRetries: 0, ...options });
  const stream = (options) => streamText({ model, maxRetries: 0, onError: () => {}, ...options });
  const check = (rule, run) => test(`${name}: ${rule}`, { timeout: 30_000 }, run);

  check("text is answered with usage", async () => {
    const made = await ask({ system: "Be brief.", prompt: "Hello" });
    assert.equal(made.text, GREETING);
    assert.equal(made.finishReason, "stop");
    assert.equal(made.response.modelId, id);
    assert.ok(made.usage.inputTokens > 0 && made.usage.outputTokens > 0);
    assert.deepEqual(made.warnings ?? [], []);
  });

  check("text is streamed with usage", async () => {
    const made = stream({ prompt: "Hello" });
    const heard = [];
    for await (const piece of made.textStream) heard.push(piece);
    assert.equal(heard.join(""), GREETING);
    assert.ok(heard.length > 1);
    assert.equal(await made.finishReason, "stop");
    assert.ok((await made.usage).outputTokens > 0);
  });

  check("a tool is called and its result is used", async () => {
    const options = { prompt: "What is the weather in Paris for 3 days?", tools: { getWeather }, stopWhen: isStepCount(3) };
    const made = await ask(options);
    assert.equal(made.steps.length, 2);
    assert.equal(made.steps[0].finishReason, "tool-calls");
    assert.match(made.text, /Sunny in Paris for 3 days\./);
  });

  check("a tool is called in a stream and its result is used", async () => {
    const options = { prompt: "What is the weather in Paris for 3 days?", tools: { getWeather }, stopWhen: isStepCount(3) };
    const made = stream(options);
    assert.match(await made.text, /Sunny in Paris for 3 days\./);
    const steps = await made.steps;
    assert.deepEqual(steps[0].toolCalls.map((call) => call.input), [{ city: "Paris", days: 3 }]);
  });

  check("two tools are called together", async () => {
    const prompt = "What are the weather for 3 days and the population of Paris?";
    const made = await ask({ prompt, tools: { getWeather, getPopulation }, stopWhen: isStepCount(3) });
    assert.deepEqual(made.steps[0].toolCalls.map((call) => call.toolName).sort(), ["getPopulation", "getWeather"]);
    assert.match(made.text, /2100000/);
  });

  check("a tool can be forced and ruled out", async () => {
    const tools = { getWeather, getPopulation };
    const forced = await ask({ prompt: "Hello", tools, toolChoice: { type: "tool", toolName: "getPopulation" } });
    assert.deepEqual(forced.toolCalls.map((call) => call.toolName), ["getPopulation"]);
    const any = await ask({ prompt: "Hello", tools, toolChoice: "required" });
    assert.equal(any.toolCalls.length, 1);
    const none = await ask({ prompt: "What is the weather?", tools, toolChoice: "none" });
    assert.equal(none.text, GREETING);
  });

  check("a conversation goes on after calls of tools", async () => {
    const said = { role: "user", content: "What is the weather in Paris for 3 days?" };
    const first = await ask({ messages: [said], tools: { getWeather }, stopWhen: isStepCount(3) });
    const messages = [said, ...first.response.messages, { role: "user", content: "Thank you." }];
    const made = await ask({ messages, tools: { getWeather } });
    assert.equal(made.text, GREETING);
  });

  check("an answer has the shape that was asked for", async () => {
    const made = await ask({ prompt: PARIS, output: Output.object({ schema: weather }) });
    assert.deepEqual(made.output, { city: "Paris", degrees: 21, sky: "cloudy" });
  });

  check("an answer that has a shape is streamed as it grows", async () => {
    const made = stream({ prompt: PARIS, output: Output.object({ schema: weather }) });
    const grown = [];
    for await (const partial of made.partialOutputStream) grown.push(partial);
    assert.ok(grown.length > 1);
    assert.deepEqual(await made.output, { city: "Paris", degrees: 21, sky: "cloudy" });
  });

  check("an image is sent", async () => {
    const image = { type: "file", data: PIXEL, mediaType: "image/png" };
    const content = [{ type: "text", text: "What is this?" }, image];
    assert.equal((await ask({ messages: [{ role: "user", content }] })).text, GREETING);
  });

  check("an answer that was cut short says so", async () => {
    const made = await ask({ prompt: "Hello", maxOutputTokens: 2 });
    assert.equal(made.finishReason, "length");
    assert.equal(made.text, "Hello from ");
  });

  check("an effort is taken and thoughts are counted", async () => {
    const options = { openai: { reasoningEffort: "medium" }, 2389: { reasoningEffort: "medium" } };
    const made = await ask({ prompt: "Hello", providerOptions: options });
    assert.equal(made.text, GREETING);
    assert.ok(made.usage.outputTokenDetails.reasoningTokens > 0);
  });

  check("thoughts are shown", async () => {
    const options = { openai: { reasoningEffort: "medium" }, 2389: { reasoningEffort: "medium" } };
    const made = await ask({ prompt: "Hello", providerOptions: options });
    assert.equal(made.reasoningText, THOUGHT);
    const streamed = stream({ prompt: "Hello", providerOptions: options });
    assert.equal(await streamed.reasoningText, THOUGHT);
  });

  const refusals = [
    ["a wrong key", () => connect("sk-2389-wrong")(id), 401],
    ["an unknown model", () => connect()("no-such-model"), 404],
    ["a rate limit", () => connect()("sandbox/rate-limit"), 429],
    ["a failure", () => connect()("sandbox/error"), 500],
  ];
  for (const [what, wrong, status] of refusals) {
    check(`${what} is told with its status`, async () => {
      const attempt = generateText({ model: wrong(), prompt: "Hello", maxRetries: 0 });
      await assert.rejects(attempt, (error) => {
        assert.ok(APICallError.isInstance(error), String(error));
        assert.equal(error.statusCode, status);
        assert.equal(error.isRetryable, status === 429 || status >= 500);
        assert.equal(error.data.error.message, error.message);
        return true;
      });
    });
  }

  check("a stream that breaks is an error", async () => {
    const parts = [];
    for await (const part of streamText({ model: connect()("sandbox/stream-error"), prompt: "Hello", maxRetries: 0, onError: () => {} }).fullStream)
      parts.push(part.type);
    assert.ok(parts.includes("text-delta"));
    assert.ok(parts.includes("error"));
  });

  check("hanging up ends a stream", async () => {
    const hangUp = new AbortController();
    const made = streamText({ model: connect()("sandbox/slow"), prompt: "Hello to all of you over there", abortSignal: hangUp.signal, maxRetries: 0 });
    const parts = [];
    for await (const part of made.fullStream) {
      parts.push(part.type);
      if (part.type === "text-delta") hangUp.abort();
    }
    assert.ok(parts.includes("abort"));
    assert.ok(!parts.includes("finish"));
  });
}

test("openai: the Responses API, which is the provider's default, is refused in words", async () => {
  const model = createOpenAI({ baseURL, apiKey })(id);
  await assert.rejects(generateText({ model, prompt: "Hello", maxRetries: 0 }), (error) => {
    assert.equal(error.statusCode, 404);
    assert.match(error.message, /responses/);
    return true;
  });
});

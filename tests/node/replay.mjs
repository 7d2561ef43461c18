// Reads replayed answers with the official Node client, whole, streamed and through its own helper, and prints what it
// had of each as one JSON object by name.
// usage: node replay.mjs < CASES_AS_JSON, with GATEWAY_URL and GATEWAY_KEY in the environment
// a case: {name, requests: {reader: body}}, each reader one of those below

import OpenAI from "openai";

const AT_ONCE = 2; // more would keep each other waiting while their bodies are expected
const client = new OpenAI({
  baseURL: process.env.GATEWAY_URL,
  apiKey: process.env.GATEWAY_KEY,
  maxRetries: 0,
  timeout: 20_000,
});

const readers = {
  async whole(body) {
    return { completion: await client.chat.completions.create(body) };
  },
  async stream(body) {
    const chunks = [];
    try {
      for await (const chunk of await client.chat.completions.create({ ...body, stream: true })) chunks.push(chunk);
    } catch (error) {
      return { chunks, error: told(error) };
    }
    return { chunks };
  },
  async helper(body) {
    return { completion: await client.chat.completions.stream(body).finalChatCompletion() };
  },
};

function told(error) {
  const { status, code, type, param, message } = error;
  const names = { name: error.constructor.name, status: status ?? null, code: code ?? null, param: param ?? null };
  return { ...names, type: type ?? null, message, raised: error instanceof OpenAI.OpenAIError };
}

async function read({ name, requests }) {
  const had = {};
  for (const [reader, body] of Object.entries(requests)) {
    try {
      had[reader] = await readers[reader](body);
    } catch (error) {
      had[reader] = { error: told(error) };
    }
  }
  return [name, had];
}

let input = "";
for await (const part of process.stdin) input += part;
const waiting = JSON.parse(input);
const report = {};
async function work() {
  while (waiting.length) {
    const [name, had] = await read(waiting.shift());
    report[name] = had;
  }
}
await Promise.all(Array.from({ length: AT_ONCE }, work));
process.stdout.write(JSON.stringify(report));

// Does with the official Node client what callers do, and prints what came of it as one JSON object.
// usage: node matrix.mjs OPTIONS_AS_JSON, with GATEWAY_URL and GATEWAY_KEY in the environment

import OpenAI from "openai";

const { models, toolModels, slashed, limitedKey, wrongKey } = JSON.parse(process.argv[2]);
const baseURL = process.env.GATEWAY_URL;
const client = connect(process.env.GATEWAY_KEY);
const messages = [{ role: "user", content: "What is the weather in Paris?" }];
const weather = {
  type: "function",
  function: {
    name: "get_weather",
    parameters: {
      type: "object",
      properties: { city: { type: "string" }, days: { type: "integer" } },
      required: ["city", "days"],
    },
  },
};

function connect(apiKey) {
  return new OpenAI({ baseURL, apiKey, maxRetries: 0, timeout: 20_000 });
}

async function failure(attempt) {
  try {
    await attempt();
  } catch (error) {
    const { status, code, type, param } = error;
    return { name: error.constructor.name, status, code, type, param: param ?? null, requestID: !!error.requestID };
  }
  return { name: "none" };
}

async function create(model) {
  const { choices, usage, ...rest } = await client.chat.completions.create({ model, messages, max_tokens: 50 });
  return { model: rest.model, object: rest.object, text: choices[0].message.content, finish: choices[0].finish_reason, usage };
}

async function stream(model) {
  let text = "";
  let usage = null;
  const finishes = [];
  const request = { model, messages, stream: true, stream_options: { include_usage: true } };
  for await (const chunk of await client.chat.completions.create(request)) {
    text += chunk.choices[0]?.delta.content ?? "";
    if (chunk.choices[0]?.finish_reason) finishes.push(chunk.choices[0].finish_reason);
    usage = chunk.usage ?? usage;
  }
  return { text, finishes, usage };
}

async function helper(model) {
  const runner = client.chat.completions.stream({ model, messages });
  let heard = "";
  runner.on("content", (delta) => (heard += delta));
  const final = await runner.finalChatCompletion();
  return { heard, text: final.choices[0].message.content, finish: final.choices[0].finish_reason };
}

async function tools(model) {
  const whole = (await client.chat.completions.create({ model, messages, tools: [weather] })).choices[0];
  const call = whole.message.tool_calls[0];
  const result = { role: "tool", tool_call_id: call.id, content: "Sunny, 21 degrees." };
  const history = [...messages, { role: "assistant", tool_calls: whole.message.tool_calls }, result];
  const answer = (await client.chat.completions.create({ model, messages: history, tools: [weather] })).choices[0];
  const runner = client.chat.completions.stream({ model, messages, tools: [weather] });
  const streamed = (await runner.finalChatCompletion()).choices[0];
  return {
    finish: whole.finish_reason,
    name: call.function.name,
    arguments: JSON.parse(call.function.arguments),
    answer: answer.message.content,
    streamedFinish: streamed.finish_reason,
    streamedArguments: JSON.parse(streamed.message.tool_calls[0].function.arguments),
  };
}

async function each(names, work) {
  const found = {};
  for (const name of names) found[name] = await work(name);
  return found;
}

async function brokenStream() {
  let text = "";
  const finishes = [];
  const outcome = await failure(async () => {
    const request = { model: "sandbox/stream-error", messages, stream: true };
    for await (const chunk of await client.chat.completions.create(request)) {
      text += chunk.choices[0]?.delta.content ?? "";
      if (chunk.choices[0]?.finish_reason) finishes.push(chunk.choices[0].finish_reason);
    }
  });
  return { ...outcome, text, finishes };
}

const listed = [];
for await (const model of client.models.list()) listed.push(model.id);
const limited = connect(limitedKey);
await limited.models.list();

const report = {
  listed,
  retrieved: (await client.models.retrieve(slashed)).id,
  create: await each(models, create),
  stream: await each(models, stream),
  helper: await each(models, helper),
  tools: await each(toolModels, tools),
  errors: {
    wrongKey: await failure(() => connect(wrongKey).models.list()),
    unknownModel: await failure(() => client.chat.completions.create({ model: "none", messages })),
    unknownModelStream: await failure(() => client.chat.completions.create({ model: "none", messages, stream: true })),
    wrongField: await failure(() => client.chat.completions.create({ model: models[0], messages, temperature: 3 })),
    tooMany: await failure(() => limited.models.list()),
  },
  brokenStream: await brokenStream(),
};
process.stdout.write(JSON.stringify(report));

import assert from "node:assert/strict";
import test from "node:test";
import { load, plain } from "./load.mjs";

const playground = load("events", "parameters", "body", "code", "store", "money");
const SETTINGS = { ...playground.USUAL, system: "", tools: "", schema: "", stream: false };
const said = (text, more = {}) => ({ kind: "message", role: "user", text, pictures: [], ...more });
const answered = (...sides) => ({ kind: "answer", models: [], sides });
const step = (content, more = {}) => ({ role: "assistant", content, refusal: "", calls: [], ...more });

function build({ turns = [said("Hi")], capabilities = {}, side = 0, upTo, ...settings } = {}) {
  return plain(playground.buildBody({ model: "m", capabilities, settings: { ...SETTINGS, ...settings }, turns, side, upTo }));
}

test("what was not set is not sent", () => {
  assert.deepEqual(build(), { model: "m", messages: [{ role: "user", content: "Hi" }] });
});

test("parameters are sent as numbers and lists", () => {
  const body = build({
    system: "Be brief.", temperature: "0.5", top_p: "1", max_completion_tokens: "64", seed: "-3", stop: "END\n\nSTOP",
    reasoning_effort: "low", stream: true,
  });
  assert.deepEqual(body, {
    model: "m",
    messages: [{ role: "system", content: "Be brief." }, { role: "user", content: "Hi" }],
    temperature: 0.5, top_p: 1, max_completion_tokens: 64, seed: -3, reasoning_effort: "low", stop: ["END", "STOP"],
    stream: true, stream_options: { include_usage: true },
  });
});

test("what a model is known not to take is left out, and said", () => {
  const capabilities = { sampling: "none", stop: false, reasoning: false, tools: false, json_object: false };
  const set = { temperature: "1", stop: "x", reasoning_effort: "high", format: "json_object", tools: '[{"type":"function","function":{"name":"f"}}]' };
  assert.deepEqual(Object.keys(build({ capabilities, ...set })), ["model", "messages"]);
  const left = playground.leftOut({ ...SETTINGS, ...set }, capabilities);
  assert.deepEqual(plain(left), ["Temperature", "Stop sequences", "Reasoning effort", "Response format", "Tools"]);
  assert.deepEqual(plain(playground.leftOut({ ...SETTINGS, ...set }, {})), []);
});

for (const [name, text, message] of [
  ["temperature", "3", "Temperature must be at most 2."],
  ["top_p", "-1", "Top p must be at least 0."],
  ["seed", "1.5", "Seed must be a whole number."],
  ["max_completion_tokens", "0", "Max tokens must be at least 1."],
  ["stop", "a\nb\nc\nd\ne", "Stop sequences may be 4, and these are 5."],
  ["tools", "{", /^Tools cannot be read as JSON/],
  ["tools", "{}", "Tools must be a JSON list: begin with [ and end with ]."],
  ["tools", '[{"type":"function","function":{"name":"a b"}}]', /^Tool 1 needs a "name"/],
  ["tools", '[{"type":"function","function":{"name":"f","parameters":[]}}]', 'The "parameters" of f must be a JSON schema: an object.'],
]) {
  test(`a wrong ${name} is refused in words: ${text}`, () => {
    assert.throws(() => build({ [name]: text }), { message, setting: name });
  });
}

test("a JSON schema is sent as one, and one that is no object is not", () => {
  const schema = { type: "object" };
  const format = build({ format: "json_schema", schema: JSON.stringify(schema) }).response_format;
  assert.deepEqual(format, { type: "json_schema", json_schema: { name: "answer", strict: true, schema } });
  for (const text of ["", "[]", "3"]) assert.throws(() => build({ format: "json_schema", schema: text }), { setting: "schema" });
});

test("images are parts of their message, and those that were lost are not sent", () => {
  const url = "data:image/png;base64,AAAA";
  const turn = said("Look", { pictures: [{ name: "a", url }, { name: "b", url: "", lost: true }] });
  assert.deepEqual(build({ turns: [turn] }).messages[0].content, [{ type: "text", text: "Look" }, { type: "image_url", image_url: { url } }]);
  assert.deepEqual(build({ turns: [said("", { pictures: [{ url }] })] }).messages[0].content, [{ type: "image_url", image_url: { url } }]);
});

test("each model goes on from its own answers, and from the other's where it has none", () => {
  const turns = [said("1"), answered([step("A")], [step("B")]), said("2"), answered([step("C")]), said("3")];
  const contents = (side) => build({ turns, side }).messages.map((message) => message.content);
  assert.deepEqual(contents(0), ["1", "A", "2", "C", "3"]);
  assert.deepEqual(contents(1), ["1", "B", "2", "C", "3"]);
  assert.deepEqual(build({ turns, upTo: 1 }).messages.length, 1);
});

test("calls of tools and their results are sent back as they came", () => {
  const call = { id: "c1", name: "f", arguments: '{"x":1}' };
  const turns = [said("1"), answered([step("", { calls: [call] }), { role: "tool", id: "c1", name: "f", content: "ok" }])];
  assert.deepEqual(build({ turns }).messages.slice(1), [
    { role: "assistant", content: null, tool_calls: [{ id: "c1", type: "function", function: { name: "f", arguments: '{"x":1}' } }] },
    { role: "tool", tool_call_id: "c1", content: "ok" },
  ]);
});

test("an answer that failed before it said anything is not part of the conversation", () => {
  assert.equal(build({ turns: [said("1"), answered([step("")]), said("2")] }).messages.length, 2);
});

test("what is kept has no large images, and says which", () => {
  const large = `data:image/png;base64,${"A".repeat(300_000)}`;
  const state = { models: ["m", "n"], comparing: false, settings: {}, turns: [said("x", { pictures: [{ name: "a", url: large }, { name: "b", url: "https://x.example/y.png" }] })] };
  const { turns } = plain(playground.thaw(playground.freeze(state)));
  assert.deepEqual(turns[0].pictures, [{ name: "a", url: "", lost: true }, { name: "b", url: "https://x.example/y.png" }]);
  assert.equal(playground.thaw("{}"), null);
  assert.equal(playground.thaw("no"), null);
  assert.equal(playground.thaw(null), null);
});

test("a link holds models and parameters, and nothing that was written to a model", () => {
  const settings = { ...SETTINGS, system: "secret", tools: "secret", schema: "secret", temperature: "0.2", stop: "a\nb", stream: false };
  const query = playground.toQuery({ models: ["a/b", "c"], comparing: true, settings, turns: [said("secret")] });
  assert.doesNotMatch(query, /secret/);
  assert.deepEqual(plain(playground.fromQuery(query)), {
    models: ["a/b", "c"], comparing: true, settings: { temperature: "0.2", stop: "a\nb", stream: false },
  });
  assert.equal(playground.toQuery({ models: ["a"], comparing: false, settings: { ...playground.USUAL } }), "model=a");
});

test("amounts are cut to what is read, and never through a number", () => {
  const shown = ["0.000842", "12.3456789", "0.00", "1234.50", "0.000000001", "0.0105", "9007199254740993.129"].map(playground.dollars);
  assert.deepEqual(plain(shown), ["$0.00084", "$12.34", "$0.00", "$1,234.50", "$0.000000001", "$0.01", "$9,007,199,254,740,993.12"]);
  assert.equal(playground.exactly("1234.5"), "$1,234.50");
});

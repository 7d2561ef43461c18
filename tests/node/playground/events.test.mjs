import assert from "node:assert/strict";
import test from "node:test";
import { load, plain } from "./load.mjs";

const playground = load("events", "answer");
const STREAM =
  'data: {"a":1}\n\n: keep-alive\n\ndata: {"b":\ndata: 2}\r\n\r\ndata:[x]\r\revent: named\nid: 7\ndata: last\n\n: x-2389-cost 0.000842\n\ndata: [DONE]\n\n';
const EVENTS = ['{"a":1}', '{"b":\n2}', "[x]", "last", "[DONE]"];

function read(pieces) {
  const events = [];
  const comments = [];
  const reader = new playground.EventReader((data) => events.push(data), (comment) => comments.push(comment));
  for (const piece of pieces) reader.feed(piece);
  reader.end();
  return { events, comments };
}

test("events are the same wherever the text is cut", () => {
  for (let cut = 0; cut <= STREAM.length; cut += 1) {
    assert.deepEqual(read([STREAM.slice(0, cut), STREAM.slice(cut)]).events, EVENTS, `cut at ${cut}`);
  }
  assert.deepEqual(read([...STREAM]).events, EVENTS);
});

test("a last event without its empty line counts", () => {
  assert.deepEqual(read(["data: one\n\ndata: two"]).events, ["one", "two"]);
  assert.deepEqual(read(["data: one\r"]).events, ["one"]);
});

test("the cost is read from its comment alone, as exact text", () => {
  const { comments } = read([STREAM]);
  assert.deepEqual(comments.map(playground.costOf), [null, "0.000842"]);
  assert.equal(playground.costOf("x-2389-cost 1e-9"), null);
  assert.equal(playground.costOf("about x-2389-cost 1.00"), null);
});

const chunk = (delta, more = {}) => ({ model: "m", choices: [{ index: 0, delta, ...more }] });

test("an answer grows by the chunks of a stream", () => {
  const answer = playground.beginAnswer();
  assert.equal(playground.addChunk(answer, chunk({ role: "assistant", content: "" })), false);
  assert.equal(playground.addChunk(answer, chunk({ reasoning_content: "Hm" })), true);
  playground.addChunk(answer, chunk({ content: "Hel" }));
  playground.addChunk(answer, chunk({ content: "lo" }, { finish_reason: "stop" }));
  playground.addChunk(answer, { choices: [], usage: { prompt_tokens: 3, completion_tokens: 2 } });
  assert.equal(answer.content, "Hello");
  assert.equal(answer.reasoning, "Hm");
  assert.equal(answer.finish, "stop");
  assert.deepEqual(plain(playground.tokensOf(answer.usage)), { input: 3, cached: 0, output: 2, reasoning: 0 });
});

test("calls of tools are put together by their place", () => {
  const answer = playground.beginAnswer();
  const piece = (index, more) => playground.addChunk(answer, chunk({ tool_calls: [{ index, ...more }] }));
  piece(0, { id: "a", function: { name: "first", arguments: "" } });
  piece(1, { id: "b", function: { name: "second", arguments: '{"y"' } });
  piece(0, { function: { arguments: '{"x":1}' } });
  piece(1, { function: { arguments: ":2}" } });
  assert.deepEqual(plain(answer.calls), [
    { id: "a", name: "first", arguments: '{"x":1}' },
    { id: "b", name: "second", arguments: '{"y":2}' },
  ]);
});

test("a whole answer is read as a streamed one is", () => {
  const answer = playground.beginAnswer();
  const message = { role: "assistant", content: null, refusal: "No.", tool_calls: [{ id: "a", function: { name: "f", arguments: "{}" } }, { id: "b", function: { name: "g", arguments: "{}" } }] };
  playground.addWhole(answer, { model: "m", usage: null, choices: [{ message, finish_reason: "tool_calls" }] });
  assert.equal(answer.refusal, "No.");
  assert.deepEqual(plain(answer.calls.map((call) => call.name)), ["f", "g"]);
});

test("the buckets of a receipt are counted as usage counts them", () => {
  const tokens = { input: 10, cache_read: 4, cache_write_5m: 1, output: 6, reasoning: 3 };
  assert.deepEqual(plain(playground.tokensOfReceipt({ tokens })), { input: 15, cached: 4, output: 9, reasoning: 3 });
});

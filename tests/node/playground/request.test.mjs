import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { createServer } from "node:http";
import { load, plain } from "./load.mjs";

const playground = load("events", "answer", "key", "request");
let server;
let origin;
let answerWith; // what the next requests are answered with
let asked = [];

before(async () => {
  server = createServer(async (request, response) => {
    let body = "";
    for await (const piece of request) body += piece;
    asked.push({ url: request.url, authorization: request.headers.authorization, body });
    await answerWith(response, asked.length, request);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  origin = `http://127.0.0.1:${server.address().port}`;
});

after(() => {
  server.closeAllConnections();
  server.close();
});

function ask({ stream = true, signal = new AbortController().signal, changed = () => {}, key, most = 1e6 } = {}) {
  const answer = playground.beginAnswer();
  const places = { completions: `${origin}/v1/chat/completions`, generations: `${origin}/v1/generations/`, mostBytes: most };
  let made = 0;
  key ??= playground.makeKey(async () => ({ secret: `secret-${(made += 1)}`, seconds: 1800 }));
  const body = { model: "m", messages: [], stream };
  return playground.ask({ places, key, body, answer, signal, changed }).then((told) => ({ told, answer, places, key }));
}

function streaming(response, pieces) {
  response.writeHead(200, { "content-type": "text/event-stream", "x-request-id": "r-1" });
  for (const piece of pieces) response.write(piece);
  response.end();
}

const event = (value) => `data: ${JSON.stringify(value)}\n\n`;
const word = (content) => event({ choices: [{ index: 0, delta: { content } }] });

test("a stream fills the answer, and tells its time, its cost and its request", async () => {
  const whole = Buffer.from(`${word("Grü")}${word("ße 🙂")}: x-2389-cost 0.0012\n\ndata: [DONE]\n\n`);
  answerWith = (response) => streaming(response, [...whole].map((byte) => Buffer.from([byte])));
  const { told, answer } = await ask();
  assert.equal(answer.content, "Grüße 🙂");
  assert.deepEqual([told.cost, told.requestId, told.error, told.stopped], ["0.0012", "r-1", null, false]);
  assert.ok(told.firstMs >= 0 && told.firstMs <= told.totalMs);
});

test("a whole answer tells its cost in a header", async () => {
  answerWith = (response) => {
    response.writeHead(200, { "content-type": "application/json", "x-request-id": "r-2", "x-2389-cost": "0.00" });
    response.end(JSON.stringify({ model: "m", choices: [{ message: { content: "Hi" }, finish_reason: "stop" }] }));
  };
  const { told, answer } = await ask({ stream: false });
  assert.deepEqual([answer.content, told.cost, told.requestId], ["Hi", "0.00", "r-2"]);
});

test("a refusal is told in its own words", async () => {
  const error = { message: "Not enough. Top up.", type: "insufficient_quota", param: "max_tokens", code: "insufficient_quota" };
  answerWith = (response) => response.writeHead(402, { "content-type": "application/json", "x-request-id": "r-3" }).end(JSON.stringify({ error }));
  const { told } = await ask();
  assert.deepEqual(plain(told.error), { status: 402, message: error.message, code: error.code, param: "max_tokens", requestId: "r-3" });
});

test("an error within a stream leaves what came before it", async () => {
  const error = { message: "It broke.", code: "upstream_incomplete", param: null };
  answerWith = (response) => streaming(response, [word("half"), event({ error })]);
  const { told, answer } = await ask();
  assert.equal(answer.content, "half");
  assert.deepEqual([told.error.message, told.error.code, told.requestId], ["It broke.", "upstream_incomplete", "r-1"]);
});

test("a stream that ends without its end is not taken for a whole answer", async () => {
  answerWith = (response) => streaming(response, [word("half")]);
  assert.equal((await ask()).told.error.code, "incomplete");
});

test("a key that has ended is replaced once, and nothing else is tried again", async () => {
  asked = [];
  answerWith = (response, count) => (count === 1 ? response.writeHead(401).end("{}") : streaming(response, [word("ok"), "data: [DONE]\n\n"]));
  assert.equal((await ask()).answer.content, "ok");
  assert.deepEqual(asked.map((one) => one.authorization), ["Bearer secret-1", "Bearer secret-2"]);
  for (const [status, tries] of [[401, 2], [500, 1], [429, 1]]) {
    asked = [];
    answerWith = (response) => response.writeHead(status).end("{}");
    assert.equal((await ask()).told.error.status, status);
    assert.equal(asked.length, tries, `after ${status}`);
  }
});

test("stopping keeps what came and is no error", async () => {
  const stopping = new AbortController();
  answerWith = (response) => {
    response.writeHead(200, { "content-type": "text/event-stream", "x-request-id": "r-4" });
    response.write(word("so far"));
  };
  const { told, answer } = await ask({ signal: stopping.signal, changed: () => stopping.abort() });
  assert.deepEqual([answer.content, told.stopped, told.error, told.requestId], ["so far", true, null, "r-4"]);
});

test("what cannot be reached says so", async () => {
  const key = playground.makeKey(async () => {
    throw new TypeError("Failed to fetch");
  });
  assert.match((await ask({ key })).told.error.message, /could not be reached/);
});

test("a request that is too large is not sent", async () => {
  asked = [];
  const { told } = await ask({ most: 10 });
  assert.equal(told.error.code, "request_too_large");
  assert.equal(asked.length, 0);
});

test("a receipt is waited for until the request is settled", async () => {
  asked = [];
  answerWith = (response, count) => response.writeHead(200).end(JSON.stringify({ status: count < 3 ? "in_progress" : "ended", cost: "0.5" }));
  const { places, key } = await ask();
  asked = [];
  const receipt = await playground.receiptOf({ places, key, requestId: "a/b", wait: async () => {} });
  assert.equal(receipt.cost, "0.5");
  assert.deepEqual(asked.map((one) => one.url), Array(3).fill("/v1/generations/a%2Fb"));
});

test("a key is asked for once by all who want it, and again before its end", async () => {
  let now = 0;
  let made = 0;
  const key = playground.makeKey(async () => ({ secret: (made += 1), seconds: 1800 }), () => now);
  assert.deepEqual(await Promise.all([key.secret(), key.secret()]), [1, 1]);
  now = 29 * 60_000 - 1;
  assert.equal(await key.secret(), 1);
  now = 29 * 60_000;
  assert.equal(await key.secret(), 2);
  key.refused(1); // an old one: the newer is kept
  assert.equal(await key.secret(), 2);
  key.refused(2);
  assert.equal(await key.secret(), 3);
  key.forget();
  assert.equal(await key.secret(), 4);
});

test("a key that could not be had is asked for again", async () => {
  let tries = 0;
  const key = playground.makeKey(async () => {
    tries += 1;
    if (tries === 1) throw new Error("no");
    return { secret: "yes", seconds: 1800 };
  });
  await assert.rejects(key.secret(), /no/);
  assert.equal(await key.secret(), "yes");
});

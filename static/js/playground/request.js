// One request from its sending to its receipt. Nothing is tried again by itself, but for a key that has ended.

(function (playground) {
  const RECEIPT_TRIES = 5;

  // What is told of a request that failed, in the words that it was refused with.
  function failure(status, message, code = null, param = null, requestId = null) {
    return Object.assign(new Error(message), { status, code, param, requestId });
  }

  async function failureOf(response) {
    const requestId = response.headers.get("x-request-id");
    try {
      const { error } = await response.clone().json();
      return failure(response.status, error.message, error.code, error.param, requestId);
    } catch {
      const said = response.status === 403
        ? "This was refused. Load the page anew; if it stays, your role does not allow the playground any more."
        : `The answer was ${response.status} and cannot be read. Try again.`;
      return failure(response.status, said, null, null, requestId);
    }
  }

  // Sends `body` and fills `answer`. `changed` is called as it grows. Resolves to what there is to know of the request:
  // {requestId, firstMs, totalMs, cost, stopped, error}; it never rejects.
  async function ask({ places, key, body, answer, signal, changed, clock = () => performance.now() }) {
    const told = { requestId: null, firstMs: null, totalMs: null, cost: null, stopped: false, error: null, served: null };
    let started = clock();
    const first = () => {
      told.firstMs ??= clock() - started;
      changed();
    };
    try {
      const text = JSON.stringify(body);
      if (new Blob([text]).size > places.mostBytes) {
        throw failure(413, `This request is larger than the ${Math.floor(places.mostBytes / 1048576)} MiB that are taken. Take images out of it.`, "request_too_large");
      }
      const response = await send(places.completions, key, text, signal, () => {
        started = clock();
      });
      told.requestId = response.headers.get("x-request-id");
      told.served = response.headers.get("x-2389-model-served");
      if (!response.ok) throw await failureOf(response);
      if (body.stream) await readStream(response, answer, told, first);
      else await readWhole(response, answer, told, first);
    } catch (error) {
      if (signal.aborted) told.stopped = true;
      else told.error = plain(error, told.requestId);
      told.requestId ??= told.error?.requestId ?? null;
    }
    told.totalMs = clock() - started;
    return told;
  }

  // A secret that is refused is replaced once: it may have ended, or its sign-in was renewed.
  async function send(address, key, text, signal, starting) {
    for (let again = true; ; again = false) {
      const secret = await key.secret();
      if (signal.aborted) throw signal.reason;
      starting();
      const response = await fetch(address, {
        method: "POST", signal, cache: "no-store", credentials: "omit", body: text,
        headers: { "Content-Type": "application/json", Authorization: `Bearer ${secret}` },
      });
      if (response.status !== 401) return response;
      key.refused(secret);
      if (!again) return response;
    }
  }

  async function readWhole(response, answer, told, first) {
    playground.addWhole(answer, await response.json());
    told.cost = response.headers.get("x-2389-cost");
    first();
  }

  async function readStream(response, answer, told, first) {
    let ended = false;
    const take = (data) => {
      if (data === "[DONE]") {
        ended = true;
        return;
      }
      const chunk = JSON.parse(data);
      if (chunk.error) throw failure(response.status, chunk.error.message, chunk.error.code, chunk.error.param, told.requestId);
      if (playground.addChunk(answer, chunk)) first();
    };
    const reader = new playground.EventReader(take, (comment) => {
      told.cost = playground.costOf(comment) ?? told.cost;
    });
    const decoder = new TextDecoder();
    const stream = response.body.getReader();
    try {
      for (;;) {
        const { done, value } = await stream.read();
        if (done) break;
        reader.feed(decoder.decode(value, { stream: true }));
      }
    } catch (error) {
      stream.cancel().catch(() => {});
      throw error;
    }
    reader.feed(decoder.decode());
    reader.end();
    if (!ended) throw failure(response.status, "The stream ended before the answer did. What came before this is all there is.", "incomplete", null, told.requestId);
  }

  // Without a status, the request did not get there.
  function plain(error, requestId) {
    const { status = 0, code = null, param = null } = error;
    const message = status ? error.message : "The gateway could not be reached, or the connection broke. Check it, and try again.";
    return { status, message, code, param, requestId: error.requestId ?? requestId };
  }

  // What a request came to, once it is settled; null when that cannot be had.
  async function receiptOf({ places, key, requestId, wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms)) }) {
    for (let attempt = 0; attempt < RECEIPT_TRIES; attempt += 1) {
      try {
        const response = await fetch(places.generations + encodeURIComponent(requestId), {
          headers: { Authorization: `Bearer ${await key.secret()}` }, cache: "no-store", credentials: "omit",
        });
        if (response.ok) {
          const receipt = await response.json();
          if (receipt.status === "ended") return receipt;
        } else if (response.status !== 404) return null;
      } catch {
        return null;
      }
      await wait(300 * 2 ** attempt);
    }
    return null;
  }

  Object.assign(playground, { failure, failureOf, ask, receiptOf });
})(globalThis.playground);

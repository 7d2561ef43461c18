// The key that the page calls with. Its secret is in this closure and nowhere else: not in the page, not in storage.

(function (playground) {
  const EARLY = 60_000; // milliseconds before its end from which a new one is asked for

  // `ask` makes a secret: it resolves to {secret, seconds}.
  function makeKey(ask, now = () => Date.now()) {
    let held = null;
    let asking = null;

    async function renew() {
      const { secret, seconds } = await ask();
      held = { secret, until: now() + seconds * 1000 - EARLY };
      return secret;
    }

    return {
      // The secret; asked for when there is none, once however many want it.
      async secret() {
        if (held && held.until > now()) return held.secret;
        asking ??= renew().finally(() => {
          asking = null;
        });
        return asking;
      },
      // It was refused: the next request asks for another. One that is newer already is kept.
      refused(secret) {
        if (held?.secret === secret) held = null;
      },
      forget() {
        held = null;
      },
    };
  }

  // Asks the page's own address for a secret. Throws what `failure` makes of a refusal.
  function askAt(address, token) {
    return async () => {
      const response = await fetch(address, {
        method: "POST", headers: { "X-CSRFToken": token, Accept: "application/json" }, redirect: "manual", cache: "no-store",
      });
      if (response.type === "opaqueredirect") {
        throw playground.failure(401, "You are signed out. Sign in again, and load this page anew.", "signed_out");
      }
      if (!response.ok) throw await playground.failureOf(response);
      return response.json();
    };
  }

  Object.assign(playground, { makeKey, askAt });
})(globalThis.playground);

// What survives a reload, and what a link holds. The secret of the key is in neither: it is in the memory of `key.js`.

(function (playground) {
  const MOST_OF_A_PICTURE = 200_000; // characters of a data URL that are kept
  const MOST_KEPT = 3_000_000; // characters in all: browsers give about five million to a site

  // The conversation as text for the browser's storage. Pictures that are too large lose their content and say so.
  function freeze(state) {
    const kept = JSON.stringify({ ...state, turns: state.turns.map((turn) => withoutLarge(turn, MOST_OF_A_PICTURE)) });
    if (kept.length <= MOST_KEPT) return kept;
    const bare = JSON.stringify({ ...state, turns: state.turns.map((turn) => withoutLarge(turn, 0)) });
    return bare.length <= MOST_KEPT ? bare : JSON.stringify({ ...state, turns: [] });
  }

  function withoutLarge(turn, most) {
    if (turn.kind !== "message") return turn;
    const pictures = (turn.pictures || []).map((picture) =>
      picture.url?.startsWith("data:") && picture.url.length > most ? { ...picture, url: "", lost: true } : picture,
    );
    return { ...turn, pictures };
  }

  // Null for what cannot be read, or was kept by another version of the page.
  function thaw(text) {
    try {
      const state = JSON.parse(text ?? "");
      const whole = Array.isArray(state.turns) && Array.isArray(state.models) && typeof state.settings === "object";
      return whole ? state : null;
    } catch {
      return null;
    }
  }

  // A link: models and parameters that differ from the usual ones, and nothing that somebody wrote to a model.
  function toQuery({ models, comparing, settings }) {
    const query = new URLSearchParams();
    if (models[0]) query.set("model", models[0]);
    if (comparing && models[1]) query.set("with", models[1]);
    for (const [name, usual] of Object.entries(playground.USUAL)) {
      const value = settings[name];
      if (value === undefined || value === usual) continue;
      query.set(name, typeof value === "boolean" ? (value ? "1" : "0") : value);
    }
    return query.toString();
  }

  // What a link says: {models, comparing, settings}, each only as far as it is there.
  function fromQuery(text) {
    const query = new URLSearchParams(text);
    const found = { settings: {} };
    if (query.has("model")) found.models = [query.get("model"), query.get("with") ?? ""];
    if (query.has("with")) found.comparing = true;
    for (const [name, usual] of Object.entries(playground.USUAL)) {
      if (!query.has(name)) continue;
      found.settings[name] = typeof usual === "boolean" ? query.get(name) !== "0" : query.get(name);
    }
    return found;
  }

  Object.assign(playground, { freeze, thaw, toQuery, fromQuery });
})(globalThis.playground);

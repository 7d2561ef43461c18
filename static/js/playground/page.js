// The page: its state, and what happens when somebody does something. Nothing is sent before they press Send.

(function (playground) {
  const SAVE_AFTER = 300;
  let open = null; // the page that is on the screen, when it is this one

  function begin() {
    const root = document.querySelector("[data-playground]");
    if (open?.root === root) return;
    open?.leave(); // another page took its place
    open = root ? start(root) : null;
  }

  function start(root) {
    const places = playground.embedded("playground-places");
    const choices = playground.embedded("playground-choices");
    const find = (name) => document.querySelector(`[data-${name}]`);
    const key = playground.makeKey(playground.askAt(places.key, root.querySelector("[name=csrfmiddlewaretoken]").value));
    const kept = `playground:${places.organization}:${places.person}`;
    const state = beginState(choices, kept);
    const running = new Map(); // each step that is being answered, and how to stop it
    const drawn = new Map(); // each turn and its element
    const leaving = new AbortController();
    let saving = null;

    const settings = playground.makeSettings(root.querySelector(".playground-settings"), () => {
      state.settings = settings.read();
      keep();
    });
    const composer = playground.makeComposer(root, { models: () => chosen(), send, only: () => add() });
    const pickers = [...root.querySelectorAll("[data-picker]")].map((one, side) =>
      playground.makePicker(one, choices, (id) => {
        state.models[side] = id;
        suit();
        keep();
      }),
    );
    const act = { change, remove, run: runFrom, edit, editing, results, isRunning: (step) => running.has(step) };

    function chosen() {
      return pickers.slice(0, state.comparing ? 2 : 1).map((picker) => picker.choice).filter(Boolean);
    }

    function suit() {
      pickers.forEach((picker, side) => picker.show(state.models[side]));
      pickers[1].root.hidden = !state.comparing;
      const compare = find("compare");
      compare.setAttribute("aria-pressed", String(state.comparing));
      compare.querySelector("span").textContent = state.comparing ? "One model" : "Compare";
      settings.suit(chosen());
    }

    // -- what is kept --------------------------------------------------------------------------------

    function keep() {
      clearTimeout(saving);
      saving = setTimeout(save, SAVE_AFTER);
    }

    function save() {
      clearTimeout(saving);
      try {
        sessionStorage.setItem(kept, playground.freeze(state));
      } catch {
        // It is full or shut: the conversation lives as long as the page.
      }
      const query = playground.toQuery(state);
      if (root.isConnected) history.replaceState(history.state, "", query ? `?${query}` : location.pathname);
    }

    // -- what is shown -------------------------------------------------------------------------------

    function draw(only = null) {
      const list = find("turns");
      const options = { places, formatted: state.settings.formatted !== false, choiceOf: (id) => choices.find((one) => one.id === id) };
      for (const turn of state.turns) {
        if (drawn.has(turn) && only && only !== turn) continue;
        const fresh = playground.drawTurn(turn, act, options);
        const before = drawn.get(turn);
        const focused = before?.contains(document.activeElement);
        if (before?.isConnected) before.replaceWith(fresh);
        else list.append(fresh);
        if (focused) fresh.focus({ preventScroll: true }); // where the reader was, if not on the same button
        drawn.set(turn, fresh);
      }
      for (const [turn, element] of drawn) {
        if (state.turns.includes(turn)) continue;
        element.remove();
        drawn.delete(turn);
      }
      find("nothing-yet").hidden = state.turns.length > 0;
      find("view-code").hidden = false;
      find("clear").hidden = state.turns.length === 0;
      composer.busy(running.size > 0);
    }

    function tell(text) {
      find("told").textContent = text;
    }

    // -- what is done to turns -----------------------------------------------------------------------

    function change(turn, values) {
      Object.assign(turn, values);
      draw(turn);
      drawn.get(turn).querySelector("[data-editing]")?.focus();
      keep();
    }

    function remove(turn) {
      const before = state.turns;
      stopWithin([turn]);
      state.turns = before.filter((one) => one !== turn);
      draw();
      keep();
      composer.focus();
      window.app.toast("Deleted.", { label: "Undo", run: () => bring(before) });
    }

    function bring(turns) {
      stop();
      state.turns = turns;
      drawn.clear();
      find("turns").replaceChildren();
      draw();
      keep();
    }

    function editing(turn, step) {
      step.editing = true;
      draw(turn);
    }

    function edit(turn, step, text) {
      if (text !== null) Object.assign(step, { content: text, edited: true, usage: null });
      step.editing = false;
      delete step.draft;
      draw(turn);
      keep();
    }

    // What the tools of one side returned, and the model's next word on it.
    function results(turn, side, step, given) {
      const body = tryBody(turn, side, [...turn.sides[side], ...given]);
      if (!body) return;
      turn.sides[side].push(...given);
      answer(turn, side, body);
    }

    // -- asking --------------------------------------------------------------------------------------

    function send() {
      if (running.size) return;
      if (!composer.isEmpty()) {
        if (!fits()) return;
        add();
        composer.focus();
      } else if (!state.turns.length) {
        composer.complain("Write a message first.");
        return;
      } else if (state.turns.at(-1).kind === "answer") {
        composer.complain("Write a message, or run an answer again.");
        return;
      }
      askAll();
    }

    function add() {
      if (composer.isEmpty()) {
        composer.complain("Write a message first.");
        return;
      }
      state.turns.push(composer.take());
      draw();
      keep();
    }

    // From a message: all that follows goes, and it is answered anew. From an answer: that one goes, too.
    function runFrom(turn) {
      const before = [...state.turns];
      const place = before.indexOf(turn);
      const left = before.slice(0, turn.kind === "message" ? place + 1 : place);
      if (!left.length) {
        composer.complain("There is no message to answer.");
        return;
      }
      stop();
      state.turns = left;
      if (!fits()) {
        state.turns = before;
        return;
      }
      draw();
      askAll();
      const lost = before.length - left.length - (turn.kind === "answer" ? 1 : 0);
      if (lost > 0) window.app.toast(`What came after it is gone.`, { label: "Undo", run: () => bring(before) });
    }

    // Whether a request can be made of all this; else it says what is wrong.
    function fits() {
      const models = chosen();
      if (!models.length) {
        composer.complain("Choose a model first.");
        return false;
      }
      return models.every((choice, side) => Boolean(tryBody(null, side)));
    }

    function tryBody(turn, side, steps = null) {
      const pending = !turn && !composer.isEmpty() ? [composer.look()] : [];
      const turns = [...state.turns.map((one) => (one === turn && steps ? withSteps(one, side, steps) : one)), ...pending];
      const choice = turn ? choiceOf(turn.models[side]) : chosen()[side];
      const upTo = turn ? state.turns.indexOf(turn) + 1 : turns.length;
      try {
        return { choice, body: bodyOf(choice, side, turns, upTo) };
      } catch (error) {
        if (!error.setting) throw error;
        composer.complain(error.message, { focus: false });
        settings.complain(error.setting, error.message);
        return null;
      }
    }

    function choiceOf(id) {
      return choices.find((one) => one.id === id) ?? { id, capabilities: {} };
    }

    function bodyOf(choice, side, turns, upTo) {
      return playground.buildBody({ model: choice.id, capabilities: choice.capabilities, settings: settings.read(), turns, side, upTo });
    }

    function askAll() {
      const models = chosen();
      const turn = { kind: "answer", models: models.map((choice) => choice.id), sides: models.map(() => []) };
      const bodies = models.map((choice, side) => ({ choice, body: bodyOf(choice, side, state.turns, state.turns.length) }));
      state.turns.push(turn);
      bodies.forEach((body, side) => answer(turn, side, body));
      scrollTo({ top: document.documentElement.scrollHeight, behavior: "instant" });
    }

    async function answer(turn, side, { choice, body }) {
      const stopping = new AbortController();
      turn.sides[side].push(playground.beginAnswer());
      const step = turn.sides[side].at(-1);
      step.left = playground.leftOut(settings.read(), choice.capabilities);
      running.set(step, stopping);
      tell(`${choice.id} is answering.`);
      draw(turn);
      const told = await playground.ask({
        places, key, body, answer: step, signal: stopping.signal, changed: () => grow(turn, step),
      });
      step.told = { ...told, streamed: Boolean(body.stream) };
      running.delete(step);
      if (leaving.signal.aborted) return;
      draw(turn);
      keep();
      await settle(turn, step, choice);
      tell(summary(step, choice));
    }

    // The first of it changes what stands beneath; the rest only grows.
    function grow(turn, step) {
      const first = !step.begun;
      Object.defineProperty(step, "begun", { value: true, enumerable: false, configurable: true });
      if (first || step.calls.length) playground.following(() => draw(turn));
      else playground.growing(step);
    }

    // What the answer itself did not tell, its receipt does.
    async function settle(turn, step, choice) {
      const { told } = step;
      const known = told.cost !== null || (choice.free && step.usage) || !told.requestId || (told.error && !step.content);
      if (known) return;
      const receipt = await playground.receiptOf({ places, key, requestId: told.requestId });
      if (!receipt || leaving.signal.aborted) return;
      told.cost = receipt.cost;
      if (!step.usage) step.tokens = playground.tokensOfReceipt(receipt);
      draw(turn);
      keep();
    }

    function summary(step, choice) {
      if (step.told.error) return `${choice.id} failed: ${step.told.error.message}`;
      const tokens = step.tokens ?? playground.tokensOf(step.usage);
      const cost = step.told.cost && Number(step.told.cost) ? `, ${playground.dollars(step.told.cost)}` : "";
      const what = step.told.stopped ? "was stopped" : "has answered";
      return `${choice.id} ${what}${tokens ? `: ${tokens.output} tokens${cost}` : ""}.`;
    }

    function stop() {
      for (const one of running.values()) one.abort();
    }

    function stopWithin(turns) {
      for (const [step, one] of running) {
        if (turns.some((turn) => turn.sides?.some((steps) => steps?.includes(step)))) one.abort();
      }
    }

    // -- the rest of the page ------------------------------------------------------------------------

    const on = (target, event, listener) => target?.addEventListener(event, listener, { signal: leaving.signal });

    on(find("stop"), "click", stop);
    on(find("compare"), "click", () => {
      state.comparing = !state.comparing;
      suit();
      keep();
    });
    on(find("clear"), "click", () => {
      const before = state.turns;
      bring([]);
      composer.focus();
      window.app.toast("The conversation is cleared.", { label: "Undo", run: () => bring(before) });
    });
    on(find("usual"), "click", () => settings.usual());
    on(find("share"), "click", () => {
      save();
      navigator.clipboard?.writeText(location.href).then(() => window.app.toast("Link copied."));
    });
    on(find("view-code"), "click", () => playground.showCode(chosen().map((choice, side) => ({ choice, read: () => tryCode(choice, side) })), places.frames));
    on(root.querySelector('[data-setting="formatted"]'), "change", () => draw());
    on(document, "keydown", (event) => {
      const shut = !document.querySelector("dialog[open]");
      if (event.key === "Escape" && running.size && shut) stop();
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && shut && root.contains(event.target)) {
        event.preventDefault();
        send();
      }
    });
    on(window, "pagehide", () => {
      save();
      key.forget();
    });

    function tryCode(choice, side) {
      const turns = composer.isEmpty() ? asLastSent(state.turns, side) : [...state.turns, composer.look()];
      if (!turns.length) throw Object.assign(new Error("Write a message first: a request without one is refused."), { setting: "message" });
      return bodyOf(choice, side, turns, turns.length);
    }

    settings.write(state.settings);
    root.querySelector("[data-settings]").open = matchMedia("(min-width: 75rem)").matches;
    root.hidden = false;
    suit();
    draw();
    return {
      root,
      leave() {
        leaving.abort();
        stop();
        key.forget();
      },
    };
  }

  // Without the last answer, but with the calls and results that came before its last word.
  function asLastSent(turns, side) {
    const last = turns.at(-1);
    if (last?.kind !== "answer") return turns;
    const steps = last.sides[side] ?? last.sides[0];
    const sent = steps.slice(0, steps.findLastIndex((step) => step.role === "tool") + 1);
    return sent.length ? [...turns.slice(0, -1), { ...last, sides: last.sides.map(() => sent) }] : turns.slice(0, -1);
  }

  function withSteps(turn, side, steps) {
    return { ...turn, sides: turn.sides.map((one, place) => (place === side ? steps : one)) };
  }

  // What was kept, under what the address says.
  function beginState(choices, kept) {
    let found = null;
    try {
      found = playground.thaw(sessionStorage.getItem(kept));
    } catch {
      // Storage is shut: begin anew.
    }
    const asked = playground.fromQuery(location.search);
    const linked = location.search.length > 1;
    const state = found ?? { models: [], comparing: false, settings: {}, turns: [] };
    if (asked.models) state.models = asked.models;
    if (linked) state.comparing = Boolean(asked.comparing);
    const usual = { ...playground.USUAL, system: "", tools: "", schema: "", formatted: true };
    state.settings = { ...usual, ...state.settings, ...(linked ? { ...playground.USUAL, ...asked.settings } : {}) };
    const there = (id) => choices.some((choice) => choice.id === id);
    const first = choices.find((choice) => choice.ready && !choice.id.startsWith("sandbox/")) ?? choices[0];
    if (!there(state.models[0])) state.models[0] = first.id;
    if (!there(state.models[1])) state.models[1] = (choices.find((choice) => choice.ready && choice.id !== state.models[0]) ?? first).id;
    return state;
  }

  document.addEventListener("htmx:load", begin);
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", begin);
  else begin();
})(globalThis.playground);

// One model's answer: its text, its thoughts, its calls of tools, and what is known of the request.

(function (playground) {
  const { make, button } = playground;
  const REDRAW = 100; // milliseconds between two looks of an answer that is growing
  const NEAR = 120; // pixels from the end that count as the end
  const FINISHES = {
    length: "It reached the longest answer that was allowed.",
    content_filter: "It was ended by a filter of the provider.",
  };

  // `act` is what can be done: {edit, results, isRunning}. `options` are {choice, formatted, places}.
  function drawSide(steps, model, act, options) {
    const side = make("section", { className: "side", attributes: { "aria-label": `Answer of ${model}` } });
    side.append(make("header", { className: "side-head" }, make("h2", {}, model), served(steps, model)));
    steps.forEach((step, place) => {
      if (step.role === "assistant") side.append(drawStep(step, steps.slice(place + 1), act, options));
    });
    return side;
  }

  function served(steps, model) {
    const other = steps.findLast((step) => step.told?.served)?.told.served;
    return other && other !== model ? make("span", { className: "muted" }, `answered by ${other}, its successor`) : null;
  }

  function drawStep(step, following, act, options) {
    const root = make("div", { className: "step" });
    root.setAttribute("aria-busy", String(act.isRunning(step)));
    if (step.editing) root.append(editor(step, act));
    else root.append(body(step, options), ...calls(step, following, act));
    root.append(...notices(step, act, options), measures(step, act, options));
    return root;
  }

  // The part of a step that grows; `growing` fills it anew.
  function body(step, options) {
    const root = make("div", { className: "said" });
    fill(root, step, options);
    step.view = { root, options };
    Object.defineProperty(step, "view", { enumerable: false }); // it is not kept with the conversation
    return root;
  }

  function fill(root, step, { formatted }) {
    const open = root.querySelector(".thoughts")?.open ?? false;
    root.replaceChildren();
    if (step.reasoning) {
      root.append(make("details", { className: "thoughts", open }, make("summary", {}, "Reasoning"), make("div", { className: "plain" }, step.reasoning)));
    }
    if (step.content) root.append(formatted ? make("div", { className: "prose" }, playground.formatted(step.content)) : make("div", { className: "plain" }, step.content));
    if (step.refusal) root.append(make("p", { className: "notice" }, make("strong", {}, "Refused. "), step.refusal));
  }

  // A look at an answer that is growing, not more often than an eye can follow.
  function growing(step) {
    const { view } = step;
    if (!view || view.due) return;
    view.due = setTimeout(() => {
      view.due = null;
      if (view.root.isConnected) following(() => fill(view.root, step, view.options));
    }, REDRAW);
  }

  // Whoever reads at the end of the page stays there while it grows.
  function following(change) {
    const page = document.documentElement;
    const atEnd = innerHeight + scrollY >= page.scrollHeight - NEAR;
    change();
    if (atEnd) scrollTo({ top: page.scrollHeight, behavior: "instant" });
  }

  function editor(step, act) {
    const value = step.draft ?? step.content; // the other side may be drawn anew while this is written
    const text = make("textarea", { value, rows: Math.min(20, value.split("\n").length + 2), attributes: { "aria-label": "Answer" } });
    text.addEventListener("input", () => {
      step.draft = text.value;
    });
    text.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      event.stopPropagation();
      act.edit(step, null);
    });
    return make("div", { className: "editor" }, text, make("div", { className: "actions" },
      button("Save", () => act.edit(step, text.value), { kind: "primary small" }),
      button("Cancel", () => act.edit(step, null)),
    ));
  }

  // The calls of tools, with what each returned or a field to type it in.
  function calls(step, following, act) {
    if (!step.calls.length) return [];
    const given = new Map();
    for (const one of following) {
      if (one.role !== "tool") break;
      given.set(one.id, one.content);
    }
    const open = !act.isRunning(step) && !given.size;
    const fields = [];
    const drawn = step.calls.filter(Boolean).map((call) => {
      const part = make("div", { className: "call" }, make("p", { className: "call-name" }, playground.icon("wrench"), make("span", {}, `Calls ${call.name || "a tool"}`)), playground.codeBlock(pretty(call.arguments), `Arguments of ${call.name}`));
      if (given.has(call.id)) part.append(make("p", { className: "muted" }, "Returned"), playground.codeBlock(given.get(call.id), `Result of ${call.name}`));
      else if (open) {
        const field = make("textarea", { rows: 2, value: call.draft ?? "", placeholder: '{"temperature": 18}', attributes: { spellcheck: "false" } });
        field.addEventListener("input", () => {
          call.draft = field.value;
        });
        fields.push([call, field]);
        part.append(make("label", { className: "call-result" }, make("span", {}, `What ${call.name} returns`), field));
      }
      return part;
    });
    if (!open) return drawn;
    const send = () => act.results(step, fields.map(([call, field]) => ({ role: "tool", id: call.id, name: call.name, content: field.value })));
    return [...drawn, make("div", { className: "actions" }, button(fields.length > 1 ? "Send results" : "Send result", send, { kind: "primary small" }))];
  }

  function pretty(text) {
    try {
      return JSON.stringify(JSON.parse(text), null, 2);
    } catch {
      return text; // as it came: it may be on its way still
    }
  }

  function notices(step, act, { choice, places }) {
    const found = [];
    const { told } = step;
    if (told?.error) found.push(failed(told.error, places));
    if (told?.stopped) found.push(make("p", { className: "notice" }, choice?.free ? "Stopped." : "Stopped. The prompt and what was written until then are charged."));
    if (!told && !act.isRunning(step) && !step.edited) found.push(make("p", { className: "notice" }, "The page was left before this was complete."));
    if (FINISHES[step.finish]) found.push(make("p", { className: "notice" }, FINISHES[step.finish]));
    if (step.left?.length) found.push(make("p", { className: "muted left-out" }, `Not sent, as this model does not take it: ${step.left.join(", ")}.`));
    if (step.edited) found.push(make("p", { className: "muted" }, "Edited by you."));
    return found;
  }

  // The API's own words, and where they are explained.
  function failed(error, places) {
    const facts = [error.status === 200 ? "within the stream" : error.status || null, error.code, error.param && `at ${error.param}`].filter(Boolean).join(" · ");
    const ways = [];
    if (error.code === "signed_out") ways.push(make("a", { href: location.href }, "Sign in again"));
    else if (error.status === 402) ways.push(make("a", { href: places.billing }, "Balance and budgets"));
    if (error.code && error.code !== "signed_out") ways.push(make("a", { href: places.errors }, "What the codes mean"));
    return make("div", { className: "notice error" }, make("div", {},
      make("p", {}, error.message),
      make("p", { className: "failed-facts" }, facts, ...ways.flatMap((way) => [facts || way !== ways[0] ? " · " : "", way])),
    ));
  }

  // Time, tokens, cost, receipt: as far as they are known.
  function measures(step, act, { choice, places }) {
    if (act.isRunning(step)) return make("p", { className: "measures muted" }, step.content || step.reasoning ? "Answering…" : "Waiting for the first token…");
    const { told } = step;
    if (!told) return null;
    const tokens = step.tokens ?? playground.tokensOf(step.usage);
    const facts = [];
    if (told.firstMs !== null && told.streamed) facts.push(["First token", playground.seconds(told.firstMs)]);
    if (told.totalMs !== null) facts.push(["Total", playground.seconds(told.totalMs)]);
    if (tokens) {
      facts.push(["Input", `${playground.count(tokens.input)} tokens${tokens.cached ? `, ${playground.count(tokens.cached)} cached` : ""}`]);
      facts.push(["Output", `${playground.count(tokens.output)} tokens${tokens.reasoning ? `, ${playground.count(tokens.reasoning)} reasoning` : ""}`]);
    }
    facts.push(...cost(told, choice));
    if (told.requestId) facts.push(["Request", make("a", { href: `${places.requests}${encodeURIComponent(told.requestId)}/` }, "Receipt")]);
    return make("dl", { className: "measures" }, ...facts.map(([name, value]) => make("div", {}, make("dt", {}, name), make("dd", {}, value))));
  }

  function cost(told, choice) {
    if (told.cost !== null) return [["Cost", make("data", { value: told.cost, title: playground.exactly(told.cost) }, Number(told.cost) ? playground.dollars(told.cost) : "free")]];
    if (told.error) return [];
    if (choice?.free) return [["Cost", "free"]];
    return [["Cost", told.requestId ? "on its receipt" : "among the requests"]];
  }

  Object.assign(playground, { drawSide, growing, following });
})(globalThis.playground);

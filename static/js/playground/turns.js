// The conversation as a list: what a person wrote, and what the models answered.

(function (playground) {
  const { make, button } = playground;
  const ROLES = [["user", "User"], ["assistant", "Assistant"], ["system", "System"], ["developer", "Developer"]];

  // `act` is what can be done with a turn: {change, remove, run, edit, results, isRunning, isBusy}.
  function drawTurn(turn, act, options) {
    return turn.kind === "message" ? drawMessage(turn, act) : drawAnswer(turn, act, options);
  }

  function drawMessage(turn, act) {
    const root = make("li", { className: `turn message from-${turn.role}`, tabIndex: -1 });
    const role = make("select", { attributes: { "aria-label": "Role" }, on: { change: () => act.change(turn, { role: role.value }) } },
      ...ROLES.map(([value, label]) => make("option", { value, selected: value === turn.role }, label)));
    const tools = make("div", { className: "turn-actions" },
      turn.editing ? null : button("Edit", () => act.change(turn, { editing: true })),
      button("Run from here", () => act.run(turn)),
      button("Delete", () => act.remove(turn)),
    );
    root.append(make("header", { className: "turn-head" }, role, tools));
    if (turn.editing) root.append(editor(turn, act));
    else if (turn.text) root.append(make("div", { className: "plain" }, turn.text));
    if (turn.pictures?.length) {
      const remove = (place) => act.change(turn, { pictures: turn.pictures.filter((_, other) => other !== place) });
      root.append(make("ul", { className: "pictures", attributes: { "aria-label": "Images" } }, ...playground.drawPictures(turn.pictures, turn.editing ? remove : null)));
    }
    return root;
  }

  function editor(turn, act) {
    const text = make("textarea", { value: turn.text, rows: Math.min(20, turn.text.split("\n").length + 2), attributes: { "aria-label": "Message", "data-editing": "" } });
    const save = () => act.change(turn, { text: text.value, editing: false });
    text.addEventListener("keydown", (event) => {
      if (event.key === "Escape") {
        event.stopPropagation();
        act.change(turn, { editing: false });
      } else if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
        event.preventDefault();
        event.stopPropagation();
        save();
        act.run(turn);
      }
    });
    return make("div", { className: "editor" }, text, make("div", { className: "actions" },
      button("Save and run", () => {
        save();
        act.run(turn);
      }, { kind: "primary small" }),
      button("Save", save, { kind: "small" }),
      button("Cancel", () => act.change(turn, { editing: false })),
    ));
  }

  function drawAnswer(turn, act, options) {
    const root = make("li", { className: "turn answer", tabIndex: -1 });
    const sides = make("div", { className: turn.sides.filter(Boolean).length > 1 ? "sides two" : "sides" });
    turn.sides.forEach((steps, side) => {
      if (!steps) return;
      const own = { ...act, edit: (step, text) => act.edit(turn, step, text), results: (step, given) => act.results(turn, side, step, given) };
      const drawn = playground.drawSide(steps, turn.models[side], own, { ...options, choice: options.choiceOf(turn.models[side]) });
      drawn.querySelector(".side-head").append(sideActions(turn, side, steps, act));
      sides.append(drawn);
    });
    root.append(sides);
    if (turn.sides.length > 1) root.append(make("footer", { className: "turn-foot" }, turnActions(turn, act)));
    return root;
  }

  // Two models that were asked together are asked again together.
  function turnActions(turn, act) {
    const tools = make("div", { className: "turn-actions" });
    const busy = turn.sides.some((steps) => steps?.some((step) => act.isRunning(step)));
    const both = turn.sides.length > 1 ? " both" : "";
    if (!busy) tools.append(button(`Run${both} again`, () => act.run(turn)), button(`Delete${both}`, () => act.remove(turn)));
    return tools;
  }

  function sideActions(turn, side, steps, act) {
    const last = steps.findLast((step) => step.role === "assistant");
    const tools = make("div", { className: "turn-actions" });
    if (!last || act.isRunning(last)) return tools;
    if (last.content && navigator.clipboard) {
      const copy = button("Copy", () => navigator.clipboard.writeText(last.content).then(() => window.app.toast("Answer copied.")));
      tools.append(copy);
    }
    if (last.content && !last.editing) tools.append(button("Edit", () => act.editing(turn, last)));
    if (turn.sides.length === 1) tools.append(...turnActions(turn, act).children);
    return tools;
  }

  Object.assign(playground, { drawTurn });
})(globalThis.playground);

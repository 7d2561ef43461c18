// A model, picked from a list that can be searched: a combobox, as the ARIA practices have it.

(function (playground) {
  const { make } = playground;
  const ABILITIES = [["vision", "images"], ["pdf", "PDF"], ["tools", "tools"], ["json_schema", "JSON schema"], ["reasoning", "reasoning"]];

  function makePicker(root, choices, picked) {
    const input = root.querySelector("[role=combobox]");
    const list = root.querySelector("[role=listbox]");
    const about = root.querySelector(".picker-about");
    let current = null;
    let shown = [];
    let active = -1;

    function show(id) {
      current = choices.find((choice) => choice.id === id) ?? null;
      input.value = current?.id ?? id ?? "";
      about.textContent = current ? facts(current) : "Choose a model.";
    }

    function open(filter = "") {
      const words = filter.toLowerCase().split(/\s+/).filter(Boolean);
      shown = choices.filter((choice) => words.every((word) => searched(choice).includes(word)));
      list.replaceChildren(...(shown.length ? shown.map(option) : [make("li", { className: "picker-none", attributes: { role: "option", "aria-disabled": "true" } }, "No model is called that.")]));
      list.hidden = false;
      input.setAttribute("aria-expanded", "true");
      point(shown.findIndex((choice) => choice === current && !filter));
      if (active < 0 && filter && shown.length) point(0);
    }

    function close() {
      list.hidden = true;
      active = -1;
      input.setAttribute("aria-expanded", "false");
      input.removeAttribute("aria-activedescendant");
    }

    function point(index) {
      active = index;
      [...list.children].forEach((one, place) => one.setAttribute("aria-selected", String(place === index)));
      if (index >= 0 && shown.length) {
        input.setAttribute("aria-activedescendant", list.children[index].id);
        list.children[index].scrollIntoView({ block: "nearest" });
      } else {
        input.removeAttribute("aria-activedescendant");
      }
    }

    function take(choice) {
      const other = choice !== current;
      show(choice.id);
      close();
      if (other) picked(choice.id);
    }

    function option(choice, index) {
      return make("li", {
        id: `${list.id}-${index}`, className: choice.ready ? "" : "unready", attributes: { role: "option", "aria-selected": "false" },
        on: {
          pointerdown: (event) => event.preventDefault(), // the field keeps the focus
          click: () => take(choice),
        },
      }, make("span", { className: "picker-id" }, choice.id), make("span", { className: "picker-facts" }, facts(choice, { brief: true })));
    }

    const moves = { ArrowDown: 1, ArrowUp: -1, PageDown: 8, PageUp: -8 };
    input.addEventListener("keydown", (event) => {
      if (event.key in moves) {
        event.preventDefault();
        if (list.hidden) open();
        else if (shown.length) point(Math.max(0, Math.min(shown.length - 1, active < 0 ? 0 : active + moves[event.key])));
      } else if (event.key === "Enter" && !list.hidden && !event.ctrlKey && !event.metaKey) {
        event.preventDefault();
        if (active >= 0) take(shown[active]);
      } else if (event.key === "Escape" && !list.hidden) {
        event.preventDefault();
        event.stopPropagation(); // here it closes the list, and stops no answer
        show(current?.id);
        close();
      }
    });
    input.addEventListener("input", () => open(input.value));
    input.addEventListener("click", () => list.hidden && open());
    input.addEventListener("focus", () => input.select());
    input.addEventListener("blur", () => {
      const typed = choices.find((choice) => choice.id === input.value.trim());
      if (typed && typed !== current) take(typed);
      show(current?.id);
      close();
    });

    return { show, get choice() { return current; }, root };
  }

  function searched(choice) {
    return [choice.id, choice.owner, choice.description, ...abilities(choice)].join(" ").toLowerCase();
  }

  function abilities({ capabilities }) {
    return ABILITIES.filter(([word]) => capabilities[word]).map(([, label]) => label);
  }

  // In a line; brief where many of them stand beneath each other.
  function facts(choice, { brief = false } = {}) {
    const found = [];
    if (!choice.ready) found.push(choice.input === null ? "has no price yet" : "waits for a credential");
    if (choice.context) found.push(`${playground.size(choice.context)} context`);
    if (choice.free) found.push("free");
    else if (choice.input !== null) {
      const prices = `${playground.price(choice.input)} in, ${playground.price(choice.output)} out`;
      found.push(brief ? prices : `${prices} a million tokens${choice.tiered ? ", other for long prompts" : ""}`);
    }
    found.push(...abilities(choice));
    if (choice.deprecated) found.push("deprecated");
    return found.join(" · ");
  }

  Object.assign(playground, { makePicker });
})(globalThis.playground);

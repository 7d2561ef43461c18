// The controls beside the conversation: their values, and what the chosen models make of them.

(function (playground) {
  const { make } = playground;
  const EXAMPLE = [{
    type: "function",
    function: {
      name: "get_weather", description: "The weather in a city now.",
      parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"], additionalProperties: false },
    },
  }];

  function makeSettings(root, changed) {
    const controls = [...root.querySelectorAll("[data-setting]")];
    const control = (name) => root.querySelector(`[data-setting="${name}"]`);
    let choices = [];

    function read() {
      return Object.fromEntries(controls.map((one) => [one.dataset.setting, one.type === "checkbox" ? one.checked : one.value]));
    }

    function write(settings) {
      for (const one of controls) {
        const value = settings[one.dataset.setting];
        if (value === undefined) continue;
        if (one.type === "checkbox") one.checked = value;
        else setValue(one, value);
      }
      reveal();
    }

    // Of a list, also what these models do not offer: it is left out for them, and there again with others.
    function setValue(one, value) {
      if (one.tagName === "SELECT" && value && ![...one.options].some((option) => option.value === value)) one.append(make("option", { value }, value));
      one.value = value;
    }

    function reveal() {
      root.querySelector("[data-schema]").hidden = control("format").value !== "json_schema";
      root.querySelector("[data-tool-choice]").hidden = !control("tools").value.trim();
    }

    // Say of each control which of the models do not take it; what none of them takes is out of reach.
    function suit(chosen) {
      choices = chosen;
      offerEfforts();
      for (const one of root.querySelectorAll("[data-needs]")) {
        const lacking = choices.filter((choice) => !playground.takes(choice.capabilities, one.dataset.needs));
        one.disabled = choices.length > 0 && lacking.length === choices.length;
        if (one.tagName !== "OPTION") say(one, lacking);
      }
    }

    function say(one, lacking) {
      const hint = document.getElementById((one.getAttribute("aria-describedby") ?? "").split(" ")[0]);
      if (!hint) return;
      let note = hint.querySelector(".lacking");
      if (!note) hint.append((note = make("span", { className: "lacking" })));
      note.textContent = lacking.length ? ` ${lacking.map((choice) => choice.id).join(" and ")} ${lacking.length > 1 ? "do" : "does"} not take it.` : "";
    }

    function offerEfforts() {
      const list = control("reasoning_effort");
      const kept = list.value;
      const known = new Set(choices.flatMap((choice) => playground.effortsOf(choice.capabilities)));
      list.replaceChildren(make("option", { value: "" }, "Default"), ...[...known].map((value) => make("option", { value }, value)));
      setValue(list, kept);
    }

    function complain(name, message) {
      const place = document.getElementById(`setting-${name}-error`);
      const one = control(name);
      one?.setAttribute("aria-invalid", String(Boolean(message)));
      if (!place) return;
      place.textContent = message;
      place.hidden = !message;
    }

    // Look at what was typed as JSON; quietly while it is being typed for the first time.
    function check() {
      for (const [name, look] of [["tools", playground.readTools], ["schema", playground.readSchema]]) {
        const text = control(name).value;
        complain(name, "");
        if (!text.trim()) continue;
        try {
          look(text);
        } catch (error) {
          complain(name, error.message);
        }
      }
    }

    root.addEventListener("input", (event) => {
      if (!event.target.dataset.setting) return;
      event.target.removeAttribute("aria-invalid");
      reveal();
      changed();
    });
    root.addEventListener("change", (event) => {
      if (event.target.dataset.setting) check();
    });
    root.querySelector("[data-tools-example]").addEventListener("click", () => {
      control("tools").value = JSON.stringify(EXAMPLE, null, 2);
      reveal();
      check();
      changed();
    });

    return {
      read, write, suit,
      complain(name, message) {
        complain(name, message);
        root.querySelector("[data-settings]").open = true;
        control(name)?.focus();
      },
      usual() {
        write({ ...playground.USUAL, system: "", tools: "", schema: "", formatted: true });
        check();
        changed();
      },
    };
  }

  Object.assign(playground, { makeSettings });
})(globalThis.playground);

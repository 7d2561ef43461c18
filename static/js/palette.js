// The keyboard's way through the dashboard: Ctrl or ⌘ K opens the palette, / goes to the search of the page, and ?
// lists both. The palette is a combobox: the focus stays in its field, and the arrows move through what was found.

(() => {
  const PAUSE = 120; // milliseconds of silence before what was typed is looked for
  const SECRET = /sk-2389-([0-9A-Za-z]{4})[0-9A-Za-z]{38}([0-9A-Za-z]{4})/g;
  const palette = document.getElementById("palette");
  const field = palette.querySelector("input");
  const list = palette.querySelector("[role=listbox]");
  const empty = palette.querySelector("[role=status]");
  let asking = null;
  let timer = 0;
  let listed = null; // the words whose places are shown; none while they are looked for
  let entered = null; // that Enter was pressed before they were, and whether apart

  function options() {
    return [...list.querySelectorAll("[role=option]")];
  }

  function choose(index) {
    const all = options();
    all.forEach((option, place) => option.setAttribute("aria-selected", String(place === index)));
    const chosen = all[index];
    if (!chosen) return field.removeAttribute("aria-activedescendant");
    field.setAttribute("aria-activedescendant", chosen.id);
    if (index === 0) list.scrollTop = 0;
    else chosen.scrollIntoView({ block: "nearest" });
  }

  function chosen() {
    return options().findIndex((option) => option.getAttribute("aria-selected") === "true");
  }

  // A secret that was pasted is looked for by its ends: it is to stand in no address.
  function look() {
    field.value = field.value.replace(SECRET, "sk-2389-$1…$2");
    asking?.abort();
    asking = new AbortController();
    fill(field.value.trim(), asking.signal);
  }

  async function fill(words, signal) {
    const said = (text) => {
      entered = null;
      list.replaceChildren();
      choose(-1);
      empty.textContent = text;
    };
    try {
      const response = await fetch(`${palette.dataset.address}?${new URLSearchParams({ q: words })}`, { signal });
      if (response.redirected) return location.reload(); // signed out meanwhile: the sign-in page leads back here
      if (!response.ok) return said(`The server answered with ${response.status}. Try again in a minute.`);
      list.innerHTML = await response.text(); // made by our templates, which escape what people wrote
    } catch (error) {
      if (error.name !== "AbortError") said("The gateway does not answer. Check your connection, then try again.");
      return;
    }
    choose(0);
    const number = options().length;
    empty.textContent = number ? "" : `Nothing here is called “${words}”. A request is found by its whole id.`;
    empty.classList.toggle("away", Boolean(number));
    if (number && words) empty.textContent = number === 1 ? "1 place" : `${number} places`;
    listed = words;
    if (entered) go(options()[0], entered.apart);
    entered = null;
  }

  function open() {
    if (palette.open) return palette.close();
    if (document.querySelector("dialog[open]")) return;
    palette.showModal();
    field.select();
    look();
  }

  function go(option, apart) {
    if (!option) return;
    if (apart) return window.open(option.href, "_blank", "noopener");
    palette.close();
    app.visit(option.href);
  }

  field.addEventListener("input", () => {
    listed = entered = null;
    clearTimeout(timer);
    timer = setTimeout(look, PAUSE);
  });

  // What is typed and entered at once goes to what it finds, and not to what the letters before it found.
  function enter(now, apart) {
    if (listed === field.value.trim()) return go(options()[now], apart);
    entered = { apart };
    clearTimeout(timer);
    look();
  }

  field.addEventListener("keydown", (event) => {
    if (event.isComposing) return;
    const [last, now] = [options().length - 1, chosen()];
    const steps = { ArrowDown: now < last ? now + 1 : 0, ArrowUp: now > 0 ? now - 1 : last };
    steps.PageDown = Math.min(now + 5, last);
    steps.PageUp = Math.max(now - 5, 0);
    if (event.key in steps) choose(steps[event.key]);
    else if (event.key === "Enter") enter(now, event.ctrlKey || event.metaKey);
    else return;
    event.preventDefault();
  });

  palette.addEventListener("click", (event) => {
    if (event.target === palette) return palette.close();
    const option = event.target.closest("[role=option]");
    if (!option || event.button || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    go(option, false);
  });

  palette.addEventListener("close", () => {
    asking?.abort();
    clearTimeout(timer);
    listed = entered = null;
  });

  function isWriting(element) {
    return element.closest?.("input, textarea, select, [contenteditable]") !== null;
  }

  function search() {
    const fields = document.querySelectorAll("#content input[type=search], #content [role=search] input[name=q]");
    const found = [...fields].find((one) => one.checkVisibility());
    if (!found) return open();
    found.focus();
    found.select();
  }

  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.isComposing || event.altKey) return;
    const command = event.ctrlKey || event.metaKey;
    if (command && !event.shiftKey && event.key.toLowerCase() === "k") open();
    else if (command || isWriting(event.target) || document.querySelector("dialog[open]")) return;
    else if (event.key === "/") search();
    else if (event.key === "?") document.getElementById("shortcuts").showModal();
    else return;
    event.preventDefault();
  });

  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-palette]")) open();
  });

  if (/Mac|iPhone|iPad/.test(navigator.platform)) {
    for (const name of document.querySelectorAll("[data-modifier-key]")) name.textContent = "⌘ K";
  }
})();

// Elements, made one by one: text goes in as text, so that nothing of what a person or a model wrote is ever markup.

(function (playground) {
  // `properties` are the element's own (className, hidden, value …); "on" holds listeners, "attributes" what has no property.
  function make(name, { on = {}, attributes = {}, ...properties } = {}, ...children) {
    const made = Object.assign(document.createElement(name), properties);
    for (const [attribute, value] of Object.entries(attributes)) made.setAttribute(attribute, value);
    for (const [event, listener] of Object.entries(on)) made.addEventListener(event, listener);
    made.append(...children.filter((child) => child !== null && child !== undefined && child !== ""));
    return made;
  }

  // One of the sprite's icons: where the sprite is, the page's own icons say.
  function icon(name) {
    const space = "http://www.w3.org/2000/svg";
    const svg = document.createElementNS(space, "svg");
    const use = document.createElementNS(space, "use");
    const sprite = document.querySelector("svg.icon use")?.getAttribute("href")?.split("#")[0] ?? "";
    use.setAttribute("href", `${sprite}#${name}`);
    svg.setAttribute("class", "icon");
    svg.setAttribute("aria-hidden", "true");
    svg.setAttribute("focusable", "false");
    svg.append(use);
    return svg;
  }

  function button(label, pressed, { kind = "quiet small", attributes = {} } = {}) {
    return make("button", { type: "button", className: `button ${kind}`, on: { click: pressed }, attributes }, label);
  }

  // A block of code with its copy button, which every page's script makes.
  function code(text, label) {
    const pre = make("pre", { tabIndex: 0 }, make("code", {}, text));
    const block = make("div", { className: "code", attributes: { role: "group", "aria-label": label } }, pre);
    if (navigator.clipboard && typeof makeCopyable === "function") makeCopyable(block);
    return block;
  }

  function json(text) {
    return document.getElementById(text) ? JSON.parse(document.getElementById(text).textContent) : null;
  }

  Object.assign(playground, { make, icon, button, codeBlock: code, embedded: json });
})(globalThis.playground);

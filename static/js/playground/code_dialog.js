// The dialog that shows a request as code: of each model that it would go to.

(function (playground) {
  const { make } = playground;
  const MOST = 300_000; // characters of code that a page can show and scroll

  // `requests` are {choice, read}, where `read` makes the body or throws what is wrong in words.
  function showCode(requests, frames) {
    const dialog = document.getElementById("playground-code");
    const place = dialog.querySelector("[data-code]");
    place.replaceChildren(...requests.map(({ choice, read }, side) => shown(choice, read, side, requests.length > 1, frames)));
    if (typeof makeTabs === "function") place.querySelectorAll("[data-tabs]").forEach(makeTabs);
    dialog.showModal();
  }

  function shown(choice, read, side, several, frames) {
    const root = make("section", { className: "stack" });
    if (several) root.append(make("h3", {}, choice.id));
    try {
      const body = read();
      const short = withoutPictures(body);
      const codes = playground.codeFor(short ?? body, frames);
      if (short) root.append(make("p", { className: "muted" }, "The images are too large to be shown here: put them where it says …"));
      root.append(make("div", { className: "tabs stack", attributes: { "data-tabs": "Languages" } }, ...codes.map(({ slug, label, text }) =>
        make("section", { id: `code-${side}-${slug}` }, make("h3", {}, label), playground.codeBlock(text, label)),
      )));
    } catch (error) {
      if (!error.setting) throw error;
      root.append(make("p", { className: "notice error" }, error.message));
    }
    return root;
  }

  // The body with its images cut short, when it is too large as it is; else null.
  function withoutPictures(body) {
    if (JSON.stringify(body).length <= MOST) return null;
    return JSON.parse(JSON.stringify(body, (name, value) =>
      name === "url" && typeof value === "string" && value.startsWith("data:") ? `${value.slice(0, value.indexOf(",") + 1)}…` : value,
    ));
  }

  Object.assign(playground, { showCode });
})(globalThis.playground);

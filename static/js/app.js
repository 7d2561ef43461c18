// What every page of the dashboard shares. Pages work without it; this makes them quicker.

(() => {
  document.documentElement.classList.add("scripted");

  function remember(theme) {
    const kept = theme ? `theme=${theme}; max-age=31536000` : "theme=; max-age=0";
    document.cookie = `${kept}; path=/; samesite=lax${location.protocol === "https:" ? "; secure" : ""}`;
  }

  function wear(theme) {
    if (theme) document.documentElement.dataset.theme = theme;
    else delete document.documentElement.dataset.theme;
    for (const button of document.querySelectorAll("[data-theme-choice]")) {
      button.setAttribute("aria-pressed", String(button.dataset.themeChoice === theme));
    }
  }

  document.addEventListener("click", (event) => {
    const choice = event.target.closest("[data-theme-choice]");
    if (!choice) return;
    remember(choice.dataset.themeChoice);
    wear(choice.dataset.themeChoice);
  });

  // A short word in the corner, read out to those who do not see it. `action` is optional: its label, and what it does.
  // An error stays longer, and all stay while somebody points at them or has the focus in them.
  function toast(text, action, tone = "") {
    const element = document.createElement("div");
    element.className = `toast ${tone === "error" ? "failed" : ""}`;
    element.setAttribute("role", tone === "error" ? "alert" : "status");
    const words = document.createElement("p");
    words.textContent = text;
    element.append(words);
    if (action) element.append(small(action.label, () => action.run(), element));
    element.append(small("Dismiss", () => {}, element));
    const corner = document.getElementById("toasts");
    while (corner?.childElementCount > 2) corner.firstElementChild.remove();
    corner?.append(element);
    const close = () => (element.matches(":hover, :focus-within") ? setTimeout(close, 2000) : element.remove());
    setTimeout(close, tone === "error" ? 15000 : 6000);
  }

  function small(label, run, element) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "button small quiet";
    button.textContent = label;
    button.addEventListener("click", () => {
      element.remove();
      run();
    });
    return button;
  }

  // Buttons that open a dialog of the page: data-opens names it.
  document.addEventListener("click", (event) => {
    const opener = event.target.closest("[data-opens]");
    if (opener) document.getElementById(opener.dataset.opens)?.showModal();
    const closer = event.target.closest("[data-closes]");
    if (closer) closer.closest("dialog")?.close();
  });

  // Forms that send themselves when a choice is made: filters, whose state is in the address.
  document.addEventListener("change", (event) => {
    const form = event.target.closest("form[data-sends-itself]");
    if (form) form.requestSubmit();
  });

  window.app = { toast };
})();

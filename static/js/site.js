// Two conveniences; every page works without them. Tabs over blocks that stand under one another, and copy buttons.
// Both come anew with whatever htmx puts into a page.

(() => {
  function chooseTab(tabs, panels, chosen) {
    tabs.forEach((tab, index) => {
      const selected = index === chosen;
      tab.setAttribute("aria-selected", String(selected));
      tab.tabIndex = selected ? 0 : -1;
      panels[index].hidden = !selected;
    });
  }

  function moveBetweenTabs(event, tabs) {
    const current = tabs.indexOf(document.activeElement);
    const last = tabs.length - 1;
    const targets = {
      ArrowRight: current === last ? 0 : current + 1,
      ArrowLeft: current === 0 ? last : current - 1,
      Home: 0,
      End: last,
    };
    const target = targets[event.key];
    if (current < 0 || target === undefined) return;
    event.preventDefault();
    tabs[target].click();
    tabs[target].focus();
  }

  // What changes above the reader must not move the page under the pointer.
  function keepInPlace(element, change) {
    const before = element.getBoundingClientRect().top;
    change();
    window.scrollBy({ top: element.getBoundingClientRect().top - before, behavior: "instant" });
  }

  // A language that is chosen once is chosen everywhere.
  function chooseEverywhere(container, label) {
    document.querySelectorAll(`[data-tabs="${container.dataset.tabs}"]`).forEach((other) => {
      const tabs = [...other.querySelectorAll(":scope > [role=tablist] > button")];
      const chosen = tabs.findIndex((tab) => tab.textContent === label);
      if (chosen >= 0) chooseTab(tabs, [...other.querySelectorAll(":scope > section")], chosen);
    });
  }

  function makeTabs(container) {
    const panels = [...container.querySelectorAll(":scope > section")];
    const list = document.createElement("div");
    list.className = "tablist";
    list.setAttribute("role", "tablist");
    list.setAttribute("aria-label", container.dataset.tabs);
    const tabs = panels.map((panel, index) => {
      const tab = document.createElement("button");
      tab.type = "button";
      tab.id = `${panel.id}-tab`;
      tab.textContent = panel.querySelector("h3, h4, h5").textContent;
      tab.setAttribute("role", "tab");
      tab.setAttribute("aria-controls", panel.id);
      tab.addEventListener("click", () => keepInPlace(tab, () => chooseEverywhere(container, tab.textContent)));
      panel.setAttribute("role", "tabpanel");
      panel.setAttribute("aria-labelledby", tab.id);
      return tab;
    });
    list.append(...tabs);
    list.addEventListener("keydown", (event) => moveBetweenTabs(event, tabs));
    container.prepend(list);
    container.classList.add("ready");
    chooseTab(tabs, panels, 0);
  }

  function say(button, word) {
    button.textContent = word;
    setTimeout(() => {
      button.textContent = "Copy";
    }, 2000);
  }

  function makeCopyable(block) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "copy";
    button.textContent = "Copy";
    button.setAttribute("aria-live", "polite");
    button.addEventListener("click", () => {
      navigator.clipboard.writeText(block.querySelector("pre").textContent).then(
        () => say(button, "Copied"),
        () => say(button, "Select it by hand"),
      );
    });
    block.classList.add("copyable");
    block.append(button);
  }

  function makeReady() {
    document.querySelectorAll("[data-tabs]:not(.ready)").forEach(makeTabs);
    if (navigator.clipboard) document.querySelectorAll(".code:not(.copyable)").forEach(makeCopyable);
  }

  document.addEventListener("htmx:load", makeReady);
  makeReady();
})();

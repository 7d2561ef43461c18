// Pages of an organisation take each other's place without a whole new document. htmx asks for them (hx-boost on the
// rail and on the page); what comes is put in place here, because a page may need styles and scripts of its own first,
// and because scroll, focus, title and the way back are to be as if the browser had done it. Whatever is no page of
// this organisation, or of another version of these files, the browser loads as always.

(() => {
  const PARTS = ["rail-nav", "switcher-part", "topbar-name", "content"]; // what differs between two pages
  const PATIENCE = 150; // milliseconds before anything shows that a page is on its way
  const ASSETS = 4000; // milliseconds after which a page is shown without a style or script that does not come

  let asked = null; // the newest request for a page: what an older one brings is not shown
  let shown = location.pathname + location.search;
  let entry = history.state?.entry ?? fresh();
  let timer = 0;
  const places = remembered(); // how far each entry of the history is scrolled

  function fresh() {
    return crypto.getRandomValues(new Uint32Array(2)).join("-");
  }

  function remembered() {
    try {
      return JSON.parse(sessionStorage.getItem("places") ?? "{}");
    } catch {
      return {};
    }
  }

  function isBoosted(element) {
    return element.matches("a, form") && !element.matches("[hx-get], [hx-post]") && element.closest("[hx-boost=true]");
  }

  function isOurs(address) {
    const url = new URL(address, location.href);
    return url.origin === location.origin && url.pathname.startsWith(document.body.dataset.root);
  }

  // -- waiting ---------------------------------------------------------------------------------------

  function begin(request) {
    if (asked?.abort && asked !== request) asked.abort();
    asked = request;
    clearTimeout(timer);
    timer = setTimeout(() => document.documentElement.classList.add("loading"), PATIENCE);
    document.getElementById("content").setAttribute("aria-busy", "true");
  }

  function end(request) {
    if (asked !== request) return;
    asked = null;
    clearTimeout(timer);
    document.documentElement.classList.remove("loading");
    document.getElementById("content").removeAttribute("aria-busy");
    for (const button of document.querySelectorAll("[data-sent]")) {
      button.removeAttribute("aria-busy");
      delete button.dataset.sent;
    }
  }

  // -- a page that came ------------------------------------------------------------------------------

  async function arrive(request, answer, { push = true, scroll = null, from = null } = {}) {
    const get = answer.method === "get";
    if (!answer.type.startsWith("text/html")) {
      if (get) location.assign(answer.url);
      else app.toast("The answer is no page. Reload to see what has changed.", null, "error");
      return end(request);
    }
    const page = new DOMParser().parseFromString(answer.text, "text/html");
    if (!fits(page)) {
      end(request);
      if (answer.status < 500 && (get || answer.status < 400)) return location.assign(answer.url);
      return app.toast(words(page, answer.status), get ? again(answer.url) : null, "error");
    }
    await dress(page);
    if (asked !== request) return;
    end(request);
    move(page, answer, { push, scroll, from });
  }

  function move(page, answer, { push, scroll, from }) {
    const url = new URL(answer.url, location.href);
    const same = url.pathname === shown.split("?")[0] && !from?.closest(".pager");
    const active = document.activeElement;
    if (push) remember(url);
    place(page);
    const twin = same && active?.closest("#content") === null ? active : same ? likeness(active) : null;
    const wrong = document.querySelector("#content form [aria-invalid=true]");
    const focus = wrong ?? twin ?? document.querySelector("#content h1");
    focus?.focus({ preventScroll: true });
    if (scroll !== null) window.scrollTo({ top: scroll, behavior: "instant" });
    else if (wrong) wrong.scrollIntoView({ block: "center", behavior: "instant" });
    else if (url.hash) document.getElementById(decodeURIComponent(url.hash.slice(1)))?.scrollIntoView();
    else if (!same) window.scrollTo({ top: 0, behavior: "instant" });
    else document.querySelector("#content > .notice")?.scrollIntoView({ block: "nearest", behavior: "instant" });
  }

  function remember(url) {
    places[entry] = window.scrollY;
    const stays = url.href.split("#")[0] === location.href.split("#")[0];
    entry = stays ? entry : fresh();
    history[stays ? "replaceState" : "pushState"]({ entry }, "", url);
    shown = url.pathname + url.search;
  }

  function place(page) {
    document.title = page.title;
    const rail = document.getElementById("rail");
    if (rail.matches(":popover-open")) rail.hidePopover();
    for (const id of PARTS) {
      const [old, next] = [document.getElementById(id), page.getElementById(id)];
      if (!old || !next || (id !== "content" && old.isEqualNode(next))) continue;
      htmx.swap(old, next.outerHTML, { swapStyle: "outerHTML", swapDelay: 0, settleDelay: 0 });
    }
  }

  // What stands in the new page where the focus was in the old one: the field of that name, the link of those words.
  function likeness(element) {
    if (!element || element === document.body || element.isConnected) return element?.isConnected ? element : null;
    if (element.id) return document.getElementById(element.id);
    const main = document.getElementById("content");
    const alike = [...main.querySelectorAll(element.localName)].filter((one) =>
      element.name ? one.name === element.name && one.value === element.value : one.textContent === element.textContent,
    );
    return alike[0] ?? null;
  }

  // A page of this organisation, made for the scripts that run here.
  function fits(page) {
    const here = new Set([...document.scripts].map((script) => script.src));
    const core = [...page.querySelectorAll("script[data-core]")].map((script) => resolved(script, "src"));
    return page.body.dataset.root === document.body.dataset.root && core.every((source) => here.has(source));
  }

  function resolved(element, name) {
    return new URL(element.getAttribute(name), location.href).href;
  }

  // Styles and scripts that the page has and this document has not: there before it is shown.
  function dress(page) {
    const sheets = new Set([...document.querySelectorAll("link[rel=stylesheet]")].map((link) => link.href));
    const scripts = new Set([...document.scripts].map((script) => script.src));
    const wanted = [
      ...[...page.head.querySelectorAll("link[rel=stylesheet]")]
        .filter((link) => !sheets.has(resolved(link, "href")))
        .map((link) => Object.assign(document.createElement("link"), { rel: "stylesheet", href: resolved(link, "href") })),
      ...[...page.head.querySelectorAll("script[src]")]
        .filter((script) => !scripts.has(resolved(script, "src")))
        .map((script) => Object.assign(document.createElement("script"), { src: resolved(script, "src"), async: false })),
    ];
    const coming = wanted.map((element) => new Promise((done) => element.addEventListener("load", done)));
    document.head.append(...wanted);
    return Promise.race([Promise.all(coming), new Promise((late) => setTimeout(late, ASSETS))]);
  }

  // -- what went wrong -------------------------------------------------------------------------------

  // As the page that came says it, or in words of our own.
  function words(page, status) {
    const said = [...page.querySelectorAll("#content h1, #content h1 ~ p")].map((part) => part.textContent.trim());
    return said.filter(Boolean).slice(0, 2).join(" ") || `The server answered with ${status}. Try again in a minute.`;
  }

  function again(url) {
    return { label: "Try again", run: () => visit(url) };
  }

  // What asks again by itself tells of its failures where it stands, if at all.
  function isQuiet(element) {
    return Boolean(element.closest?.("[data-quiet], [hx-trigger*=every]"));
  }

  function unreachable(action) {
    app.toast("The gateway does not answer. Check your connection, then try again.", action, "error");
  }

  // -- asking ----------------------------------------------------------------------------------------

  async function fetched(url, options) {
    const stop = new AbortController();
    const request = { abort: () => stop.abort() };
    begin(request);
    try {
      const response = await fetch(url, { headers: { Accept: "text/html" }, signal: stop.signal });
      const type = response.headers.get("Content-Type") ?? "";
      const answer = { text: await response.text(), status: response.status, type, method: "get" };
      answer.url = response.url + (response.url.includes("#") ? "" : new URL(url, location.href).hash);
      await arrive(request, answer, options);
    } catch (error) {
      if (error.name === "AbortError") return;
      end(request);
      unreachable(again(url));
    }
  }

  function visit(url) {
    if (isOurs(url)) fetched(url, {});
    else location.assign(url);
  }

  document.addEventListener("htmx:confirm", (event) => {
    const { elt, path } = event.detail;
    if (!isBoosted(elt)) return;
    if (elt.localName === "form" && !elt.hasAttribute("method")) return event.preventDefault(); // its script sees to it
    if (isOurs(path || location.href) && !elt.hasAttribute("download")) return;
    event.preventDefault();
    if (elt.localName === "a") location.assign(elt.href);
    else elt.submit();
  });

  // Asked for as a page, it comes as a page: parts are for those who ask for parts.
  document.addEventListener("htmx:configRequest", (event) => {
    if (!event.detail.boosted) return;
    for (const name of Object.keys(event.detail.headers)) if (name.startsWith("HX-")) delete event.detail.headers[name];
    event.detail.headers.Accept = "text/html";
    if (event.detail.verb !== "get") return;
    const given = event.detail.formData; // an address says what was chosen, and nothing of what was not
    for (const name of [...given.keys()]) if (given.getAll(name).every((value) => value === "")) given.delete(name);
  });

  document.addEventListener("htmx:beforeRequest", (event) => {
    const { boosted, xhr, requestConfig } = event.detail;
    if (!boosted) return;
    begin(requestConfig.verb === "get" ? xhr : { xhr });
    const button = requestConfig.triggeringEvent?.submitter;
    if (!button) return;
    button.setAttribute("aria-busy", "true");
    button.dataset.sent = "yes";
  });

  document.addEventListener("htmx:beforeSwap", (event) => {
    const { boosted, xhr, requestConfig, pathInfo, elt } = event.detail;
    if (!boosted) return;
    event.preventDefault();
    if (asked !== xhr && asked?.xhr !== xhr) return;
    const url = xhr.responseURL + (pathInfo.anchor ? `#${pathInfo.anchor}` : "");
    const type = xhr.getResponseHeader("Content-Type") ?? "";
    const answer = { text: xhr.responseText, status: xhr.status, type, method: requestConfig.verb, url };
    arrive(asked, answer, { from: requestConfig.elt ?? elt });
  });

  for (const name of ["htmx:sendError", "htmx:timeout"]) {
    document.addEventListener(name, (event) => {
      const { boosted, xhr, requestConfig } = event.detail;
      if (boosted && (asked === xhr || asked?.xhr === xhr)) end(asked);
      if (isQuiet(event.target)) return;
      unreachable(boosted && requestConfig.verb === "get" ? again(requestConfig.path) : null);
    });
  }

  document.addEventListener("htmx:responseError", (event) => {
    if (isQuiet(event.target)) return;
    const page = new DOMParser().parseFromString(event.detail.xhr.responseText, "text/html");
    app.toast(words(page, event.detail.xhr.status), null, "error");
  });

  // -- the way back ----------------------------------------------------------------------------------

  addEventListener("popstate", (event) => {
    entry = event.state?.entry ?? fresh();
    if (location.pathname + location.search === shown) {
      if (location.hash) document.getElementById(decodeURIComponent(location.hash.slice(1)))?.scrollIntoView();
      else window.scrollTo({ top: places[entry] ?? 0, behavior: "instant" });
      return;
    }
    shown = location.pathname + location.search;
    if (isOurs(location.href)) fetched(location.href, { push: false, scroll: places[entry] ?? 0 });
    else location.reload();
  });

  document.addEventListener("htmx:pushedIntoHistory", () => {
    entry = fresh();
    shown = location.pathname + location.search;
    history.replaceState({ entry }, "");
  });

  addEventListener("scroll", () => { if (!asked) places[entry] = window.scrollY; }, { passive: true }); // prettier-ignore

  addEventListener("pagehide", () => {
    try {
      sessionStorage.setItem("places", JSON.stringify(Object.fromEntries(Object.entries(places).slice(-100))));
    } catch {
      // Without a store, a reload begins at the top.
    }
  });

  document.addEventListener("DOMContentLoaded", () => {
    window.onpopstate = null; // htmx's own: it would put pages back without their styles and scripts
    history.scrollRestoration = "manual";
    history.replaceState({ ...history.state, entry }, "");
    if (places[entry] && !location.hash) window.scrollTo({ top: places[entry], behavior: "instant" });
  });

  app.visit = visit;
})();

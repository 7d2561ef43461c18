"""What is asked of every page, as a list of what is wrong with it."""

from __future__ import annotations

import gzip
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from playwright.sync_api import Error, Page, Response

from tests.end_to_end import node

AXE = node.FOLDER / "node_modules" / "axe-core" / "axe.min.js"
SERIOUS = {"serious", "critical"}
WIDTHS = (360, 390, 1440, 2560)
HEIGHT = 900
MOST_SHIFT = 0.02
MOST_BYTES = 150 * 1024
MOST_TABS = 40
COMPRESSED = ("text/", "application/javascript", "application/json", "image/svg+xml")  # by whitenoise, in an image

# Before anything else of a page runs.
LISTEN = """
window.__shifts = [];
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) {
    if (!entry.hadRecentInput) {
      window.__shifts.push([entry.value, entry.sources.map((one) => one.node?.outerHTML?.slice(0, 80) ?? "")]);
    }
  }
}).observe({ type: "layout-shift", buffered: true });
"""
READ = "(theme) => axe.run({ resultTypes: ['violations'] })"
OVERFLOW = """
() => {
  const root = document.documentElement;
  if (root.scrollWidth <= root.clientWidth) return [];
  const wide = [...document.body.querySelectorAll("*")].filter((one) => {
    const box = one.getBoundingClientRect();
    return box.width && box.right > root.clientWidth + 1;
  });
  return [root.scrollWidth, ...wide.slice(0, 3).map((one) => one.outerHTML.slice(0, 100))];
}
"""
FOCUSED = """
() => {
  const one = document.activeElement;
  if (!one || one === document.body || one === document.documentElement) return null;
  const box = one.getBoundingClientRect();
  const outlined = (style) => style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0;
  const around = [one, one.parentElement, one.parentElement?.parentElement].filter(Boolean);  // a tile, for its link
  const ringed = around.some((each) => outlined(getComputedStyle(each))) || getComputedStyle(one).boxShadow !== "none";
  return {
    place: [...document.querySelectorAll("*")].indexOf(one),
    html: one.outerHTML.slice(0, 100),
    ringed,
    parts: (one.type ?? "").startsWith("date") || one.type === "time",
    seen: box.width > 0 && box.height > 0 && box.bottom > 0 && box.right > 0 && box.top < innerHeight
      && box.left < innerWidth,
  };
}
"""
TOP = """
() => {  // from where Tab goes on, also when a field was focused by itself
  document.body.tabIndex = -1;
  document.body.focus();
  document.body.removeAttribute("tabindex");
  scrollTo(0, 0);
}
"""
REACHABLE = """
() => [...document.querySelectorAll("a[href], button, input, select, textarea, summary, [tabindex]")].filter((one) =>
  one.tabIndex >= 0 && !one.disabled && one.type !== "hidden" && one.checkVisibility({ visibilityProperty: true })
).length
"""


def axe_source() -> str:
    """Skips the test, loudly, where there is no node to install it."""
    node.find()
    return Path(AXE).read_text(encoding="utf-8")


def violations(page: Page, axe: str, theme: str) -> list[str]:
    """What axe-core finds serious or worse, with one of the places where it is."""
    page.emulate_media(color_scheme="dark" if theme == "dark" else "light", reduced_motion="reduce")
    if not page.evaluate("() => Boolean(window.axe)"):
        page.evaluate(axe)
    found: dict[str, Any] = page.evaluate(READ, theme)
    return [
        f"{theme}: {one['id']}: {one['help']} ({len(one['nodes'])}): {one['nodes'][0]['html'][:160]}"
        f" {one['nodes'][0].get('failureSummary', '')[:300]}"
        for one in found["violations"]
        if one["impact"] in SERIOUS
    ]


def bearings(page: Page) -> list[str]:
    """A title of its own, and one heading that says where one is."""
    wrong = [] if page.title().strip() not in {"", "2389"} else [f"the title is {page.title()!r}"]
    headings = page.locator("h1").count()
    return wrong + ([] if headings == 1 else [f"{headings} h1"])


def shifts(page: Page) -> list[str]:
    found = page.evaluate("() => window.__shifts")
    total = sum(value for value, _ in found)
    return [f"the layout shifts by {total:.3f}: {found}"] if total >= MOST_SHIFT else []


def overflows(page: Page) -> Iterator[str]:
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": HEIGHT})
        found = page.evaluate(OVERFLOW)
        if found:
            yield f"scrolls sideways at {width}: {found}"


def stops(page: Page) -> Iterator[str]:
    """Tab goes from the top of the page through what can be used, in the page's own order, and one sees where it is."""
    count = min(page.evaluate(REACHABLE), MOST_TABS)
    page.evaluate(TOP)
    places: list[int] = []
    singles: list[int] = []  # but fields of several parts, through which Tab goes one by one
    for _ in range(count):
        page.keyboard.press("Tab")
        at = page.evaluate(FOCUSED)
        if at is None:  # it has left the page, at its end
            break
        if not at["ringed"]:
            yield f"no focus is seen on {at['html']}"
        if not at["seen"]:
            yield f"focus goes out of sight to {at['html']}"
        places.append(at["place"])
        if not at["parts"]:
            singles.append(at["place"])
    if len(set(places)) < min(count, 2):
        yield f"Tab reaches {len(set(places))} of {count}"
    if any(place == following for place, following in itertools.pairwise(singles)):
        yield "Tab does not get away from where it is"
    if places != sorted(places):
        yield "Tab does not go in the page's order"


def weight(responses: list[Response]) -> int:
    """Bytes that come over the wire on a first load. Static files are counted as an image serves them, compressed;
    a checkout serves them as they lie."""
    return sum(_bytes(response) for response in responses if response.status == 200)


def _bytes(response: Response) -> int:
    try:
        body = response.body()
    except Error:  # what the browser does not keep, such as a preflight
        return 0
    if response.headers.get("content-encoding"):
        return int(response.request.sizes()["responseBodySize"])
    if "/static/" in response.url and response.headers.get("content-type", "").startswith(COMPRESSED):
        return len(gzip.compress(body, 9))
    return len(body)

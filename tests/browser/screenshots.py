"""Pictures of every page, wide and narrow, light and dark: what people look at one by one before a change is merged.

Run by `./dev screenshots`, which gives it servers that are empty and gone afterwards.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext

    from tests.browser.demonstration import Acme
    from tests.browser.places import Place

SIZES = {"wide": (1440, 900), "narrow": (390, 844)}
MOST_HIGH = 4000
THEMES = ("light", "dark")
INDEX = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Screenshots</title>
<style>body{{font:14px system-ui;margin:24px}}section{{display:flex;gap:12px;align-items:start;overflow-x:auto}}
img{{height:480px;border:1px solid #999}}</style>{}</html>
"""


def main() -> int:
    folder, wanted = Path(sys.argv[1]), sys.argv[2:]
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"  # Playwright's loop stands in this thread while rows are read
    import django

    django.setup()
    from tests.browser.places import places

    chosen = [place for place in places() if not wanted or any(word in str(place) for word in wanted)]
    if not chosen:
        print(f"No page has {' or '.join(wanted)} in its name. There are: {', '.join(map(str, places()))}.")
        return 2
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as spool:
        _take(folder, chosen, Path(spool) / "gateway.log")
    return 0


def _take(folder: Path, chosen: Sequence[Place], log: Path) -> None:
    from django.core.management import call_command
    from django.db import connection
    from playwright.sync_api import sync_playwright

    from config.stack import chromium
    from tests import live
    from tests.browser import demonstration

    begun = time.monotonic()
    call_command("migrate", verbosity=0)
    acme = demonstration.make()
    print(f"A month of data made in {time.monotonic() - begun:.0f} s.", flush=True)
    database, port = str(connection.settings_dict["NAME"]), live.free_port()
    named = f"http://localhost:{port}"
    with live.serving(
        database=database, log=log, port=port, PUBLIC_URL=named, SIGN_UP_OPEN="everybody", TRUSTED_PROXIES=""
    ) as gateway:
        gateway.origin = named
        with sync_playwright() as playwright:
            program = chromium.find(os.environ)
            browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
            taken = [name for place in chosen for name in _pictures(browser, gateway.origin, acme, place, folder)]
            browser.close()
    _index(folder)
    print(
        f"{len(taken)} pictures of {len(taken) // 4} pages are in {folder}; index.html shows all of them.", flush=True
    )


def _pictures(browser: Browser, origin: str, acme: Acme, place: Place, folder: Path) -> list[str]:
    """The names of the files. None for an address that is no page."""
    from tests.browser.session import answers_with_a_page, enter

    name, taken = re.sub(r"[^a-z0-9]+", "-", str(place).lower()).strip("-"), []
    for theme in THEMES:
        context: BrowserContext = browser.new_context(
            base_url=origin, color_scheme="dark" if theme == "dark" else "light", reduced_motion="reduce"
        )
        enter(context, origin, place.person(acme))
        url = place.url(acme)
        if not answers_with_a_page(context, origin, url, place.status):
            context.close()
            return []
        page = context.new_page()
        for size, (width, height) in SIZES.items():
            page.set_viewport_size({"width": width, "height": height})
            page.goto(url, wait_until="networkidle")
            whole = min(MOST_HIGH, page.evaluate("() => document.documentElement.scrollHeight"))
            page.set_viewport_size({"width": width, "height": max(height, whole)})  # what sticks to it goes all the way
            taken.append(f"{name}_{size}_{theme}.png")
            page.screenshot(path=folder / taken[-1], full_page=True)
        context.close()
    print(f"  {name}", flush=True)
    return taken


def _index(folder: Path) -> None:
    names = sorted({path.name.rsplit("_", 2)[0] for path in folder.glob("*_*_*.png")})
    rows = [
        f"<h2>{name}</h2><section>"
        + "".join(
            f'<a href="{name}_{size}_{theme}.png"><img loading="lazy" alt="{name}, {size}, {theme}"'
            f' src="{name}_{size}_{theme}.png"></a>'
            for size in SIZES
            for theme in THEMES
        )
        + "</section>"
        for name in names
    ]
    (folder / "index.html").write_text(INDEX.format("\n".join(rows)), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())

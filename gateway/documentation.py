"""The files of docs/ as pages of the site, so that the documentation of a gateway is that of its own version."""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from django.conf import settings
from django.urls import reverse
from django.utils.html import escape
from django.utils.safestring import SafeString

from gateway.markdown import Heading, Renderer, headings
from gateway.samples import PLACEHOLDER

# What people look for first comes first; pages that are not named here follow by name in the last group.
GROUPS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("Start", ("index", "quickstart", "clients")),
    ("The API", (
        "api", "models", "streaming", "embeddings", "errors", "limits", "compatibility", "playground", "sandbox",
        "status",
    )),
    ("Your organisation", (
        "keys", "organizations", "accounts", "requests", "usage", "usage-api", "billing", "webhooks",
    )),
    ("Running a gateway", ("deploy", "providers", "registry", "credit", "ledger", "performance", "settings")),
)  # fmt: skip
ORDER = tuple(slug for _, slugs in GROUPS for slug in slugs)
DOCUMENTED_URL = "http://127.0.0.1:8000/v1"  # of the gateway in the files, which know no other
_CODE = re.compile(r'(?<=<pre tabindex="0"><code>).*?(?=</code></pre>)', re.DOTALL)


@dataclass(frozen=True, slots=True)
class Page:
    """One file: its path within docs/ without the ending, its first heading, and the rest."""

    slug: str
    title: str
    lines: tuple[str, ...]

    @property
    def url(self) -> str:
        return reverse("gateway:docs") if self.slug == "index" else reverse("gateway:docs-page", args=[self.slug])

    @property
    def html(self) -> SafeString:
        return _rendered(self.slug)

    @property
    def outline(self) -> list[Heading]:
        """Its chapters."""
        return [heading for heading in headings(self.lines) if heading.level == 2]

    @property
    def needs_key(self) -> bool:
        """Whether code of it has a place for the reader's key."""
        return any(PLACEHOLDER in line for line in self.lines)

    def html_for(self, *, base_url: str, key: str) -> SafeString:
        """With the reader's own address and what stands for their key where code has those of the files."""
        return personal(self.html, base_url=base_url, key=key)

    def address(self, target: str) -> str:
        """Where a link of this page leads on the site. Pages name one another as files, so that it works there too."""
        path, _, fragment = target.partition("#")
        if not path.endswith(".md") or "://" in path:
            return target
        slug = posixpath.normpath(posixpath.join(posixpath.dirname(self.slug), path.removesuffix(".md")))
        page = find(slug)
        if page is None:
            return target
        return f"{page.url}#{fragment}" if fragment else page.url


@dataclass(frozen=True, slots=True)
class Group:
    """Pages of the table of contents that belong together."""

    name: str
    pages: tuple[Page, ...]


def find(slug: str) -> Page | None:
    return _pages().get(slug)


def pages() -> list[Page]:
    """All of them, decisions too, in their order."""
    return list(_pages().values())


def contents() -> list[Page]:
    """The pages of the table of contents. Decisions are linked from their own index."""
    return [page for slug, page in _pages().items() if not slug.startswith("decisions/") or slug == "decisions/index"]


def groups() -> list[Group]:
    """The same, as they belong together."""
    listed = contents()
    named = [(name, [page for page in listed if page.slug in slugs]) for name, slugs in GROUPS]
    named[-1][1].extend(page for page in listed if page.slug not in ORDER)
    return [Group(name, tuple(found)) for name, found in named]


def neighbours(page: Page) -> tuple[Page | None, Page | None]:
    """The pages before and after it in the table of contents."""
    listed = contents()
    if page not in listed:
        return find("decisions/index"), None
    at = listed.index(page)
    return listed[at - 1] if at else None, listed[at + 1] if at + 1 < len(listed) else None


def personal(html: SafeString, *, base_url: str, key: str) -> SafeString:
    """Only in code blocks: elsewhere such an address may be another server's. Both are escaped on their way in."""

    def filled(code: re.Match[str]) -> str:
        return code[0].replace(escape(DOCUMENTED_URL), escape(base_url)).replace(PLACEHOLDER, escape(key))

    return SafeString(_CODE.sub(filled, html))


@cache
def _rendered(slug: str) -> SafeString:
    page = _pages()[slug]
    return Renderer(page.address).blocks(list(page.lines))


@cache
def _pages() -> dict[str, Page]:
    root = Path(settings.BASE_DIR) / "docs"
    pages = [_read(root, path) for path in sorted(root.rglob("*.md"))]
    return {page.slug: page for page in sorted(pages, key=_rank)}


def _read(root: Path, path: Path) -> Page:
    lines = path.read_text(encoding="utf-8").splitlines()
    title = next((line.removeprefix("# ").strip() for line in lines if line.startswith("# ")), path.stem)
    return Page(slug=path.relative_to(root).with_suffix("").as_posix(), title=title, lines=tuple(lines))


def _rank(page: Page) -> tuple[int, bool, str]:
    position = ORDER.index(page.slug) if page.slug in ORDER else len(ORDER)
    return position, "/" in page.slug, page.slug

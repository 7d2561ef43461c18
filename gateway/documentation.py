"""The files of docs/ as pages of the site, so that the documentation of a gateway is that of its own version."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from django.conf import settings
from django.urls import reverse
from django.utils.safestring import SafeString

from gateway.markdown import Renderer

# What people look for first comes first; pages that are not named here follow by name.
ORDER = (
    "index", "quickstart", "api", "clients", "models", "embeddings", "compatibility", "playground", "sandbox",
    "errors", "limits", "status", "billing", "keys", "requests", "accounts", "usage", "usage-api", "webhooks",
    "providers", "credit", "ledger", "registry", "performance", "settings",
)  # fmt: skip


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
        return Renderer(self._address).blocks(list(self.lines))

    def _address(self, target: str) -> str:
        """Where a link of this page leads on the site. Pages name one another as files, so that it works there too."""
        path, _, fragment = target.partition("#")
        if not path.endswith(".md") or "://" in path:
            return target
        slug = posixpath.normpath(posixpath.join(posixpath.dirname(self.slug), path.removesuffix(".md")))
        page = find(slug)
        if page is None:
            return target
        return f"{page.url}#{fragment}" if fragment else page.url


def find(slug: str) -> Page | None:
    return _pages().get(slug)


def contents() -> list[Page]:
    """The pages of the table of contents. Decisions are linked from their own index."""
    return [page for slug, page in _pages().items() if not slug.startswith("decisions/") or slug == "decisions/index"]


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

"""The Markdown that docs/ is written in, as HTML: headings, paragraphs, lists, tables, code, links, emphasis.

Deliberately small, so that the pages need no further dependency. Whatever it does not know stays visible as text.
All text goes through `format_html`, so nothing in a page can become markup by accident.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.text import slugify

Resolve = Callable[[str], str]  # a link's target as written -> its address on the site

_INLINE = re.compile(
    r"`(?P<code>[^`]+)`|\*\*(?P<strong>[^*]+)\*\*|\[(?P<label>[^\]]+)\]\((?P<target>[^)\s]+)\)"
    r"|<(?P<address>https?://[^>\s]+)>|(?<!\w)\*(?P<emphasis>[^*\s][^*]*)\*"
)
_HEADING = re.compile(r"(#{1,4}) +(.+?)\s*#*$")
_FENCE = re.compile(r"```\s*\w*\s*$")
_ITEM = re.compile(r"(?P<indent> *)(?P<marker>[-*]|\d+\.) +(?P<text>.*)")
_CELL_BORDER = re.compile(r"(?<!\\)\|")
_NOTHING = SafeString("")
WIDE = 6  # a table of more columns is a matrix: short words, read from its first column


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading of a page: where it is, how it reads, and the fragment that leads to it."""

    line: int
    level: int
    text: str
    anchor: str


def headings(lines: Sequence[str]) -> Iterator[Heading]:
    """Those that `Renderer` makes, in their order. What stands in code is none."""
    in_code = False
    for number, line in enumerate(lines):
        if line.startswith("```"):
            in_code = not in_code
        found = None if in_code else _HEADING.match(line)
        if found:
            yield Heading(number, len(found[1]), plain(found[2]), slugify(found[2]))


def plain(text: str) -> str:
    """A line's words, without the marks around them."""
    return _INLINE.sub(_unmarked, text)


def _unmarked(match: re.Match[str]) -> str:
    kept = match["strong"] or match["label"] or match["emphasis"]
    return plain(kept) if kept else match["code"] or match["address"]


@dataclass(frozen=True, slots=True)
class Renderer:
    """Turns the lines of one page into HTML."""

    resolve: Resolve

    def blocks(self, lines: list[str]) -> SafeString:
        return _joined(self._blocks(lines))

    def _blocks(self, lines: list[str]) -> Iterable[SafeString]:
        position = 0
        while position < len(lines):
            line = lines[position]
            heading = _HEADING.match(line)
            if not line.strip():
                position += 1
            elif heading:
                yield self._heading(len(heading[1]), heading[2])
                position += 1
            else:
                html, position = self._long_block(lines, position)
                yield html

    def _long_block(self, lines: list[str], start: int) -> tuple[SafeString, int]:
        """The block that begins at `start`, and where the next one does."""
        if _FENCE.match(lines[start]):
            return self._code(lines, start)
        if _ITEM.match(lines[start]):
            return self._list(lines, start)
        if lines[start].startswith("|"):
            end = _end(lines, start, lambda line: line.startswith("|"))
            return self._table(lines[start:end]), end
        end = _end(lines, start, _continues_paragraph)
        return format_html("<p>{}</p>\n", self._inline(" ".join(line.strip() for line in lines[start:end]))), end

    def _heading(self, level: int, text: str) -> SafeString:
        return format_html('<h{} id="{}">{}</h{}>\n', level, slugify(text), self._inline(text), level)

    def _code(self, lines: list[str], start: int) -> tuple[SafeString, int]:
        end = _end(lines, start + 1, lambda line: not line.startswith("```"))
        code = "\n".join(lines[start + 1 : end])
        return format_html('<div class="code"><pre tabindex="0"><code>{}</code></pre></div>\n', code), end + 1

    def _list(self, lines: list[str], start: int) -> tuple[SafeString, int]:
        first = _ITEM.match(lines[start])
        indent = len(first["indent"]) if first else 0
        tag = "ol" if first and first["marker"][0].isdigit() else "ul"
        items: list[list[str]] = []
        position = start
        while position < len(lines) and (lines[position].strip() or _goes_on(lines, position, indent)):
            item = _ITEM.match(lines[position])
            if item and len(item["indent"]) == indent:
                items.append([item["text"]])
            elif lines[position].strip() and len(lines[position]) - len(lines[position].lstrip()) <= indent:
                break
            else:
                items[-1].append(lines[position][indent + 2 :])
            position += 1
        return format_html("<{}>{}</{}>\n", tag, _joined(self._item(item) for item in items), tag), position

    def _item(self, lines: list[str]) -> SafeString:
        end = _end(lines, 0, _continues_paragraph)
        text = self._inline(" ".join(line.strip() for line in lines[:end]))
        return format_html("<li>{}{}</li>\n", text, self.blocks(lines[end:]))

    def _table(self, lines: list[str]) -> SafeString:
        rows = [[cell.strip().replace("\\|", "|") for cell in _CELL_BORDER.split(line.strip())[1:-1]] for line in lines]
        return format_html(
            '<div class="{}" tabindex="0" role="region" aria-label="Table"><table>'
            "<thead>{}</thead><tbody>{}</tbody></table></div>\n",
            "table wide" if len(rows[0]) > WIDE else "table",
            self._row(rows[0], '<th scope="col">{}</th>'),
            _joined(self._row(row, "<td>{}</td>") for row in rows[2:]),
        )

    def _row(self, cells: list[str], cell: str) -> SafeString:
        return format_html("<tr>{}</tr>", format_html_join("", cell, ((self._inline(text),) for text in cells)))

    def _inline(self, text: str) -> SafeString:
        parts: list[SafeString] = []
        position = 0
        for match in _INLINE.finditer(text):
            parts += [format_html("{}", text[position : match.start()]), self._marked(match)]
            position = match.end()
        return _joined([*parts, format_html("{}", text[position:])])

    def _marked(self, match: re.Match[str]) -> SafeString:
        if match["code"]:
            return format_html("<code>{}</code>", match["code"])
        if match["strong"]:
            return format_html("<strong>{}</strong>", self._inline(match["strong"]))
        if match["emphasis"]:
            return format_html("<em>{}</em>", self._inline(match["emphasis"]))
        label = self._inline(match["label"]) if match["label"] else match["address"]
        return format_html('<a href="{}">{}</a>', self.resolve(match["target"] or match["address"]), label)


def _end(lines: list[str], start: int, goes_on: Callable[[str], bool]) -> int:
    """The first position from `start` on whose line does not go on."""
    return next((at for at in range(start, len(lines)) if not goes_on(lines[at])), len(lines))


def _continues_paragraph(line: str) -> bool:
    return bool(line.strip()) and not (
        _HEADING.match(line) or _FENCE.match(line) or _ITEM.match(line) or line.startswith("|")
    )


def _goes_on(lines: list[str], position: int, indent: int) -> bool:
    """Whether a list goes on behind the empty line at `position`."""
    following = next((line for line in lines[position:] if line.strip()), "")
    item = _ITEM.match(following)
    return following.startswith(" " * (indent + 2)) or (item is not None and len(item["indent"]) >= indent)


def _joined(parts: Iterable[SafeString]) -> SafeString:
    return format_html_join("", "{}", ((part,) for part in parts)) or _NOTHING

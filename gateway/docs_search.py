"""Finding things in the documentation: an index of its chapters, made once, in memory.

A chapter is found when every word that is looked for begins a word of it, of its heading or of its page's title; when
no chapter has all of them, those that have any are shown, and the page says so. Words in headings weigh more than words
in the text, rare words more than common ones.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from django.conf import settings
from django.utils.html import format_html, format_html_join, strip_tags
from django.utils.safestring import SafeString

from gateway import documentation
from gateway.documentation import Page
from gateway.markdown import headings, plain
from gateway.openapi import reference

MOST_RESULTS, MOST_WORDS = 20, 8
AROUND = 90  # characters of an excerpt on each side of what was found
IN_TITLE, IN_HEADING, WHOLE_WORD, SIDE_BY_SIDE, TO_THE_LETTER = 4.0, 6.0, 1.5, 8.0, 40.0
_WORD = re.compile(r"[^\W_]+", re.UNICODE)
_NAME = re.compile(r"\w+([-_./]\w+)+")
_RULE = re.compile(r"\|?[\s:|-]+\|?")


@dataclass(frozen=True, slots=True)
class Chapter:
    """What stands beneath one heading."""

    title: str  # of its page
    heading: str
    url: str
    text: str
    title_words: tuple[str, ...]
    heading_words: tuple[str, ...]
    words: str  # all of them, in their order

    @property
    def is_page(self) -> bool:
        """Whether it is the beginning of its page."""
        return self.heading == self.title


@dataclass(frozen=True, slots=True)
class Result:
    """A chapter that was found, and where in it."""

    chapter: Chapter
    score: float
    excerpt: SafeString


@dataclass(frozen=True, slots=True)
class Found:
    results: list[Result]
    only_some_words: bool  # no chapter has all of them


def search(asked: str) -> Found:
    terms = _words(asked)[:MOST_WORDS]
    if not terms:
        return Found([], only_some_words=False)
    names = [word.lower() for word in asked.split() if _NAME.fullmatch(word)]
    scores = [_scores(term) for term in dict.fromkeys(terms)]
    chapters = {chapter: sum(found.get(chapter, 0.0) for found in scores) for found in scores for chapter in found}
    whole = [chapter for chapter in chapters if all(chapter in found for found in scores)]
    index = _index().chapters
    totals = {
        at: chapters[at] + _side_by_side(index[at], terms) + _to_the_letter(index[at], names)
        for at in whole or chapters
    }
    best = sorted(totals, key=lambda at: (-totals[at], at))[:MOST_RESULTS]  # a tie goes as the documentation does
    results = [Result(index[at], totals[at], _excerpt(index[at].text, terms)) for at in best]
    return Found(results, only_some_words=bool(best) and not whole)


def _scores(term: str) -> dict[int, float]:
    """Of each chapter that has the word, or one that begins so, by its number."""
    index = _index()
    known = [word for word in index.chapters_of if word.startswith(term)]
    times: Counter[int] = Counter()
    for word in known:
        times.update(index.chapters_of[word])
    rarity = math.log(1 + len(index.chapters) / (1 + max((len(index.chapters_of[word]) for word in known), default=0)))
    scores = {at: rarity * (1 + math.log(number)) for at, number in times.items()}
    for at, chapter in enumerate(index.chapters):
        begins = IN_TITLE * _begins(term, chapter.title_words) + IN_HEADING * _begins(term, chapter.heading_words)
        if begins:
            scores[at] = scores.get(at, 0.0) + rarity * begins
    return scores


def _side_by_side(chapter: Chapter, terms: list[str]) -> float:
    """More for words that stand together as they were asked for."""
    return SIDE_BY_SIDE if len(terms) > 1 and f" {' '.join(terms)}" in chapter.words else 0.0


def _to_the_letter(chapter: Chapter, names: list[str]) -> float:
    """Much more for a name such as max_tokens or retry-after, where it stands as it was asked for."""
    text = chapter.text.lower()
    return sum(TO_THE_LETTER for name in names if name in text)


def _begins(term: str, words: tuple[str, ...]) -> float:
    """More for the whole word than for its beginning."""
    if term in words:
        return WHOLE_WORD
    return 1.0 if any(word.startswith(term) for word in words) else 0.0


def _excerpt(text: str, terms: list[str]) -> SafeString:
    """A piece of the text around what was found, with it marked. Everything is escaped on its way."""
    marks = [found for found in _WORD.finditer(text) if _is_one(found[0], terms)]
    middle = _best(marks, terms)
    start, end = max(0, middle - AROUND), min(len(text), middle + 2 * AROUND)
    if start:
        start = text.find(" ", start) + 1 or start
    if end < len(text):
        end = max(text.rfind(" ", start, end), middle)
    parts, position = [], start
    for mark in marks:
        if start <= mark.start() and mark.end() <= end:
            parts += [format_html("{}<mark>{}</mark>", text[position : mark.start()], mark[0])]
            position = mark.end()
    parts.append(format_html("{}{}", text[position:end], " …" if end < len(text) else ""))
    return format_html("{}{}", "… " if start else "", format_html_join("", "{}", ((part,) for part in parts)))


def _best(marks: list[re.Match[str]], terms: list[str]) -> int:
    """Where a piece begins in which as many of the words are as can be, as early as can be."""
    best, most = 0, 0
    for at, mark in enumerate(marks):
        near = [one for one in marks[at : at + 4 * MOST_WORDS] if one.end() <= mark.start() + 2 * AROUND]
        seen = sum(any(_is_one(one[0], [term]) for one in near) for term in terms)
        if seen > most:
            best, most = mark.start(), seen
    return best


def _is_one(word: str, terms: list[str]) -> bool:
    return any(_stem(word).startswith(term) for term in terms)


def _words(text: str) -> list[str]:
    return [_stem(word) for word in _WORD.findall(text)]


def _stem(word: str) -> str:
    """A plural is found by its singular, and the other way round."""
    word = word.lower()
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word


# -- the index -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Index:
    """All chapters, and how often each word is in which, by the chapter's number."""

    chapters: tuple[Chapter, ...]
    chapters_of: dict[str, Counter[int]]


@cache
def _index() -> Index:
    chapters = (*(chapter for page in documentation.pages() for chapter in _chapters(page)), *_endpoints())
    chapters_of: dict[str, Counter[int]] = {}
    for at, chapter in enumerate(chapters):
        for word in chapter.words.split():
            chapters_of.setdefault(word, Counter())[at] += 1
    return Index(chapters, chapters_of)


def _chapters(page: Page) -> Iterator[Chapter]:
    marks = list(headings(page.lines))
    for at, heading in enumerate(marks):
        end = marks[at + 1].line if at + 1 < len(marks) else len(page.lines)
        url = page.url if heading.level == 1 else f"{page.url}#{heading.anchor}"
        yield _chapter(page.title, heading.text, url, _text(page.lines[heading.line + 1 : end]))


def _endpoints() -> Iterator[Chapter]:
    """Those of the API reference, which is made from the OpenAPI document."""
    page = documentation.find("api")
    if page is None:
        return
    for group in reference.groups(settings.PUBLIC_URL):
        for endpoint in group.endpoints:
            text = f"{endpoint.method} {endpoint.path} {strip_tags(endpoint.text)}"
            yield _chapter(page.title, endpoint.summary, f"{page.url}#{endpoint.slug}", " ".join(text.split()))


def _chapter(title: str, heading: str, url: str, text: str) -> Chapter:
    return Chapter(
        title, plain(heading), url, text, tuple(_words(title)), tuple(_words(heading)), f" {' '.join(_words(text))}",
    )  # fmt: skip


def _text(lines: tuple[str, ...]) -> str:
    """Without fences, and without what draws tables and lists."""
    kept = [line for line in lines if not line.startswith("```") and not (line and _RULE.fullmatch(line))]
    said = " ".join(plain(line.replace("\\|", "/").replace("|", " ").lstrip(" -*")) for line in kept)
    return " ".join(said.split())

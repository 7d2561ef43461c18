"""Looking for something in the documentation."""

from __future__ import annotations

import html
import re

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from gateway import docs_search, documentation
from gateway.docs_search import search
from gateway.markdown import headings, plain


def urls(asked: str) -> list[str]:
    return [result.chapter.url for result in search(asked).results]


@pytest.mark.parametrize(
    ("asked", "url"),
    [
        ("idempotency", "/docs/billing/#trying-again-without-paying-twice"),
        ("streams at once", "/docs/limits/#streams-at-once"),
        ("stream at onc", "/docs/limits/#streams-at-once"),
        ("Rotate a key", "/docs/keys/#rotate-a-key"),
        ("STATUS_PAGE", "/docs/settings/#people"),
        ("create embeddings", "/docs/api/#create-embeddings"),
        ("retired successor", "/docs/models/#a-retired-model-is-answered-by-its-successor"),
    ],
)
def test_what_is_looked_for_is_among_the_first(asked: str, url: str) -> None:
    assert url in urls(asked)[:5]


def test_a_heading_weighs_more_than_a_text() -> None:
    assert urls("streaming")[0] == "/docs/streaming/"


def test_every_word_must_be_there_unless_no_chapter_has_all() -> None:
    found = search("webhook signature")
    assert not found.only_some_words
    assert all("webhook" in f"{one.chapter.words} {one.chapter.title}".lower() for one in found.results)
    found = search("webhook xylophone")
    assert found.only_some_words
    assert found.results


@pytest.mark.parametrize("asked", ["", "   ", "?!", "xylophone", "\x00"])
def test_nothing_is_found_where_nothing_is(asked: str) -> None:
    assert search(asked).results == []


def test_very_many_words_are_not_all_looked_for() -> None:
    assert search("key " * 1000).results


def test_what_was_found_leads_to_a_heading_that_is_there() -> None:
    for page in documentation.pages():
        for heading in headings(page.lines):
            assert f'id="{heading.anchor}"' in page.html


def test_what_stands_in_code_is_no_heading() -> None:
    assert [one.text for one in headings(["# A `b`", "```sh", "# not one", "```", "## C"])] == ["A b", "C"]


def test_a_line_is_plain_without_its_marks() -> None:
    assert plain("**a `b`** [c *d*](e.md) <https://f.example> g_h") == "a b c d https://f.example g_h"


def test_what_was_found_is_marked_and_nothing_of_it_is_markup() -> None:
    excerpt = docs_search._excerpt("a <script>alert(1)</script> & the keys", ["script", "key"])
    assert "<script>" not in excerpt
    assert "&lt;<mark>script</mark>&gt;" in excerpt
    assert "&amp; the <mark>keys</mark>" in excerpt


def test_an_excerpt_is_a_piece_around_what_was_found() -> None:
    excerpt = docs_search._excerpt(f"{'before ' * 100}needle {'after ' * 100}", ["needle"])
    assert len(excerpt) < 400
    assert excerpt.startswith("… before")
    assert excerpt.endswith("after …")


def test_an_excerpt_is_where_most_of_the_words_are() -> None:
    text = f"after {'something else ' * 40}wait for Retry-After seconds"
    assert "<mark>Retry</mark>-<mark>After</mark>" in docs_search._excerpt(text, ["retry", "after"])


def test_words_that_stand_side_by_side_come_first() -> None:
    assert all("Retry-After" in result.chapter.text for result in search("retry after").results[:4])


# -- the page --------------------------------------------------------------------------------------


def test_a_visitor_searches_without_the_database(
    client: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    response = client.get("/docs/search/?q=retry-after")  # without the mark that would allow it, a query is an error
    assert response.status_code == 200
    assert "<mark>" in response.content.decode()
    assert response.headers["Cache-Control"] == "public, max-age=60"


@pytest.mark.parametrize("asked", ['"><script>alert(1)</script>', "<img src=x onerror=alert(1)>", "{{ 7 }}"])
def test_what_was_asked_is_text_and_never_markup(client: Client, asked: str) -> None:
    page = client.get("/docs/search/", {"q": asked}).content.decode()
    assert "<script>alert" not in page
    assert "<img src=x" not in page
    assert html.escape(asked) in page


def test_the_page_says_what_to_do_when_nothing_was_found_or_asked(client: Client) -> None:
    assert "Try fewer words" in client.get("/docs/search/?q=xylophone").content.decode()
    page = client.get("/docs/search/").content.decode()
    for link in re.findall(r'href="(\?q=[^"]+)"', page):
        assert "<mark>" in client.get(f"/docs/search/{link}").content.decode()


def test_every_docs_page_has_the_search_box(client: Client) -> None:
    for path in ("/docs/", "/docs/keys/", "/docs/api/", "/docs/search/?q=a"):
        assert 'action="/docs/search/"' in client.get(path).content.decode()


def test_a_very_long_question_is_cut(client: Client) -> None:
    assert client.get("/docs/search/", {"q": "a" * 5000}).status_code == 200
    assert "a" * 201 not in client.get("/docs/search/", {"q": "a" * 5000}).content.decode()

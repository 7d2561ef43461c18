"""The reference page: everything that the document says, for people, with nothing but HTML and the site's own files."""

from __future__ import annotations

import html
import re
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from gateway.openapi.code_samples import NODE, PYTHON
from gateway.openapi.document import document
from gateway.openapi.reference import Property, Reader, groups

PATH = "/docs/api/"


@pytest.fixture(scope="module")
def page() -> str:
    return Client().get(PATH).content.decode()


def described() -> list[tuple[str, str, dict[str, Any]]]:
    return [(path, method, one) for path, methods in document()["paths"].items() for method, one in methods.items()]


def section(page: str, operation: dict[str, Any]) -> str:
    """The part of the page that is about an operation, as text with its marks."""
    slug = operation["operationId"].replace("_", "-")
    _, _, rest = page.partition(f'<section class="endpoint" aria-labelledby="{slug}">')
    assert rest, slug
    return rest.partition('<section class="endpoint"')[0]


@pytest.mark.parametrize(("path", "method", "operation"), described())
def test_every_operation_is_on_the_page_with_all_of_its_parts(
    page: str, path: str, method: str, operation: dict[str, Any]
) -> None:
    told = section(page, operation)
    assert f'<span class="method {method}">{method.upper()}</span> <code>{path}</code>' in told
    assert html.escape(operation["summary"]) in told
    for parameter in operation.get("parameters", ()):
        assert f"<code>{parameter['name']}</code>" in told
    for status in set(operation["responses"]) - {"200"}:
        assert f'<span class="figures">{status}</span>' in told
    for name in operation["responses"]["200"]["headers"]:
        assert f"<code>{name}</code>" in told
    assert page.count(f'href="#{operation["operationId"].replace("_", "-")}"') == 3  # two lists, and its heading


def test_fields_are_shown_as_deep_as_they_go(page: str) -> None:
    chat = section(page, document()["paths"]["/v1/chat/completions"]["post"])
    body = chat.partition("<h4>Body</h4>")[2].partition("<h4>Answer")[0]
    message = body.partition("<code>messages</code>")[2].partition("<code>stream</code>")[0]
    assert "array of objects" in message
    assert "1 to 2048 entries" in message
    calls = message.partition("<details>")[2].partition("<code>tool_calls</code>")[2]
    assert "<details>" in calls
    assert "<code>arguments</code>" in calls.partition("<code>function</code>")[2]
    assert "<code>developer</code> <code>system</code>" in message


def _names(properties: tuple[Property, ...]) -> set[str]:
    return {one.name for one in properties} | {name for one in properties for name in _names(one.inner)}


def test_an_answer_that_may_be_several_things_shows_all_of_them() -> None:
    (receipt,) = next(group.endpoints for group in groups(settings.PUBLIC_URL) if group.slug == "generations")
    assert [shape.label for shape in receipt.answers] == [
        "Body, where status is ended",
        "Body, where status is in_progress",
    ]
    chat = groups(settings.PUBLIC_URL)[0].endpoints[0]
    assert [shape.label for shape in chat.answers] == ["Body", "Each event of a stream"]
    assert "delta" in _names(chat.answers[1].properties)


def test_a_field_that_holds_itself_comes_to_an_end() -> None:
    tree = {
        "type": "object",
        "properties": {"branches": {"type": "array", "items": {"$ref": "#/components/schemas/Tree"}}},
    }
    reader = Reader({"components": {"schemas": {"Tree": tree}}})
    (branches,) = reader._properties(tree, ())
    assert branches.kind == "array of objects"
    assert [inner.name for inner in branches.inner] == ["branches"]
    assert branches.inner[0].inner == ()


@pytest.mark.parametrize(
    ("schema", "kind", "notes"),
    [
        ({"type": "integer", "minimum": 0, "maximum": 20}, "integer", ("0 to 20",)),
        ({"type": "integer", "minimum": 1, "maximum": 2**63 - 1}, "integer", ("at least 1",)),
        ({"type": "integer", "minimum": -(2**63), "maximum": 2**63}, "integer", ()),
        ({"type": "string", "minLength": 1}, "string", ()),
        ({"type": "string", "maxLength": 5, "default": "a"}, "string", ("at most 5 characters", "default a")),
        ({"anyOf": [{"type": "boolean"}, {"type": "null"}], "default": False}, "boolean or null", ("default false",)),
        ({"type": "array", "minItems": 1, "items": {"type": "integer"}}, "array of integers", ("not empty",)),
        (
            {"type": "array", "items": {"type": "array", "items": {"type": "string"}}},
            "array of arrays of strings",
            (),
        ),
        ({"const": "list"}, '"list"', ()),
        ({"type": "string", "format": "date-time"}, "date-time", ()),
        ({}, "anything", ()),
    ],
)
def test_what_a_field_may_be_is_put_in_words(schema: dict[str, Any], kind: str, notes: tuple[str, ...]) -> None:
    found = Reader({})._property("field", schema, required=True)
    assert (found.kind, found.notes) == (kind, notes)


def test_what_stands_in_the_document_is_text_and_never_markup() -> None:
    found = Reader({})._property("x", {"type": "string", "description": "<b>`<i>`</b>"}, required=False)
    assert found.text == "<p>&lt;b&gt;<code>&lt;i&gt;</code>&lt;/b&gt;</p>\n"


def test_every_operation_for_keys_has_samples_with_a_client_library() -> None:
    keyed = {one["operationId"] for _, _, one in described() if one.get("security") != []}
    assert set(PYTHON) == set(NODE) == keyed


def test_every_sample_is_on_the_page(page: str) -> None:
    text = html.unescape(page)
    for group in groups(settings.PUBLIC_URL):
        for endpoint in group.endpoints:
            assert endpoint.examples, endpoint.path
            for sample in [sample for example in endpoint.examples for sample in example.samples]:
                assert f"<code>{sample.code}</code>" in text


def test_the_document_can_be_taken_from_the_page(page: str) -> None:
    assert 'href="/v1/openapi.json" download="openapi.json"' in page


def test_the_page_is_listed_and_has_a_list_of_its_own(page: str) -> None:
    assert '<a href="/docs/api/">API reference</a>' in Client().get("/docs/").content.decode()
    assert '<a href="/docs/api/" aria-current="page">API reference</a>' in page


def test_what_is_folded_away_opens_without_a_script(page: str) -> None:
    assert page.count("<details") == page.count("</details>") == page.count("<summary>")
    assert " open" not in "".join(re.findall(r"<details[^>]*>", page))


def test_it_can_be_asked_for_its_head_and_takes_no_posts(client: Client) -> None:
    assert client.head(PATH).status_code == 200
    assert client.post(PATH).status_code == 405


def test_a_reader_costs_the_database_nothing(client: Client, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    assert client.get(PATH).status_code == 200  # without the mark that would allow it, a query is an error

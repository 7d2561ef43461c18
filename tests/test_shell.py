"""What every page of the dashboard needs to take another's place without a new document, and what it weighs."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.staticfiles import finders
from django.test import Client

from accounts.models import ApiKey, Organization, User
from tests.accounts.organization_pages import Route, routes, values_for

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("valkey")]

ROOT = Path(settings.BASE_DIR)
MOST = 150 * 1024  # compressed, with all that a page needs at first
PUBLIC = ["/", "/sign-in/", "/docs/", "/docs/api/", "/docs/quickstart/"]
PERSONAL = ["/account/", "/account/sessions/", "/organizations/new/"]
ROUTES = [pytest.param(route, id=route.name) for route in routes()]


def weight(page: str) -> int:
    """Bytes of a page and of the files that it names, as a server sends them."""
    named = set(re.findall(r'(?:src|href)="/static/([^"#?]+)', page))
    files = [Path(str(finders.find(name))).read_bytes() for name in named]
    assert len(files) == len(named)
    return sum(len(gzip.compress(content, 6)) for content in (page.encode(), *files))


@pytest.fixture
def owner(alice: User, organization: Organization, key: ApiKey) -> Client:
    client = Client()
    client.force_login(alice)
    return client


@pytest.mark.parametrize("path", PUBLIC)
def test_a_page_for_everybody_is_light(client: Client, path: str) -> None:
    assert weight(client.get(path).content.decode()) <= MOST


@pytest.mark.parametrize("path", PERSONAL)
def test_a_page_of_ones_own_is_light(owner: Client, path: str) -> None:
    response = owner.get(path)
    assert response.status_code == 200
    assert weight(response.content.decode()) <= MOST


def html_of(client: Client, organization: Organization, route: Route) -> str:
    """The page at a route; empty when the route has none to look at."""
    response = client.get(route.url(organization, values_for(route, organization)))
    whole = response.status_code == 200 and response.headers["content-type"].startswith("text/html")
    page = response.content.decode() if whole and not response.streaming else ""
    return page if page.lstrip().startswith("<!doctype") else ""


@pytest.mark.parametrize("route", ROUTES)
def test_a_page_of_an_organisation_is_light(owner: Client, organization: Organization, route: Route) -> None:
    page = html_of(owner, organization, route)
    if page:
        assert weight(page) <= MOST


@pytest.mark.parametrize("route", ROUTES)
def test_a_page_of_an_organisation_has_all_parts_of_the_shell(
    owner: Client, organization: Organization, route: Route
) -> None:
    """The parts that the script swaps, a way past the rail, one heading, a title of its own, and an icon."""
    page = html_of(owner, organization, route)
    if not page:
        return
    script = (ROOT / "static/js/shell.js").read_text(encoding="utf-8")
    parts = json.loads(re.findall(r"PARTS = (\[.+\]);", script)[0])
    assert {name: len(re.findall(rf'id="{name}"', page)) for name in parts} == dict.fromkeys(parts, 1)
    assert 'data-root="/o/acme/"' in page
    assert '<a class="skip" href="#content">' in page
    assert 'rel="icon"' in page
    assert len(re.findall("<h1[ >]", page)) == 1
    (title,) = re.findall("<title>(.*?)</title>", page, re.DOTALL)
    assert re.fullmatch(r"\S.* · Acme · 2389", title.strip(), re.DOTALL)


@pytest.mark.parametrize("route", ROUTES)
def test_a_page_runs_nothing_that_stands_in_it(owner: Client, organization: Organization, route: Route) -> None:
    page = html_of(owner, organization, route)
    scripts = re.findall(r"<script([^>]*)>", page)
    assert all("src=" in one or 'type="application/json"' in one for one in scripts)
    assert not re.search(r"\sstyle=|\son\w+=|javascript:", page)


def test_no_page_is_kept_in_the_browser_by_htmx(owner: Client) -> None:
    """It would keep secrets that are shown once."""
    (config,) = re.findall(r"name=\"htmx-config\" content='(.+?)'", owner.get("/o/acme/keys/").content.decode())
    assert json.loads(config)["historyCacheSize"] == 0


@pytest.mark.parametrize("route", ROUTES)
def test_a_form_says_how_it_is_sent_or_is_left_to_its_script(
    owner: Client, organization: Organization, route: Route
) -> None:
    """A form without a method is taken for one that a script of the page sees to."""
    forms = re.findall(r"<form[^>]*>", html_of(owner, organization, route))
    silent = [form for form in forms if "method=" not in form and "data-" not in form and " id=" not in form]
    assert silent == []


@pytest.mark.parametrize("path", ["/o/acme/keys/new/", "/o/acme/start/"])
def test_a_form_whose_answer_is_shown_once_is_sent_by_the_browser_itself(owner: Client, path: str) -> None:
    forms = re.findall(r"<form[^>]*data-once-sent[^>]*>", owner.get(path).content.decode())
    assert forms
    assert all('hx-boost="false"' in form for form in forms)


@pytest.mark.parametrize("script", sorted((ROOT / "static/js").glob("*.js")), ids=lambda path: path.name)
def test_scripts_share_no_names(script: Path) -> None:
    """Pages take each other's place in one document: what one script calls its own must not be another's."""
    code = re.sub(r"^\s*//.*$", "", script.read_text(encoding="utf-8"), flags=re.MULTILINE).strip()
    assert re.match(r"\((async )?(\(\) => |function \(\) )\{", code)
    assert code.endswith(("})();", "}());"))


def test_nothing_moves_for_those_who_asked_for_that() -> None:
    shell = (ROOT / "static/css/shell.css").read_text(encoding="utf-8")
    assert re.search(r"prefers-reduced-motion: reduce\) \{\s*\.loading-bar \{\s*display: none;", shell)

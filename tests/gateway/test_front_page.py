"""What everybody sees: the front page, the error pages, and what holds of every page."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from math import cos, radians, sin
from pathlib import Path

import pytest
from django.conf import settings
from django.template.loader import render_to_string
from django.test import Client
from pytest_django import DjangoAssertNumQueries, Settings

from accounts.models import Organization, User
from gateway.samples import samples
from tests.factories import make_organization, make_user

PUBLIC = ["/", "/sign-in/", "/sign-out/", "/docs/", "/docs/api/", "/docs/errors/", "/nowhere/"]
PUBLIC += ["/docs/search/?q=key", "/models/", "/models/sandbox/echo/", "/models/nowhere/", "/status/"]
TOKENS = Path(settings.BASE_DIR) / "static" / "css" / "tokens.css"


def text(client: Client, path: str = "/") -> str:
    return html.unescape(client.get(path).content.decode())


@pytest.mark.django_db
def test_the_front_page_shows_the_address_that_callers_use(client: Client, settings: Settings) -> None:
    settings.PUBLIC_URL = "https://llm.example.com"
    page = text(client)
    assert "<code>https://llm.example.com/v1</code>" in page
    assert "127.0.0.1" not in page


@pytest.mark.django_db
def test_the_front_page_shows_every_sample_as_it_is_run(client: Client) -> None:
    page = text(client)
    for sample in samples(f"{settings.PUBLIC_URL}/v1"):
        assert f"<h3>{sample.label}</h3>" in page
        assert sample.whole in page
        assert sample.streamed in page


@pytest.mark.django_db
def test_the_front_page_leads_a_visitor_to_sign_in_and_to_the_docs(client: Client) -> None:
    page = text(client)
    assert 'href="/sign-in/"' in page
    assert 'href="/docs/quickstart/"' in page
    assert "Your organisations" not in page


def test_a_visitor_costs_the_database_nothing(
    client: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    assert client.get("/").status_code == 200  # without the mark that would allow it, a query is an error


def test_a_member_sees_the_organisations_they_belong_to(client: Client, bob: User, organization: Organization) -> None:
    client.force_login(bob)
    page = text(client)
    assert "Acme" in page
    assert "Developer" in page
    assert "/admin/" not in page


def test_a_stranger_sees_nothing_of_other_organisations(
    client: Client, charlie: User, organization: Organization
) -> None:
    client.force_login(charlie)
    page = text(client)
    assert "Stranger" in page
    assert "Acme" not in page


def test_somebody_without_an_organisation_is_told_what_to_do(client: Client, db: None) -> None:
    client.force_login(make_user("new@example.com"))
    page = text(client)
    assert '<a href="/organizations/new/">Create one</a>' in page
    assert "ask an owner of yours to invite new@example.com." in page


def test_many_organisations_cost_no_more_queries_than_one(
    client: Client, alice: User, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(5):
        make_organization(owner=alice)
    client.force_login(alice)
    client.get("/")  # the first page in five minutes notes besides when they were last seen
    with django_assert_max_num_queries(3):  # the session, the person, their organisations
        client.get("/")


def test_staff_are_led_to_the_admin(client: Client, db: None) -> None:
    client.force_login(make_user("staff@example.com", is_staff=True))
    assert 'href="/admin/"' in text(client)


@pytest.mark.django_db
def test_a_name_is_text_and_never_markup(client: Client, alice: User) -> None:
    make_organization(owner=alice, name="<script>alert(1)</script>")
    client.force_login(alice)
    assert "<script>alert" not in client.get("/").content.decode()


def test_the_front_page_takes_no_posts(client: Client) -> None:
    assert client.post("/").status_code == 405


@pytest.mark.django_db
@pytest.mark.parametrize("path", PUBLIC)
def test_no_page_needs_inline_code_or_another_server(client: Client, path: str) -> None:
    response = client.get(path)
    page = response.content.decode()
    loaded = re.findall(r"<(?:script|link|img|iframe)\b[^>]*?(?:src|href)=\"([^\"]+)\"", page)
    assert loaded
    assert all(address.startswith("/static/") for address in loaded)
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\bsrc=)|javascript:", page)
    assert "default-src 'none'" in response.headers["Content-Security-Policy"]
    assert "unsafe" not in response.headers["Content-Security-Policy"]


@pytest.mark.django_db
@pytest.mark.parametrize("path", PUBLIC)
def test_every_page_has_one_heading_a_title_and_a_way_past_the_navigation(client: Client, path: str) -> None:
    page = client.get(path).content.decode()
    assert len(re.findall("<h1[ >]", page)) == 1
    assert re.search("<title>[^<]*2389[^<]*</title>", page)
    assert page.index('class="skip" href="#content"') < page.index("<header")
    assert '<main id="content"' in page
    assert '<html lang="en">' in page


@pytest.mark.django_db
@pytest.mark.parametrize("path", PUBLIC)
def test_every_part_of_a_page_is_named_once(client: Client, path: str) -> None:
    names = re.findall(r'\bid="([^"]+)"', client.get(path).content.decode())
    assert sorted(names) == sorted(set(names))


@pytest.mark.django_db
def test_what_pages_load_is_there(client: Client) -> None:
    for address in re.findall(r'(?:src|href)="(/static/[^"]+)"', client.get("/").content.decode()):
        assert (Path(settings.BASE_DIR) / address.lstrip("/")).is_file(), address


@pytest.mark.django_db
def test_a_page_that_does_not_exist_says_so_in_the_same_look(client: Client) -> None:
    response = client.get("/nowhere/")
    assert response.status_code == 404
    assert "This page does not exist" in response.content.decode()
    assert "css/site.css" in response.content.decode()


@pytest.mark.parametrize("name", ["400", "403", "403_csrf", "404", "429", "500", "503"])
def test_an_error_page_needs_nothing_to_be_shown(name: str) -> None:
    """Django renders 500.html with an empty context: whatever failed may be what would have filled it."""
    page = render_to_string(f"{name}.html", {"minutes": 5} if name == "429" else {})
    assert f'<p class="status">{name[:3]}</p>' in page
    assert "{" not in page


# -- colours ---------------------------------------------------------------------------------------


def _colours(theme: int) -> Callable[[str], tuple[float, float, float]]:
    """Looks a token up as linear sRGB: the first of `light-dark` for theme 0, the second for theme 1."""
    source = TOKENS.read_text(encoding="utf-8")
    values = dict(re.findall(r"--([\w-]+): ((?:light-dark|var)\(.+\));", source))

    def find(name: str) -> tuple[float, float, float]:
        value = values[name]
        if value.startswith("var("):
            return find(value.removeprefix("var(--").removesuffix(")"))
        lightness, chroma, hue = re.findall(r"oklch\(([\d.]+)% ([\d.]+) ([\d.]+)\)", value)[theme]
        return _linear(float(lightness) / 100, float(chroma), float(hue))

    return find


def _linear(lightness: float, chroma: float, hue: float) -> tuple[float, float, float]:
    """OKLCH to linear sRGB, by Björn Ottosson's matrices, clipped to what a screen can show."""
    a, b = chroma * cos(radians(hue)), chroma * sin(radians(hue))
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    medium = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    red = 4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short
    green = -1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short
    blue = -0.0041960863 * long - 0.7034186147 * medium + 1.7076147010 * short
    return tuple(min(1.0, max(0.0, part)) for part in (red, green, blue))  # type: ignore[return-value]


def _contrast(one: tuple[float, float, float], other: tuple[float, float, float]) -> float:
    lighter, darker = sorted((0.2126 * r + 0.7152 * g + 0.0722 * b for r, g, b in (one, other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize("background", ["bg", "surface", "n-3"])
@pytest.mark.parametrize("name", ["text", "text-muted", "accent", "accent-strong", "good", "warn", "bad"])
def test_text_stands_out_from_what_it_stands_on(theme: int, name: str, background: str) -> None:
    colour = _colours(theme)
    assert _contrast(colour(name), colour(background)) >= 4.5


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_controls_stand_out_too(theme: int) -> None:
    colour = _colours(theme)
    assert _contrast(colour("on-accent"), colour("accent")) >= 4.5
    assert _contrast(colour("on-accent"), colour("accent-strong")) >= 4.5
    assert _contrast(colour("text"), colour("bad-surface")) >= 4.5
    assert _contrast(colour("border-control"), colour("bg")) >= 3

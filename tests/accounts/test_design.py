"""The page that shows all components, for staff."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client

from accounts.models import User
from tests.factories import make_user

pytestmark = pytest.mark.django_db

COMPONENTS = Path(settings.BASE_DIR) / "templates" / "components"
OF_THE_SHELL = {"switcher", "person", "messages", "palette", "shortcuts"}  # seen around every page


def test_every_component_is_shown() -> None:
    page = (Path(settings.BASE_DIR) / "templates" / "design" / "components.html").read_text(encoding="utf-8")
    included = set(re.findall(r'"components/(\w+)\.html"', page))
    nested = {name for one in included for name in re.findall(r'"components/(\w+)\.html"', _source(one))}
    assert {file.stem for file in COMPONENTS.glob("*.html")} - OF_THE_SHELL == included | nested


def _source(name: str) -> str:
    return (COMPONENTS / f"{name}.html").read_text(encoding="utf-8")


def test_staff_see_it_in_both_themes(client: Client) -> None:
    client.force_login(make_user("staff@example.com", is_staff=True))
    page = client.get("/design/").content.decode()
    assert 'data-theme="light"' in page
    assert 'data-theme="dark"' in page


def test_nobody_else_does(client: Client, bob: User) -> None:
    client.force_login(bob)
    assert client.get("/design/").status_code == 302


def test_the_chosen_colours_are_on_the_page_from_the_start(client: Client) -> None:
    client.cookies["theme"] = "dark"
    assert '<html lang="en" data-theme="dark">' in client.get("/").content.decode()
    client.cookies["theme"] = '"><script>'
    assert '<html lang="en">' in client.get("/").content.decode()

"""Mail where there is no mail server, and how our own letters look."""

from __future__ import annotations

import logging
import re
from pathlib import Path

import pytest
from django.conf import settings as configured
from django.contrib.auth.models import Permission
from django.core import mail
from django.core.mail import EmailMultiAlternatives, send_mail
from django.test import Client
from pytest_django import Settings

from accounts import kept_mail, letters
from accounts.models import KeptMail, User
from tests.accounts.doorway import send, words
from tests.factories import make_user

pytestmark = pytest.mark.django_db

PREFIXES = sorted(
    path.relative_to(configured.BASE_DIR / "templates").as_posix().removesuffix("_subject.txt")
    for path in (configured.BASE_DIR / "templates").rglob("*_subject.txt")
)


@pytest.fixture
def keeping(settings: Settings) -> None:
    settings.EMAIL_BACKEND = "accounts.kept_mail.Backend"


@pytest.fixture
def root(client: Client) -> Client:
    client.force_login(make_user("root@example.com", is_staff=True, is_superuser=True))
    return client


def make_mail(**fields: str) -> KeptMail:
    known = {"sender": "2389 <a@example.com>", "recipients": "b@example.com", "subject": "Hello", "text": "Words"}
    return KeptMail.objects.create(**{**known, **fields})


@pytest.mark.usefixtures("keeping")
def test_mail_is_kept_and_the_log_says_where(caplog: pytest.LogCaptureFixture) -> None:
    letter = EmailMultiAlternatives("The subject", "The code is BCDF-GHJK", "a@example.com", ["Bob <b@example.com>"])
    letter.attach_alternative("<p>Hi</p>", "text/html")
    with caplog.at_level(logging.INFO):
        assert letter.send() == 1
    kept = KeptMail.objects.get()
    assert (kept.recipients, kept.subject, kept.html) == ("Bob <b@example.com>", "The subject", "<p>Hi</p>")
    (said,) = [record.getMessage() for record in caplog.records if record.name == "accounts.kept_mail"]
    assert said == f"mail to b@example.com: The subject. Staff read it at {configured.PUBLIC_URL}/outbox/{kept.pk}/"
    assert "BCDF" not in said


@pytest.mark.usefixtures("keeping")
def test_the_newest_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_mail, "KEPT", 3)
    for number in range(5):
        send_mail(f"Mail {number}", "Words", None, ["b@example.com"])
    assert list(KeptMail.objects.values_list("subject", flat=True)) == ["Mail 4", "Mail 3", "Mail 2"]


def test_staff_read_it(root: Client) -> None:
    assert "No mail yet" in words(root.get("/outbox/"))
    kept = make_mail(html="<p onclick='x'>Hi</p>")
    assert f'href="/outbox/{kept.pk}/"' in words(root.get("/outbox/"))
    page = root.get(f"/outbox/{kept.pk}/").content.decode()
    assert "Words" in page
    assert "&lt;p onclick=" in page
    assert root.get("/outbox/0/").status_code == 404


def test_what_a_mail_holds_can_do_nothing(root: Client) -> None:
    kept = make_mail(html="<script>alert(1)</script>")
    policy = root.get(f"/outbox/{kept.pk}/html/")["Content-Security-Policy"]
    assert policy.startswith("sandbox; default-src 'none';")
    assert "allow" not in policy
    assert "script-src" not in policy
    assert root.get(f"/outbox/{make_mail().pk}/html/").status_code == 404


def test_nobody_else_reads_it_since_its_codes_let_people_in(client: Client, bob: User) -> None:
    kept = make_mail(html="<p>Hi</p>")
    helper = make_user("helper@example.com", is_staff=True)
    pages = ["/outbox/", f"/outbox/{kept.pk}/", f"/outbox/{kept.pk}/html/"]
    assert [client.get(page).status_code for page in pages] == [302] * 3
    client.force_login(bob)
    assert [client.get(page).status_code for page in pages] == [302] * 3
    client.force_login(helper)
    assert [client.get(page).status_code for page in pages] == [403] * 3
    helper.user_permissions.add(Permission.objects.get(codename="view_keptmail"))
    assert [client.get(page).status_code for page in pages] == [200] * 3


@pytest.mark.parametrize("prefix", PREFIXES)
def test_every_letter_is_said_twice_in_the_same_words(prefix: str) -> None:
    known = {"code": "BCDF-GHJK", "from_email": "old@example.com", "to_email": "new@example.com"}
    known |= {"timestamp": "23 November 2026, 12:00 UTC", "ip": "192.0.2.1", "deleted_email": "old@example.com"}
    letter = letters.letter(prefix, "ada@acme.example", {**known, "provider": {"name": "GitHub"}})
    page = str(letter.alternatives[0][0])
    shown = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page.split("</h1>")[1]))
    for word in str(letter.body).split():
        assert word in shown.replace("&#x27;", "'"), word
    assert letter.subject
    assert "{" not in letter.subject + str(letter.body) + re.sub(r"<style>.*?</style>", "", page, flags=re.DOTALL)
    assert "<script" not in page
    assert "\n\n\n" not in str(letter.body)


@pytest.mark.parametrize(("theme", "written"), [(0, letters.LIGHT), (1, letters.DARK)], ids=["light", "dark"])
def test_colours_of_letters_are_those_of_the_pages(theme: int, written: dict[str, str]) -> None:
    from tests.gateway.test_front_page import _colours

    colour = _colours(theme)
    for name, told in written.items():
        red, green, blue = (
            round(255 * (12.92 * part if part <= 0.0031308 else 1.055 * part ** (1 / 2.4) - 0.055))
            for part in colour({"muted": "text-muted"}.get(name, name))
        )
        assert told == f"#{red:02x}{green:02x}{blue:02x}", name


def sent(text: str) -> str:
    """A text that was sent, as HTML."""
    letters.send("Subject", text, ["ada@acme.example"])
    (letter,) = mail.outbox
    assert isinstance(letter, EmailMultiAlternatives)
    return str(letter.alternatives[0][0])


def test_every_mail_has_the_one_look_light_and_dark() -> None:
    page = sent("Hello,\n\nthe first.\nThe second.")
    assert '<meta name="color-scheme" content="light dark">' in page
    assert "@media (prefers-color-scheme: dark)" in page
    assert letters.LIGHT["bg"] in page
    assert letters.DARK["bg"] in page
    assert "the first.<br>The second." in page
    assert "Sent to ada@acme.example" in page


@pytest.mark.parametrize(
    ("text", "link"),
    [
        ("Look: https://llm.example.com/o/acme/billing/", "https://llm.example.com/o/acme/billing/"),
        ("At https://llm.example.com/x/?a=b&c=d.", "https://llm.example.com/x/?a=b&amp;c=d"),
        ("https://evil.example/o/", None),
        ("https://llm.example.com.evil.example/", None),
        ("https://llm.example.com@evil.example/", None),
        ("https://llm.example.community/", None),
    ],
)
def test_only_addresses_of_this_gateway_are_links(settings: Settings, text: str, link: str | None) -> None:
    settings.PUBLIC_URL = "https://llm.example.com"
    links = re.findall(r'<a class="link" href="([^"]+)"', sent(text))
    assert links == ([link] if link else [])


def test_staff_are_told_in_the_same_look(settings: Settings) -> None:
    settings.ADMINS = [("ops@example.com", "ops@example.com")]
    letters.tell_staff("Something", "Look at it.")
    (letter,) = mail.outbox
    assert isinstance(letter, EmailMultiAlternatives)
    assert "Sent to staff of this gateway" in str(letter.alternatives[0][0])


def test_nobody_sends_mail_that_looks_otherwise() -> None:
    """Whatever is written to people goes through `accounts.letters`."""
    root = Path(configured.BASE_DIR)
    sources = (path for app in ("accounts", "billing", "gateway", "config") for path in (root / app).rglob("*.py"))
    ways = re.compile(r"\b(send_mail|send_mass_mail|mail_admins|mail_managers|EmailMessage)\b")
    found = {path.relative_to(root).as_posix() for path in sources if ways.search(path.read_text(encoding="utf-8"))}
    assert found == {"accounts/letters.py", "accounts/kept_mail.py", "accounts/adapter.py"}


@pytest.mark.usefixtures("at_the_door")
def test_a_letter_never_takes_its_links_from_the_request(client: Client, settings: Settings) -> None:
    settings.ALLOWED_HOSTS = ["*"]
    settings.PUBLIC_URL = "https://llm.example.com"
    make_user("ada@acme.example")
    client.defaults["HTTP_HOST"] = "evil.example"
    send(client, "/sign-up/", email="ada@acme.example", password1="a stable is no battery")
    (letter,) = mail.outbox
    assert "https://llm.example.com/reset-password/" in str(letter.body)
    assert "evil.example" not in str(letter.message())


@pytest.mark.usefixtures("at_the_door")
def test_a_name_is_text_in_a_letter_and_never_markup(client: Client) -> None:
    letter = letters.letter("account/email/unknown_account", '"<b>x</b>"@acme.example', {})
    assert "<b>x</b>" not in str(letter.alternatives[0][0])

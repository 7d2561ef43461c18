"""Mail in one look: the same words as plain text and as simple HTML, light or dark as the reader has it.

`letter` makes one of the mails about somebody's account from its templates; `send` sends any other text. A paragraph
that is the code is set as one, and addresses of this gateway are links: those that somebody else wrote never are.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.core.mail import mail_admins as mail_staff
from django.template.loader import render_to_string

# The colours of static/css/tokens.css as mail programs know them: they read neither OKLCH nor style sheets.
LIGHT = {"bg": "#fdfcfb", "surface": "#f8f7f5", "border": "#e1dfdb", "text": "#1e1a15", "muted": "#5c5751"}
LIGHT |= {"accent": "#2559bf"}
DARK = {"bg": "#0e0f12", "surface": "#151619", "border": "#2c2e33", "text": "#eff0f3", "muted": "#a5a7ae"}
DARK |= {"accent": "#81aaf7"}


def letter(prefix: str, to: str, context: dict[str, Any]) -> EmailMultiAlternatives:
    """The mail that the templates beginning with `prefix` make of `context`."""
    known = {**context, "public_url": settings.PUBLIC_URL, "email": to}
    subject = " ".join(render_to_string(f"{prefix}_subject.txt", known).split())
    text = render_to_string(f"{prefix}_message.txt", known).strip()
    return _mail(subject, text, [to], code=str(context.get("code") or ""))


def send(subject: str, text: str, to: Sequence[str]) -> None:
    """Raises `SMTPException` or `OSError` when the mail server does not take it."""
    _mail(subject, text, to).send()


def tell_staff(subject: str, text: str) -> None:
    """Those whom STAFF_ALERT_EMAILS names. Raises as `send` does."""
    mail_staff(subject, text, html_message=_html(subject, _paragraphs(text), "staff of this gateway"))


def _mail(subject: str, text: str, to: Sequence[str], *, code: str = "") -> EmailMultiAlternatives:
    paragraphs = _paragraphs(text)
    mail = EmailMultiAlternatives(subject, "\n\n".join(paragraphs) + "\n", settings.DEFAULT_FROM_EMAIL, list(to))
    mail.attach_alternative(_html(subject, paragraphs, ", ".join(to), code), "text/html")
    return mail


def _paragraphs(text: str) -> list[str]:
    return ["\n".join(line.strip() for line in part.splitlines()) for part in text.split("\n\n") if part.strip()]


def _html(subject: str, paragraphs: Sequence[str], to: str, code: str = "") -> str:
    page = {
        "subject": subject,
        "light": LIGHT,
        "dark": DARK,
        "paragraphs": [{"code": part} if part == code else {"pieces": _pieces(part)} for part in paragraphs],
        "to": to,
        "public_url": settings.PUBLIC_URL,
    }
    return render_to_string("account/email/letter.html", page)


def _pieces(paragraph: str) -> list[dict[str, str]]:
    """The text, and the addresses of this gateway in it."""
    path = r"/[^\s<>\"]*[^\s<>\".,;:)]|/"  # a full stop after it is not part of it
    own = re.compile(rf"({re.escape(settings.PUBLIC_URL)}(?:{path}|(?![\w.@:-])))")
    return [{"link" if own.fullmatch(piece) else "text": piece} for piece in own.split(paragraph) if piece]

"""Mail to one person about their account: the same words as plain text and as simple HTML, from one template.

`account/email/NAME_message.txt` holds the text. A paragraph that is the code or an address is set as one in HTML.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string

# The light colours of static/css/tokens.css as mail programs know them: they read neither OKLCH nor style sheets.
COLOURS = {"bg": "#fdfcfb", "surface": "#f8f7f5", "border": "#e1dfdb", "text": "#1e1a15", "muted": "#5c5751"}
COLOURS |= {"accent": "#2559bf"}


def letter(prefix: str, to: str, context: dict[str, Any]) -> EmailMultiAlternatives:
    """The mail that the templates beginning with `prefix` make of `context`."""
    known = {**context, "public_url": settings.PUBLIC_URL, "email": to}
    subject = " ".join(render_to_string(f"{prefix}_subject.txt", known).split())
    text = render_to_string(f"{prefix}_message.txt", known).strip()
    paragraphs = ["\n".join(line.strip() for line in part.splitlines()) for part in text.split("\n\n") if part.strip()]
    mail = EmailMultiAlternatives(subject, "\n\n".join(paragraphs) + "\n", settings.DEFAULT_FROM_EMAIL, [to])
    page = {**known, "subject": subject, "colours": COLOURS, "paragraphs": [_set(part, known) for part in paragraphs]}
    mail.attach_alternative(render_to_string("account/email/letter.html", page), "text/html")
    return mail


def _set(paragraph: str, context: dict[str, Any]) -> dict[str, str]:
    if paragraph == context.get("code"):
        return {"kind": "code", "text": paragraph}
    if paragraph.startswith(settings.PUBLIC_URL) and " " not in paragraph:
        return {"kind": "link", "text": paragraph}
    return {"kind": "text", "text": paragraph}

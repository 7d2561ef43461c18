"""Mail where there is no mail server: the newest are kept in the database, and the log says that there is one."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from email.utils import parseaddr

from django.conf import settings
from django.core.mail import EmailMessage
from django.core.mail.backends.base import BaseEmailBackend
from django.urls import reverse

from accounts.models import KeptMail

KEPT = 200
log = logging.getLogger(__name__)


class Backend(BaseEmailBackend):
    """For EMAIL_BACKEND. What is kept may hold codes that let people in: only who may view kept mail sees it."""

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        for message in email_messages:
            mail = KeptMail.objects.create(
                sender=message.from_email,
                recipients=", ".join(message.recipients()),
                subject=str(message.subject),
                text=str(message.body),
                html=_html(message),
            )
            to = ", ".join(parseaddr(address)[1] for address in message.recipients())
            address = f"{settings.PUBLIC_URL}{reverse('accounts:outbox-mail', args=[mail.pk])}"
            log.info("mail to %s: %s. Staff read it at %s", to, mail.subject, address)
        _forget_older()
        return len(email_messages)


def _html(message: EmailMessage) -> str:
    for alternative in getattr(message, "alternatives", []):
        if alternative[1] == "text/html":
            return str(alternative[0])
    return ""


def _forget_older() -> None:
    oldest = KeptMail.objects.order_by("-pk").values_list("pk", flat=True)[KEPT - 1 : KEPT].first()
    if oldest is not None:
        KeptMail.objects.filter(pk__lt=oldest).delete()

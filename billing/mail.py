"""The outbox's channel to people: members of an organisation hear of budgets, staff hear of the ledger."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from smtplib import SMTPException

from django.conf import settings

from accounts.letters import send, tell_staff
from accounts.models import Membership, Organization
from billing import letters
from billing.models import OutboxMessage
from billing.outbox import DeliveryError

HEAR_OF_MONEY = (Membership.Role.OWNER, Membership.Role.ADMIN, Membership.Role.BILLING)


class Mail:
    """One mail a message, to everybody whom it concerns."""

    name = "mail"

    def __init__(self, others: Mapping[str, Callable[[OutboxMessage], None]] | None = None) -> None:
        """`others` are topics that are not about money, and who writes of them."""
        self._topics = {
            "budget.threshold": _tell_of_threshold,
            "ledger.violation": _tell_of_violation,
            **(others or {}),
        }

    def addresses(self, message: OutboxMessage) -> list[str]:
        return [self.name] if message.topic in self._topics else []

    def send(self, message: OutboxMessage) -> None:
        try:
            self._topics[message.topic](message)
        except (SMTPException, OSError) as error:
            raise DeliveryError(f"The mail server did not take it: {type(error).__name__}: {error}") from error


def _tell_of_threshold(message: OutboxMessage) -> None:
    organization = Organization.objects.get(pk=message.organization_id or 0)
    people = Membership.objects.of(organization).filter(role__in=HEAR_OF_MONEY, user__is_active=True)
    addresses = list(people.order_by("user__email").values_list("user__email", flat=True))
    if addresses:
        letter = letters.about_threshold(message, organization)
        send(letter.subject, letter.text, addresses)


def _tell_of_violation(message: OutboxMessage) -> None:
    if not settings.ADMINS:
        raise DeliveryError("There is nobody to tell: STAFF_ALERT_EMAILS is empty.")
    letter = letters.about_violation(message)
    tell_staff(letter.subject, letter.text)

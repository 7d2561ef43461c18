"""The outbox's channel to people: members of an organisation hear of budgets and payments, staff of the ledger."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from smtplib import SMTPException

from django.conf import settings

from accounts.letters import send, tell_staff
from accounts.models import Membership, Organization
from billing import letters
from billing.letters import Letter
from billing.models import OutboxMessage
from billing.outbox import DeliveryError

HEAR_OF_MONEY = (Membership.Role.OWNER, Membership.Role.ADMIN, Membership.Role.BILLING)


class Mail:
    """One mail a message, to everybody whom it concerns."""

    name = "mail"

    def __init__(self, others: Mapping[str, Callable[[OutboxMessage], None]] | None = None) -> None:
        """`others` are topics that are not about money, and who writes of them."""
        self._topics = {
            "budget.threshold": _members(letters.about_threshold),
            "payment.paid": _members(letters.about_payment),
            "payment.returned": _members(letters.about_return),
            "top_up.stopped": _members(letters.about_stopped),
            "top_up.capped": _members(letters.about_capped),
            "ledger.violation": _staff(letters.about_violation),
            "payment.mismatch": _staff(letters.about_mismatch),
            **(others or {}),
        }

    def addresses(self, message: OutboxMessage) -> list[str]:
        return [self.name] if message.topic in self._topics else []

    def send(self, message: OutboxMessage) -> None:
        try:
            self._topics[message.topic](message)
        except (SMTPException, OSError) as error:
            raise DeliveryError(f"The mail server did not take it: {type(error).__name__}: {error}") from error


Tell = Callable[[OutboxMessage], None]


def _members(write: Callable[[OutboxMessage, Organization], Letter]) -> Tell:
    """To those of the organisation who look after its money."""

    def tell(message: OutboxMessage) -> None:
        organization = Organization.objects.get(pk=message.organization_id or 0)
        people = Membership.objects.of(organization).filter(role__in=HEAR_OF_MONEY, user__is_active=True)
        addresses = list(people.order_by("user__email").values_list("user__email", flat=True))
        if addresses:
            letter = write(message, organization)
            send(letter.subject, letter.text, addresses)

    return tell


def _staff(write: Callable[[OutboxMessage], Letter]) -> Tell:
    def tell(message: OutboxMessage) -> None:
        if not settings.ADMINS:
            raise DeliveryError("There is nobody to tell: STAFF_ALERT_EMAILS is empty.")
        letter = write(message)
        tell_staff(letter.subject, letter.text)

    return tell

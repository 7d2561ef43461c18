"""Enter credit from a terminal or a script. The ref makes it safe to run again."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from accounts.audit import Actor
from accounts.models import AuditEvent, Organization
from billing import money, wallets
from billing.models import Transfer

KINDS = (Transfer.Kind.GRANT, Transfer.Kind.TOPUP)


class Command(BaseCommand):
    help = "Enter credit for an organisation. With the same --ref it is entered once, however often this runs."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("organization", metavar="ORG", help="the organisation's slug")
        parser.add_argument("dollars", metavar="DOLLARS", help="such as 25 or 12.50, with at most nine decimals")
        parser.add_argument("--ref", required=True, help="what it is for, such as an invoice's number; used once")
        parser.add_argument("--reason", default="", metavar="TEXT", help="shown beside the entry")
        parser.add_argument(
            "--kind",
            choices=[kind.value for kind in KINDS],
            default=Transfer.Kind.GRANT.value,
            help="grant: a gift of ours; topup: money that was paid",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        organization = _organization(options["organization"])
        amount = _amount(options["dollars"])
        try:
            with transaction.atomic():
                entry, created = wallets.enter(
                    organization, options["kind"], options["ref"], amount, options["reason"], "manage.py grant_credit"
                )
                if created:
                    wallets.record_entry(Actor(AuditEvent.Actor.OPERATOR), organization, entry)
        except wallets.LedgerError as error:
            raise CommandError(str(error)) from error
        did = "Entered" if created else "Nothing to do: this ref was entered before,"
        kind = Transfer.Kind(options["kind"]).label.lower()
        balance = money.dollars(wallets.of(organization).posted_nano)
        self.stdout.write(
            f"{did} {kind} of ${money.dollars(amount)} for {organization.slug}, entry {entry}, ref {options['ref']}. "
            f"The balance is ${balance}."
        )


def _organization(slug: str) -> Organization:
    found = Organization.objects.filter(slug=slug).first()
    if found is None:
        raise CommandError(f"There is no organisation '{slug}'. Its slug stands in the admin's list.")
    return found


def _amount(text: str) -> int:
    try:
        amount = money.nano_from_dollars(text)
    except ValueError as error:
        raise CommandError(str(error)) from error
    if amount <= 0:
        raise CommandError(f"{text} is not above zero. To take credit away, reverse its entry in the admin.")
    return amount

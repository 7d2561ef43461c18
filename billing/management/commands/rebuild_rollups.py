"""Build usage by hour and day anew from the events."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.models import Organization
from billing import rollups


class Command(BaseCommand):
    help = "Build usage by hour and day anew from the events. Safe to run again, and while requests are served."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--org", metavar="SLUG", help="of one organisation only; else of all")
        parser.add_argument(
            "--from", dest="first", type=date.fromisoformat, default=date.min, metavar="DAY", help="as 2026-11-25"
        )
        parser.add_argument(
            "--to", dest="last", type=date.fromisoformat, default=date.max, metavar="DAY", help="that day included"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["first"] > options["last"]:
            raise CommandError("--from is after --to.")
        for organization in _organizations(options["org"]):
            days = rollups.rebuild(organization, options["first"], options["last"])
            self.stdout.write(f"{organization.slug}: {days} {'day' if days == 1 else 'days'}")


def _organizations(slug: str | None) -> list[Organization]:
    if slug is None:
        return list(Organization.objects.order_by("pk"))
    found = list(Organization.objects.filter(slug=slug))
    if not found:
        raise CommandError(f"There is no organisation '{slug}'.")
    return found

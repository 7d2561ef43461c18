"""Build the history of the status page anew, from the usage events that there are."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from gateway import health
from gateway.registry import today

MOST = 90


class Command(BaseCommand):
    help = "Builds providers' health of the last days anew. Safe to run again; reads every request of those days."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--days", type=int, default=MOST, help=f"today and those before it, at most {MOST}")

    def handle(self, *args: Any, **options: Any) -> None:
        days = options["days"]
        if not 1 <= days <= MOST:
            raise CommandError(f"--days must be between 1 and {MOST}, not {days}.")
        built = health.rebuild_days(today() - (days - 1) * health.DAY, today())
        self.stdout.write(f"{built} days were built anew.")

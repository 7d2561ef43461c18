"""Take a month's usage events out of the table."""

from __future__ import annotations

import argparse
from datetime import UTC, date, datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import OperationalError

from billing import partitions


def _month(text: str) -> date:
    try:
        return datetime.strptime(text, "%Y-%m").replace(tzinfo=UTC).date()
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"'{text}' is not a month such as 2026-11") from error


class Command(BaseCommand):
    help = "Detach a month's usage events: they become a table of their own, to be archived and dropped by hand."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("month", type=_month, metavar="YYYY-MM")

    def handle(self, *args: Any, **options: Any) -> None:
        month = options["month"]
        try:
            name = partitions.detach(month)
        except partitions.NotDetachableError as error:
            raise CommandError(str(error)) from error
        except OperationalError as error:
            raise CommandError(f"The table was busy, and nothing was changed. Try again. ({error})") from error
        self.stdout.write(
            f"Usage of {month:%Y-%m} is now in the table {name}, which belongs to nothing and protects its rows no "
            "more. Usage by hour and day stays, and is not rebuilt for that month. Archive the table with pg_dump "
            f"--table={name}, then drop it."
        )

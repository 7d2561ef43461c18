"""Make an organisation's statement of a month, or show the one that was made."""

from __future__ import annotations

import json
from datetime import date, datetime
from pathlib import Path
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.models import Organization
from billing import statements
from billing.verification import UnsoundError


class Command(BaseCommand):
    help = "Write the signed statement of a month as JSON. It is made once: the second time shows the same."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("organization", metavar="ORG", help="the organisation's slug")
        parser.add_argument("month", metavar="YYYY-MM", help="a month that is over")
        parser.add_argument("--output", type=Path, metavar="FILE", help="where to; else standard output")

    def handle(self, *args: Any, **options: Any) -> None:
        organization = Organization.objects.filter(slug=options["organization"]).first()
        if organization is None:
            raise CommandError(f"There is no organisation '{options['organization']}'.")
        try:
            made = statements.make(organization, _month(options["month"]))
        except (ImproperlyConfigured, UnsoundError, statements.StatementError) as error:
            raise CommandError(str(error)) from error
        content = json.dumps(statements.contents(made), indent=1, ensure_ascii=False)
        if options["output"]:
            options["output"].write_text(f"{content}\n", encoding="utf-8")
        else:
            self.stdout.write(content)


def _month(text: str) -> date:
    try:
        return datetime.strptime(text, "%Y-%m").date()  # noqa: DTZ007 - a month has no zone
    except ValueError as error:
        raise CommandError(f"{text} is not a month. Write it as 2026-11.") from error

"""Hold the whole ledger against its invariants: exit status 1 and a line for each difference, or one line of peace."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.models import Organization
from billing import audit


class Command(BaseCommand):
    help = "Audit the ledger in one snapshot. Changes nothing, and exits with 1 when something does not balance."

    def add_arguments(self, parser: CommandParser) -> None:
        which = parser.add_mutually_exclusive_group()
        which.add_argument("--org", metavar="SLUG", help="look at this organisation only")
        which.add_argument("--resume", metavar="SLUG", help="the same, and lift its halt when all is well")

    def handle(self, *args: Any, **options: Any) -> None:
        slug = options["org"] or options["resume"]
        organization = _organization(slug) if slug else None
        kept, violations = audit.run(full=True, organization=organization)
        for violation in violations:
            self.stdout.write(str(violation))
        if violations:
            raise CommandError(f"{len(violations)} differences in {kept.checks} checks.", returncode=1)
        self.stdout.write(f"Balanced: {kept.checks} checks, 0 differences.")
        if options["resume"] and organization:
            halted = audit.resume(organization)
            self.stdout.write(f"{slug} is resumed." if halted else f"{slug} was not halted.")


def _organization(slug: str) -> Organization:
    found = Organization.objects.filter(slug=slug).first()
    if found is None:
        raise CommandError(f"There is no organisation '{slug}'.")
    return found

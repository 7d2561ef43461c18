"""Make the registry say what a file says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from gateway import registry_file, registry_sync


class Command(BaseCommand):
    help = "Bring providers, models, routes and prices to what a TOML file says. Safe to run again."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, metavar="FILE.toml")
        parser.add_argument("--prune", action="store_true", help="switch off what is not in the file; deletes nothing")
        parser.add_argument("--dry-run", action="store_true", help="say what would change, and change nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        path, prune, dry_run = options["file"], options["prune"], options["dry_run"]
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise CommandError(f"{path} cannot be read: {error}.") from error
        known = registry_file.Known() if prune else registry_sync.known()
        try:
            file = registry_file.parse(text, name=path.name, known=known)
        except registry_file.RegistryFileError as error:
            count = len(error.problems)
            advice = "Nothing was changed." if count == 1 else f"{count} problems. Nothing was changed."
            raise CommandError("\n".join([*error.problems, advice])) from error
        report = registry_sync.apply(file, environment=settings.PROVIDER_SECRET, prune=prune, dry_run=dry_run)
        for line in report.lines:
            self.stdout.write(line)
        self.stdout.write(f"{'Dry run: ' if dry_run else ''}{report.summary()}")

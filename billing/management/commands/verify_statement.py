"""Check a statement's file. Asks no database: an auditor needs this code, the file and the public keys."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from billing import signing, verification


class Command(BaseCommand):
    help = "Check a statement: its signature, its blocks, their chain and its sums. Exits with 1 at the first fault."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, metavar="FILE")
        parser.add_argument(
            "--keys", type=Path, metavar="FILE", help="what /.well-known/2389-keys.json said; else SIGNING_KEYS is used"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        keys = _read(options["keys"]) if options["keys"] else signing.public_keys()
        try:
            checked = verification.verify(_read(options["file"]), keys)
        except verification.UnsoundError as error:
            raise CommandError(str(error)) from error
        for sentence in checked:
            self.stdout.write(sentence)
        self.stdout.write(self.style.SUCCESS("The statement is sound."))


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise CommandError(f"{path} is not JSON: {error}.") from error

"""Store a provider's credential, encrypted, without it ever standing on a command line."""

from __future__ import annotations

import sys
from getpass import getpass
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from gateway import credentials
from gateway.models import Provider


class Command(BaseCommand):
    help = "Store a provider's credential, read from standard input or asked for. It wins over the environment."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("provider", help="the provider's slug")
        parser.add_argument("--remove", action="store_true", help="forget the stored credential instead")

    def handle(self, *args: Any, **options: Any) -> None:
        slug = options["provider"]
        if not Provider.objects.filter(slug=slug).exists():
            known = ", ".join(Provider.objects.values_list("slug", flat=True)) or "none; run sync_registry first"
            raise CommandError(f"There is no provider '{slug}'. There are: {known}.")
        stored = "" if options["remove"] else credentials.encrypt(slug, self._secret(slug))
        Provider.objects.filter(slug=slug).update(credential=stored)
        self.stderr.write(f"The credential of {slug} is {'stored' if stored else 'removed'}.")

    def _secret(self, slug: str) -> str:
        asked = getpass(f"Credential of {slug}: ") if sys.stdin.isatty() else sys.stdin.read()
        secret = asked.strip()
        if not secret:
            raise CommandError("The credential is empty. To forget the stored one, use --remove.")
        if len(secret.split()) > 1:
            raise CommandError("A credential is one word: there is white space inside this one.")
        return secret

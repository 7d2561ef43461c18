"""Encrypt every stored credential anew under the newest of CREDENTIAL_KEYS."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from gateway import credentials
from gateway.models import Provider


class Command(BaseCommand):
    help = (
        "Encrypt every stored credential under the first key of CREDENTIAL_KEYS. Safe to run again. "
        "Once it reports no failures, the older keys can go."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        rotated, unchanged, failed = 0, 0, 0
        with transaction.atomic():
            for provider in Provider.objects.select_for_update().exclude(credential=""):
                try:
                    stored = credentials.rotate(provider.slug, provider.credential)
                except credentials.CredentialError as error:
                    self.stderr.write(f"The credential of {provider.slug} cannot be rotated: {error}")
                    failed += 1
                    continue
                if stored == provider.credential:
                    unchanged += 1
                    continue
                provider.credential = stored
                provider.save(update_fields=["credential"])
                rotated += 1
        newest = credentials.newest_key_id()
        self.stdout.write(f"{rotated} rotated to key {newest}, {unchanged} already there, {failed} failed.")
        if failed:
            raise CommandError("Keep the older keys until every credential is rotated.")

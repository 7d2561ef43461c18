"""Encrypt what is stored encrypted anew under the newest of CREDENTIAL_KEYS."""

from __future__ import annotations

from collections import Counter
from typing import Any

from allauth.mfa.models import Authenticator
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from accounts import second_factors
from accounts.encryption import SealError
from gateway import credentials, exchanges
from gateway.models import Provider, Webhook


class Command(BaseCommand):
    help = (
        "Encrypt every stored credential, webhook secret, second factor, prompt and answer under the first key of "
        "CREDENTIAL_KEYS. Safe to run again. Once it reports no failures, the older keys can go."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        with transaction.atomic():
            done = Counter(map(self._rotate_provider, Provider.objects.select_for_update().exclude(credential="")))
            done += Counter(map(self._rotate_webhook, Webhook.objects.select_for_update()))
            done += Counter(map(self._rotate_second_factor, second_factors.kept_secret()))
        done += Counter(exchanges.rotate())  # there may be many: some at a time, and not in one transaction
        newest = credentials.newest_key_id()
        self.stdout.write(
            f"{done['rotated']} rotated to key {newest}, {done['unchanged']} already there, {done['failed']} failed."
        )
        if done["failed"]:
            raise CommandError("Keep the older keys until everything is rotated.")

    def _rotate_provider(self, provider: Provider) -> str:
        try:
            stored = credentials.rotate(provider.slug, provider.credential)
        except credentials.CredentialError as error:
            self.stderr.write(f"The credential of {provider.slug} cannot be rotated: {error}")
            return "failed"
        if stored == provider.credential:
            return "unchanged"
        provider.credential = stored
        provider.save(update_fields=["credential"])
        return "rotated"

    def _rotate_webhook(self, webhook: Webhook) -> str:
        try:
            changed = webhook.rotate_secret()
        except credentials.CredentialError as error:
            self.stderr.write(f"The secret of webhook {webhook.pk} cannot be rotated: {error}")
            return "failed"
        if changed:
            webhook.save(update_fields=["secret"])
        return "rotated" if changed else "unchanged"

    def _rotate_second_factor(self, factor: Authenticator) -> str:
        try:
            return "rotated" if second_factors.renew(factor) else "unchanged"
        except SealError as error:
            self.stderr.write(f"The second factor {factor.pk} cannot be rotated: {error}")
            return "failed"

"""The first start of a checkout: a staff user, an organisation and a key, told once and kept nowhere."""

from __future__ import annotations

import json
import secrets
from typing import Any

from django.core.management.base import BaseCommand
from django.db import transaction

from accounts.models import ApiKey, Membership, Organization, User

EMAIL = "admin@localhost"


class Command(BaseCommand):
    help = "Make the demonstration's staff user, organisation and key. Prints as JSON what was just made."

    def handle(self, *args: Any, **options: Any) -> None:
        made: dict[str, str] = {}
        with transaction.atomic():
            user = User.objects.filter(email=EMAIL).first()
            if user is None:
                made["password"] = secrets.token_urlsafe(12)
                user = User.objects.create_superuser(EMAIL, made["password"], name="Administrator")
            organization, _ = Organization.objects.get_or_create(slug="demo", defaults={"name": "Demo"})
            Membership.objects.get_or_create(
                organization=organization, user=user, defaults={"role": Membership.Role.OWNER}
            )
            if not ApiKey.objects.of(organization).exists():
                made["key"] = ApiKey.objects.issue(organization=organization, name="demo", owner=user)[1]
        self.stdout.write(json.dumps({"email": EMAIL, **made}))

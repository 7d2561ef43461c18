"""Keys that were issued before a key could have two secrets work on, and say when they were last used."""

from __future__ import annotations

import os
from typing import Any

from django.core.management import call_command
from django.db import connection
from pytest_django import DjangoDbBlocker

from accounts import keys
from accounts.models import ApiKey, ApiKeySecret
from tests import live

OLD = """
INSERT INTO accounts_organization (name, slug, sandbox_enabled, retired_models, created_at)
VALUES ('Acme', 'acme', true, '', now());
INSERT INTO accounts_project (organization_id, name, slug, created_at)
SELECT id, 'Default', 'default', now() FROM accounts_organization;
INSERT INTO accounts_apikey (organization_id, project_id, service_account, scopes, name, digest, pepper_version,
  hint_first4, hint_last4, created_at)
SELECT organization_id, id, true, '{chat}', 'old', %s, 1, %s, %s, '2026-01-02T03:04:05Z' FROM accounts_project;
INSERT INTO accounts_apikeyuse (api_key_id, last_used_at) SELECT id, '2026-11-01T00:00:00Z' FROM accounts_apikey;
"""


def test_a_key_from_before_has_its_secret_still(django_db_blocker: DjangoDbBlocker) -> None:
    secret = keys.generate()
    version, digest = keys.newest_digest(secret)
    with (
        live.database(f"before_{os.getpid()}") as name,
        django_db_blocker.unblock(),
        live.connected_to(name),
    ):
        call_command("migrate", "accounts", "0006", verbosity=0, interactive=False)
        with connection.cursor() as cursor:
            for statement in OLD.split(";\n"):
                values: list[Any] | None = [digest, keys.first4(secret), secret[-4:]] if "%s" in statement else None
                if statement.strip():
                    cursor.execute(statement, values)
        call_command("migrate", "accounts", verbosity=0, interactive=False)
        key, found = ApiKey.objects.get(), ApiKeySecret.objects.get()
        assert found.api_key == key
        assert bytes(found.digest) in keys.digests(secret)
        assert (found.pepper_version, found.hint, found.ends_at) == (version, key.hint, None)
        assert found.created_at == key.created_at
        assert key.last_used_at is not None
        assert key.last_used_at.isoformat() == "2026-11-01T00:00:00+00:00"
        assert (key.models_allowed, key.address_ranges, key.note, key.status) == ([], [], "", "active")

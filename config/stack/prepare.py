"""What must be true of the database before the gateway starts, in one process because starting Django is slow.

Run as `python -m config.stack.prepare`: tables, registry, and the first start's staff user and key. With
`--self-check` a key for `./dev up --once` takes the place of those. Ends with a line of JSON: what was made.
"""

from __future__ import annotations

import json
import os
import sys
from datetime import timedelta
from pathlib import Path

REGISTRY = Path("gateway") / "registry.toml"
SELF_CHECK = "--self-check"
DEMO_DOLLARS = "100"  # so that a provider's key is all that its models need


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    import django
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import CommandError
    from django.db import OperationalError

    try:
        django.setup()
        _prepare(self_check=SELF_CHECK in sys.argv[1:])
    except (CommandError, ImproperlyConfigured, OperationalError) as error:
        sys.exit(str(error).strip())  # the message says it all; where it was raised does not help


def _prepare(*, self_check: bool) -> None:
    from django.core.management import call_command

    if _migrations_are_waiting():
        call_command("migrate", verbosity=0)
    with Path(os.devnull).open("w", encoding="utf-8") as silence:
        call_command("sync_registry", str(REGISTRY), stdout=silence)
    if self_check:
        print(json.dumps({"key": _key_for_a_moment()}))
    else:
        call_command("seed_demo")
        with Path(os.devnull).open("w", encoding="utf-8") as silence:
            call_command("grant_credit", "demo", DEMO_DOLLARS, ref="first start", stdout=silence)


def _migrations_are_waiting() -> bool:
    from django.db import connection
    from django.db.migrations.executor import MigrationExecutor

    executor = MigrationExecutor(connection)
    return bool(executor.migration_plan(executor.loader.graph.leaf_nodes()))


def _key_for_a_moment() -> str:
    from django.utils import timezone

    from accounts.models import ApiKey, Organization

    organization, _ = Organization.objects.get_or_create(slug="self-check", defaults={"name": "Self-check"})
    expires_at = timezone.now() + timedelta(minutes=10)
    return ApiKey.objects.issue(organization=organization, name="./dev up --once", expires_at=expires_at)[1]


if __name__ == "__main__":
    main()

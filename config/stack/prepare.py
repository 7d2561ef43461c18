"""What must be true of the database before the gateway starts, done in one process because starting one is slow.

Run as `python -m config.stack.prepare`. Prints as JSON what was made that nobody will be told again.
"""

from __future__ import annotations

import os
from pathlib import Path

REGISTRY = Path("gateway") / "registry.toml"


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    import django
    from django.core.management import call_command
    from django.db import connection
    from django.db.migrations.executor import MigrationExecutor

    django.setup()
    executor = MigrationExecutor(connection)
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        call_command("migrate", verbosity=0)
    with Path(os.devnull).open("w", encoding="utf-8") as silence:
        call_command("sync_registry", str(REGISTRY), stdout=silence)
    call_command("seed_demo")


if __name__ == "__main__":
    main()

"""Give a database role what the application needs and nothing that could rewrite the ledger or an audit log."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection, transaction
from psycopg import sql

# What nobody but the owner of the tables may do, whatever triggers say. Usage events are updated by `billing_settle`
# when a process comes back that was believed dead; a trigger allows no other change.
FINAL = {
    "billing_transfer": "UPDATE, DELETE, TRUNCATE",
    "billing_price": "UPDATE, DELETE, TRUNCATE",
    "billing_usageevent": "DELETE, TRUNCATE",
    "billing_document": "UPDATE, DELETE, TRUNCATE",
    "accounts_auditevent": "UPDATE, DELETE, TRUNCATE",
}
GRANTS = (
    "GRANT USAGE ON SCHEMA {schema} TO {role}",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO {role}",
    "GRANT USAGE, SELECT, UPDATE ON ALL SEQUENCES IN SCHEMA {schema} TO {role}",
    "GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA {schema} TO {role}",
)


class Command(BaseCommand):
    help = (
        "Grant the role that the application connects as what it needs, without the rights to change or delete what is "
        "final in the ledger. Run it as the tables' owner, again after each migration."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("role", help="an existing role, not the owner of the tables")

    @transaction.atomic
    def handle(self, *args: Any, **options: Any) -> None:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT current_schema(), current_user, rolsuper FROM pg_roles WHERE rolname = %s", [options["role"]]
            )
            found = cursor.fetchone()
            if found is None:
                raise CommandError(
                    f"There is no role '{options['role']}'. Make it first: CREATE ROLE … LOGIN PASSWORD …"
                )
            schema, owner, is_super = found
            if is_super or owner == options["role"]:
                raise CommandError(
                    f"'{options['role']}' owns the tables or is a superuser: nothing can be withheld from it."
                )
            names = {"schema": sql.Identifier(schema), "role": sql.Identifier(options["role"])}
            for statement in GRANTS:
                cursor.execute(sql.SQL(statement).format(**names))
            for table, rights in FINAL.items():
                revoke = f"REVOKE {rights} ON {{table}} FROM {{role}}"
                cursor.execute(sql.SQL(revoke).format(table=sql.Identifier(table), **names))
        self.stdout.write(f"{options['role']} may use the application, and cannot rewrite the ledger.")

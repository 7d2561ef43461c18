"""`billing_settle`, with less to do for requests that are closed for the first time. What it does stays the same."""

from pathlib import Path

from django.db import migrations

SETTLING = (Path(__file__).resolve().parents[1] / "sql" / "0008_settling.sql").read_text(encoding="utf-8")


class Migration(migrations.Migration):
    dependencies = [("billing", "0007_kinds_of_entries")]

    operations = [migrations.RunSQL(SETTLING, migrations.RunSQL.noop)]

"""`billing_move`: settlements and admissions that come together are one transaction."""

from pathlib import Path

from django.db import migrations

MOVING = (Path(__file__).resolve().parents[1] / "sql" / "0009_moving.sql").read_text(encoding="utf-8")


class Migration(migrations.Migration):
    dependencies = [("billing", "0008_settling")]

    operations = [migrations.RunSQL(MOVING, migrations.RunSQL.noop)]

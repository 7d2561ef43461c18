"""Kinds of entries, looked at while others enter more; and an index for what an address was told."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("billing", "0006_payments")]

    operations = [
        migrations.RunSQL(
            "ALTER TABLE billing_transfer VALIDATE CONSTRAINT billing_transfer_kind_check", migrations.RunSQL.noop
        ),
        migrations.RunSQL(
            "CREATE INDEX outbox_deliveries ON billing_outbox (organization_id, (split_part(dedupe, '#', 2)), id DESC)",
            "DROP INDEX outbox_deliveries",
        ),
    ]

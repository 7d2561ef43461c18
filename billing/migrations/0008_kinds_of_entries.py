"""Every entry is of a kind that there is: looked at without keeping anybody from entering more."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("billing", "0007_payments")]

    operations = [
        migrations.RunSQL(
            "ALTER TABLE billing_transfer VALIDATE CONSTRAINT billing_transfer_kind_check", migrations.RunSQL.noop
        ),
    ]

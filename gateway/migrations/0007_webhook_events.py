"""Which events a webhook is told of."""

import django.contrib.postgres.fields
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("gateway", "0006_catalogue_and_health")]

    operations = [
        migrations.AddField(
            model_name="webhook",
            name="events",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.CharField(max_length=40),
                blank=True,
                default=list,
                help_text="What it is told of; empty means everything.",
                size=None,
            ),
        ),
    ]

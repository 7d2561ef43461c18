"""Where organisations want to be told what happens."""

import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0002_projects"),
        ("gateway", "0002_model_notice"),
    ]

    operations = [
        migrations.CreateModel(
            name="Webhook",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "url",
                    models.CharField(
                        help_text="Such as https://example.com/hooks.", max_length=500, verbose_name="address"
                    ),
                ),
                ("secret", models.TextField(editable=False, help_text="Encrypted, for this organisation alone.")),
                ("enabled", models.BooleanField(default=True)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                (
                    "organization",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="webhooks", to="accounts.organization"
                    ),
                ),
            ],
            options={
                "ordering": ["organization", "id"],
            },
        ),
    ]

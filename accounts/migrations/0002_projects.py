"""Projects, and what a key may be used for. Keys that are there already go to their organisation's default project."""

import django.contrib.postgres.fields
import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models

import accounts.models

SCOPES = [
    ("chat", "Chat completions"),
    ("embeddings", "Embeddings"),
    ("usage", "Reading usage and costs"),
    ("administration", "Administration"),
]
DEFAULT_PROJECTS = """
INSERT INTO accounts_project (organization_id, name, slug, created_at)
SELECT DISTINCT organization_id, 'Default', 'default', now() FROM accounts_apikey;
UPDATE accounts_apikey k SET project_id = p.id FROM accounts_project p WHERE p.organization_id = k.organization_id;
SET CONSTRAINTS ALL IMMEDIATE;
"""


class Migration(migrations.Migration):
    dependencies = [("accounts", "0001_initial")]

    operations = [
        migrations.CreateModel(
            name="Project",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=120)),
                ("slug", models.SlugField(max_length=60)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                (
                    "organization",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="projects",
                        to="accounts.organization",
                    ),
                ),
            ],
            options={
                "ordering": ["organization", "name"],
                "constraints": [
                    models.UniqueConstraint(models.F("organization"), models.F("slug"), name="project_slug_unique")
                ],
            },
        ),
        migrations.AddField(
            model_name="apikey",
            name="scopes",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.CharField(choices=SCOPES, max_length=20),
                default=accounts.models.default_scopes,
                size=None,
            ),
        ),
        migrations.AddField(
            model_name="apikey",
            name="project",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="api_keys",
                to="accounts.project",
            ),
        ),
        migrations.RunSQL(DEFAULT_PROJECTS, migrations.RunSQL.noop),
        migrations.AlterField(
            model_name="apikey",
            name="project",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="api_keys", to="accounts.project"
            ),
        ),
    ]

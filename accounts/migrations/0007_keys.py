"""Secrets of keys in a table of their own, so that a key can have two; and what else a key may be limited to."""

from typing import Any

import django.contrib.postgres.fields
import django.core.validators
import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models

SECRETS = """
INSERT INTO accounts_apikeysecret (api_key_id, digest, pepper_version, hint_first4, hint_last4, created_at)
SELECT id, digest, pepper_version, hint_first4, hint_last4, created_at FROM accounts_apikey ORDER BY id;
INSERT INTO accounts_secretuse (secret_id, last_used_at)
SELECT s.id, u.last_used_at FROM accounts_apikeyuse u JOIN accounts_apikeysecret s USING (api_key_id);
SET CONSTRAINTS ALL IMMEDIATE;
"""


def _limit(most: int, words: str) -> Any:
    bounds = [django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(most)]
    return models.PositiveIntegerField(blank=True, help_text=words, null=True, validators=bounds)


def _listed(length: int, words: str) -> Any:
    return django.contrib.postgres.fields.ArrayField(
        base_field=models.CharField(max_length=length), blank=True, default=list, help_text=words, size=None
    )


class Migration(migrations.Migration):
    dependencies = [("accounts", "0006_members")]

    operations = [
        migrations.CreateModel(
            name="ApiKeySecret",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("digest", models.BinaryField(max_length=32, unique=True)),
                ("pepper_version", models.PositiveSmallIntegerField(editable=False)),
                ("hint_first4", models.CharField(editable=False, max_length=4)),
                ("hint_last4", models.CharField(editable=False, max_length=4)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                (
                    "ends_at",
                    models.DateTimeField(editable=False, help_text="Empty: it ends with its key.", null=True),
                ),
                (
                    "api_key",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="secrets", to="accounts.apikey"
                    ),
                ),
            ],
            options={
                "verbose_name": "secret of an API key",
                "verbose_name_plural": "secrets of API keys",
                "ordering": ["-pk"],
            },
        ),
        migrations.CreateModel(
            name="SecretUse",
            fields=[
                (
                    "secret",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="use",
                        serialize=False,
                        to="accounts.apikeysecret",
                    ),
                ),
                ("last_used_at", models.DateTimeField()),
            ],
            options={"verbose_name_plural": "use of secrets"},
        ),
        migrations.RunSQL(SECRETS),
        migrations.DeleteModel(name="ApiKeyUse"),
        migrations.RemoveField(model_name="apikey", name="digest"),
        migrations.RemoveField(model_name="apikey", name="pepper_version"),
        migrations.AddField(
            model_name="apikey",
            name="address_ranges",
            field=_listed(43, "IPv4 and IPv6 ranges that it may be called from; empty means from everywhere."),
        ),
        migrations.AddField(
            model_name="apikey",
            name="models_allowed",
            field=_listed(
                120, "Public ids, or beginnings of them and a *; empty means every model of the organisation."
            ),
        ),
        migrations.AddField(
            model_name="apikey",
            name="tokens_per_minute",
            field=_limit(1_000_000_000, "Tokens of input and output a minute; empty means no limit."),
        ),
        migrations.AddField(
            model_name="apikey",
            name="parallel_streams",
            field=_limit(10_000, "Streams open at once; empty means the platform's default."),
        ),
        migrations.AddField(
            model_name="apikey",
            name="note",
            field=models.CharField(
                blank=True, default="", help_text="For people: where it is used, whom to ask.", max_length=500
            ),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name="apikey",
            name="form",
            field=models.UUIDField(
                editable=False,
                help_text="The form that made it: sent twice, it makes one key.",
                null=True,
                unique=True,
            ),
        ),
    ]

"""The keys of the playground, and the sign-in that each of their secrets ends with."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0007_keys")]

    operations = [
        migrations.CreateModel(
            name="SecretSignIn",
            fields=[
                (
                    "secret",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="sign_in",
                        serialize=False,
                        to="accounts.apikeysecret",
                    ),
                ),
                (
                    "session_key",
                    models.CharField(help_text="Of the session whose page has the secret.", max_length=40),
                ),
                (
                    "password_digest",
                    models.BinaryField(
                        help_text="SHA-256 of the stored password: sessions end with a new one, and so does this.",
                        max_length=32,
                    ),
                ),
            ],
            options={"verbose_name": "sign-in of a secret", "verbose_name_plural": "sign-ins of secrets"},
        ),
        migrations.AddField(
            model_name="apikey",
            name="playground",
            field=models.BooleanField(
                default=False,
                editable=False,
                help_text="Made by the playground, for its pages: see accounts.playground_keys.",
            ),
        ),
        migrations.AddConstraint(
            model_name="apikey",
            constraint=models.CheckConstraint(
                condition=models.Q(("playground", False), ("service_account", False), _connector="OR"),
                name="api_key_playground_is_a_persons",
            ),
        ),
        migrations.AddConstraint(
            model_name="apikey",
            constraint=models.UniqueConstraint(
                condition=models.Q(("playground", True), ("revoked_at", None)),
                fields=("organization", "owner", "project"),
                name="api_key_playground_once",
            ),
        ),
    ]

"""The first steps of a member, and a personal log of what changes how somebody signs in."""

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0009_prompt_retention"),
    ]

    operations = [
        migrations.AddField(
            model_name="membership",
            name="started_at",
            field=models.DateTimeField(editable=False, help_text="First steps done, or skipped.", null=True),
        ),
        migrations.CreateModel(
            name="SecurityEvent",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "change",
                    models.CharField(
                        choices=[
                            ("password.changed", "Changed the password"),
                            ("password.set", "Set a password"),
                            ("password.reset", "Set a new password with a code from the mail"),
                            ("email.changed", "Changed the e-mail address"),
                            ("email.removed", "Removed an e-mail address"),
                            ("app.added", "Set up an authenticator app"),
                            ("app.removed", "Removed the authenticator app"),
                            ("passkey.added", "Added a passkey"),
                            ("passkey.removed", "Removed a passkey"),
                            ("codes.made", "Made new recovery codes"),
                            ("factors.taken", "The operator took away the second factors"),
                            ("account.connected", "Connected another account to sign in with"),
                            ("account.disconnected", "Disconnected another account"),
                            ("session.ended", "Ended a session"),
                            ("sessions.ended", "Signed out everywhere else"),
                            ("sessions.all_ended", "Signed out everywhere"),
                        ],
                        max_length=30,
                    ),
                ),
                ("address", models.GenericIPAddressField(null=True)),
                ("user_agent", models.CharField(blank=True, max_length=200)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                (
                    "user",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="security_events",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "ordering": ["-pk"],
                "indexes": [models.Index(fields=["user", "-id"], name="security_list")],
            },
        ),
    ]

"""What the public is told of models and providers, and how providers did."""

import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("gateway", "0005_stored_exchange"),
    ]

    operations = [
        migrations.CreateModel(
            name="ProviderDay",
            fields=[
                (
                    "provider",
                    models.CharField(help_text="Its slug, as text: history outlives the registry.", max_length=60),
                ),
                ("answered", models.BigIntegerField(default=0)),
                (
                    "failed",
                    models.BigIntegerField(
                        default=0, help_text="It did not answer, broke off, or refused this gateway."
                    ),
                ),
                (
                    "limited",
                    models.BigIntegerField(default=0, help_text="It said that this gateway is at its rate limit."),
                ),
                (
                    "first_token_ms",
                    models.PositiveIntegerField(
                        help_text="Median of streams, from arrival at the gateway to the first event.", null=True
                    ),
                ),
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "provider", "day", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("day", models.DateField()),
            ],
            options={
                "ordering": ["-day"],
            },
        ),
        migrations.CreateModel(
            name="StatusNote",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("title", models.CharField(max_length=120)),
                (
                    "body",
                    models.TextField(blank=True, help_text="Plain text. Empty lines part paragraphs.", max_length=4000),
                ),
                (
                    "starts_at",
                    models.DateTimeField(
                        default=django.utils.timezone.now, help_text="Shown from then on.", verbose_name="from"
                    ),
                ),
                (
                    "ends_at",
                    models.DateTimeField(blank=True, help_text="Empty while it lasts.", null=True, verbose_name="to"),
                ),
            ],
            options={
                "ordering": ["-starts_at"],
            },
        ),
        migrations.AddField(
            model_name="model",
            name="listed",
            field=models.BooleanField(
                default=True, help_text="Whether the public catalogue has it. Members always see it."
            ),
        ),
        migrations.AddField(
            model_name="provider",
            name="listed",
            field=models.BooleanField(
                default=True,
                help_text="Whether the public is told of it. Models that it alone serves are in no public list then.",
            ),
        ),
        migrations.CreateModel(
            name="ProviderHealth",
            fields=[
                (
                    "provider",
                    models.CharField(help_text="Its slug, as text: history outlives the registry.", max_length=60),
                ),
                ("answered", models.BigIntegerField(default=0)),
                (
                    "failed",
                    models.BigIntegerField(
                        default=0, help_text="It did not answer, broke off, or refused this gateway."
                    ),
                ),
                (
                    "limited",
                    models.BigIntegerField(default=0, help_text="It said that this gateway is at its rate limit."),
                ),
                (
                    "first_token_ms",
                    models.PositiveIntegerField(
                        help_text="Median of streams, from arrival at the gateway to the first event.", null=True
                    ),
                ),
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "provider", "at", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("at", models.DateTimeField()),
            ],
            options={
                "verbose_name_plural": "health of providers",
                "ordering": ["-at"],
                "indexes": [
                    models.Index(fields=["at"], name="provider_health_at"),
                    models.Index(
                        condition=models.Q(("failed__gte", 3)), fields=["at"], name="provider_health_failures"
                    ),
                ],
            },
        ),
    ]

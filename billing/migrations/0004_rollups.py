"""Usage by hour and day, and the months whose events were taken out."""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models

# What was used before there were roll-ups is due. Every event is read for it, which may take a while.
MARK = """
SET LOCAL statement_timeout = 0;
INSERT INTO billing_rollupdue (organization_id, hour)
SELECT DISTINCT organization_id, date_trunc('hour', admitted_at, 'UTC') FROM billing_usageevent
ON CONFLICT DO NOTHING
"""


class Migration(migrations.Migration):
    dependencies = [
        ("billing", "0003_ledger"),
    ]

    operations = [
        migrations.CreateModel(
            name="DetachedMonth",
            fields=[
                ("month", models.DateField(help_text="Its first day.", primary_key=True, serialize=False)),
                ("detached_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
            options={
                "ordering": ["month"],
            },
        ),
        migrations.CreateModel(
            name="UsageDay",
            fields=[
                ("project_id", models.BigIntegerField(default=0)),
                ("api_key_id", models.BigIntegerField(default=0)),
                ("member_id", models.BigIntegerField(default=0)),
                ("model", models.CharField(default="", max_length=120)),
                ("provider", models.CharField(default="", max_length=60)),
                ("requests", models.BigIntegerField(default=0)),
                (
                    "errors",
                    models.BigIntegerField(
                        default=0, help_text="Answered with 400 or more, but for callers that hung up."
                    ),
                ),
                (
                    "hung_up",
                    models.BigIntegerField(default=0, help_text="The caller had gone before the answer was complete."),
                ),
                ("streams", models.BigIntegerField(default=0)),
                ("input_tokens", models.BigIntegerField(default=0)),
                ("cache_read_tokens", models.BigIntegerField(default=0)),
                ("cache_write_5m_tokens", models.BigIntegerField(default=0)),
                ("cache_write_1h_tokens", models.BigIntegerField(default=0)),
                ("audio_input_tokens", models.BigIntegerField(default=0)),
                ("image_input_tokens", models.BigIntegerField(default=0)),
                ("output_tokens", models.BigIntegerField(default=0)),
                ("reasoning_tokens", models.BigIntegerField(default=0)),
                ("audio_output_tokens", models.BigIntegerField(default=0)),
                ("image_output_tokens", models.BigIntegerField(default=0)),
                ("cost_nano", models.BigIntegerField(default=0)),
                ("charged_nano", models.BigIntegerField(default=0)),
                ("absorbed_nano", models.BigIntegerField(default=0)),
                ("duration_ms_sum", models.BigIntegerField(default=0)),
                ("first_token_ms_sum", models.BigIntegerField(default=0)),
                ("first_token_count", models.BigIntegerField(default=0, help_text="Requests that had a first token.")),
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "organization_id",
                        "day",
                        "project_id",
                        "api_key_id",
                        "member_id",
                        "model",
                        "provider",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("day", models.DateField()),
                (
                    "organization",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="accounts.organization",
                    ),
                ),
            ],
            options={
                "ordering": ["-day"],
            },
        ),
        migrations.CreateModel(
            name="UsageHour",
            fields=[
                ("project_id", models.BigIntegerField(default=0)),
                ("api_key_id", models.BigIntegerField(default=0)),
                ("member_id", models.BigIntegerField(default=0)),
                ("model", models.CharField(default="", max_length=120)),
                ("provider", models.CharField(default="", max_length=60)),
                ("requests", models.BigIntegerField(default=0)),
                (
                    "errors",
                    models.BigIntegerField(
                        default=0, help_text="Answered with 400 or more, but for callers that hung up."
                    ),
                ),
                (
                    "hung_up",
                    models.BigIntegerField(default=0, help_text="The caller had gone before the answer was complete."),
                ),
                ("streams", models.BigIntegerField(default=0)),
                ("input_tokens", models.BigIntegerField(default=0)),
                ("cache_read_tokens", models.BigIntegerField(default=0)),
                ("cache_write_5m_tokens", models.BigIntegerField(default=0)),
                ("cache_write_1h_tokens", models.BigIntegerField(default=0)),
                ("audio_input_tokens", models.BigIntegerField(default=0)),
                ("image_input_tokens", models.BigIntegerField(default=0)),
                ("output_tokens", models.BigIntegerField(default=0)),
                ("reasoning_tokens", models.BigIntegerField(default=0)),
                ("audio_output_tokens", models.BigIntegerField(default=0)),
                ("image_output_tokens", models.BigIntegerField(default=0)),
                ("cost_nano", models.BigIntegerField(default=0)),
                ("charged_nano", models.BigIntegerField(default=0)),
                ("absorbed_nano", models.BigIntegerField(default=0)),
                ("duration_ms_sum", models.BigIntegerField(default=0)),
                ("first_token_ms_sum", models.BigIntegerField(default=0)),
                ("first_token_count", models.BigIntegerField(default=0, help_text="Requests that had a first token.")),
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "organization_id",
                        "hour",
                        "project_id",
                        "api_key_id",
                        "member_id",
                        "model",
                        "provider",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("hour", models.DateTimeField()),
                (
                    "organization",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="accounts.organization",
                    ),
                ),
            ],
            options={
                "ordering": ["-hour"],
            },
        ),
        migrations.RunSQL(MARK, migrations.RunSQL.noop),
    ]

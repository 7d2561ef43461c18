"""Audits, sealed blocks and statements, and since when a budget has been what it is."""

from pathlib import Path

import django.contrib.postgres.fields
import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models

SEALS = (Path(__file__).resolve().parents[1] / "sql" / "0005_audits_and_seals.sql").read_text(encoding="utf-8")


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0002_projects"),
        ("billing", "0004_rollups"),
    ]

    operations = [
        migrations.CreateModel(
            name="AuditRun",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("full", models.BooleanField(help_text="Whether it looked at everything, or at the last hours.")),
                ("started_at", models.DateTimeField()),
                ("ended_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("checks", models.PositiveIntegerField()),
                ("differences", models.PositiveIntegerField()),
                (
                    "violations",
                    models.JSONField(default=list, help_text="The first hundred: check, organization_id, detail."),
                ),
                (
                    "organizations",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.BigIntegerField(),
                        default=list,
                        help_text="The ids of every organisation that a difference names.",
                        size=None,
                    ),
                ),
                (
                    "organization",
                    models.ForeignKey(
                        help_text="Empty when everybody was audited.",
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="accounts.organization",
                    ),
                ),
            ],
            options={
                "ordering": ["-id"],
            },
        ),
        migrations.CreateModel(
            name="Block",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("number", models.PositiveIntegerField(help_text="From 1 on, without gaps.")),
                ("starts_at", models.DateTimeField(help_text="The hour.")),
                ("entries", models.PositiveIntegerField()),
                ("first_id", models.BigIntegerField()),
                ("last_id", models.BigIntegerField()),
                ("closing_nano", models.BigIntegerField(help_text="The balance after its last entry.")),
                ("root", models.CharField(help_text="The Merkle root of its entries.", max_length=64)),
                (
                    "previous_hash",
                    models.CharField(help_text="The hash of the block before it; zeros for the first.", max_length=64),
                ),
                ("hash", models.CharField(help_text="Over all of the above.", max_length=64)),
                (
                    "organization",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="accounts.organization",
                    ),
                ),
            ],
            options={
                "ordering": ["-id"],
                "indexes": [models.Index(fields=["starts_at"], name="block_by_hour")],
                "constraints": [
                    models.UniqueConstraint(models.F("organization"), models.F("number"), name="block_number_unique")
                ],
            },
        ),
        migrations.CreateModel(
            name="Statement",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("month", models.DateField(help_text="Its first day.")),
                ("document", models.TextField(help_text="Canonical JSON, exactly as it was signed.")),
                ("signature", models.TextField(help_text="Ed25519, in base64.")),
                ("key_id", models.TextField()),
                ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                (
                    "organization",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="statements",
                        to="accounts.organization",
                    ),
                ),
            ],
            options={
                "ordering": ["-month", "organization"],
                "constraints": [
                    models.UniqueConstraint(models.F("organization"), models.F("month"), name="statement_once_a_month")
                ],
            },
        ),
        migrations.RunSQL(SEALS, migrations.RunSQL.noop),
    ]

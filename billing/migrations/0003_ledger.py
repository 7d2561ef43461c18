"""The ledger. Its tables and functions are Postgres' own, in billing/sql; Django only knows their columns."""

from pathlib import Path

import django.contrib.postgres.fields
import django.core.validators
import django.db.models.deletion
import django.db.models.functions.datetime
import django.utils.timezone
from django.db import migrations, models

import billing.models.budgets

LEDGER = (Path(__file__).resolve().parents[1] / "sql" / "0003_ledger.sql").read_text(encoding="utf-8")


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0002_projects"),
        ("billing", "0002_prices"),
    ]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunSQL(LEDGER, migrations.RunSQL.noop)],
            state_operations=[
                migrations.CreateModel(
                    name="Budget",
                    fields=[
                        ("id", models.BigAutoField(primary_key=True, serialize=False)),
                        ("name", models.TextField()),
                        (
                            "scope",
                            models.TextField(
                                choices=[
                                    ("organization", "The organisation"),
                                    ("project", "A project"),
                                    ("api_key", "A key"),
                                    ("member", "A person's keys"),
                                ],
                                default="organization",
                            ),
                        ),
                        (
                            "target_id",
                            models.BigIntegerField(
                                blank=True,
                                help_text="The id of the project, key or person; empty for the organisation.",
                                null=True,
                            ),
                        ),
                        (
                            "period",
                            models.TextField(
                                choices=[
                                    ("day", "Day (UTC)"),
                                    ("week", "Week (from Monday, UTC)"),
                                    ("month", "Month (UTC)"),
                                    ("total", "Never resets"),
                                ],
                                default="month",
                            ),
                        ),
                        (
                            "limit_nano",
                            models.BigIntegerField(
                                help_text="Nano-dollars.", validators=[django.core.validators.MinValueValidator(0)]
                            ),
                        ),
                        (
                            "hard",
                            models.BooleanField(
                                default=True, help_text="Refuse what does not fit. Otherwise only tell."
                            ),
                        ),
                        (
                            "thresholds",
                            django.contrib.postgres.fields.ArrayField(
                                base_field=models.IntegerField(),
                                default=billing.models.budgets.default_thresholds,
                                help_text="Per cent of the limit at which to tell.",
                                size=None,
                            ),
                        ),
                        ("enabled", models.BooleanField(default=True)),
                        (
                            "created_at",
                            models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False),
                        ),
                    ],
                    options={
                        "ordering": ["organization", "id"],
                    },
                ),
                migrations.CreateModel(
                    name="BudgetPeriod",
                    fields=[
                        (
                            "pk",
                            models.CompositePrimaryKey(
                                "organization_id",
                                "budget_id",
                                "starts_at",
                                blank=True,
                                editable=False,
                                primary_key=True,
                                serialize=False,
                            ),
                        ),
                        ("starts_at", models.DateTimeField()),
                        ("spent_nano", models.BigIntegerField(default=0)),
                        ("held_nano", models.BigIntegerField(default=0)),
                        ("ceiling_nano", models.BigIntegerField(null=True)),
                        ("alerted", models.IntegerField(default=0)),
                    ],
                    options={
                        "ordering": ["-starts_at"],
                    },
                ),
                migrations.CreateModel(
                    name="Hold",
                    fields=[
                        ("request_id", models.UUIDField(primary_key=True, serialize=False)),
                        ("amount_nano", models.BigIntegerField()),
                        ("model_requested", models.TextField()),
                        ("model", models.TextField()),
                        ("stream", models.BooleanField()),
                        ("provider", models.TextField()),
                        ("upstream_model", models.TextField()),
                        ("progress_cost_nano", models.BigIntegerField(default=0)),
                        ("progress_charge_nano", models.BigIntegerField(default=0)),
                        ("admitted_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        ("heard_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                    ],
                    options={
                        "ordering": ["-request_id"],
                    },
                ),
                migrations.CreateModel(
                    name="OutboxMessage",
                    fields=[
                        ("id", models.BigAutoField(primary_key=True, serialize=False)),
                        ("organization_id", models.BigIntegerField(null=True)),
                        ("topic", models.TextField()),
                        ("dedupe", models.TextField(unique=True)),
                        ("payload", models.JSONField()),
                        ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        ("due_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                        ("sent_at", models.DateTimeField(null=True)),
                        ("tries", models.IntegerField(default=0)),
                        ("last_error", models.TextField(default="")),
                    ],
                    options={
                        "db_table": "billing_outbox",
                        "ordering": ["id"],
                    },
                ),
                migrations.CreateModel(
                    name="RollupDue",
                    fields=[
                        (
                            "pk",
                            models.CompositePrimaryKey(
                                "organization_id", "hour", blank=True, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("organization_id", models.BigIntegerField()),
                        ("hour", models.DateTimeField()),
                        ("marks", models.BigIntegerField(default=1)),
                    ],
                    options={
                        "db_table": "billing_rollupdue",
                    },
                ),
                migrations.CreateModel(
                    name="Transfer",
                    fields=[
                        ("id", models.BigIntegerField(editable=False, primary_key=True, serialize=False)),
                        (
                            "kind",
                            models.TextField(
                                choices=[
                                    ("topup", "Top-up"),
                                    ("grant", "Granted credit"),
                                    ("usage", "Usage"),
                                    ("late_usage", "Usage told late"),
                                    ("refund", "Refund"),
                                    ("reversal", "Reversal"),
                                    ("adjustment", "Adjustment"),
                                ]
                            ),
                        ),
                        ("ref", models.TextField(help_text="What it is for; the same kind and ref are entered once.")),
                        ("debit", models.TextField()),
                        ("credit", models.TextField()),
                        ("amount_nano", models.BigIntegerField()),
                        ("reverses_id", models.BigIntegerField(null=True)),
                        ("reason", models.TextField(blank=True, default="")),
                        ("author", models.TextField(blank=True, default="")),
                        ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                    ],
                    options={
                        "ordering": ["-id"],
                    },
                ),
                migrations.CreateModel(
                    name="Wallet",
                    fields=[
                        (
                            "organization",
                            models.OneToOneField(
                                on_delete=django.db.models.deletion.PROTECT,
                                primary_key=True,
                                related_name="wallet",
                                serialize=False,
                                to="accounts.organization",
                            ),
                        ),
                        (
                            "posted_nano",
                            models.BigIntegerField(default=0, editable=False, help_text="The sum of its transfers."),
                        ),
                        (
                            "held_nano",
                            models.BigIntegerField(
                                default=0, editable=False, help_text="What open requests may still cost."
                            ),
                        ),
                        (
                            "overdraft_nano",
                            models.BigIntegerField(
                                default=0, help_text="How far below zero it may go, in nano-dollars."
                            ),
                        ),
                        (
                            "markup_basis_points",
                            models.IntegerField(
                                default=0,
                                help_text="On top of the provider's price: 1000 is ten per cent, -500 a discount of five.",
                            ),
                        ),
                        (
                            "price_list_id",
                            models.BigIntegerField(
                                blank=True,
                                help_text="The price list that its customers' prices come from, where it has one.",
                                null=True,
                            ),
                        ),
                        (
                            "halted_at",
                            models.DateTimeField(
                                blank=True, editable=False, help_text="Nothing is admitted since then.", null=True
                            ),
                        ),
                        ("halted_reason", models.TextField(blank=True, default="", editable=False)),
                        (
                            "created_at",
                            models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False),
                        ),
                    ],
                    options={
                        "ordering": ["organization"],
                    },
                ),
                migrations.RemoveIndex(
                    model_name="usageevent",
                    name="usage_event_newest",
                ),
                migrations.AddField(
                    model_name="usageevent",
                    name="absorbed_nano",
                    field=models.BigIntegerField(
                        default=0, help_text="What it came to beyond its hold: never charged."
                    ),
                ),
                migrations.AddField(
                    model_name="usageevent",
                    name="admitted_at",
                    field=models.DateTimeField(db_default=django.db.models.functions.datetime.Now()),
                ),
                migrations.AddField(
                    model_name="usageevent",
                    name="attempts",
                    field=models.JSONField(default=list),
                ),
                migrations.AddField(
                    model_name="usageevent",
                    name="audio_input_tokens",
                    field=models.PositiveIntegerField(default=0),
                ),
                migrations.AddField(
                    model_name="usageevent",
                    name="audio_output_tokens",
                    field=models.PositiveIntegerField(default=0),
                ),
                migrations.AddField(
                    model_name="usageevent",
                    name="charge_price_id",
                    field=models.BigIntegerField(help_text="The price list's version, where one applied.", null=True),
                ),
                migrations.AddField(
                    model_name="usageevent",
                    name="charged_nano",
                    field=models.BigIntegerField(default=0, help_text="What the organisation paid."),
                ),
                migrations.AddField(
                    model_name="usageevent",
                    name="cost_nano",
                    field=models.BigIntegerField(default=0, help_text="What the provider asks of us."),
                ),
                migrations.AddField(
                    model_name="usageevent",
                    name="held_nano",
                    field=models.BigIntegerField(default=0),
                ),
                migrations.AddField(
                    model_name="usageevent",
                    name="image_input_tokens",
                    field=models.PositiveIntegerField(default=0),
                ),
                migrations.AddField(
                    model_name="usageevent",
                    name="image_output_tokens",
                    field=models.PositiveIntegerField(default=0),
                ),
                migrations.AddField(
                    model_name="usageevent",
                    name="markup_basis_points",
                    field=models.IntegerField(default=0),
                ),
                migrations.AddField(
                    model_name="usageevent",
                    name="max_tokens",
                    field=models.IntegerField(
                        help_text="The limit that was sent to the provider for the money's sake.", null=True
                    ),
                ),
                migrations.AddField(
                    model_name="usageevent",
                    name="member_id",
                    field=models.BigIntegerField(help_text="Who held the key.", null=True),
                ),
                migrations.AddField(
                    model_name="usageevent",
                    name="price_id",
                    field=models.BigIntegerField(help_text="The price version that it was admitted at.", null=True),
                ),
                migrations.AddField(
                    model_name="usageevent",
                    name="project_id",
                    field=models.BigIntegerField(null=True),
                ),
                migrations.AddField(
                    model_name="usageevent",
                    name="rule",
                    field=models.CharField(
                        blank=True, default="", help_text="The billing rule that applied.", max_length=20
                    ),
                ),
                migrations.AlterField(
                    model_name="usageevent",
                    name="api_key",
                    field=models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="accounts.apikey",
                    ),
                ),
                migrations.AlterField(
                    model_name="usageevent",
                    name="organization",
                    field=models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="accounts.organization",
                    ),
                ),
                migrations.AddField(
                    model_name="budget",
                    name="organization",
                    field=models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="budgets",
                        to="accounts.organization",
                    ),
                ),
                migrations.AddField(
                    model_name="budgetperiod",
                    name="budget",
                    field=models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="periods",
                        to="billing.budget",
                    ),
                ),
                migrations.AddField(
                    model_name="budgetperiod",
                    name="organization",
                    field=models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="accounts.organization",
                    ),
                ),
                migrations.AddField(
                    model_name="hold",
                    name="api_key",
                    field=models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="accounts.apikey",
                    ),
                ),
                migrations.AddField(
                    model_name="hold",
                    name="organization",
                    field=models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="accounts.organization",
                    ),
                ),
                migrations.AddField(
                    model_name="transfer",
                    name="organization",
                    field=models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="accounts.organization",
                    ),
                ),
            ],
        ),
    ]

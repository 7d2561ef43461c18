"""Payments by card, what goes back of them, documents, and wallets that owe what was taken back."""

import uuid
from pathlib import Path

import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models

PAYMENTS = (Path(__file__).resolve().parents[1] / "sql" / "0006_payments.sql").read_text(encoding="utf-8")


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0007_keys"),
        ("billing", "0005_audits_and_seals"),
    ]

    operations = [
        migrations.CreateModel(
            name="DocumentSeries",
            fields=[
                ("kind", models.CharField(max_length=10, primary_key=True, serialize=False)),
                ("last", models.BigIntegerField(default=0)),
            ],
        ),
        migrations.AlterField(
            model_name="transfer",
            name="kind",
            field=models.TextField(
                choices=[
                    ("topup", "Top-up"),
                    ("grant", "Granted credit"),
                    ("usage", "Usage"),
                    ("late_usage", "Usage told late"),
                    ("refund", "Refund"),
                    ("reversal", "Reversal"),
                    ("adjustment", "Adjustment"),
                    ("returned", "Payment returned"),
                ]
            ),
        ),
        migrations.CreateModel(
            name="BillingProfile",
            fields=[
                (
                    "organization",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="billing_profile",
                        serialize=False,
                        to="accounts.organization",
                    ),
                ),
                ("name", models.CharField(blank=True, max_length=200)),
                ("address", models.TextField(blank=True)),
                ("tax_id", models.CharField(blank=True, max_length=60)),
                ("customer", models.CharField(blank=True, help_text="At Stripe.", max_length=80)),
                (
                    "method",
                    models.CharField(blank=True, help_text="The saved payment method, at Stripe.", max_length=80),
                ),
                ("method_label", models.CharField(blank=True, max_length=80)),
                ("automatic", models.BooleanField(default=False)),
                (
                    "below_nano",
                    models.BigIntegerField(default=0, help_text="What the balance falls below, less what is held."),
                ),
                ("amount_nano", models.BigIntegerField(default=0, help_text="What is paid then.")),
                (
                    "cap_nano",
                    models.BigIntegerField(default=0, help_text="What is paid by itself in a month, at most."),
                ),
                ("stopped", models.TextField(blank=True, default="", help_text="Why it was switched off by itself.")),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("automatic", False),
                            models.Q(("amount_nano__gt", 0), ("cap_nano__gte", models.F("amount_nano"))),
                            _connector="OR",
                        ),
                        name="billing_profile_amounts",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Payment",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "kind",
                    models.CharField(choices=[("checkout", "By hand"), ("automatic", "Automatic")], max_length=10),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[("open", "Waiting"), ("paid", "Paid"), ("failed", "Failed"), ("expired", "Not paid")],
                        default="open",
                        max_length=10,
                    ),
                ),
                ("amount_nano", models.BigIntegerField()),
                ("token", models.UUIDField(default=uuid.uuid4, help_text="What Stripe knows it by.", unique=True)),
                ("session", models.CharField(blank=True, max_length=120)),
                ("intent", models.CharField(max_length=80, null=True, unique=True)),
                ("saves_method", models.BooleanField(default=False)),
                ("author", models.CharField(blank=True, max_length=320)),
                ("failure", models.TextField(blank=True, default="")),
                ("entry_id", models.BigIntegerField(help_text="The ledger's entry.", null=True)),
                (
                    "asked_at",
                    models.DateTimeField(help_text="When Stripe was last asked to charge a saved card.", null=True),
                ),
                ("paid_at", models.DateTimeField(null=True)),
                (
                    "created_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False),
                ),
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
            },
        ),
        migrations.CreateModel(
            name="Document",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "kind",
                    models.CharField(
                        choices=[("receipt", "Receipt"), ("credit", "Credit note"), ("invoice", "Invoice")],
                        max_length=10,
                    ),
                ),
                ("number", models.BigIntegerField()),
                ("ref", models.CharField(help_text="What it is about: issued once for it.", max_length=120)),
                ("month", models.DateField(null=True)),
                ("total_nano", models.BigIntegerField()),
                ("contents", models.JSONField()),
                ("issued_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                (
                    "organization",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="accounts.organization",
                    ),
                ),
                (
                    "payment",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="documents",
                        to="billing.payment",
                    ),
                ),
            ],
            options={
                "ordering": ["-id"],
            },
        ),
        migrations.CreateModel(
            name="PaymentReturn",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("stripe_id", models.CharField(max_length=80, unique=True)),
                ("intent", models.CharField(db_index=True, max_length=80)),
                ("kind", models.CharField(choices=[("refund", "Refund"), ("dispute", "Dispute")], max_length=10)),
                ("state", models.CharField(choices=[("taken", "Taken back"), ("void", "Came back")], max_length=10)),
                ("amount_nano", models.BigIntegerField()),
                ("entry_id", models.BigIntegerField(null=True)),
                (
                    "created_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False),
                ),
                (
                    "payment",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="returns",
                        to="billing.payment",
                    ),
                ),
            ],
            options={
                "ordering": ["-id"],
            },
        ),
        migrations.CreateModel(
            name="StripeEvent",
            fields=[
                ("event_id", models.CharField(max_length=120, primary_key=True, serialize=False)),
                ("kind", models.CharField(max_length=80)),
                ("outcome", models.TextField(default="")),
                (
                    "received_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False),
                ),
                (
                    "payment",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="events",
                        to="billing.payment",
                    ),
                ),
            ],
            options={
                "ordering": ["-received_at"],
            },
        ),
        migrations.AddIndex(
            model_name="payment",
            index=models.Index(fields=["organization", "-id"], name="payment_list"),
        ),
        migrations.AddConstraint(
            model_name="payment",
            constraint=models.CheckConstraint(condition=models.Q(("amount_nano__gt", 0)), name="payment_amount"),
        ),
        migrations.AddConstraint(
            model_name="payment",
            constraint=models.UniqueConstraint(
                condition=models.Q(("kind", "automatic"), ("state", "open")),
                fields=("organization",),
                name="payment_automatic_one_at_a_time",
            ),
        ),
        migrations.AddIndex(
            model_name="document",
            index=models.Index(fields=["organization", "-id"], name="document_list"),
        ),
        migrations.AddConstraint(
            model_name="document",
            constraint=models.UniqueConstraint(fields=("kind", "number"), name="document_number_unique"),
        ),
        migrations.AddConstraint(
            model_name="document",
            constraint=models.UniqueConstraint(fields=("organization", "kind", "ref"), name="document_once"),
        ),
        migrations.AddConstraint(
            model_name="document",
            constraint=models.CheckConstraint(condition=models.Q(("number__gt", 0)), name="document_number"),
        ),
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.AddField(
                    model_name="wallet",
                    name="owed_nano",
                    field=models.BigIntegerField(
                        default=0,
                        editable=False,
                        help_text="How far beyond its overdraft payments were taken back that were spent.",
                    ),
                ),
            ],
        ),
        migrations.RunSQL(PAYMENTS, migrations.RunSQL.noop),
    ]

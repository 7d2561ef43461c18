"""The audit log, which nobody can rewrite."""

import django.core.serializers.json
import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

ACTORS = [("person", "Person"), ("key", "API key"), ("operator", "The operator"), ("system", "The system")]
FINAL = """
CREATE FUNCTION accounts_audit_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER audit_event_is_final BEFORE UPDATE OR DELETE ON accounts_auditevent
  FOR EACH ROW EXECUTE FUNCTION accounts_audit_refuse();
CREATE TRIGGER audit_event_is_kept BEFORE TRUNCATE ON accounts_auditevent
  FOR EACH STATEMENT EXECUTE FUNCTION accounts_audit_refuse();
"""
NOT_FINAL = """
DROP TRIGGER audit_event_is_kept ON accounts_auditevent;
DROP TRIGGER audit_event_is_final ON accounts_auditevent;
DROP FUNCTION accounts_audit_refuse();
"""


class Migration(migrations.Migration):
    dependencies = [("accounts", "0004_kept_mail")]

    operations = [
        migrations.CreateModel(
            name="AuditEvent",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("action", models.CharField(max_length=40)),
                ("actor_kind", models.CharField(choices=ACTORS, max_length=10)),
                ("actor_label", models.CharField(blank=True, max_length=320)),
                ("target_kind", models.CharField(max_length=40)),
                ("target_id", models.CharField(max_length=64)),
                ("target_label", models.CharField(max_length=320)),
                ("details", models.JSONField(default=dict, encoder=django.core.serializers.json.DjangoJSONEncoder)),
                ("address", models.GenericIPAddressField(null=True)),
                ("user_agent", models.CharField(blank=True, max_length=200)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                (
                    "actor",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
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
                "ordering": ["-pk"],
                "indexes": [
                    models.Index(fields=["organization", "-id"], name="audit_list"),
                    models.Index(fields=["organization", "actor", "-id"], name="audit_of_person"),
                ],
            },
        ),
        migrations.RunSQL(FINAL, NOT_FINAL),
    ]

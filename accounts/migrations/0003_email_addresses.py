"""Everybody who is here already counts as having verified their address: operators made them, there was no sign-up."""

from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps
from django.db.models.functions import Lower


def vouch_for_everybody(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    user = apps.get_model("accounts", "User")
    address = apps.get_model("account", "EmailAddress")
    known = address.objects.values("user_id")
    people = user.objects.exclude(pk__in=known).annotate(lower=Lower("email")).values_list("pk", "lower")
    rows = (address(user_id=pk, email=email, verified=True, primary=True) for pk, email in people.iterator(2000))
    address.objects.bulk_create(rows, batch_size=2000)


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0002_projects"),
        ("account", "0009_emailaddress_unique_primary_email"),
    ]

    operations = [migrations.RunPython(vouch_for_everybody, migrations.RunPython.noop, elidable=False)]

"""What `manage.py check` says of the ledger's settings."""

from __future__ import annotations

from typing import Any

from django.core import checks
from django.core.exceptions import ImproperlyConfigured

from billing import signing


@checks.register(checks.Tags.security, deploy=True)
def statements_can_be_signed(**_: Any) -> list[checks.CheckMessage]:
    try:
        signed = signing.is_configured()
    except ImproperlyConfigured as error:
        return [checks.Error(str(error), id="billing.E001")]
    hint = "Make one as docs/settings.md says. Without it no statements are made."
    return [] if signed else [checks.Warning("SIGNING_KEYS is not set.", hint=hint, id="billing.W001")]

"""The registry: which models there are, who serves them, and with what; and where customers want to be told."""

from __future__ import annotations

import base64
import secrets
from datetime import date
from typing import Any, Self

from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.db import models
from django.utils import timezone

from accounts.models import Organization, OrganizationOwned
from gateway import credentials, destinations, lifecycle
from gateway.providers import kind_choices

MODEL_ID = RegexValidator(r"^[A-Za-z0-9][A-Za-z0-9._:@/-]*$", "Use letters, digits and . _ : @ / - only.")


class Provider(models.Model):
    """A server that answers requests, and where its credential is."""

    slug = models.SlugField(max_length=60, unique=True)
    name = models.CharField(max_length=120)
    kind = models.CharField(max_length=40, choices=kind_choices, help_text="The wire format it speaks.")
    base_url = models.CharField(max_length=300, blank=True)
    api_key_env = models.CharField(
        "environment variable",
        max_length=100,
        blank=True,
        help_text="Names the variable that holds its API key.",
    )
    credential = models.TextField(
        blank=True, editable=False, help_text="Encrypted. Wins over the environment variable."
    )
    needs_credential = models.BooleanField(default=True)
    options = models.JSONField(
        default=dict, blank=True, help_text="What this server does differently, as its kind defines it."
    )
    enabled = models.BooleanField(default=True)
    listed = models.BooleanField(
        default=True,
        help_text="Whether the public is told of it. Models that it alone serves are in no public list then.",
    )

    class Meta:
        ordering = ["slug"]

    def __str__(self) -> str:
        return self.name


class Model(models.Model):
    """A model as callers name it."""

    id = models.CharField("public id", primary_key=True, max_length=120, validators=[MODEL_ID])
    owned_by = models.CharField(max_length=60)
    description = models.CharField(max_length=300, blank=True)
    vendor_id = models.CharField(
        max_length=120, blank=True, help_text="The vendor's own id; empty when the vendor has no such model."
    )
    context_window = models.PositiveIntegerField(null=True, blank=True)
    max_output_tokens = models.PositiveIntegerField(null=True, blank=True)
    capabilities = models.JSONField(default=dict, blank=True)
    default_system_prompt = models.TextField(blank=True, help_text="Sent when the caller sends no system message.")
    sandbox = models.BooleanField(
        default=False,
        help_text="For callers to test their own programs with; hidden from organisations that turn these off.",
    )
    demonstration = models.BooleanField(default=False, help_text="Toy grade: shows that the system works.")
    enabled = models.BooleanField(default=True)
    listed = models.BooleanField(default=True, help_text="Whether the public catalogue has it. Members always see it.")
    deprecated_on = models.DateField(null=True, blank=True)
    shutdown_on = models.DateField(null=True, blank=True)
    vendor_gone_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="When the vendor itself said it has no such model."
    )
    successor = models.ForeignKey("self", models.SET_NULL, null=True, blank=True, related_name="predecessors")
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return self.id

    def lifecycle(self, today: date) -> lifecycle.Lifecycle:
        return lifecycle.of(
            vendor_id=self.vendor_id,
            deprecated_on=self.deprecated_on,
            shutdown_on=self.shutdown_on,
            vendor_gone=self.vendor_gone_at is not None,
            today=today,
        )

    def clean(self) -> None:
        """Refuse a chain of successors that comes back to where it started."""
        seen, model = {self.id}, self.successor
        while model is not None:
            if model.id in seen:
                raise ValidationError(
                    {"successor": f"{model.id} already leads to {self.id}: successors must not form a circle."}
                )
            seen.add(model.id)
            model = model.successor


class Route(models.Model):
    """One way to serve a model; routes are tried in order."""

    model = models.ForeignKey(Model, models.CASCADE, related_name="routes")
    provider = models.ForeignKey(Provider, models.PROTECT, related_name="routes")
    upstream_model = models.CharField(max_length=200, help_text="What the provider calls it.")
    position = models.PositiveSmallIntegerField(default=0)
    options = models.JSONField(default=dict, blank=True, help_text="Overrides the provider's options for this model.")
    enabled = models.BooleanField(default=True)

    class Meta:
        ordering = ["model", "position"]
        constraints = [models.UniqueConstraint("model", "position", name="route_position_unique")]

    def __str__(self) -> str:
        return f"{self.model_id} by {self.provider_id} as {self.upstream_model}"


class ModelNotice(models.Model):
    """Mail about a model that was sent, so that it is sent once however often its task runs."""

    class Kind(models.TextChoices):
        VENDOR_GONE = "vendor_gone", "The vendor no longer has it"
        SHUTDOWN_30 = "shutdown_30", "30 days to its shutdown"
        SHUTDOWN_7 = "shutdown_7", "7 days to its shutdown"
        SHUTDOWN_0 = "shutdown_0", "Shut down"

    model = models.ForeignKey(Model, models.CASCADE, related_name="notices")
    organization = models.ForeignKey(
        "accounts.Organization", models.CASCADE, null=True, related_name="+", help_text="Empty for mail to staff."
    )
    kind = models.CharField(max_length=20, choices=Kind.choices)
    sent_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint("model", "organization", "kind", name="model_notice_once", nulls_distinct=False)
        ]

    def __str__(self) -> str:
        return f"{self.kind} of {self.model_id}"


class IdempotentAnswer(models.Model):
    """What a request with an Idempotency-Key was answered, encrypted, for a day. Written by gateway/idempotency.py."""

    pk = models.CompositePrimaryKey("organization_id", "api_key_id", "key_digest")
    organization_id = models.BigIntegerField()
    api_key_id = models.BigIntegerField()
    key_digest = models.BinaryField(max_length=32)
    body_digest = models.BinaryField(max_length=32)
    request_id = models.UUIDField(db_index=True)
    answer = models.BinaryField(null=True)
    expires_at = models.DateTimeField()
    alive_until = models.DateTimeField(help_text="Until when its run is believed to be alive.")

    class Meta:
        indexes = [models.Index(fields=["expires_at"], name="idempotent_answer_expiry")]  # what is to be forgotten

    def __str__(self) -> str:
        return str(self.request_id)


class StoredExchange(models.Model):
    """A prompt and its answer, encrypted, of an organisation that turned this on. Written by gateway/keeping.py.

    The id of the request has the instant of its arrival, by which its time is over.
    """

    pk = models.CompositePrimaryKey("organization_id", "request_id")
    organization = models.ForeignKey(Organization, models.PROTECT, related_name="+", db_index=False)
    request_id = models.UUIDField()
    content = models.BinaryField()

    objects = OrganizationOwned.as_manager()

    class Meta:
        ordering = ["organization", "-request_id"]

    def __str__(self) -> str:
        return str(self.request_id)


class WebhookQuerySet(OrganizationOwned):
    def enabled(self) -> Self:
        return self.filter(enabled=True)

    def told_of(self, event: str) -> Self:
        return self.enabled().filter(models.Q(events=[]) | models.Q(events__contains=[event]))


class Webhook(models.Model):
    """An address of an organisation's that is told what happens. Calls are signed with a secret of its own."""

    organization = models.ForeignKey(Organization, models.CASCADE, related_name="webhooks")
    url = models.CharField("address", max_length=500, help_text="Such as https://example.com/hooks.")
    secret = models.TextField(editable=False, help_text="Encrypted, for this organisation alone.")
    events = ArrayField(
        models.CharField(max_length=40),
        default=list,
        blank=True,
        help_text="What it is told of; empty means everything.",
    )
    enabled = models.BooleanField(default=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = WebhookQuerySet.as_manager()

    class Meta:
        ordering = ["organization", "id"]

    def __str__(self) -> str:
        return f"webhook {self.pk} of {self.organization}"

    def clean_fields(self, exclude: Any = None) -> None:
        super().clean_fields(exclude)
        if exclude and "url" in exclude:
            return
        try:
            destinations.check_url(self.url)
        except ValueError as error:
            raise ValidationError({"url": str(error)}) from error

    @property
    def owner(self) -> str:
        """Whom its secret is bound to. No provider's slug has a slash in it."""
        return f"webhooks/{self.organization_id}"

    def renew_secret(self) -> str:
        """A new secret, not saved yet, in the form that Standard Webhooks gives it."""
        secret = f"whsec_{base64.b64encode(secrets.token_bytes(32)).decode()}"
        self.secret = credentials.encrypt(self.owner, secret)
        return secret

    def open_secret(self) -> str:
        """Raises `CredentialError`."""
        return credentials.decrypt(self.owner, self.secret, remedy="in the admin: give the webhook a new secret.")

    def rotate_secret(self) -> bool:
        """Under the newest key; whether it changed. Raises `CredentialError`."""
        before, self.secret = self.secret, credentials.rotate(self.owner, self.secret)
        return before != self.secret


# Tables with a file of their own.
from gateway.models_health import ProviderDay as ProviderDay  # noqa: E402
from gateway.models_health import ProviderHealth as ProviderHealth  # noqa: E402
from gateway.models_health import StatusNote as StatusNote  # noqa: E402

"""What a key is limited to, and the secrets that it is called with."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Self

from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone

from accounts import keys

if TYPE_CHECKING:  # it is built on this module
    from accounts.models import ApiKey

MOST_REQUESTS = 100_000  # a minute: the log of a key is kept in memory
MOST_TOKENS = 1_000_000_000
MOST_STREAMS = 10_000


class KeyLimits(models.Model):
    """What a key may do beyond its scopes. The data plane reads these columns in `accounts.directory`."""

    requests_per_minute = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(MOST_REQUESTS)],
        help_text="Requests in any 60 seconds; empty means the platform's default.",
    )
    tokens_per_minute = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(MOST_TOKENS)],
        help_text="Tokens of input and output a minute; empty means no limit.",
    )
    parallel_streams = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(MOST_STREAMS)],
        help_text="Streams open at once; empty means the platform's default.",
    )
    models_allowed = ArrayField(
        models.CharField(max_length=120),
        default=list,
        blank=True,
        help_text="Public ids, or beginnings of them and a *; empty means every model of the organisation.",
    )
    address_ranges = ArrayField(
        models.CharField(max_length=43),
        default=list,
        blank=True,
        help_text="IPv4 and IPv6 ranges that it may be called from; empty means from everywhere.",
    )

    class Meta:
        abstract = True


class ApiKeySecretQuerySet(models.QuerySet["ApiKeySecret"]):
    def working(self) -> Self:
        """Those whose end has not come; whether their key works is another matter."""
        return self.filter(Q(ends_at=None) | Q(ends_at__gt=timezone.now()))

    def make(self, api_key: ApiKey) -> tuple[ApiKeySecret, str]:
        """A new one, as a row and as text. The text is not kept: this is the only time anybody sees it."""
        text = keys.generate()
        version, digest = keys.newest_digest(text)
        secret = self.create(
            api_key=api_key,
            digest=digest,
            pepper_version=version,
            hint_first4=keys.first4(text),
            hint_last4=text[-4:],
        )
        return secret, text


class ApiKeySecret(models.Model):
    """One of the secrets of a key: two of them work while a rotation is under way. Only a peppered digest is stored."""

    api_key = models.ForeignKey("accounts.ApiKey", models.CASCADE, related_name="secrets")
    digest = models.BinaryField(max_length=32, unique=True, editable=False)
    pepper_version = models.PositiveSmallIntegerField(editable=False)
    hint_first4 = models.CharField(max_length=4, editable=False)
    hint_last4 = models.CharField(max_length=4, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    ends_at = models.DateTimeField(null=True, editable=False, help_text="Empty: it ends with its key.")

    objects = ApiKeySecretQuerySet.as_manager()

    class Meta:
        verbose_name = "secret of an API key"
        verbose_name_plural = "secrets of API keys"
        ordering = ["-pk"]

    def __str__(self) -> str:
        return self.hint

    @property
    def hint(self) -> str:
        """What may be shown of it: `sk-2389-AbCd…wXyZ`."""
        return keys.hint(self.hint_first4, self.hint_last4)

    @property
    def last_used_at(self) -> datetime | None:
        use = getattr(self, "use", None)
        return use.last_used_at if use else None

    @property
    def works(self) -> bool:
        """Whether its end has not come."""
        return self.ends_at is None or self.ends_at > timezone.now()


class SecretUse(models.Model):
    """When a secret was last called with: a narrow table of its own, so that the secrets themselves stay cached."""

    secret = models.OneToOneField(ApiKeySecret, models.CASCADE, primary_key=True, related_name="use")
    last_used_at = models.DateTimeField()

    class Meta:
        verbose_name_plural = "use of secrets"

    def __str__(self) -> str:
        return f"{self.secret} at {self.last_used_at:%Y-%m-%d %H:%M}"


class SecretSignIn(models.Model):
    """The sign-in that a secret of the playground ends with. The data plane looks for it in `accounts.directory`."""

    secret = models.OneToOneField(ApiKeySecret, models.CASCADE, primary_key=True, related_name="sign_in")
    session_key = models.CharField(max_length=40, help_text="Of the session whose page has the secret.")
    password_digest = models.BinaryField(
        max_length=32, help_text="SHA-256 of the stored password: sessions end with a new one, and so does this."
    )

    class Meta:
        verbose_name = "sign-in of a secret"
        verbose_name_plural = "sign-ins of secrets"

    def __str__(self) -> str:
        return str(self.secret)

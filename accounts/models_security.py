"""What somebody changed about how they sign in: for themselves to look through."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from accounts.models import User


class SecurityChange(models.TextChoices):
    """Everything that is written down."""

    PASSWORD_CHANGED = "password.changed", "Changed the password"
    PASSWORD_SET = "password.set", "Set a password"
    PASSWORD_RESET = "password.reset", "Set a new password with a code from the mail"
    EMAIL_CHANGED = "email.changed", "Changed the e-mail address"
    EMAIL_REMOVED = "email.removed", "Removed an e-mail address"
    APP_ADDED = "app.added", "Set up an authenticator app"
    APP_REMOVED = "app.removed", "Removed the authenticator app"
    PASSKEY_ADDED = "passkey.added", "Added a passkey"
    PASSKEY_REMOVED = "passkey.removed", "Removed a passkey"
    CODES_MADE = "codes.made", "Made new recovery codes"
    FACTORS_TAKEN = "factors.taken", "The operator took away the second factors"
    ACCOUNT_CONNECTED = "account.connected", "Connected another account to sign in with"
    ACCOUNT_DISCONNECTED = "account.disconnected", "Disconnected another account"
    SESSION_ENDED = "session.ended", "Ended a session"
    SESSIONS_ENDED = "sessions.ended", "Signed out everywhere else"
    ALL_SESSIONS_ENDED = "sessions.all_ended", "Signed out everywhere"


class SecurityEvent(models.Model):
    """One change of one person's. It goes with them."""

    user = models.ForeignKey(User, models.CASCADE, related_name="security_events", db_index=False)
    change = models.CharField(max_length=30, choices=SecurityChange.choices)
    address = models.GenericIPAddressField(null=True)
    user_agent = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["-pk"]
        indexes = [models.Index(fields=["user", "-id"], name="security_list")]

    def __str__(self) -> str:
        return f"{self.user}: {self.get_change_display()}"

"""The forms of second factors: allauth's, in our words."""

from __future__ import annotations

from typing import Any

from allauth.core.internal.cryptokit import normalize_user_code
from allauth.mfa.base import forms as allauth
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.forms import ActivateTOTPForm
from allauth.mfa.webauthn.forms import AddWebAuthnForm, EditWebAuthnForm
from django.core.cache import cache
from django.core.exceptions import ValidationError

from accounts.adapter import WRONG_CODE
from accounts.forms import CODE, word

WORKS = 180  # longer than a code of an app may work, so that one that was used stays known until it is worthless
DIGITS = {**CODE, "inputmode": "numeric", "maxlength": "20"}
HINT = "Six digits from your app, or one of your recovery codes."


class _Once(allauth.BaseAuthenticateForm):
    """A code of an app works once, also within the minute and a half in which it is right."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        word(self, "code", "Code", hint=HINT, required="Enter a code.", **DIGITS)

    def clean_code(self) -> str:
        code: str = super().clean_code()
        if self.authenticator.type == Authenticator.Type.TOTP:
            used = f"second-factor:{self.user.pk}:{normalize_user_code(code)}"
            if not cache.add(used, 1, WORKS):
                raise ValidationError(WRONG_CODE, code="incorrect_code")
        return code


class AuthenticateForm(_Once, allauth.AuthenticateForm):
    """On the way in."""


class ReauthenticateForm(_Once, allauth.ReauthenticateForm):
    """Before something that matters."""


class AuthenticatorForm(ActivateTOTPForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        digits = {name: value for name, value in DIGITS.items() if name != "autofocus"}
        word(self, "code", "Code", hint="Six digits that the app shows now.", required="Enter the code.", **digits)


class PasskeyForm(AddWebAuthnForm):
    """A passkey stays on the device or in a password manager, and by itself is enough to sign in."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        hint = "So that you know it again: the device, or the password manager that keeps it."
        word(self, "name", "Name", hint=hint, autocomplete="off", maxlength="60")
        box = "Use it instead of the password"
        word(self, "passwordless", box, hint="Off for a security key that only stands beside the password.")
        self.fields["passwordless"].initial = True


class RenameForm(EditWebAuthnForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        word(self, "name", "Name", required="Give it a name.", autocomplete="off", maxlength="60")

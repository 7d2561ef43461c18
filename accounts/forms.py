"""The forms of the pages about people."""

from __future__ import annotations

from django import forms
from django.contrib.auth.forms import AuthenticationForm
from django.core.exceptions import ValidationError


class SignInForm(AuthenticationForm):
    """E-mail address and password. Tells nobody which of the two was wrong, or whether there is such an account."""

    username = forms.EmailField(
        label="E-mail address",
        max_length=254,
        widget=forms.EmailInput(attrs={"autocomplete": "username", "autofocus": True, "spellcheck": "false"}),
        error_messages={
            "required": "Enter your e-mail address.",
            "invalid": "This is not an e-mail address. It looks like name@example.com.",
        },
    )
    password = forms.CharField(
        label="Password",
        max_length=4096,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
        error_messages={"required": "Enter your password."},
    )

    def get_invalid_login_error(self) -> ValidationError:
        return ValidationError(
            "This e-mail address and this password do not belong together. Check both, then try again.",
            code="invalid_login",
        )

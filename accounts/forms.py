"""The forms of accounts: allauth's, in our words."""

from __future__ import annotations

from typing import Any

from allauth.account import forms as allauth
from allauth.core import context
from django import forms
from django.contrib.auth.hashers import make_password
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.http import HttpRequest

from accounts.adapter import invited_as
from accounts.models import User

NEW_PASSWORD = "At least 12 characters. A few words in a row are easy to remember and hard to guess."  # noqa: S105
MAILED_CODE = "The letters in the mail, as BCDF-GHJK. Capitals and the dash do not matter."
CODE = {"autocomplete": "one-time-code", "autocapitalize": "characters", "spellcheck": "false", "autofocus": True}


def word(form: forms.Form, name: str, label: str, *, hint: str = "", required: str = "", **attributes: Any) -> None:
    """Give a field of allauth's our label, hint and words, and its widget these attributes instead of its own."""
    field = form.fields[name]
    field.label, field.help_text = label, hint
    field.widget.attrs = {key.replace("_", "-"): value for key, value in attributes.items()}
    if required:
        field.error_messages["required"] = required
    if isinstance(field, forms.EmailField):
        field.error_messages["invalid"] = "This is not an e-mail address. It looks like name@example.com."
        field.widget.input_type = "email"
        field.widget.attrs["spellcheck"] = "false"
        field.widget.attrs["maxlength"] = "254"


def word_password(form: forms.Form, name: str, label: str, **attributes: Any) -> None:
    """One that is known already."""
    word(form, name, label, required="Enter your password.", autocomplete="current-password", **attributes)
    form.fields[name].max_length = 4096  # type: ignore[attr-defined]


def word_new_password(form: forms.Form, name: str, label: str) -> None:
    """One that is made up now. It is typed once: browsers show it, and there is a way to reset it."""
    word(form, name, label, hint=NEW_PASSWORD, required="Choose a password.", autocomplete="new-password")
    form.fields.pop("password2", None)


class SignInForm(allauth.LoginForm):
    """E-mail address and password. Tells nobody which of the two was wrong, or whether there is such an account."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        word(self, "login", "E-mail address", required="Enter your e-mail address.", autocomplete="username webauthn")
        self.fields["login"].widget.attrs["autofocus"] = True
        word_password(self, "password", "Password")


class SignUpForm(allauth.SignupForm):
    """A new person. Says the same, and takes as long, whether or not somebody signs in with the address already."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        word(self, "email", "E-mail address", required="Enter your e-mail address.", autocomplete="username")
        self.fields["email"].widget.attrs["autofocus"] = True
        word_new_password(self, "password1", "Password")

    def clean_email(self) -> str:
        email: str = super().clean_email()
        invited = invited_as(context.request)
        if invited and invited != email:
            raise ValidationError(f"Your invitation is for {invited}. Sign up with that address.")
        return email

    def try_save(self, request: HttpRequest) -> Any:
        if self.account_already_exists:  # as long as it takes to keep the password of somebody new
            make_password(self.cleaned_data["password1"])
        try:
            with transaction.atomic():
                return super().try_save(request)
        except IntegrityError:  # somebody was quicker with the same address
            self.account_already_exists: bool = True
            return super().try_save(request)


class EmailForm(allauth.AddEmailForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        hint = "We send it a code. Your old address stays until you enter the code."
        word(self, "email", "New e-mail address", hint=hint, required="Enter the new address.", autocomplete="email")


class EmailCodeForm(allauth.ConfirmEmailVerificationCodeForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        word(self, "code", "Code", hint=MAILED_CODE, required="Enter the code.", **CODE)


class ResetForm(allauth.ResetPasswordForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        word(self, "email", "E-mail address", required="Enter your e-mail address.", autocomplete="username")
        self.fields["email"].widget.attrs["autofocus"] = True


class ResetCodeForm(allauth.ConfirmPasswordResetCodeForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        word(self, "code", "Code", hint=MAILED_CODE, required="Enter the code.", **CODE)


class NewPasswordForm(allauth.ResetPasswordKeyForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        word_new_password(self, "password1", "New password")


class PasswordForm(allauth.ChangePasswordForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        word_password(self, "oldpassword", "Current password")
        word_new_password(self, "password1", "New password")


class FirstPasswordForm(allauth.SetPasswordForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        word_new_password(self, "password1", "Password")


class ConfirmForm(allauth.ReauthenticateForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        word_password(self, "password", "Password", autofocus=True)


class NameForm(forms.ModelForm[User]):
    class Meta:
        model = User
        fields = ("name",)
        labels = {"name": "Name"}
        help_texts = {"name": "What colleagues in your organisations see. Empty, they see your address."}
        widgets = {"name": forms.TextInput(attrs={"autocomplete": "name"})}

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"]
        if any(ord(letter) < 32 for letter in name):
            raise ValidationError("A name is one line of letters.")
        return name

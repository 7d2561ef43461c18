"""What allauth asks of us: our words, our mail, our idea of who may sign up, and encryption of what it stores."""

from __future__ import annotations

import logging
from smtplib import SMTPException
from typing import Any, ClassVar

from allauth.account.adapter import DefaultAccountAdapter
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone

from accounts import attempts, encryption, letters, second_factors, security_log
from accounts.addresses import client_address
from accounts.models import User

log = logging.getLogger(__name__)

EVERYBODY, INVITED, NOBODY = "everybody", "invited", "nobody"  # values of SIGN_UP_OPEN
WRONG_LOGIN = "This e-mail address and this password do not belong together. Check both, then try again."
WRONG_CODE = "This is not the code. Check it, then enter it again."
TOO_MANY_CODES = "The code was wrong too often and does not work any more. Begin again to get a new one."
TAKEN = "Somebody signs in with this address already."


class AccountAdapter(DefaultAccountAdapter):
    error_messages: ClassVar[dict[str, str]] = {
        **DefaultAccountAdapter.error_messages,
        "account_inactive": WRONG_LOGIN,
        "duplicate_email": "This is your address already.",
        "email_password_mismatch": WRONG_LOGIN,
        "email_taken": TAKEN,
        "enter_current_password": "This is not your password.",
        "incorrect_code": WRONG_CODE,
        "incorrect_password": "This is not your password.",
        "invalid_login": WRONG_LOGIN,
        "rate_limited": "A code was sent a moment ago. Look for it before you ask for another.",
        "same_as_current": "This is your address already.",
        "too_many_login_attempts": TOO_MANY_CODES,
    }

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """Whoever accepted an invitation may, as long as anybody may at all: `invite` says whom."""
        if settings.SIGN_UP_OPEN == EVERYBODY:
            return True
        return settings.SIGN_UP_OPEN == INVITED and bool(invited_as(request))

    def authenticate(self, request: HttpRequest, **credentials: Any) -> User | None:
        """Whoever may not sign in is as unknown as whoever does not exist."""
        user = super().authenticate(request, **credentials)
        return user if isinstance(user, User) and user.is_active else None

    def get_login_redirect_url(self, request: HttpRequest) -> str:
        """Staff go on to the admin, everybody else to their organisation, unless a page of this site was asked for."""
        if isinstance(request.user, User) and request.user.is_staff:
            return reverse("admin:index")
        return reverse("accounts:dashboard")

    def get_signup_redirect_url(self, request: HttpRequest) -> str:
        return reverse("accounts:dashboard")

    def get_email_verification_redirect_url(self, email_address: Any) -> str:
        return reverse("accounts:account")

    def get_password_change_redirect_url(self, request: HttpRequest) -> str:
        return reverse("accounts:account")

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """A mail that is needed to go on says so when it cannot be sent; a notice of what was done does not undo it."""
        try:
            letters.letter(template_prefix, email, context).send()
        except (SMTPException, OSError) as error:
            log.error("mail %s was not sent: %s: %s", template_prefix, type(error).__name__, error)
            if "code" in context or "password_reset_url" in context:
                reason = "The mail with your code could not be sent."
                raise ImmediateHttpResponse(attempts.unavailable(self.request, reason)) from error

    def send_notification_mail(
        self,
        template_prefix: str,
        user: Any,
        context: dict[str, Any] | None = None,
        email: str | None = None,
    ) -> None:
        """Each of these mails tells of a change to how somebody signs in, which is written down too."""
        change = security_log.BY_LETTER.get(template_prefix)
        if change is not None:
            security_log.note(self.request, user, change)
        moment = f"{timezone.now():%-d %B %Y, %H:%M} UTC"
        super().send_notification_mail(template_prefix, user, {**(context or {}), "timestamp": moment}, email)

    def get_client_ip(self, request: HttpRequest) -> str:
        return client_address(request)

    def is_ajax(self, request: HttpRequest) -> bool:
        """Programs of ours ask for JSON in one place only: where a passkey is asked for."""
        asked = request.resolver_match is not None and request.resolver_match.view_name == "mfa_login_webauthn"
        return asked and bool(super().is_ajax(request))


def invite(request: HttpRequest, email: str) -> None:
    """Whoever holds this session has shown that the address is theirs, and may sign up with it where it takes that."""
    AccountAdapter(request).stash_verified_email(request, email.lower())


def invited_as(request: HttpRequest) -> str:
    """The address that `invite` was called with, or none."""
    return str(request.session.get("account_verified_email") or "")


class SecondFactorAdapter(DefaultMFAAdapter):
    error_messages: ClassVar[dict[str, str]] = {
        **DefaultMFAAdapter.error_messages,
        "add_email_blocked": "Take away your second factor before you change your address.",
        "cannot_generate_recovery_codes": "Recovery codes stand in for a second factor. Set one up first.",
        "incorrect_code": WRONG_CODE,
        "unverified_email": "Verify your new address first, then set up a second factor.",
    }

    def encrypt(self, text: str) -> str:
        return encryption.seal(second_factors.PURPOSE, text)

    def decrypt(self, encrypted_text: str) -> str:
        return encryption.unseal(second_factors.PURPOSE, encrypted_text)

    def generate_authenticator_name(self, user: Any, type: Authenticator.Type) -> str:  # noqa: A002 - allauth's name
        count = Authenticator.objects.filter(user=user, type=type).count()
        return "Passkey" if count == 0 else f"Passkey {count + 1}"

    def _get_site_name(self) -> str:
        return "2389"


class SocialAdapter(DefaultSocialAccountAdapter):
    error_messages: ClassVar[dict[str, str]] = {
        **DefaultSocialAccountAdapter.error_messages,
        "email_taken": "Somebody signs in with this address already. If it is you, sign in and connect %s there.",
        "no_password": "Set a password first, or there would be no way left for you to sign in.",
        "no_verified_email": "Verify your address first.",
        "disconnect_last": "Set a password first, or there would be no way left for you to sign in.",
        "connected_other": "This account is connected to somebody else here.",
    }

    def populate_user(self, request: HttpRequest, sociallogin: Any, data: dict[str, Any]) -> Any:
        user = super().populate_user(request, sociallogin, data)
        parts = (data.get("first_name"), data.get("last_name"))
        user.name = str(data.get("name") or " ".join(part for part in parts if part))[:120]
        return user

"""How allauth does the work of accounts: in our words, and without its own limits.

Those limits are read and then written, so that many requests at once pass them; accounts/attempts.py counts instead.
"""

from __future__ import annotations

from typing import Any

ACCOUNT_ADAPTER = "accounts.adapter.AccountAdapter"
ACCOUNT_FORMS = {
    "login": "accounts.forms.SignInForm",
    "signup": "accounts.forms.SignUpForm",
    "add_email": "accounts.forms.EmailForm",
    "confirm_email_verification_code": "accounts.forms.EmailCodeForm",
    "reset_password": "accounts.forms.ResetForm",
    "confirm_password_reset_code": "accounts.forms.ResetCodeForm",
    "reset_password_from_key": "accounts.forms.NewPasswordForm",
    "change_password": "accounts.forms.PasswordForm",
    "set_password": "accounts.forms.FirstPasswordForm",
    "reauthenticate": "accounts.forms.ConfirmForm",
}
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_CHANGE_EMAIL = True  # one address a person: the old one goes when the new one is verified
ACCOUNT_EMAIL_VERIFICATION = "mandatory"
ACCOUNT_EMAIL_VERIFICATION_BY_CODE_ENABLED = True
ACCOUNT_EMAIL_VERIFICATION_BY_CODE_MAX_ATTEMPTS = 5
ACCOUNT_EMAIL_VERIFICATION_BY_CODE_TIMEOUT = 15 * 60
ACCOUNT_EMAIL_VERIFICATION_SUPPORTS_RESEND = True
ACCOUNT_PASSWORD_RESET_BY_CODE_ENABLED = True
ACCOUNT_PASSWORD_RESET_BY_CODE_MAX_ATTEMPTS = 5
ACCOUNT_PASSWORD_RESET_BY_CODE_TIMEOUT = 15 * 60
ACCOUNT_LOGIN_ON_PASSWORD_RESET = True  # past the second factor, for whoever has one
ACCOUNT_LOGIN_TIMEOUT = 15 * 60
ACCOUNT_REAUTHENTICATION_REQUIRED = True
ACCOUNT_REAUTHENTICATION_TIMEOUT = 10 * 60
ACCOUNT_EMAIL_NOTIFICATIONS = True
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
ACCOUNT_PREVENT_ENUMERATION = True
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_RATE_LIMITS = False
MFA_ADAPTER = "accounts.adapter.SecondFactorAdapter"
MFA_FORMS = {
    "authenticate": "accounts.forms_second_factor.AuthenticateForm",
    "reauthenticate": "accounts.forms_second_factor.ReauthenticateForm",
    "activate_totp": "accounts.forms_second_factor.AuthenticatorForm",
    "add_webauthn": "accounts.forms_second_factor.PasskeyForm",
    "edit_webauthn": "accounts.forms_second_factor.RenameForm",
}
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_TOTP_ISSUER = "2389"
MFA_TOTP_TOLERANCE = (
    1  # clocks may differ by half a minute; accounts/forms_second_factor.py sees that a code works once
)
MFA_RATE_LIMITS = False
SOCIALACCOUNT_ADAPTER = "accounts.adapter.SocialAdapter"


def providers(
    *, google: tuple[str, str], github: tuple[str, str], oidc: tuple[str, str], oidc_url: str, oidc_name: str
) -> dict[str, Any]:
    """Who else may say who somebody is: those of whom the environment gives an id. Nobody, unless it does."""
    found: dict[str, Any] = {}
    if google[0]:
        app = {"client_id": google[0], "secret": google[1]}
        found["google"] = {"APPS": [app], "SCOPE": ["profile", "email"], "OAUTH_PKCE_ENABLED": True}
    if github[0]:
        found["github"] = {"APPS": [{"client_id": github[0], "secret": github[1]}], "SCOPE": ["user:email"]}
    if oidc[0]:
        server: dict[str, Any] = {
            "provider_id": "oidc",
            "name": oidc_name,
            "client_id": oidc[0],
            "secret": oidc[1],
            "settings": {"server_url": oidc_url, "uid_field": "sub", "oauth_pkce_enabled": True},
        }
        found["openid_connect"] = {"APPS": [server]}
    return found

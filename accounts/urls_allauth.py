"""The pages of allauth, at our addresses under its names, each form counted. What is not here is not served.

Sign-in, sign-up and sign-out stand here again under the names that allauth looks for; `accounts.urls` comes first.
"""

from __future__ import annotations

from allauth.account import views as account
from allauth.account.decorators import reauthentication_required
from allauth.mfa.base import views as mfa
from allauth.mfa.recovery_codes import views as recovery
from allauth.mfa.totp import views as totp
from allauth.mfa.webauthn import views as webauthn
from allauth.socialaccount import views as social
from allauth.urls import build_provider_urlpatterns
from django.urls import include, path
from django.views.decorators.cache import never_cache
from django.views.generic import RedirectView

from accounts import attempts, social_sign_in, views, views_account
from accounts.attempts import limited, nobody, on_the_way_in, person, resetting, verifying

code = limited(attempts.CODE, on_the_way_in)
confirm = limited(attempts.CONFIRM, person)
change = limited(attempts.CHANGE, person)
to_account = RedirectView.as_view(pattern_name="accounts:account")

sign_in = limited(attempts.SIGN_IN, attempts.named_as("login"))(views.SignIn.as_view())
sign_up = limited(attempts.SIGN_UP, attempts.named_as("email"))(views.SignUp.as_view())
sign_out = views.SignOut.as_view()
password_first = reauthentication_required(app="allauth.account")(account.password_set)

urlpatterns = [
    path("sign-in/", sign_in, name="account_login"),
    path("sign-in/second-factor/", code(mfa.authenticate), name="mfa_authenticate"),
    path("sign-in/passkey/", limited(attempts.SIGN_IN, nobody)(webauthn.login_webauthn), name="mfa_login_webauthn"),
    path("sign-in/inactive/", account.account_inactive, name="account_inactive"),
    path("sign-in/cancelled/", social.login_cancelled, name="socialaccount_login_cancelled"),
    path("sign-in/failed/", social.login_error, name="socialaccount_login_error"),
    path("sign-in/with/", include(social_sign_in.guarded(build_provider_urlpatterns()))),
    path("sign-up/", sign_up, name="account_signup"),
    path(
        "sign-up/connected/",
        limited(attempts.SIGN_UP, attempts.named_as("email"))(social.signup),
        name="socialaccount_signup",
    ),
    path(
        "verify-email/",
        limited(attempts.CODE, verifying)(never_cache(account.email_verification_sent)),
        name="account_email_verification_sent",
    ),
    path("sign-out/", sign_out, name="account_logout"),
    path(
        "reset-password/",
        limited(attempts.RESET, attempts.named_as("email"))(never_cache(account.password_reset)),
        name="account_reset_password",
    ),
    path(
        "reset-password/code/",
        limited(attempts.CODE, resetting)(never_cache(account.confirm_password_reset_code)),
        name="account_confirm_password_reset_code",
    ),
    path(
        "reset-password/new/",
        limited(attempts.CODE, resetting)(never_cache(account.complete_password_reset)),
        name="account_complete_password_reset",
    ),
    path("reset-password/done/", to_account, name="account_password_reset_completed"),
    path("account/confirm/", confirm(never_cache(account.reauthenticate)), name="account_reauthenticate"),
    path("account/confirm/code/", confirm(never_cache(mfa.reauthenticate)), name="mfa_reauthenticate"),
    path(
        "account/confirm/passkey/",
        confirm(never_cache(webauthn.reauthenticate_webauthn)),
        name="mfa_reauthenticate_webauthn",
    ),
    path("account/email/", limited(attempts.RESET, person)(never_cache(account.email)), name="account_email"),
    path("account/password/", confirm(never_cache(account.password_change)), name="account_change_password"),
    path("account/password/first/", change(never_cache(password_first)), name="account_set_password"),
    path("account/second-factor/", to_account, name="mfa_index"),
    path("account/authenticator/", confirm(never_cache(totp.activate_totp)), name="mfa_activate_totp"),
    path("account/authenticator/remove/", change(never_cache(totp.deactivate_totp)), name="mfa_deactivate_totp"),
    path("account/passkeys/", to_account, name="mfa_list_webauthn"),
    path("account/passkeys/add/", change(never_cache(webauthn.add_webauthn)), name="mfa_add_webauthn"),
    path("account/passkeys/<int:pk>/", change(never_cache(webauthn.edit_webauthn)), name="mfa_edit_webauthn"),
    path(
        "account/passkeys/<int:pk>/remove/", change(never_cache(webauthn.remove_webauthn)), name="mfa_remove_webauthn"
    ),
    path("account/recovery-codes/", never_cache(recovery.view_recovery_codes), name="mfa_view_recovery_codes"),
    path(
        "account/recovery-codes/new/",
        change(never_cache(recovery.generate_recovery_codes)),
        name="mfa_generate_recovery_codes",
    ),
    path("account/recovery-codes/download/", recovery.download_recovery_codes, name="mfa_download_recovery_codes"),
    path("account/sessions/", change(views_account.session_list), name="usersessions_list"),
    path("account/connections/", change(never_cache(social.connections)), name="socialaccount_connections"),
]

"""Signing in, up and out."""

from __future__ import annotations

from typing import Any

from allauth.account.internal.stagekit import clear_login
from allauth.account.mixins import RedirectAuthenticatedUserMixin
from allauth.account.views import LoginView, LogoutView, SignupView
from django.conf import settings
from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters

from accounts.adapter import EVERYBODY, AccountAdapter

_sensitive = method_decorator(sensitive_post_parameters("password", "password1"))


class SignIn(LoginView):
    """Staff go on to the admin, everybody else to their organisation, unless `next` names a page of this site."""

    template_name = "account/sign_in.html"

    @method_decorator(never_cache)
    @_sensitive
    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Shows itself to whoever is signed in too: pages for staff lead people here who may not see them."""
        answer: HttpResponseBase = super(RedirectAuthenticatedUserMixin, self).dispatch(request, *args, **kwargs)
        return answer

    def form_valid(self, form: Any) -> HttpResponse:
        """Whoever was signed in, or half of it, is so no longer: nothing of theirs is left to who comes now."""
        if self.request.user.is_authenticated:
            logout(self.request)
        clear_login(self.request)
        answer: HttpResponse = super().form_valid(form)
        return answer

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        shown = super().get_context_data(**kwargs)
        return {
            **shown,
            "open": AccountAdapter(self.request).is_open_for_signup(self.request),
            "social": bool(settings.SOCIALACCOUNT_PROVIDERS),
        }


class SignUp(SignupView):
    """For everybody, for the invited or for nobody, as SIGN_UP_OPEN says."""

    template_name = "account/sign_up.html"
    template_name_signup_closed = "account/sign_up_closed.html"

    @method_decorator(never_cache)
    @_sensitive
    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        answer: HttpResponseBase = super().dispatch(request, *args, **kwargs)
        return answer

    def closed(self) -> HttpResponse:
        shown = {"by_invitation": settings.SIGN_UP_OPEN != "nobody"}
        answer: HttpResponse = self.response_class(
            request=self.request, template=self.template_name_signup_closed, context=shown, status=403
        )
        return answer

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        social = bool(settings.SOCIALACCOUNT_PROVIDERS) and settings.SIGN_UP_OPEN == EVERYBODY
        return {**super().get_context_data(**kwargs), "social": social}


@method_decorator(never_cache, name="dispatch")
class SignOut(LogoutView):
    """Asks first: a link or an image on another site must not sign anybody out."""

    template_name = "account/sign_out.html"

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        answer: HttpResponse = self.render_to_response(self.get_context_data())
        return answer

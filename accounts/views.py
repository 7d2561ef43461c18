"""Signing in and out."""

from __future__ import annotations

import logging
import math
from typing import Any

from django.conf import settings
from django.contrib.auth import logout
from django.contrib.auth.views import LoginView
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from accounts import attempts
from accounts.forms import SignInForm
from accounts.models import User

log = logging.getLogger(__name__)


class SignIn(LoginView):
    """Staff go on to the admin, everybody else to the front page, unless `next` names a page of this site."""

    template_name = "accounts/sign_in.html"
    authentication_form = SignInForm

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            seconds = attempts.count(request, request.POST.get("username", ""))
        except attempts.AttemptsUnknownError:
            log.error("nobody can sign in: Valkey does not answer, so attempts cannot be counted")
            return _unavailable(request)
        return _too_many(request, seconds) if seconds else super().post(request, *args, **kwargs)

    def get_default_redirect_url(self) -> str:
        user = self.request.user
        staff = isinstance(user, User) and user.is_staff
        return reverse("admin:index") if staff else super().get_default_redirect_url()


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def sign_out(request: HttpRequest) -> HttpResponse:
    """Ask first: a link or an image on another site must not sign anybody out."""
    if request.method != "POST":
        return render(request, "accounts/sign_out.html")
    logout(request)
    return redirect(settings.LOGOUT_REDIRECT_URL)


def _too_many(request: HttpRequest, seconds: int) -> HttpResponse:
    response = render(request, "429.html", {"minutes": math.ceil(seconds / 60)}, status=429)
    response.headers["Retry-After"] = str(seconds)
    return response


def _unavailable(request: HttpRequest) -> HttpResponse:
    reason = "Nobody can sign in while a part of the gateway does not answer. The API is not affected."
    response = render(request, "503.html", {"reason": reason}, status=503)
    response.headers["Retry-After"] = "60"
    return response

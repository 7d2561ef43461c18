"""Signing in with an account elsewhere: the way there and back, past our policy for pages."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any
from urllib.parse import urlsplit

from allauth.socialaccount.models import SocialApp
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import render
from django.urls import URLPattern, URLResolver
from django.views.decorators.cache import never_cache

View = Callable[..., HttpResponseBase]


def guarded(patterns: Iterable[URLPattern | URLResolver]) -> list[URLPattern | URLResolver]:
    """The same addresses, each view with `_guard` around it."""
    kept: list[URLPattern | URLResolver] = []
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            nested = guarded(pattern.url_patterns)
            kept.append(URLResolver(pattern.pattern, nested, pattern.default_kwargs))
        else:
            kept.append(URLPattern(pattern.pattern, _guard(pattern.callback), pattern.default_args, pattern.name))
    return kept


def _guard(view: View) -> View:
    """A provider that is not configured is no page. A form that leads to another site shows where first.

    Browsers refuse to be led to another site by the answer to a form, as our policy tells them (`form-action`); a page
    that goes on by itself may.
    """

    @never_cache
    @wraps(view)
    def wrapped(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            answer = view(request, *args, **kwargs)
        except SocialApp.DoesNotExist as error:
            raise Http404 from error
        if request.method == "POST" and isinstance(answer, HttpResponseRedirect):
            target = urlsplit(answer.url)
            if target.netloc and target.netloc != request.get_host():
                return _going_on(request, answer.url, target.hostname or "")
        return answer

    return wrapped


def _going_on(request: HttpRequest, url: str, host: str) -> HttpResponse:
    return render(request, "socialaccount/going_on.html", {"url": url, "host": host})

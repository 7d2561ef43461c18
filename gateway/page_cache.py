"""How long browsers and proxies may keep the pages that everybody may see."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.utils.cache import patch_cache_control, patch_vary_headers

SECONDS = 60


def kept_for_a_minute(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    """By anybody, when whoever asks sent no cookie; else by nobody else, and asked for anew each time: a page for
    somebody who is signed in has their name and their key's hint in it."""
    patch_vary_headers(response, ["Cookie"])
    if request.COOKIES:
        patch_cache_control(response, private=True, no_cache=True)
    else:
        patch_cache_control(response, public=True, max_age=SECONDS)
    return response

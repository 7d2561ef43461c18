"""The pages that everybody may see: the front page and the documentation."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from accounts.models import Membership
from gateway import documentation
from gateway.docs_search import search
from gateway.documentation import Page
from gateway.openapi import reference
from gateway.page_cache import kept_for_a_minute
from gateway.readers import reader_of
from gateway.samples import samples

LONGEST_QUESTION = 200


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    base_url = f"{settings.PUBLIC_URL}/v1"
    page: dict[str, object] = {"base_url": base_url, "samples": samples(base_url)}
    if request.user.is_authenticated:
        page["memberships"] = Membership.objects.filter(user=request.user).select_related("organization")
    return render(request, "gateway/home.html", page)


@require_safe
def docs_page(request: HttpRequest, slug: str = "index") -> HttpResponse:
    page = documentation.find(slug)
    if page is None:
        raise Http404
    return _docs(request, "gateway/docs_page.html", page, {})


@require_safe
def api_reference(request: HttpRequest) -> HttpResponse:
    """docs/api.md, and behind it every endpoint of the OpenAPI document."""
    page = documentation.find("api")
    if page is None:
        raise Http404
    reader = reader_of(request)
    endpoints = reference.html(settings.PUBLIC_URL)
    if reader.key:
        endpoints = documentation.personal(endpoints, base_url=_base_url(), key=reader.stands_for_key)
    shown = {"groups": reference.groups(settings.PUBLIC_URL), "endpoints": endpoints, "reader": reader}
    return _docs(request, "gateway/api_reference.html", page, shown)


@require_safe
def docs_search(request: HttpRequest) -> HttpResponse:
    asked = request.GET.get("q", "").strip()[:LONGEST_QUESTION]
    page = {"asked": asked, "found": search(asked), "contents": documentation.groups()}
    return kept_for_a_minute(request, render(request, "gateway/docs_search.html", page))


def _docs(request: HttpRequest, template: str, page: Page, more: dict[str, Any]) -> HttpResponse:
    """For everybody the same, but for the hint of the reader's own key in code."""
    reader = more.get("reader") or reader_of(request)
    before, after = documentation.neighbours(page)
    shown = {
        "page": page,
        "html": page.html_for(base_url=_base_url(), key=reader.stands_for_key),
        "contents": documentation.groups(),
        "before": before,
        "after": after,
        "reader": reader,
        **more,
    }
    return kept_for_a_minute(request, render(request, template, shown))


def _base_url() -> str:
    return f"{settings.PUBLIC_URL}/v1"

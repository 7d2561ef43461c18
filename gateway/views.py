"""The pages that everybody may see: the front page and the documentation."""

from __future__ import annotations

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from accounts.models import Membership
from gateway import documentation
from gateway.openapi import reference
from gateway.samples import samples


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
    return render(request, "gateway/docs_page.html", {"page": page, "contents": documentation.contents()})


@require_safe
def api_reference(request: HttpRequest) -> HttpResponse:
    """docs/api.md, and behind it every endpoint of the OpenAPI document."""
    shown = {
        "page": documentation.find("api"),
        "contents": documentation.contents(),
        "groups": reference.groups(settings.PUBLIC_URL),
        "endpoints": reference.html(settings.PUBLIC_URL),
    }
    return render(request, "gateway/api_reference.html", shown)

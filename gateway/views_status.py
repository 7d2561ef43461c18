"""The status page: for everybody, for members, or for staff, as the operator decides."""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.contrib.auth.views import redirect_to_login
from django.db import DatabaseError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from accounts.models import Membership
from gateway import status
from gateway.page_cache import kept_for_a_minute


@require_safe
def status_page(request: HttpRequest) -> HttpResponse:
    if settings.STATUS_PAGE != "public":
        if not request.user.is_authenticated:
            return redirect_to_login(request.get_full_path())
        if not _may_see(request):
            raise Http404
    return kept_for_a_minute(request, _page(request))


def _page(request: HttpRequest) -> HttpResponse:
    """Without the database nobody knows who looks, nor how providers are; that it is away can be said all the same."""
    now = timezone.now()
    try:
        page = {"report": status.report(now), "cache": status.cache_answers(), "days": status.DAYS}
        return render(request, "gateway/status.html", page)
    except DatabaseError:
        away = {"report": status.Report(at=now, database=False), "cache": status.cache_answers()}
        return render(request, "gateway/status.html", {**away, "user": AnonymousUser()}, status=503)


def _may_see(request: HttpRequest) -> bool:
    if request.user.is_staff:
        return True
    mine = Membership.objects.filter(user=request.user.pk, organization__closed_at=None)
    return settings.STATUS_PAGE == "members" and mine.exists()

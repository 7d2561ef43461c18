"""The audit log of an organisation: who did what, when and from where, on pages and as a file."""

from __future__ import annotations

from urllib.parse import urlencode

from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from accounts import audit, audit_query
from accounts.audit import Action
from accounts.audit_query import FilterForm
from accounts.roles import May, MemberRequest, member_page

MOST = 2**63 - 1


@require_safe
@member_page(May.SEE_AUDIT)
def audit_log(request: MemberRequest) -> HttpResponse:
    form = FilterForm(request.GET, organization=request.membership.organization)
    before = _cursor(request)
    events, older = audit_query.page_of(form.rows(), before)
    filters = request.GET.copy()
    filters.pop("before", None)
    page = {
        "form": form,
        "events": events,
        "before": before,
        "older": older,
        "filters": filters.urlencode(),
        "is_filtered": any(form.cleaned_data.values()),
    }
    return render(request, "accounts/audit_log.html", page)


@require_safe
@member_page(May.SEE_AUDIT)
def export(request: MemberRequest, shape: str) -> HttpResponseBase:
    """Exactly what the page would show with the same address, all pages of it. To take it is an event, told later."""
    if shape not in audit_query.SHAPES:
        raise Http404
    organization = request.membership.organization
    content_type, write = audit_query.SHAPES[shape]
    rows = FilterForm(request.GET, organization=organization).rows()
    rows = rows.filter(pk__lte=audit_query.newest(organization))
    if request.method == "GET":
        wanted = {name: value for name, value in request.GET.items() if value and name in FilterForm.base_fields}
        audit.record(request, organization, Action.AUDIT_EXPORTED, organization, format=shape, filter=urlencode(wanted))
    name = f"{organization.slug}-audit-log-{timezone.now():%Y-%m-%d}.{shape}"
    response = StreamingHttpResponse(write(rows), content_type=content_type)
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def _cursor(request: HttpRequest) -> int | None:
    """The event that the page ends before; whatever is no number means the newest page."""
    given = request.GET.get("before", "")
    number = int(given) if given.isascii() and given.isdigit() and len(given) < 20 else 0
    return number if 0 < number <= MOST else None

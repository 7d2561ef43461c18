"""The pages about single requests: the list, the list as a file, and the receipt of one."""

from __future__ import annotations

import uuid

from django.http import Http404, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_safe

from accounts.roles import May, MemberRequest, member_page
from billing import requests
from billing.requests import Place
from gateway.request_page import Receipt
from gateway.requests_form import FilterForm
from gateway.requests_list import FILE_ROWS, as_csv, rows_of, under_way


@require_safe
@member_page(May.SEE_REQUESTS)
def list_requests(request: MemberRequest) -> HttpResponse:
    organization = request.membership.organization
    form = FilterForm(request.GET, organization=organization)
    if form.request_id and requests.find(organization, form.request_id):
        return redirect("gateway:requests-request", organization.slug, form.request_id)
    before = Place.read(request.GET.get("before", ""))
    found = requests.page_of(organization, form.wanted, before)
    holds = [] if before else under_way(organization, form.wanted, found)
    page = {
        "form": form,
        "rows": rows_of(organization, [*holds[: requests.RUNNING], *found.rows]),
        "more_running": len(holds) > requests.RUNNING,
        "found": found,
        "before": before,
        "file_rows": FILE_ROWS,
    }
    return render(request, "gateway/requests.html", page)


@require_safe
@member_page(May.SEE_REQUESTS)
def export(request: MemberRequest) -> HttpResponseBase:
    """The requests of the page with the same address, all pages of it, as a file; without those still running."""
    organization = request.membership.organization
    wanted = FilterForm(request.GET, organization=organization).wanted
    now = timezone.now()
    response = StreamingHttpResponse(as_csv(organization, wanted, now), content_type="text/csv; charset=utf-8")
    response.headers["Content-Disposition"] = f'attachment; filename="{organization.slug}-requests-{now:%Y-%m-%d}.csv"'
    return response


@require_safe
@member_page(May.SEE_REQUESTS)
def request_page(request: MemberRequest, request_id: uuid.UUID) -> HttpResponse:
    organization = request.membership.organization
    found = requests.find(organization, request_id)
    if found is None:
        raise Http404
    return render(request, "gateway/requests_request.html", {"receipt": Receipt(organization, found)})

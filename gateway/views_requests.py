"""The pages about single requests: the list, the list as a file, and the receipt of one."""

from __future__ import annotations

import uuid
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_safe

from accounts.roles import May, MemberRequest, member_page
from billing import requests
from billing.models import UsageEvent
from billing.requests import Place
from gateway import exchanges
from gateway.credentials import CredentialError
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
    page = {"receipt": Receipt(organization, found), "is_stored": exchanges.is_stored(organization, request_id)}
    return render(request, "gateway/requests_request.html", page)


@require_safe
@member_page(May.SEE_REQUESTS)
def exchange(request: MemberRequest, request_id: uuid.UUID) -> HttpResponse:
    """What was asked and answered, where it is stored. To read it is an event."""
    organization = request.membership.organization
    event = get_object_or_404(UsageEvent.objects.of(organization), request_id=request_id)
    page: dict[str, Any] = {"request_id": request_id}
    try:
        page["exchange"] = exchanges.find(organization, request_id)
    except CredentialError as error:
        return render(request, "gateway/requests_exchange.html", {**page, "reason": error}, status=500)
    if page["exchange"] is None:
        messages.warning(request, "Nothing is stored of what this request asked and was answered.")
        return redirect("gateway:requests-request", organization.slug, request_id)
    exchanges.note_look(request, organization, event)
    return render(request, "gateway/requests_exchange.html", page)

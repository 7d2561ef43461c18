"""The catalogue of models: for everybody, and for the members of an organisation with their own prices."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from accounts.models import Organization
from accounts.roles import May, MemberRequest, member_page
from billing.offers import terms_of
from gateway import catalogue as models_of
from gateway.catalogue_view import LABELS, ModelList, ModelPage
from gateway.page_cache import kept_for_a_minute
from gateway.readers import Reader, reader_of
from gateway.registry import today


@require_safe
def catalogue(request: HttpRequest) -> HttpResponse:
    page = {**_list(request, None), "root": "/models/", "reader": reader_of(request)}
    return kept_for_a_minute(request, render(request, "gateway/catalogue.html", page))


@require_safe
def catalogue_model(request: HttpRequest, model: str) -> HttpResponse:
    page = {**_model(model, None, reader_of(request)), "root": "/models/"}
    return kept_for_a_minute(request, _answer(request, "gateway/catalogue_model.html", page))


@require_safe
@member_page(May.LOOK)
def models(request: MemberRequest) -> HttpResponse:
    organization = request.membership.organization
    page = {**_list(request, organization), "root": _root(organization), "terms": terms_of(organization)}
    return render(request, "gateway/models.html", page)


@require_safe
@member_page(May.LOOK)
def model_page(request: MemberRequest, model: str) -> HttpResponse:
    organization = request.membership.organization
    page = {**_model(model, organization, reader_of(request, request.membership)), "root": _root(organization)}
    return _answer(request, "gateway/models_model.html", {**page, "terms": terms_of(organization)})


def _list(request: HttpRequest, organization: Organization | None) -> dict[str, Any]:
    return {"list": ModelList(models_of.visible(organization, today()), request.GET)}


def _model(model: str, organization: Organization | None, reader: Reader) -> dict[str, Any]:
    """Without a `model` in it when there is none, or none for this reader: nobody is told which."""
    listings = models_of.visible(organization, today())
    found = listings.get(model)
    if found is None:
        return {"asked": model, "near": models_of.near(model[:120], listings), "reader": reader}
    page = ModelPage(found, listings, reader=reader, organization=organization, now=timezone.now())
    return {"model": page, "labels": LABELS, "reader": reader}


def _answer(request: HttpRequest, template: str, page: dict[str, Any]) -> HttpResponse:
    return render(request, template, page, status=200 if "model" in page else 404)


def _root(organization: Organization) -> str:
    return f"/o/{organization.slug}/models/"

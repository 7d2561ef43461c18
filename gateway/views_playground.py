"""The playground: a page that calls the API as any program does, and the key that it calls with."""

from __future__ import annotations

import logging

from django.http import HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from accounts import attempts, playground_keys
from accounts.models import NotIssuedError
from accounts.roles import May, MemberRequest, member_page
from gateway import playground as page
from gateway.errors import ApiError, unavailable

log = logging.getLogger(__name__)


@require_safe
@member_page(May.TRY_MODELS)
def playground(request: MemberRequest) -> HttpResponse:
    choices = page.choices(request.membership.organization, timezone.now())
    told = {"choices": [choice.to_json() for choice in choices], "places": page.places(request.membership)}
    return render(request, "gateway/playground.html", told)


@require_POST
@member_page(May.TRY_MODELS)
def playground_key(request: MemberRequest) -> HttpResponse:
    """A secret for the page, which keeps it in its memory and nowhere else."""
    try:
        seconds = attempts.count(request, attempts.PLAYGROUND, attempts.person(request))
    except attempts.AttemptsUnknownError:
        log.error("the playground is closed: Valkey does not answer, so its keys cannot be counted")
        return _refused(
            unavailable("The playground cannot be used while a part of the gateway does not answer. Try again soon.")
        )
    if seconds:
        return _refused(_too_often(seconds))
    try:
        minted = playground_keys.mint(request, request.membership.organization)
    except NotIssuedError as error:
        return _refused(ApiError(403, str(error), type="permission_error"))
    life = playground_keys.LIFE.total_seconds()
    return JsonResponse({"secret": minted.text, "ends_at": minted.ends_at.isoformat(), "seconds": int(life)})


def _too_often(seconds: int) -> ApiError:
    return ApiError(
        429,
        f"The playground was opened very often in the last hour. Try again in {-(-seconds // 60)} minutes.",
        type="rate_limit_error",
        code="rate_limit_exceeded",
        headers={"retry-after": str(seconds)},
    )


def _refused(error: ApiError) -> JsonResponse:
    return JsonResponse(error.to_dict(), status=error.status, headers=error.headers)

"""The management API's manners: everything under /v1/organization/ answers as the rest of /v1 does.

Its endpoints are the control plane's: Django's own views, with its ORM. What callers see of that is nothing: errors
in OpenAI's shape, a request id, and the state of their key's limit on every answer.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from typing import Any

from django.core.exceptions import SuspiciousOperation
from django.db import DatabaseError, InterfaceError
from django.http import Http404, HttpRequest, HttpResponse
from rest_framework import exceptions
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.authentication import AddressNotAllowed, InsufficientScope, KeysUnavailable, OrganizationSuspended
from accounts.key_view import KeyView
from gateway import auth, errors, request_ids

PREFIX = "/v1/organization/"
ACCEPTS = "GET, HEAD"

log = logging.getLogger(__name__)


class UnknownUrl(KeyView):
    """What there is not, for callers with a key."""

    http_method_names: list[str] = []

    def http_method_not_allowed(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        raise Http404


class ManagementMiddleware:
    """The headers of every answer, and the shape of those that Django itself refuses with."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not request.path_info.startswith(PREFIX):
            return self._get_response(request)
        started = time.monotonic()
        request_id = shown_id(request)
        response = _in_our_shape(self._get_response(request))
        verdict = getattr(request, "verdict", None)
        headers: Mapping[str, str] = verdict.headers() if verdict is not None else {}
        milliseconds = round((time.monotonic() - started) * 1000)
        for name, value in {**headers, "x-request-id": request_id, "openai-processing-ms": str(milliseconds)}.items():
            response.headers[name] = value
        extra = {"request_id": request_id, "ms": milliseconds}
        log.info("%s %s %s", request.method, request.path_info, response.status_code, extra=extra)
        return response


def shown_id(request: HttpRequest) -> str:
    """The id that the answer and the log lines of this request bear: a trusted proxy's, else one of our own."""
    known: str | None = getattr(request, "shown_id", None)
    if known is None:
        given, peer = request.headers.get("x-request-id", ""), request.META.get("REMOTE_ADDR", "")
        known = request_ids.external(given, peer) or str(request_ids.new())
        request.shown_id = known  # type: ignore[attr-defined]
    return known


def _in_our_shape(response: HttpResponse) -> HttpResponse:
    """Django's own refusals, such as of a host that is not ours, are pages for people."""
    if response.status_code < 400 or response.headers.get("content-type", "").startswith("application/json"):
        return response
    refusal = errors.internal() if response.status_code >= 500 else errors.invalid("The request cannot be understood.")
    return HttpResponse(refusal.body(), status=response.status_code, content_type="application/json")


def answer_error(error: Exception, context: Mapping[str, Any]) -> Response:
    """The answer to whatever an endpoint raised."""
    request: HttpRequest = context["request"]._request  # noqa: SLF001 - the only name that it has
    refusal = _refusal(error, request)
    if refusal is None:
        log.error("a request failed for a reason of our own", exc_info=error, extra={"request_id": shown_id(request)})
        refusal = errors.internal()
    if refusal.hint:
        log.warning("%s: %s", refusal.code, refusal.hint, extra={"request_id": shown_id(request)})
    return Response(refusal.to_dict(), status=refusal.status, headers=refusal.headers)


def _refusal(error: Exception, request: HttpRequest) -> errors.ApiError | None:
    """What the caller is told of an error that we know; nothing of one that we do not."""
    match error:
        case errors.ApiError():
            return error
        case exceptions.NotAuthenticated():
            return errors.unauthorized(auth.MISSING)
        case exceptions.AuthenticationFailed():
            return errors.unauthorized(auth.WRONG)
        case KeysUnavailable():
            return auth.unchecked(f"Postgres did not answer: {error.detail}")
        case OrganizationSuspended():
            return auth.suspended()
        case AddressNotAllowed():
            return errors.address_not_allowed(error.address)
        case InsufficientScope():
            return errors.insufficient_scope(error.scope)
        case exceptions.ValidationError():
            return _invalid(error)
        case exceptions.MethodNotAllowed():
            return _method_not_allowed(request)
        case Http404():
            return _unknown_url(request)
        case SuspiciousOperation():
            return errors.invalid("The request cannot be understood: it has too many parameters, or bad ones.")
        case DatabaseError() | InterfaceError():
            return errors.unavailable(
                "Usage cannot be read right now. Try again in a few seconds.", hint=f"{type(error).__name__}: {error}"
            )
    return None


def _invalid(error: exceptions.ValidationError) -> errors.ApiError:
    """The first of its complaints. `error.detail` has them by parameter."""
    param, complaints = next(iter(error.detail.items()))
    return errors.invalid(str(complaints[0] if isinstance(complaints, list) else complaints), param=param)


def _method_not_allowed(request: HttpRequest) -> errors.ApiError:
    return errors.ApiError(
        405,
        f"{request.path_info} does not take {request.method}; it takes {ACCEPTS}.",
        type=errors.INVALID,
        code="method_not_allowed",
        headers={"allow": ACCEPTS},
    )


def _unknown_url(request: HttpRequest) -> errors.ApiError:
    return errors.ApiError(
        404,
        f"There is no {request.method} {request.path_info}. The API's paths begin with /v1 and are listed in the docs.",
        type=errors.INVALID,
        code="unknown_url",
    )

"""Where leaked keys are reported. Open to everybody, and counted by the network that a report comes from."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST
from django_ratelimit.core import get_usage
from redis.exceptions import RedisError

from accounts.addresses import client_network
from gateway import errors, leaks

RATE = "60/m"


@csrf_exempt
@require_POST
@never_cache
def leaked_keys(request: HttpRequest) -> HttpResponse:
    try:
        _count(request)
        reports = leaks.read(request.read(leaks.MOST_BYTES + 1))
    except errors.ApiError as error:
        return JsonResponse(error.to_dict(), status=error.status, headers=error.headers)
    leaks.act(reports)
    return JsonResponse({"received": len(reports)})


def _count(request: HttpRequest) -> None:
    """Raises `ApiError` (429). A report that nobody can count is taken all the same: a key may be at stake."""
    network = client_network(request)
    try:
        usage = get_usage(request, group="leaks", key=lambda _group, _request: network, rate=RATE, increment=True)
    except (RedisError, OSError):
        return
    if usage is not None and usage["should_limit"]:
        wait = max(1, usage["time_left"])
        raise errors.ApiError(
            429,
            f"So many reports came from your network that this one was not read. Send it again in {wait} s.",
            type="rate_limit_error",
            code="rate_limit_exceeded",
            headers={"retry-after": str(wait)},
        )

"""What anybody may read of the ledger: the keys that check its statements."""

from __future__ import annotations

from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import cache_control
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe

from billing import signing


@csrf_exempt  # nothing is changed here, and a method that it does not take is to be told so
@require_safe
@cache_control(public=True, max_age=300)
def signing_keys(request: HttpRequest) -> JsonResponse:
    return JsonResponse(signing.public_keys())

"""Where Stripe tells what became of payments. Nobody is signed in here: a signature says who it is."""

from __future__ import annotations

import json
import logging

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.db import OperationalError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from billing.stripe import events, is_configured, signature

log = logging.getLogger(__name__)


@csrf_exempt
@require_POST
def webhook(request: HttpRequest) -> HttpResponse:
    """2xx once it is done for good. Whatever else is answered, Stripe tells it again, for three days."""
    if not is_configured():
        raise Http404
    try:
        signature.verify(request.headers.get("Stripe-Signature", ""), request.body, settings.STRIPE_WEBHOOK_SECRETS)
        event = json.loads(request.body)
        outcome = events.receive(event if isinstance(event, dict) else {})
    except signature.SignatureError as error:
        log.warning("a call of Stripe's webhook was refused: %s", error)
        return _refused(400, str(error))
    except (RequestDataTooBig, ValueError):
        return _refused(400, "The body is too large, or no JSON.")
    except events.EventError as error:
        log.error("an event of Stripe's was refused: %s", error)
        return _refused(400, str(error))
    except OperationalError:
        log.exception("an event of Stripe's was not dealt with; it will be told again")
        return _refused(503, "The database did not take it. Tell it again.")
    return JsonResponse({"received": True, "outcome": outcome})


def _refused(status: int, why: str) -> HttpResponse:
    return JsonResponse({"error": why}, status=status)

"""Mail about models that go away: to the owners of organisations that still call them, and to staff.

Who still calls a model is read from the usage rows of the last 30 days. Each notice is claimed in the database
before it is sent, so that two workers, or a task delivered twice, send it once.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta

from django.db import transaction
from django.utils import timezone

from accounts.letters import send, tell_staff
from accounts.models import Membership, Organization
from billing.models import UsageEvent
from gateway.models import Model, ModelNotice

DAYS = {
    30: ModelNotice.Kind.SHUTDOWN_30,
    7: ModelNotice.Kind.SHUTDOWN_7,
    0: ModelNotice.Kind.SHUTDOWN_0,
}
CALLED_WITHIN = timedelta(days=30)


def warn_of_shutdowns(today: date) -> int:
    """Tell owners 30 and 7 days before and on the day. Returns the number of organisations that were told."""
    told = 0
    for model in Model.objects.filter(enabled=True, shutdown_on__gte=today).select_related("successor"):
        kind = _due(model, today)
        if kind is not None:
            told += sum(_tell(model, organization, kind) for organization in _callers(model))
    return told


def alert_of_vanished() -> int:
    """Tell staff of models that their vendor no longer knows. Returns the number of models."""
    gone = Model.objects.filter(enabled=True, vendor_gone_at__isnull=False).select_related("successor")
    return sum(_alert(model) for model in gone)


def _due(model: Model, today: date) -> ModelNotice.Kind | None:
    """The nearest notice whose day has come: a run that was missed is made up for by the next."""
    if model.shutdown_on is None:
        return None
    left = (model.shutdown_on - today).days
    return next((kind for days, kind in sorted(DAYS.items()) if left <= days), None)


def _callers(model: Model) -> Iterable[Organization]:
    recent = UsageEvent.objects.filter(model_requested=model.pk, started_at__gte=timezone.now() - CALLED_WITHIN)
    return Organization.objects.filter(pk__in=recent.values("organization"))


def _tell(model: Model, organization: Organization, kind: ModelNotice.Kind) -> bool:
    owners = Membership.objects.of(organization).filter(role=Membership.Role.OWNER, user__is_active=True)
    addresses = list(owners.values_list("user__email", flat=True))
    if not addresses:
        return False
    with transaction.atomic():
        _, claimed = ModelNotice.objects.get_or_create(model=model, organization=organization, kind=kind)
        if claimed:
            send(_subject(model, kind), _text(model, organization), addresses)
    return claimed


def _subject(model: Model, kind: ModelNotice.Kind) -> str:
    if kind is ModelNotice.Kind.SHUTDOWN_0:
        return f"{model.pk} is shut down today"
    return f"{model.pk} shuts down on {model.shutdown_on:%d %B %Y}"


def _text(model: Model, organization: Organization) -> str:
    if organization.retired_models == Organization.RetiredModels.REFUSE:
        after = "From then on calls to it are refused with 404, as your organisation has chosen."
    elif model.successor:
        after = f"From then on calls to it are answered by {model.successor.pk}, and each answer says so."
    else:
        after = "There is no successor: from then on calls to it are refused with 404."
    advice = f"\n\nChange the model in your code to {model.successor.pk} when it suits you." if model.successor else ""
    return (
        f"{organization.name} called the model {model.pk} in the last 30 days. "
        f"Its vendor shuts it down on {model.shutdown_on:%d %B %Y}.\n\n{after}{advice}\n"
    )


def _alert(model: Model) -> bool:
    with transaction.atomic():
        _, claimed = ModelNotice.objects.get_or_create(
            model=model, organization=None, kind=ModelNotice.Kind.VENDOR_GONE
        )
        if claimed:
            served = f"It is served by {model.successor.pk} now." if model.successor else "It has no successor."
            tell_staff(
                f"{model.pk} is gone at its vendor",
                f"On {model.vendor_gone_at:%Y-%m-%d %H:%M} UTC the vendor answered that it has no model "
                f"{model.vendor_id}. {served} Set its shutdown date in the registry, or enable another route.\n",
            )
    return claimed

"""What keys have used, from the roll-ups: a query for all that a page shows, and behind by less than a minute."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import QuerySet, Sum

from accounts.models import Organization
from billing import periods
from billing.models import Budget, UsageDay, UsageHour

_INPUT = ("input", "cache_read", "cache_write_5m", "cache_write_1h", "audio_input", "image_input")
_OUTPUT = ("output", "reasoning", "audio_output", "image_output")


@dataclass(frozen=True, slots=True)
class Month:
    """What a key has done since the first of the month, 00:00 UTC."""

    requests: int
    errors: int
    input_tokens: int
    output_tokens: int
    charged_nano: int


def spent_by_key(organization: Organization, at: datetime) -> dict[int, int]:
    """Nano-dollars of the month, of every key that has spent any."""
    found = _month(organization, at).values_list("api_key_id").annotate(nano=Sum("charged_nano"))
    return {key: nano for key, nano in found if nano}


def month_of(organization: Organization, key: int, at: datetime) -> Month:
    columns = ("requests", "errors", "charged_nano", *(f"{bucket}_tokens" for bucket in (*_INPUT, *_OUTPUT)))
    sums = _month(organization, at).filter(api_key_id=key).aggregate(
        **{f"sum_of_{column}": Sum(column, default=0) for column in columns}
    )  # fmt: skip
    return Month(
        requests=int(sums["sum_of_requests"]),
        errors=int(sums["sum_of_errors"]),
        input_tokens=sum(int(sums[f"sum_of_{bucket}_tokens"]) for bucket in _INPUT),
        output_tokens=sum(int(sums[f"sum_of_{bucket}_tokens"]) for bucket in _OUTPUT),
        charged_nano=int(sums["sum_of_charged_nano"]),
    )


def requests_of_a_day(organization: Organization, keys: Iterable[int], at: datetime) -> dict[int, int]:
    """By key, in the last 24 hours: what would stop if they did."""
    since = at.replace(minute=0, second=0, microsecond=0) - timedelta(hours=23)
    hours = UsageHour.objects.filter(organization_id=organization.pk, hour__gte=since, api_key_id__in=list(keys))
    return dict(hours.values_list("api_key_id").annotate(count=Sum("requests")))


def _month(organization: Organization, at: datetime) -> QuerySet[UsageDay]:
    first = periods.start(Budget.Period.MONTH, at).date()
    return UsageDay.objects.filter(organization_id=organization.pk, day__gte=first).order_by()

"""Usage and costs in the shapes of OpenAI's administration API, read from the roll-ups and nothing else."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from typing import Any, ClassVar

from django.db.models import Sum
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.authentication import MayReadUsage
from accounts.key_view import KeyView
from accounts.models import Organization
from billing import money, usage_query
from billing.models import UsageDay, UsageHour
from billing.usage_query import Kind, UsageQuery, Width

Row = Mapping[str, Any]

HOURS = Width("1h", 3600, default_limit=24, max_limit=168)
DAYS = Width("1d", 86_400, default_limit=7, max_limit=31)
DAYS_OF_COSTS = Width("1d", 86_400, default_limit=7, max_limit=180)

FILTERS = {"project_ids": "project_id", "user_ids": "member_id", "api_key_ids": "api_key_id", "models": "model"}
COMPLETIONS = Kind(
    widths={"1h": HOURS, "1d": DAYS},
    groups={"project_id": "project_id", "user_id": "member_id", "api_key_id": "api_key_id", "model": "model"},
    filters=FILTERS,
    switches=frozenset({"batch"}),
)
COSTS = Kind(
    widths={"1d": DAYS_OF_COSTS},
    groups={"project_id": "project_id", "user_id": "member_id", "api_key_id": "api_key_id", "line_item": "model"},
    filters={**FILTERS, "line_items": "model"},
)


class UsagePage(KeyView):
    """A page of buckets, each with a result for every group that used anything in it."""

    permission_classes = [MayReadUsage]
    kind: ClassVar[Kind]
    measures: ClassVar[tuple[str, ...]]

    def get(self, request: Request) -> Response:
        query = usage_query.read(request.query_params, self.kind)
        results = self._results(query, request.auth.organization)
        buckets = [
            {
                "object": "bucket",
                "start_time": start,
                "end_time": start + query.width.seconds,
                "results": results[start],
            }
            for start in query.starts
        ]
        page = query.next_page
        return Response({"object": "page", "data": buckets, "has_more": page is not None, "next_page": page})

    def result(self, row: Row, groups: Row) -> dict[str, Any]:
        """One result of OpenAI's. `groups` has what the row is grouped by, and None for the rest."""
        raise NotImplementedError

    def _results(self, query: UsageQuery, organization: Organization) -> dict[int, list[dict[str, Any]]]:
        results: dict[int, list[dict[str, Any]]] = defaultdict(list)
        for row in self._rows(query, organization):
            results[_start(row["bucket"])].append(self.result(row, self._groups(row, query)))
        return results

    def _rows(self, query: UsageQuery, organization: Organization) -> list[Row]:
        if not query.starts or query.batch:  # there are no batches
            return []
        bucket, table = ("hour", UsageHour) if query.width is HOURS else ("day", UsageDay)
        lowest, beyond = query.begins_at, query.ends_at
        bounds = (lowest, beyond) if bucket == "hour" else (lowest.date(), beyond.date())
        columns = [self.kind.groups[name] for name in query.groups]
        among = {f"{column}__in": values for column, values in query.filters.items()}
        rows = (
            table.objects.of(organization)
            .filter(**{f"{bucket}__gte": bounds[0], f"{bucket}__lt": bounds[1]}, **among)
            .values(bucket, *columns)
            .annotate(**{f"{measure}_sum": Sum(measure) for measure in self.measures})
            .order_by(bucket, *columns)
        )
        return [{**row, "bucket": row[bucket]} for row in rows]

    def _groups(self, row: Row, query: UsageQuery) -> dict[str, str | None]:
        """Ids are text, as everywhere in OpenAI's API; what is absent from a row is null."""
        return {
            name: (str(row[column]) if row[column] else None) if name in query.groups else None
            for name, column in self.kind.groups.items()
        }


def _start(bucket: date | datetime) -> int:
    if not isinstance(bucket, datetime):
        bucket = datetime.combine(bucket, time.min, UTC)
    return int(bucket.timestamp())


class CompletionsUsage(UsagePage):
    """`GET /v1/organization/usage/completions`"""

    kind = COMPLETIONS
    measures = (
        "requests",
        "input_tokens",
        "cache_read_tokens",
        "cache_write_5m_tokens",
        "cache_write_1h_tokens",
        "audio_input_tokens",
        "image_input_tokens",
        "output_tokens",
        "reasoning_tokens",
        "audio_output_tokens",
        "image_output_tokens",
    )

    def result(self, row: Row, groups: Row) -> dict[str, Any]:
        """Our buckets of tokens never overlap; OpenAI's totals include all of them."""
        n = {measure: row[f"{measure}_sum"] for measure in self.measures}
        uncached = n["input_tokens"] + n["audio_input_tokens"] + n["image_input_tokens"]
        written = n["cache_write_5m_tokens"] + n["cache_write_1h_tokens"]
        text_output = n["output_tokens"] + n["reasoning_tokens"]
        return {
            "object": "organization.usage.completions.result",
            "input_tokens": uncached + n["cache_read_tokens"] + written,
            "input_cached_tokens": n["cache_read_tokens"],
            "input_uncached_tokens": uncached,
            "input_cache_write_tokens": written,
            "input_text_tokens": n["input_tokens"],
            "input_audio_tokens": n["audio_input_tokens"],
            "input_image_tokens": n["image_input_tokens"],
            "output_tokens": text_output + n["audio_output_tokens"] + n["image_output_tokens"],
            "output_text_tokens": text_output,
            "output_audio_tokens": n["audio_output_tokens"],
            "output_image_tokens": n["image_output_tokens"],
            "num_model_requests": n["requests"],
            **groups,
            "batch": None,
            "service_tier": None,
        }


class Costs(UsagePage):
    """`GET /v1/organization/costs`: what was charged. A line item is a model."""

    kind = COSTS
    measures = ("charged_nano",)

    def result(self, row: Row, groups: Row) -> dict[str, Any]:
        nano = int(row["charged_nano_sum"])
        amount = {"value": nano / money.NANO, "currency": "usd", "exact": money.dollars(nano)}
        return {"object": "organization.costs.result", "amount": amount, **groups, "quantity": None}

"""Staff's pages for usage. It is looked at, never edited and never deleted."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.core.paginator import Paginator
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html_join
from django.utils.safestring import SafeString, mark_safe

from accounts.staff import ModelAdmin, ReadOnly, display, moment, unbroken
from billing.admin.amounts import amount
from billing.models import Price, UsageEvent

if TYPE_CHECKING:
    _Endless = Paginator[UsageEvent]
else:
    from unfold.paginator import InfinitePaginator as _Endless


class OutcomeFilter(admin.SimpleListFilter):
    title = "outcome"
    parameter_name = "outcome"
    ranges = {"ok": (200, 399), "refused": (400, 498), "hung-up": (499, 499), "failed": (500, 599)}

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin[Any]) -> list[tuple[str, str]]:
        return [
            ("ok", "Answered"),
            ("refused", "Refused (4xx)"),
            ("hung-up", "Caller hung up"),
            ("failed", "Failed (5xx)"),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        between = self.ranges.get(self.value() or "")
        return queryset.filter(status__range=between) if between else queryset


class ModelFilter(admin.SimpleListFilter):
    """The models that have prices: asking the usage rows themselves would read all of them."""

    title = "model that served"
    parameter_name = "model"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin[Any]) -> list[tuple[str, str]]:
        names = Price.objects.order_by("model").values_list("model", flat=True).distinct()
        return [(name, name) for name in names]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(model=self.value()) if self.value() else queryset


@admin.register(UsageEvent)
class UsageEventAdmin(ReadOnly, ModelAdmin[UsageEvent]):
    """What happened, newest first. There may be a great many, so they are never counted."""

    list_display = (
        "started", "organization", "key", "served", "outcome", "tokens", "cost", "charged", "rule", "first_token",
        "duration",
    )  # fmt: skip
    list_filter = (OutcomeFilter, ("started_at", admin.DateFieldListFilter), "stream", ModelFilter)
    list_select_related = ("organization", "api_key")
    search_fields = ("model",)
    search_help_text = "A request id, an organisation's slug or a model"
    ordering = ("-request_id",)
    list_per_page = 50
    paginator = _Endless
    show_full_result_count = False
    fieldsets = (
        (None, {"fields": ("request_id", "external_id", "organization", "api_key", "project_id", "member_id")}),
        ("Answer", {"fields": ("served", "provider", "upstream_model", "stream", "outcome", "error_code",
                               "finish_reason", "max_tokens", "tried")}),
        ("Money", {"fields": ("charged", "cost", "held", "absorbed", "rule", "markup_basis_points", "price_id",
                              "charge_price_id")}),
        ("Tokens", {"fields": ("usage_source", "input_tokens", "cache_read_tokens", "cache_write_5m_tokens",
                               "cache_write_1h_tokens", "audio_input_tokens", "image_input_tokens", "output_tokens",
                               "reasoning_tokens", "audio_output_tokens", "image_output_tokens")}),
        ("Times", {"fields": ("admitted_at", "started_at", "ended_at", "first_token_ms", "duration_ms")}),
    )  # fmt: skip

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[UsageEvent], search_term: str
    ) -> tuple[QuerySet[UsageEvent], bool]:
        term = search_term.strip()
        if not term:
            return queryset, False
        try:
            return queryset.filter(request_id=uuid.UUID(term)), False
        except ValueError:
            named = Q(model=term) | Q(model_requested=term)
            return queryset.filter(Q(organization__slug=term) | named | Q(external_id=term)), False

    @display(description="Started", ordering="request_id")
    def started(self, event: UsageEvent) -> SafeString | None:
        return moment(event.started_at)

    @display(description="Key")
    def key(self, event: UsageEvent) -> str:
        return event.api_key.name

    @display(description="Model")
    def served(self, event: UsageEvent) -> str:
        served = event.model or event.model_requested
        return unbroken(f"{event.model_requested} → {served}" if event.model_requested != served else served)

    @display(
        description="Status",
        label={"answered": "success", "hung up": "info", "refused": "warning", "failed": "danger"},
    )
    def outcome(self, event: UsageEvent) -> tuple[str, str]:
        name = "answered" if event.status < 400 else "hung up" if event.status == 499 else "refused"
        return ("failed" if event.status >= 500 else name, str(event.status))

    @display(description="Tokens in / out")
    def tokens(self, event: UsageEvent) -> str:
        written = event.cache_write_5m_tokens + event.cache_write_1h_tokens
        sent = event.input_tokens + event.cache_read_tokens + written
        return unbroken(f"{sent:,} / {event.output_tokens + event.reasoning_tokens:,}")

    @display(description="First token", ordering="first_token_ms")
    def first_token(self, event: UsageEvent) -> str:
        return "" if event.first_token_ms is None else unbroken(f"{event.first_token_ms:,} ms")

    @display(description="Took", ordering="duration_ms")
    def duration(self, event: UsageEvent) -> str:
        return unbroken(f"{event.duration_ms:,} ms")

    @display(description="Cost")
    def cost(self, event: UsageEvent) -> str:
        return amount(event.cost_nano)

    @display(description="Charged")
    def charged(self, event: UsageEvent) -> str:
        return amount(event.charged_nano)

    @display(description="Held")
    def held(self, event: UsageEvent) -> str:
        return amount(event.held_nano)

    @display(description="Absorbed")
    def absorbed(self, event: UsageEvent) -> str:
        """What it came to beyond its hold."""
        return amount(event.absorbed_nano)

    @display(description="Attempts", empty_value="none noted")
    def tried(self, event: UsageEvent) -> SafeString | None:
        """A line for each route that was tried."""
        lines = [json.dumps(attempt, ensure_ascii=False) for attempt in event.attempts]
        return format_html_join(mark_safe("<br>"), "<code>{}</code>", ((line,) for line in lines)) if lines else None

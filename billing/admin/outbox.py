"""Staff's page for what is to be told to somebody: what went, what waits, and what was given up."""

from __future__ import annotations

import json
from typing import Any

from django.contrib import admin, messages
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from accounts.models import Organization
from accounts.staff import ModelAdmin, ReadOnly, action, display, moment
from billing.models import OutboxMessage
from billing.models.outbox import MOST_TRIES


class StateFilter(admin.SimpleListFilter):
    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin[Any]) -> list[tuple[str, str]]:
        return [("waiting", "Waiting"), ("given-up", "Given up"), ("done", "Done")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() == "done":
            return queryset.exclude(sent_at=None)
        if self.value() == "waiting":
            return queryset.filter(sent_at=None, tries__lt=MOST_TRIES)
        return queryset.filter(sent_at=None, tries__gte=MOST_TRIES) if self.value() else queryset


@admin.register(OutboxMessage)
class OutboxMessageAdmin(ReadOnly, ModelAdmin[OutboxMessage]):
    list_display = ("made", "topic", "organization", "to", "condition", "tries", "due", "last_error")
    list_filter = (StateFilter, "topic")
    search_fields = ("dedupe",)
    ordering = ("-id",)
    show_full_result_count = False
    actions = ("try_again",)
    fieldsets = (
        (None, {"fields": ("topic", "dedupe", "organization", "condition", "content")}),
        ("Delivery", {"fields": ("tries", "last_error", "created_at", "due_at", "sent_at")}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[OutboxMessage]:
        slug = Organization.objects.filter(pk=OuterRef("organization_id")).values("slug")[:1]
        return super().get_queryset(request).annotate(slug=Subquery(slug))

    def has_retry_permission(self, request: HttpRequest, obj: OutboxMessage | None = None) -> bool:
        return request.user.has_perm("billing.change_outboxmessage")

    @display(description="Made", ordering="created_at")
    def made(self, message: OutboxMessage) -> SafeString | None:
        return moment(message.created_at)

    @display(description="Organisation", empty_value="none")
    def organization(self, message: OutboxMessage) -> str | None:
        return getattr(message, "slug", None)

    @display(description="To", empty_value="every channel")
    def to(self, message: OutboxMessage) -> str | None:
        return message.address or None

    @display(
        description="State",
        label={"sent": "success", "handed on": "success", "waiting": "info", "given up": "danger"},
    )
    def condition(self, message: OutboxMessage) -> str:
        return message.state

    @display(description="Tried again from", ordering="due_at")
    def due(self, message: OutboxMessage) -> SafeString | None:
        return moment(message.due_at) if message.state == "waiting" else None

    @display(description="Payload")
    def content(self, message: OutboxMessage) -> SafeString:
        return format_html("<pre>{}</pre>", json.dumps(message.payload, indent=2, sort_keys=True, ensure_ascii=False))

    @action(description="Try again now, with as many tries as a new one", permissions=["retry"])
    def try_again(self, request: HttpRequest, queryset: QuerySet[OutboxMessage]) -> None:
        found = list(queryset.filter(sent_at=None))
        OutboxMessage.objects.filter(pk__in=[message.pk for message in found], sent_at=None).update(
            tries=0, due_at=timezone.now()
        )
        for message in found:
            self.log_change(request, message, "Tried again.")
        messages.success(request, f"Tried again within seconds: {len(found)}." if found else "Nothing is waiting.")

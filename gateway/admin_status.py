"""Staff's words on the status page."""

from __future__ import annotations

from django.contrib import admin

from accounts.staff import ModelAdmin
from gateway.models import StatusNote


@admin.register(StatusNote)
class StatusNoteAdmin(ModelAdmin[StatusNote]):
    """Seen by everybody within a minute. What happened is told for 90 days after its end."""

    list_display = ("title", "starts_at", "ends_at")
    search_fields = ("title", "body")
    fieldsets = ((None, {"fields": ("title", "body", "starts_at", "ends_at")}),)

"""Mail that was kept instead of sent, in the admin."""

from __future__ import annotations

from django.contrib import admin
from django.utils.safestring import SafeString

from accounts.models import KeptMail
from accounts.staff import ModelAdmin, ReadOnly, display, moment


@admin.register(KeptMail)
class KeptMailAdmin(ReadOnly, ModelAdmin[KeptMail]):
    """It holds codes that let people in, so the right to view it is as good as everybody's password."""

    list_display = ("subject", "recipients", "kept")
    search_fields = ("subject", "recipients")
    fields = ("subject", "sender", "recipients", "sent_at", "text", "html")

    @display(description="Kept", ordering="sent_at")
    def kept(self, mail: KeptMail) -> SafeString | None:
        return moment(mail.sent_at)

"""Staff's pages for the registry and for webhooks. What the registry file owns, docs/registry.md says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from django import forms
from django.contrib import admin, messages
from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.http import HttpRequest
from django.utils import timezone

from accounts.staff import ModelAdmin, TabularInline, action, display
from billing.admin.prices import dollars
from billing.models import Price
from gateway import admin_status as admin_status  # registers itself
from gateway import credentials
from gateway.credentials import FILE, Source
from gateway.models import Model, Provider, Route, Webhook
from gateway.registry import today

if TYPE_CHECKING:
    from django.forms import CheckboxInput as CheckboxWidget
    from django.forms import PasswordInput as PasswordWidget
else:
    from unfold.widgets import UnfoldAdminPasswordWidget as PasswordWidget
    from unfold.widgets import UnfoldBooleanSwitchWidget as CheckboxWidget


class ProviderForm(forms.ModelForm[Provider]):
    """The credential goes in here and never comes out."""

    new_credential = forms.CharField(
        label="New credential",
        required=False,
        widget=PasswordWidget(attrs={"autocomplete": "new-password"}),
        help_text="Stored encrypted, and never shown. Leave it blank to keep what is stored.",
    )
    remove_credential = forms.BooleanField(
        label="Remove the stored credential", required=False, widget=CheckboxWidget()
    )

    class Meta:
        model = Provider
        fields = ("slug", "name", "kind", "base_url", "needs_credential", "options", "enabled", "listed")

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        secret, remove = cleaned.get("new_credential"), cleaned.get("remove_credential")
        if secret and remove:
            self.add_error("remove_credential", "Either give a new credential or remove the stored one, not both.")
        if secret and len(secret.split()) > 1:
            self.add_error("new_credential", "A credential is one word: there is white space inside this one.")
        if "base_url" in self.changed_data and self.instance.credential and not (secret or remove):
            self.add_error(
                "base_url",
                "The stored credential would be sent to the new address. Enter the credential again, or remove it.",
            )
        return cleaned

    def save(self, commit: bool = True) -> Provider:
        if self.cleaned_data.get("new_credential"):
            self.instance.credential = credentials.encrypt(self.instance.slug, self.cleaned_data["new_credential"])
        elif self.cleaned_data.get("remove_credential"):
            self.instance.credential = ""
        return super().save(commit)


@admin.register(Provider)
class ProviderAdmin(ModelAdmin[Provider]):
    form = ProviderForm
    list_display = ("name", "slug", "kind", "server", "credential_state", "route_count", "enabled")
    list_filter = ("enabled", "kind")
    search_fields = ("name", "slug", "base_url")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Provider]:
        return super().get_queryset(request).annotate(route_count=Count("routes"))

    def get_fieldsets(self, request: HttpRequest, obj: Provider | None = None) -> Any:
        secret: tuple[str, ...] = ("needs_credential", "new_credential")
        if obj is not None:
            stored = ("remove_credential",) if obj.credential else ()
            secret = ("credential_now", "api_key_env", *secret, *stored)
        return (
            (None, {"fields": ("name", "slug", "kind", "base_url", "enabled", "listed")}),
            ("Credential", {"fields": secret}),
            ("What it does differently", {"fields": ("options",)}),
        )

    def get_readonly_fields(self, request: HttpRequest, obj: Provider | None = None) -> tuple[str, ...]:
        """A secret from the environment goes only where the registry file sends it, so neither its name nor, beside
        one, the address is to be had here; and a stored one is bound to its slug."""
        if obj is None:
            return ()
        bound = ("slug", "kind", "credential_now", "api_key_env")
        return (*bound, "base_url") if obj.api_key_env else bound

    @display(description="Server", ordering="base_url", empty_value="its kind's own")
    def server(self, provider: Provider) -> str | None:
        return urlsplit(provider.base_url).netloc or None

    @display(
        description="Credential",
        label={
            Source.STORED.value: "success",
            Source.ENVIRONMENT.value: "success",
            Source.MISSING.value: "danger",
            Source.NOT_NEEDED.value: "info",
        },
    )
    def credential_state(self, provider: Provider) -> tuple[str, str]:
        return _source(provider).value, self.credential_now(provider)

    @display(description="Credential")
    def credential_now(self, provider: Provider) -> str:
        name = provider.api_key_env
        outside = f"from file {name.removeprefix(FILE)}" if name.startswith(FILE) else f"from environment {name}"
        words = {
            Source.STORED: "stored",
            Source.ENVIRONMENT: outside,
            Source.MISSING: "no credential",
            Source.NOT_NEEDED: "not needed",
        }
        return words[_source(provider)]

    @display(description="Routes", ordering="route_count")
    def route_count(self, provider: Provider) -> int:
        return int(getattr(provider, "route_count", 0))


def _source(provider: Provider) -> Source:
    return credentials.source(
        credential=provider.credential, api_key_env=provider.api_key_env, needed=provider.needs_credential
    )


class RouteInline(TabularInline[Route, Model]):
    model = Route
    extra = 0
    autocomplete_fields = ("provider",)
    fields = ("position", "provider", "upstream_model", "enabled", "options")


class StageFilter(admin.SimpleListFilter):
    title = "lifecycle"
    parameter_name = "lifecycle"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin[Any]) -> list[tuple[str, str]]:
        return [("active", "Active"), ("deprecated", "Deprecated"), ("retired", "Retired")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if not self.value():
            return queryset
        now = today()
        return queryset.filter(pk__in=[model.pk for model in queryset if model.lifecycle(now).value == self.value()])


@admin.register(Model)
class RegistryModelAdmin(ModelAdmin[Model]):
    list_display = ("id", "owned_by", "stage", "shutdown_on", "successor", "price", "route_count", "enabled")
    list_filter = (StageFilter, "owned_by", "enabled", "sandbox", "demonstration")
    list_select_related = ("successor",)
    search_fields = ("id", "description", "vendor_id")
    autocomplete_fields = ("successor",)
    inlines = (RouteInline,)
    actions = ("vendor_has_it",)
    fieldsets = (
        (None, {"fields": ("id", "owned_by", "description", "enabled", "listed")}),
        (
            "Lifecycle",
            {"fields": ("stage", "vendor_id", "deprecated_on", "shutdown_on", "successor", "vendor_gone_at")},
        ),
        (
            "What it can do",
            {"fields": ("context_window", "max_output_tokens", "capabilities", "default_system_prompt")},
        ),
        ("Kind of model", {"fields": ("sandbox", "demonstration")}),
        ("Price", {"fields": ("price",)}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Model]:
        asked = Price.objects.from_providers().filter(model=OuterRef("pk"), effective_at__lte=timezone.now())
        prices = asked.order_by("-effective_at")
        return (
            super()
            .get_queryset(request)
            .annotate(
                route_count=Count("routes"),
                input_price=Subquery(prices.values("input")[:1]),
                output_price=Subquery(prices.values("output")[:1]),
            )
        )

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> tuple[str, ...]:
        shown = ("stage", "vendor_gone_at", "price")
        return ("id", *shown) if obj else shown

    @display(description="Lifecycle", label={"active": "success", "deprecated": "warning", "retired": "danger"})
    def stage(self, model: Model) -> str:
        return model.lifecycle(today()).value if model.pk else ""

    @display(description="$ per million in / out", empty_value="no price")
    def price(self, model: Model) -> str | None:
        paid = getattr(model, "input_price", None)
        return None if paid is None else f"{dollars(paid)} / {dollars(getattr(model, 'output_price', None))}"

    @display(description="Routes", ordering="route_count")
    def route_count(self, model: Model) -> int:
        return int(getattr(model, "route_count", 0))

    @action(description="The vendor has it after all: serve it again", permissions=["change"])
    def vendor_has_it(self, request: HttpRequest, queryset: QuerySet[Model]) -> None:
        """Takes back what the gateway noted when the vendor said that it has no such model."""
        found = list(queryset.exclude(vendor_gone_at=None))
        for model in found:
            model.vendor_gone_at = None
            model.save(update_fields=["vendor_gone_at"])
            self.log_change(request, model, "The vendor has it after all.")
        messages.success(request, f"Served again: {', '.join(map(str, found))}." if found else "Nothing to do.")


@admin.register(Route)
class RouteAdmin(ModelAdmin[Route]):
    list_display = ("model", "position", "provider", "upstream_model", "enabled")
    list_display_links = ("model", "upstream_model")
    list_filter = ("provider", "enabled")
    list_select_related = ("model", "provider")
    search_fields = ("model__id", "upstream_model", "provider__slug")
    autocomplete_fields = ("model", "provider")


@admin.register(Webhook)
class WebhookAdmin(ModelAdmin[Webhook]):
    """Where an organisation is told what happens. The secret is shown once, when it is made."""

    list_display = ("id", "organization", "url", "enabled", "created_at")
    list_display_links = ("id", "url")
    list_filter = ("enabled",)
    list_select_related = ("organization",)
    search_fields = ("organization__name", "organization__slug", "url")
    autocomplete_fields = ("organization",)
    actions = ("new_secret",)
    fieldsets = ((None, {"fields": ("organization", "url", "events", "enabled")}),)

    def get_readonly_fields(self, request: HttpRequest, obj: Webhook | None = None) -> tuple[str, ...]:
        """Its secret is bound to its organisation."""
        return ("organization",) if obj else ()

    def save_model(self, request: HttpRequest, obj: Webhook, form: forms.ModelForm[Webhook], change: bool) -> None:
        secret = None if change else obj.renew_secret()
        super().save_model(request, obj, form, change)
        if secret:
            _show_once(request, obj, secret)

    @action(description="Give it a new secret: the old one signs nothing from now on", permissions=["change"])
    def new_secret(self, request: HttpRequest, queryset: QuerySet[Webhook]) -> None:
        for webhook in queryset:
            secret = webhook.renew_secret()
            webhook.save(update_fields=["secret"])
            self.log_change(request, webhook, "A new secret.")
            _show_once(request, webhook, secret)


def _show_once(request: HttpRequest, webhook: Webhook, secret: str) -> None:
    messages.warning(request, f"Copy the secret of {webhook} now, it is not shown again: {secret}")

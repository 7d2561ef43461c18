"""The pages about webhooks: where events are sent, of which kind, and what became of them."""

from __future__ import annotations

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.roles import May, MemberRequest, member_page
from gateway import destinations, webhook_life
from gateway.models import Webhook
from gateway.webhook_life import LATELY, Terms, WebhookError
from gateway.webhooks import EVENTS

page_with_form = require_http_methods(["GET", "HEAD", "POST"])


class WebhookForm(forms.Form):
    url = forms.CharField(
        label="Address", max_length=500, help_text="Public, and with https, such as https://example.com/hooks.",
        widget=forms.TextInput(attrs={"inputmode": "url", "autocomplete": "off", "spellcheck": "false"}),
        error_messages={"required": "Give the address that is to be called."},
    )  # fmt: skip
    events = forms.MultipleChoiceField(
        label="Tell of", choices=list(EVENTS.items()), widget=forms.CheckboxSelectMultiple, initial=list(EVENTS),
        error_messages={"required": "Choose at least one, or switch it off."},
    )  # fmt: skip
    enabled = forms.BooleanField(label="Switched on", required=False, initial=True)

    def clean_url(self) -> str:
        url: str = self.cleaned_data["url"]
        try:
            destinations.check_url(url)
        except ValueError as error:
            raise ValidationError(str(error)) from error
        return url

    @property
    def terms(self) -> Terms:
        """All that there is today stands for whatever there will be."""
        chosen = [event for event in EVENTS if event in self.cleaned_data["events"]]
        return Terms(
            self.cleaned_data["url"], [] if len(chosen) == len(EVENTS) else chosen, self.cleaned_data["enabled"]
        )


@require_safe
@member_page(May.MANAGE_WEBHOOKS)
def webhooks(request: MemberRequest) -> HttpResponse:
    found = Webhook.objects.of(request.membership.organization).order_by("pk")
    return render(request, "gateway/webhooks.html", {"webhooks": found})


@page_with_form
@member_page(May.MANAGE_WEBHOOKS)
def new_webhook(request: MemberRequest) -> HttpResponse:
    form = WebhookForm(request.POST or None)
    if form.is_valid():
        try:
            webhook, secret = webhook_life.create(request, request.membership.organization, form.terms)
        except WebhookError as error:
            form.add_error(None, str(error))
        else:
            return _show_secret(request, webhook, secret)
    return render(request, "gateway/webhooks_new.html", {"form": form})


@page_with_form
@member_page(May.MANAGE_WEBHOOKS)
def webhook_page(request: MemberRequest, webhook: int) -> HttpResponse:
    found = _webhook(request, webhook)
    initial = {"url": found.url, "events": found.events or list(EVENTS), "enabled": found.enabled}
    form = WebhookForm(request.POST or None, initial=initial)
    if form.is_valid():
        changed = webhook_life.change(request, found, form.terms)
        messages.success(request, "The webhook is changed." if changed else "Nothing was different.")
        return redirect("gateway:settings-webhook", found.organization.slug, found.pk)
    page = {"form": form, "webhook": found, "deliveries": list(webhook_life.deliveries(found)[:LATELY])}
    return render(request, "gateway/webhooks_webhook.html", page)


@require_POST
@member_page(May.MANAGE_WEBHOOKS)
def new_secret(request: MemberRequest, webhook: int) -> HttpResponse:
    found = _webhook(request, webhook)
    return _show_secret(request, found, webhook_life.renew(request, found))


@page_with_form
@member_page(May.MANAGE_WEBHOOKS)
def delete(request: MemberRequest, webhook: int) -> HttpResponse:
    found = _webhook(request, webhook)
    if request.method == "POST":
        webhook_life.delete(request, found)
        messages.success(request, "The webhook is deleted. Nothing is sent there any more.")
        return redirect("gateway:settings-webhooks", found.organization.slug)
    return render(request, "gateway/webhooks_delete.html", {"webhook": found})


@require_POST
@member_page(May.MANAGE_WEBHOOKS)
def again(request: MemberRequest, webhook: int, delivery: int) -> HttpResponse:
    found = _webhook(request, webhook)
    if not webhook_life.tell_again(found, delivery):
        raise Http404
    messages.success(request, "It is sent again within seconds, under the same webhook-id.")
    return redirect("gateway:settings-webhook", found.organization.slug, found.pk)


def _show_secret(request: MemberRequest, webhook: Webhook, secret: str) -> HttpResponse:
    """The answer to the form itself: nothing remembers the secret, and no address leads here again."""
    return render(request, "gateway/webhooks_secret.html", {"webhook": webhook, "secret": secret})


def _webhook(request: MemberRequest, pk: int) -> Webhook:
    of_here = Webhook.objects.of(request.membership.organization).select_related("organization")
    found: Webhook = get_object_or_404(of_here, pk=pk)
    return found

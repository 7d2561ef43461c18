"""The pages on which credit is paid for. What they show of a payment is what Stripe's webhook has told: no address that
a browser comes back to enters credit.
"""

from __future__ import annotations

import logging

from csp.decorators import csp_update
from django.conf import settings
from django.contrib import messages
from django.db import transaction
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts import attempts, audit
from accounts.audit import Action
from accounts.roles import May, MemberRequest, may, member_page
from billing import money, payments, wallets
from billing.models import BillingProfile, Document, Payment
from billing.stripe import api, is_configured, requests
from billing.top_up_forms import AutomaticForm, TopUpForm

log = logging.getLogger(__name__)
page_with_form = require_http_methods(["GET", "HEAD", "POST"])
CHECKOUT = "https://checkout.stripe.com"


@page_with_form
@csp_update({"form-action": [CHECKOUT]})  # browsers hold a form to where it is sent on to, too
@member_page(May.MANAGE_BILLING)
@attempts.limited(attempts.PAY, attempts.person)
def top_up(request: MemberRequest) -> HttpResponse:
    organization = request.membership.organization
    if not is_configured():
        return render(request, "billing/top_up_closed.html")
    form = TopUpForm(request.POST or None)
    if form.is_valid():
        told = form.cleaned_data
        payment = payments.begin(request, organization, told["amount"], saves_method=told["saves_method"])
        try:
            return HttpResponseRedirect(_checkout(payment))
        except api.AwayError as error:
            log.warning("Stripe did not open a Checkout page: %s", error)
            form.add_error(None, "Stripe does not answer at this moment. Nothing was charged: try again in a minute.")
        except api.RefusedError as error:
            form.add_error(None, f"Stripe does not take it: {error} Nothing was charged. The operator can see why.")
        payments.not_paid(payment, Payment.State.FAILED, "Stripe opened no page to pay on.")
    page = {
        "form": form,
        "profile": payments.profile_of(organization),
        "wallet": wallets.of(organization),
        "waiting": Payment.objects.of(organization).filter(state=Payment.State.OPEN).order_by("-id")[:5],
    }
    return render(request, "billing/top_up.html", page)


@require_safe
@member_page(May.SEE_BILLING)
def payment_page(request: MemberRequest, payment: int) -> HttpResponse:
    """Where Stripe sends people back to, whether or not they paid. It only tells."""
    of_here = Payment.objects.of(request.membership.organization)
    found: Payment = get_object_or_404(of_here, pk=payment)
    page = {
        "payment": found,
        "returns": list(found.returns.all()),
        "documents": list(Document.objects.filter(payment=found)),
        "wallet": wallets.of(found.organization),
        "cancelled": "cancelled" in request.GET and found.state == Payment.State.OPEN,
        "manages": may(request.membership, May.MANAGE_BILLING),
    }
    return render(request, "billing/payment.html", page)


@page_with_form
@member_page(May.SEE_BILLING, May.MANAGE_BILLING)
@attempts.limited(attempts.PAY, attempts.person)
def automatic(request: MemberRequest) -> HttpResponse:
    organization = request.membership.organization
    profile = payments.profile_of(organization)
    form = AutomaticForm(request.POST if request.method == "POST" else None, profile=profile)
    if is_configured() and profile.method and form.is_valid():
        _agree(request, form)
        return redirect("billing:organization", organization.slug)
    page = {
        "form": form,
        "profile": profile,
        "open": is_configured(),
        "manages": may(request.membership, May.MANAGE_BILLING),
    }
    return render(request, "billing/automatic.html", page)


@require_POST
@member_page(May.MANAGE_BILLING)
@attempts.limited(attempts.PAY, attempts.person)
def forget_card(request: MemberRequest) -> HttpResponse:
    organization = request.membership.organization
    with transaction.atomic():
        profile = payments.locked_profile(organization)
        method, profile.method, profile.method_label, profile.automatic = profile.method, "", "", False
        profile.save(update_fields=["method", "method_label", "automatic"])
        if method:
            audit.record(request, organization, Action.TOP_UP_CHANGED, card="forgotten", automatic=False)
    if method and is_configured():
        try:
            requests.forget(method)
        except (api.AwayError, api.RefusedError) as error:
            log.warning("Stripe was not told to forget a card: %s", error)
    messages.success(request, "The card is forgotten. Nothing is charged automatically.")
    return redirect("billing:organization-automatic", organization.slug)


def _checkout(payment: Payment) -> str:
    """The address at which it can be paid. Raises `RefusedError` or `AwayError`."""
    organization = payment.organization
    profile = payments.profile_of(organization)
    if not profile.customer:
        customer = requests.customer(organization)
        with transaction.atomic():
            profile = payments.locked_profile(organization)
            profile.customer = profile.customer or customer
            profile.save(update_fields=["customer"])
    back = settings.PUBLIC_URL + reverse("billing:organization-payment", args=[organization.slug, payment.pk])
    session, address = requests.checkout(payment, profile, done=back, cancelled=f"{back}?cancelled=1")
    Payment.objects.filter(pk=payment.pk).update(session=session)
    return address


@transaction.atomic
def _agree(request: MemberRequest, form: AutomaticForm) -> None:
    profile = payments.locked_profile(request.membership.organization)
    before = _terms(profile)
    told = form.cleaned_data
    profile.automatic = told["automatic"] and bool(profile.method)
    if profile.automatic:
        profile.below_nano, profile.amount_nano, profile.cap_nano = told["below"], told["amount"], told["cap"]
        profile.stopped = ""
    profile.save(update_fields=["automatic", "below_nano", "amount_nano", "cap_nano", "stopped"])
    differing = audit.changes(before, _terms(profile))
    if differing:
        audit.record(request, profile.organization, Action.TOP_UP_CHANGED, None, **differing)
    messages.success(request, _said(profile))


def _terms(profile: BillingProfile) -> dict[str, object]:
    amounts = {"below": profile.below_nano, "pays": profile.amount_nano, "month_at_most": profile.cap_nano}
    return {"automatic": profile.automatic, **{name: f"${money.grouped(nano)}" for name, nano in amounts.items()}}


def _said(profile: BillingProfile) -> str:
    if not profile.automatic:
        return "Nothing is charged automatically."
    below, amount, cap = map(money.grouped, (profile.below_nano, profile.amount_nano, profile.cap_nano))
    return f"When the balance falls below ${below}, ${amount} is charged, at most ${cap} a month."

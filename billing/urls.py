"""The pages about money."""

from datetime import date, datetime

from django.urls import path, register_converter

from billing import (
    views_budgets,
    views_documents,
    views_pages,
    views_stripe,
    views_top_up,
    views_usage,
)


class Month:
    """`2026-11`, as its first day."""

    regex = "[0-9]{4}-[0-9]{2}"

    def to_python(self, value: str) -> date:
        return datetime.strptime(value, "%Y-%m").date()  # noqa: DTZ007 - a month has no time zone

    def to_url(self, value: date) -> str:
        return f"{value:%Y-%m}"


register_converter(Month, "month")

app_name = "billing"
urlpatterns = [
    path("o/<slug:slug>/", views_usage.overview, name="overview"),
    path("o/<slug:slug>/usage/", views_usage.usage, name="usage"),
    path("o/<slug:slug>/usage.csv", views_usage.usage_file, name="usage-file"),
    path("o/<slug:slug>/billing/", views_pages.organization, name="organization"),
    path("o/<slug:slug>/billing/statements/<month:month>.json", views_pages.statement, name="organization-statement"),
    path("o/<slug:slug>/billing/top-up/", views_top_up.top_up, name="organization-top-up"),
    path("o/<slug:slug>/billing/payments/<int:payment>/", views_top_up.payment_page, name="organization-payment"),
    path("o/<slug:slug>/billing/automatic/", views_top_up.automatic, name="organization-automatic"),
    path("o/<slug:slug>/billing/automatic/forget/", views_top_up.forget_card, name="organization-forget-card"),
    path("o/<slug:slug>/billing/details/", views_documents.details, name="organization-details"),
    path("o/<slug:slug>/billing/invoices/", views_documents.documents, name="organization-documents"),
    path("o/<slug:slug>/billing/invoices/<int:document>/", views_documents.document, name="organization-document"),
    path("webhooks/stripe", views_stripe.webhook, name="stripe-webhook"),
    path("o/<slug:slug>/billing/budgets/", views_budgets.budgets, name="organization-budgets"),
    path("o/<slug:slug>/billing/budgets/new/", views_budgets.new_budget, name="organization-budgets-new"),
    path("o/<slug:slug>/billing/budgets/<int:budget>/", views_budgets.budget_page, name="organization-budget"),
    path(
        "o/<slug:slug>/billing/budgets/<int:budget>/remove/",
        views_budgets.remove_budget,
        name="organization-budget-remove",
    ),
    path(
        "o/<slug:slug>/billing/budgets/<int:budget>/restore/",
        views_budgets.restore_budget,
        name="organization-budget-restore",
    ),
]

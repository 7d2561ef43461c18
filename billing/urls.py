"""The pages about money."""

from datetime import date, datetime

from django.urls import path, register_converter

from billing import (
    views_budgets,
    views_pages,
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

"""The management API's paths, under /v1/organization/."""

from django.urls import path

from billing.api import CompletionsUsage, Costs

app_name = "organization-api"
urlpatterns = [
    path("usage/completions", CompletionsUsage.as_view(), name="usage-completions"),
    path("costs", Costs.as_view(), name="costs"),
]

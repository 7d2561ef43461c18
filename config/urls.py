"""The control plane's pages and its management API, and the data plane's routes under /v1."""

from django.contrib import admin
from django.urls import include, path, re_path
from django.views.generic import RedirectView

from billing.views import signing_keys
from config.palette import find
from gateway.management_api import UnknownUrl

urlpatterns = [
    path("v1/organization/", include("billing.api_urls")),
    re_path("^v1/organization/", UnknownUrl.as_view()),
    path("", include("gateway.urls")),
    path("", include("gateway.pages_urls")),
    path("", include("accounts.urls")),
    path("", include("accounts.urls_allauth")),
    path("", include("billing.urls")),
    path("o/<slug:slug>/palette/", find, name="palette"),
    path(".well-known/2389-keys.json", signing_keys, name="signing-keys"),
    # One way in: the sign-in page counts attempts, the admin's own does not.
    path("admin/login/", RedirectView.as_view(pattern_name="accounts:sign-in", query_string=True)),
    path("admin/", admin.site.urls),
]

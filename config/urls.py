"""The control plane's pages, and the data plane's routes under /v1."""

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

urlpatterns = [
    path("", include("gateway.urls")),
    path("", include("gateway.pages_urls")),
    path("", include("accounts.urls")),
    path("", include("billing.urls")),
    # One way in: the sign-in page counts attempts, the admin's own does not.
    path("admin/login/", RedirectView.as_view(pattern_name="accounts:sign-in", query_string=True)),
    path("admin/", admin.site.urls),
]

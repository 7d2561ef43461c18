"""The control plane's pages, and the data plane's routes under /v1."""

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("", include("gateway.urls")),
    path("", include("gateway.pages_urls")),
    path("", include("accounts.urls")),
    path("admin/", admin.site.urls),
]

"""The control plane's pages, and the data plane's routes under /v1."""

from django.contrib import admin
from django.urls import path

urlpatterns = [
    path("admin/", admin.site.urls),
]

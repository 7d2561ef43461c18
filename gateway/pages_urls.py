"""The gateway's pages for people. The API's routes are in `gateway.urls`, which the data plane resolves alone."""

from django.urls import path

from gateway import views

app_name = "gateway"
urlpatterns = [
    path("", views.home, name="home"),
    path("docs/", views.docs_page, name="docs"),
    path("docs/api/", views.api_reference, name="api-reference"),
    path("docs/<path:slug>/", views.docs_page, name="docs-page"),
]

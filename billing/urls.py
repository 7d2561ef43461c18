"""The pages about money."""

from django.urls import path

from billing import views_pages

app_name = "billing"
urlpatterns = [
    path("", views_pages.home, name="home"),
    path("<slug:slug>/", views_pages.organization, name="organization"),
]

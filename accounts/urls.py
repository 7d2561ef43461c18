"""The pages about people."""

from django.urls import path

from accounts import views, views_design, views_organizations

app_name = "accounts"
urlpatterns = [
    path("sign-in/", views.SignIn.as_view(), name="sign-in"),
    path("dashboard/", views_organizations.dashboard, name="dashboard"),
    path("organizations/new/", views_organizations.new_organization, name="new-organization"),
    path("design/", views_design.design, name="design"),
    path("sign-out/", views.sign_out, name="sign-out"),
]

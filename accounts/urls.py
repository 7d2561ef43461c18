"""The pages about people."""

from django.urls import include, path

from accounts import views, views_design, views_invitations, views_organizations

app_name = "accounts"
urlpatterns = [
    path("sign-in/", views.SignIn.as_view(), name="sign-in"),
    path("dashboard/", views_organizations.dashboard, name="dashboard"),
    path("organizations/new/", views_organizations.new_organization, name="new-organization"),
    path("o/<slug:slug>/", include("accounts.urls_organization")),
    path("invitations/<str:token>/", views_invitations.invitation, name="invitation"),
    path("design/", views_design.design, name="design"),
    path("sign-out/", views.sign_out, name="sign-out"),
]

"""The pages about people. Those that allauth knows by names of its own are in `accounts.urls_allauth`."""

from django.urls import include, path

from accounts import (
    urls_allauth,
    views_account,
    views_design,
    views_invitations,
    views_organizations,
    views_outbox,
)

app_name = "accounts"
urlpatterns = [
    path("sign-in/", urls_allauth.sign_in, name="sign-in"),
    path("sign-up/", urls_allauth.sign_up, name="sign-up"),
    path("sign-out/", urls_allauth.sign_out, name="sign-out"),
    path("account/", views_account.account, name="account"),
    path("account/name/", views_account.name, name="name"),
    path("dashboard/", views_organizations.dashboard, name="dashboard"),
    path("organizations/new/", views_organizations.new_organization, name="new-organization"),
    path("o/<slug:slug>/", include("accounts.urls_organization")),
    path("invitations/<str:token>/", views_invitations.invitation, name="invitation"),
    path("design/", views_design.design, name="design"),
    path("outbox/", views_outbox.outbox, name="outbox"),
    path("outbox/<int:pk>/", views_outbox.mail, name="outbox-mail"),
    path("outbox/<int:pk>/html/", views_outbox.mail_html, name="outbox-html"),
]

"""The ledger's addresses."""

from django.urls import path

from billing import views

app_name = "billing"
urlpatterns = [path(".well-known/2389-keys.json", views.signing_keys, name="signing-keys")]

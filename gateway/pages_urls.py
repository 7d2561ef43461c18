"""The gateway's pages for people. The API's routes are in `gateway.urls`, which the data plane resolves alone."""

from django.urls import path

from gateway import (
    views,
    views_key,
    views_keys,
    views_leaks,
    views_playground,
    views_prompts,
    views_requests,
    views_start,
)

app_name = "gateway"
urlpatterns = [
    path("", views.home, name="home"),
    path("o/<slug:slug>/start/", views_start.start_page, name="start"),
    path("o/<slug:slug>/start/seen/", views_start.seen, name="start-seen"),
    path("o/<slug:slug>/keys/", views_keys.list_keys, name="keys"),
    path("o/<slug:slug>/keys/new/", views_keys.new_key, name="keys-new"),
    path("o/<slug:slug>/keys/revoke/", views_keys.revoke_keys, name="keys-revoke-many"),
    path("o/<slug:slug>/keys/<int:key>/", views_key.key_page, name="keys-key"),
    path("o/<slug:slug>/keys/<int:key>/edit/", views_key.edit_key, name="keys-edit"),
    path("o/<slug:slug>/keys/<int:key>/rotate/", views_key.rotate_key, name="keys-rotate"),
    path("o/<slug:slug>/keys/<int:key>/revoke/", views_key.revoke_key, name="keys-revoke"),
    path("o/<slug:slug>/keys/<int:key>/secrets/<int:secret>/end/", views_key.end_secret, name="keys-end-secret"),
    path("o/<slug:slug>/requests/", views_requests.list_requests, name="requests"),
    path("o/<slug:slug>/requests/export.csv", views_requests.export, name="requests-export"),
    path("o/<slug:slug>/requests/<uuid:request_id>/", views_requests.request_page, name="requests-request"),
    path("o/<slug:slug>/requests/<uuid:request_id>/exchange/", views_requests.exchange, name="requests-exchange"),
    path("o/<slug:slug>/settings/prompts/", views_prompts.prompts, name="settings-prompts"),
    path("o/<slug:slug>/settings/prompts/stop/", views_prompts.stop_prompts, name="settings-prompts-stop"),
    path("o/<slug:slug>/playground/", views_playground.playground, name="playground"),
    path("o/<slug:slug>/playground/key/", views_playground.playground_key, name="playground-key"),
    path("security/leaked-keys", views_leaks.leaked_keys, name="leaked-keys"),
    path("docs/", views.docs_page, name="docs"),
    path("docs/api/", views.api_reference, name="api-reference"),
    path("docs/<path:slug>/", views.docs_page, name="docs-page"),
]

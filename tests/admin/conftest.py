"""Staff at the admin's door, and a row behind every page."""

from __future__ import annotations

import uuid

import pytest
from django.db.models import Model as Row
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from accounts.models import ApiKey, KeptMail, Membership, SecretUse, User
from billing import wallets
from billing.models import Block, Hold, Transfer, Wallet
from gateway import credentials
from gateway.models import StatusNote, Webhook
from tests.admin.pages import STORED, UPSTREAM, make_audit, make_statement, make_usage
from tests.billing.cards import make_payment
from tests.billing.receiver import make_alert, make_budget
from tests.factories import make_model, make_price, make_price_list, make_provider, make_route, make_user


@pytest.fixture(autouse=True)
def environment(settings: Settings) -> None:
    settings.PROVIDER_SECRET = {"OPENAI_API_KEY": UPSTREAM}.get


@pytest.fixture
def root(db: None) -> User:
    return make_user("root@example.com", is_staff=True, is_superuser=True)


@pytest.fixture
def staff(client: Client, root: User) -> Client:
    client.force_login(root)
    return client


@pytest.fixture
def rows(key: ApiKey, bob: User) -> dict[str, Row]:
    """One row, at least, behind every page."""
    SecretUse.objects.create(secret=key.secrets.get(), last_used_at=timezone.now())
    provider = make_provider("openai", api_key_env="OPENAI_API_KEY", credential=credentials.encrypt("openai", STORED))
    statement = make_statement(key.organization)
    entry, _ = wallets.enter(key.organization, "grant", "welcome", 12_500_000_000, "", "root")
    budget = make_budget(key.organization)
    webhook = Webhook(organization=key.organization, url="https://example.com/hooks")
    webhook.renew_secret()
    webhook.save()
    model = make_model("small", successor=make_model("next"))
    return {
        "accounts/user": bob,
        "accounts/organization": key.organization,
        "accounts/membership": Membership.objects.get(user=bob),
        "accounts/project": key.project,
        "accounts/apikey": key,
        "accounts/keptmail": KeptMail.objects.create(sender="a@example.com", recipients="b@example.com", subject="Hi"),
        "auth/group": bob.groups.create(name="support"),
        "gateway/provider": provider,
        "gateway/model": model,
        "gateway/route": make_route(model, provider),
        "billing/price": make_price("small", tiers=[{"above": 200000, "input": "2"}]),
        "billing/pricelist": make_price_list(),
        "billing/usageevent": make_usage(key),
        "billing/transfer": Transfer.objects.get(pk=entry),
        "billing/wallet": Wallet.objects.get(),
        "billing/budget": budget,
        "billing/hold": Hold.objects.create(
            request_id=uuid.uuid4(),
            organization=key.organization,
            api_key=key,
            amount_nano=5,
            model="small",
            stream=True,
        ),
        "billing/outboxmessage": make_alert(budget),
        "gateway/webhook": webhook,
        **make_payment(key.organization),
        "gateway/statusnote": StatusNote.objects.create(title="Slow answers", body="We are looking into it."),
        "billing/auditrun": make_audit(),
        "billing/block": Block.objects.latest("number"),
        "billing/statement": statement,
    }

"""Two organisations as they look after a month: people, projects, keys, budgets, and what was called and paid.

Acme has all of it and Empty has nothing, so that a page can be looked at with and without data. Money moves through the
functions of the ledger alone, and the audit finds nothing. The same numbers come out each time.
"""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random
from typing import Any

from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP
from django.contrib.auth.models import AnonymousUser
from django.core.mail import EmailMultiAlternatives
from django.core.management import call_command
from django.db import transaction
from django.test import RequestFactory, override_settings
from django.utils import timezone

from accounts import email_addresses, invitations, key_life, organizations, projects
from accounts.audit import Actor
from accounts.models import ApiKey, AuditEvent, Membership, Organization, Project, Scope, User
from accounts.roles import Role
from billing import money, payments, rollups, sealing, statements, wallets
from billing.models import Budget, Payment
from config.stack.state import ROOT
from gateway.models import Webhook
from tests.accounts.device import Device
from tests.browser.month import Caller, spend_a_month

PASSWORD = "correct horse battery staple"
ACME, EMPTY = "acme", "empty"
PEOPLE = {
    Role.OWNER: ("dana@acme.example", "Dana Okafor"),
    Role.ADMIN: ("emile@acme.example", "Émile Laurent-Desrosiers"),
    Role.DEVELOPER: ("li.na@acme.example", "李娜"),
    Role.BILLING: ("tomas@acme.example", "Tomás Ruiz"),
    Role.VIEWER: ("priya@acme.example", "Priya Raman"),
}
STAFF = "root@2389.example"


@dataclass
class Acme:
    """The organisation that has everything."""

    organization: Organization
    people: dict[Role, User] = field(default_factory=dict)
    projects: dict[str, Project] = field(default_factory=dict)
    keys: dict[str, ApiKey] = field(default_factory=dict)

    def who(self, role: Role) -> Actor:
        user = self.people[role]
        return Actor(
            AuditEvent.Actor.PERSON, user, str(user), "192.0.2.44", "Mozilla/5.0 (X11; Linux x86_64) Firefox/147"
        )


def make(*, days: int = 30, a_day: int = 40) -> Acme:
    """All of it, in a database that has tables and nothing else."""
    call_command("sync_registry", str(ROOT / "gateway" / "registry.toml"), verbosity=0, stdout=_Silence())
    staff = User.objects.create_superuser(STAFF, PASSWORD, name="Root")
    with transaction.atomic():
        acme = Acme(_organization("Acme", PEOPLE[Role.OWNER]))
        organizations.found("Empty", User.objects.get(email=PEOPLE[Role.OWNER][0]))
        _people(acme)
        _projects(acme)
        _keys(acme)
        _money(acme, str(staff))
    spend_a_month(acme.organization, _callers(acme), days=days, a_day=a_day, budgets=lambda: _budgets(acme))
    rollups.roll_up()
    _ends(acme)
    _papers(acme)
    _second_factor(acme.people[Role.ADMIN])
    sealing.seal_all()
    statements.make(acme.organization, (timezone.now().replace(day=1) - timedelta(days=1)).date().replace(day=1))
    return acme


class _Silence:
    def write(self, _: str) -> None:
        """Nothing is said."""


def _organization(name: str, owner: tuple[str, str]) -> Organization:
    email, full = owner
    return organizations.found(name, User.objects.create_user(email, PASSWORD, name=full))


def _people(acme: Acme) -> None:
    for role, (email, name) in PEOPLE.items():
        user = User.objects.filter(email=email).first() or User.objects.create_user(email, PASSWORD, name=name)
        Membership.objects.get_or_create(organization=acme.organization, user=user, defaults={"role": role})
        acme.people[role] = user
        email_addresses.vouch_for(user)


def _projects(acme: Acme) -> None:
    acme.projects["Default"] = Project.objects.default_of(acme.organization)
    for name in ("Support assistant", "Search and recommendations"):
        acme.projects[name] = projects.create(_request(acme), acme.organization, name)


def _keys(acme: Acme) -> None:
    owner, developer = acme.people[Role.OWNER], acme.people[Role.DEVELOPER]
    support, search = acme.projects["Support assistant"], acme.projects["Search and recommendations"]
    limits = {"requests_per_minute": 600, "tokens_per_minute": 2_000_000, "parallel_streams": 40}
    _key(acme, "support-production", support, None, **limits, models_allowed=["gpt-6.1-sol", "claude-*"])
    _key(acme, "search-embeddings", search, None, scopes=[Scope.EMBEDDINGS], models_allowed=["text-embedding-3-small"])
    _key(
        acme, "nightly-summaries", support, None, expires_at=timezone.now() + timedelta(days=12), note="cron on host 7"
    )
    _key(acme, "li-na-laptop", acme.projects["Default"], developer, requests_per_minute=60)
    _key(acme, "staging-of-the-new-assistant-with-a-long-name", support, developer, address_ranges=["198.51.100.0/24"])
    _key(acme, "old-integration", acme.projects["Default"], owner)


def _key(acme: Acme, name: str, project: Project, owner: User | None, **columns: Any) -> None:
    who, form = acme.who(Role.ADMIN), uuid.uuid4()
    acme.keys[name], _ = key_life.create(
        who, acme.organization, form=form, name=name, project=project, owner=owner, **columns
    )


def _money(acme: Acme, author: str) -> None:
    wallets.enter(acme.organization, "topup", "invoice 2026-118", 750 * money.NANO, "", author)
    wallets.enter(acme.organization, "grant", "welcome", 25 * money.NANO, "To try it", author)


def _budgets(acme: Acme) -> None:
    """Made when the month begins of which they are shown."""
    support = acme.projects["Support assistant"]
    laptop = acme.keys["li-na-laptop"]
    for name, dollars, fields in (
        ("Everything", 500, {}),
        ("Support assistant", 40, {"scope": Budget.Scope.PROJECT, "target_id": support.pk, "hard": False}),
        ("Key li-na-laptop", 20, {"scope": Budget.Scope.API_KEY, "target_id": laptop.pk}),
    ):
        Budget.objects.create(organization=acme.organization, name=name, limit_nano=dollars * money.NANO, **fields)


def _papers(acme: Acme) -> None:
    """A payment by card with its receipt, and a place that is told what happens."""
    payment = Payment.objects.create(
        organization=acme.organization,
        kind=Payment.Kind.CHECKOUT,
        amount_nano=50 * money.NANO,
        author="grace@navy.example",
    )
    payments.paid(payment, "pi_demonstration", payment.amount_nano)
    webhook = Webhook(organization=acme.organization, url="https://hooks.acme.example/2389")
    webhook.renew_secret()
    webhook.save()


def _callers(acme: Acme) -> list[Caller]:
    """Who calls what, and how often beside the others."""
    random, keys = Random(2389), acme.keys  # noqa: S311 - the same each time, and no secret
    return [
        Caller(keys["support-production"], "gpt-6.1-sol", "openai", 10, (900, 4200), (120, 700), random),
        Caller(keys["support-production"], "claude-sonnet-5-5", "anthropic", 6, (1200, 6000), (200, 900), random),
        Caller(keys["search-embeddings"], "text-embedding-3-small", "openai", 8, (200, 2000), (0, 0), random),
        Caller(keys["nightly-summaries"], "gemini-3.8-flash", "gemini", 3, (4000, 24000), (300, 1200), random),
        Caller(keys["li-na-laptop"], "claude-opus-5-5", "anthropic", 2, (500, 9000), (300, 2400), random),
        Caller(keys["li-na-laptop"], "gpt-6-luna", "openai", 2, (100, 900), (50, 400), random),
        Caller(keys["old-integration"], "gpt-4o-mini", "openai", 1, (100, 900), (50, 400), random),
    ]


def _ends(acme: Acme) -> None:
    """What has happened to keys since, and who is asked to come."""
    who, laptop = acme.who(Role.ADMIN), acme.keys["li-na-laptop"]
    key_life.rotate(acme.who(Role.DEVELOPER), laptop, seen=laptop.secrets.latest("pk").pk, hours=24)
    key_life.revoke(who, [acme.keys["old-integration"].pk])
    with override_settings(EMAIL_BACKEND="accounts.kept_mail.Backend"):
        for email, role in (("noor@acme.example", Role.DEVELOPER), ("auditors@partner.example", Role.VIEWER)):
            invitations.invite(_request(acme), acme.organization, email, role)
        letter = EmailMultiAlternatives("Your code is BCDF-GHJK", "Enter it: BCDF-GHJK", to=["grace@navy.example"])
        letter.attach_alternative("<!doctype html><title>Code</title><h1>Your code</h1><p>BCDF-GHJK</p>", "text/html")
        letter.send()


def _second_factor(user: User) -> None:
    """An authenticator app, recovery codes, and a passkey of which nobody has the other half."""
    RecoveryCodes.activate(user)
    TOTP.activate(user, "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP")
    site = {"user": {"id": "user"}, "rp": {"id": "localhost"}, "challenge": "AAAA"}
    passkey = json.loads(Device("http://localhost").create({"publicKey": site}, resident=False))
    data = {"name": "Security key", "credential": passkey}
    Authenticator.objects.create(user=user, type=Authenticator.Type.WEBAUTHN, data=data)


def _request(acme: Acme) -> Any:
    """A page's request of Acme's owner, for what writes down who asked."""
    request = RequestFactory().get(
        "/", HTTP_USER_AGENT="Mozilla/5.0 (Macintosh) Safari/605.1.15", REMOTE_ADDR="192.0.2.17"
    )
    request.user = acme.people.get(Role.OWNER) or AnonymousUser()
    request.session = {}  # type: ignore[assignment]
    request.membership = Membership.objects.get(organization=acme.organization, role=Role.OWNER)  # type: ignore[attr-defined]
    return request

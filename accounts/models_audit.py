"""The audit log's table: who did what in an organisation, when and from where."""

from __future__ import annotations

from typing import Any, Self

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models import Q
from django.utils import timezone

from accounts.models import Organization, OrganizationOwned, User


class Action(models.TextChoices):
    """Everything that is written down, as programs read it in an export and as people read it on the page."""

    ORGANIZATION_CREATED = "organization.created", "Created the organisation"
    ORGANIZATION_CHANGED = "organization.changed", "Changed the settings"
    ORGANIZATION_SUSPENDED = "organization.suspended", "Suspended the organisation"
    ORGANIZATION_RESUMED = "organization.resumed", "Lifted the suspension"
    ORGANIZATION_CLOSED = "organization.closed", "Closed the organisation"
    ORGANIZATION_REOPENED = "organization.reopened", "Reopened the organisation"
    MEMBER_INVITED = "member.invited", "Invited"
    MEMBER_JOINED = "member.joined", "Accepted the invitation"
    MEMBER_ADDED = "member.added", "Added"
    MEMBER_CHANGED = "member.changed", "Changed the role of"
    MEMBER_REMOVED = "member.removed", "Removed"
    MEMBER_LEFT = "member.left", "Left the organisation"
    MEMBER_SIGN_IN = "member.sign_in", "Changed how they sign in"
    INVITATION_RESENT = "invitation.resent", "Sent again the invitation to"
    INVITATION_REVOKED = "invitation.revoked", "Revoked the invitation to"
    PROJECT_CREATED = "project.created", "Created the project"
    PROJECT_CHANGED = "project.changed", "Changed the project"
    PROJECT_ARCHIVED = "project.archived", "Archived the project"
    PROJECT_RESTORED = "project.restored", "Restored the project"
    KEY_CREATED = "key.created", "Created the key"
    KEY_CHANGED = "key.changed", "Changed the key"
    KEY_ROTATED = "key.rotated", "Rotated the key"
    KEY_REVOKED = "key.revoked", "Revoked the key"
    KEY_LEAKED = "key.leaked", "Revoked, as it was reported as leaked, the key"
    BUDGET_CREATED = "budget.created", "Created the budget"
    BUDGET_CHANGED = "budget.changed", "Changed the budget"
    BUDGET_DELETED = "budget.deleted", "Removed the budget"
    BUDGET_RESTORED = "budget.restored", "Brought back the budget"
    CREDIT_ENTERED = "credit.entered", "Entered credit"
    CREDIT_REVERSED = "credit.reversed", "Reversed an entry of credit"
    CREDIT_TERMS_CHANGED = "credit.terms_changed", "Changed overdraft or markup"
    BILLING_CHANGED = "billing.changed", "Changed what stands on invoices"
    TOP_UP_STARTED = "top_up.started", "Began a top-up"
    TOP_UP_CHANGED = "top_up.changed", "Changed the automatic top-up"
    WEBHOOK_CREATED = "webhook.created", "Created the webhook"
    WEBHOOK_CHANGED = "webhook.changed", "Changed the webhook"
    WEBHOOK_DELETED = "webhook.deleted", "Deleted the webhook"
    PROMPTS_CHANGED = "prompts.changed", "Changed whether prompts are stored"
    PROMPTS_READ = "prompts.read", "Read the prompt and answer of"
    AUDIT_EXPORTED = "audit.exported", "Exported the audit log"


class AuditEventQuerySet(OrganizationOwned):  # type: ignore[override] # the manager is made of it as of any other
    def before(self, event_id: int) -> Self:
        """What was written earlier than that event."""
        return self.filter(pk__lt=event_id)

    def by(self, actor: str) -> Self:
        """What one actor did: `operator`, `system`, or the number of a person who is or was a member."""
        if actor.isascii() and actor.isdigit():
            return self.filter(actor_id=int(actor), actor_kind=AuditEvent.Actor.PERSON)
        return self.filter(actor_kind=actor)

    def about(self, word: str) -> Self:
        """What begins with `word`: an action (`member.invited`), or a part of them (`member`)."""
        return self.filter(Q(action=word) | Q(action__startswith=f"{word}."))


class AuditEvent(models.Model):
    """One thing that somebody did. Rows are final: the database refuses to change or delete them.

    Names are kept as they were, and nothing points at a row that a deletion would have to follow.
    """

    class Actor(models.TextChoices):
        PERSON = "person"
        KEY = "key", "API key"
        OPERATOR = "operator", "The operator"
        SYSTEM = "system", "The system"

    organization = models.ForeignKey(Organization, models.PROTECT, related_name="+", db_index=False)
    action = models.CharField(max_length=40)
    actor_kind = models.CharField(max_length=10, choices=Actor.choices)
    actor = models.ForeignKey(
        User, models.DO_NOTHING, null=True, related_name="+", db_index=False, db_constraint=False
    )  # also of the operator's staff, whom members are not told
    actor_label = models.CharField(max_length=320, blank=True)
    target_kind = models.CharField(max_length=40)
    target_id = models.CharField(max_length=64)
    target_label = models.CharField(max_length=320)
    details = models.JSONField(default=dict, encoder=DjangoJSONEncoder)
    address = models.GenericIPAddressField(null=True)
    user_agent = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = AuditEventQuerySet.as_manager()

    class Meta:
        ordering = ["-pk"]
        indexes = [
            models.Index(fields=["organization", "-id"], name="audit_list"),
            models.Index(fields=["organization", "actor", "-id"], name="audit_of_person"),
        ]

    def __str__(self) -> str:
        return f"{self.who}: {self.what} {self.target_label}"

    @property
    def who(self) -> str:
        """As members are told. Of the operator's staff they learn that it was the operator."""
        return self.actor_label if self.actor_kind in {"person", "key"} else self.get_actor_kind_display()

    @property
    def what(self) -> str:
        return Action(self.action).label if self.action in Action else self.action

    @property
    def is_about_another(self) -> bool:
        """Whether it was done to something else than the whole organisation, or to somebody else than who did it."""
        return self.target_kind != "organization" and self.target_label != self.actor_label

    @property
    def facts(self) -> list[tuple[str, Any, Any]]:
        """Each detail as its name, what it was before (None when it only is), and what it is."""
        return [(name.replace("_", " "), *_sides(value)) for name, value in sorted(self.details.items())]


def _sides(value: Any) -> tuple[Any, Any]:
    if isinstance(value, dict) and value.keys() == {"before", "after"}:
        return _said(value["before"]) or "nothing", _said(value["after"]) or "nothing"
    return None, _said(value)


def _said(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return "" if value is None else str(value)

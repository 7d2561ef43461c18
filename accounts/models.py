"""People, the organisations they belong to, and the keys that programs call with."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar, Self

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import AnonymousUser, PermissionsMixin
from django.contrib.postgres.fields import ArrayField
from django.db import models, transaction
from django.db.models import Exists, Max, OuterRef, Q
from django.db.models.functions import Lower
from django.utils import timezone

from accounts import email_addresses, keys
from accounts.models_keys import KeyLimits


class UserManager(BaseUserManager["User"]):
    """Makes people; e-mail addresses are kept as typed and compared without regard to case."""

    def at(self, email: str) -> models.QuerySet[User]:
        """Whoever signs in with this address: nobody or one. In the words of the index on it."""
        return self.annotate(address=Lower("email")).filter(address=email.lower())

    def get_by_natural_key(self, username: str | None) -> User:
        return self.at(username or "").get()

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> User:
        """Somebody whose address nobody needs to verify: an operator made them. People who sign up verify theirs."""
        if not email:
            raise ValueError("A user needs an e-mail address.")
        user = self.model(email=self.normalize_email(email), **fields)
        user.set_password(password)
        with transaction.atomic():
            user.save(using=self._db)
            email_addresses.vouch_for(user)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> User:
        return self.create_user(email, password, is_staff=True, is_superuser=True, **fields)


class User(AbstractBaseUser, PermissionsMixin):
    """A person. The e-mail address is the login."""

    email = models.EmailField(
        max_length=254, unique=True, error_messages={"unique": "Somebody signs in with this address already."}
    )
    name = models.CharField(max_length=120, blank=True)
    is_active = models.BooleanField(default=True, help_text="Clear this instead of deleting the person.")
    is_staff = models.BooleanField(default=False, help_text="May sign in to the admin.")
    joined_at = models.DateTimeField(default=timezone.now, editable=False)

    objects: ClassVar[UserManager] = UserManager()

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    class Meta:
        verbose_name = "person"
        verbose_name_plural = "people"
        constraints = [models.UniqueConstraint(Lower("email"), name="user_email_unique")]
        ordering = ["email"]

    def __str__(self) -> str:
        return self.email


class OrganizationQuerySet(models.QuerySet["Organization"]):
    def visible_to(self, user: User | AnonymousUser) -> OrganizationQuerySet:
        """The open organisations that `user` belongs to; staff see their customers in the admin, not here."""
        if not isinstance(user, User):
            return self.none()
        return self.filter(memberships__user=user, closed_at=None)

    def locked(self, pk: int) -> Organization:
        """The organisation, whose members, projects and keys nobody else changes until the transaction ends.

        Calls go on: what they write may point at the row, which does not change its number.
        """
        return self.select_for_update(no_key=True).get(pk=pk)


class Organization(models.Model):
    """A customer: the unit that owns keys, pays, and sees nothing of any other."""

    class RetiredModels(models.TextChoices):
        DEFAULT = "", "As the platform does"
        FOLLOW = "follow", "Serve by the successor"
        REFUSE = "refuse", "Refuse with 404"

    name = models.CharField(max_length=120)
    slug = models.SlugField(max_length=60, unique=True)
    sandbox_enabled = models.BooleanField("sandbox models", default=True, help_text="List and answer sandbox/* models.")
    retired_models = models.CharField(max_length=10, choices=RetiredModels.choices, blank=True, default="")
    suspended_at = models.DateTimeField(
        null=True, blank=True, help_text="Set to refuse every call of this organisation."
    )
    closed_at = models.DateTimeField(
        null=True, blank=True, help_text="Set when its owner closed it: no page of it opens and it has no working key."
    )
    default_project = models.ForeignKey(
        "Project", models.PROTECT, null=True, blank=True, related_name="+", help_text="Of keys made for none by name."
    )
    prompt_retention_days = models.PositiveSmallIntegerField(
        null=True,
        blank=True,
        editable=False,
        help_text="How long prompts and answers are stored; empty for not at all.",
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = OrganizationQuerySet.as_manager()

    class Meta:
        verbose_name = "organisation"
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(condition=Q(prompt_retention_days__range=(1, 365)), name="organization_retention")
        ]

    def __str__(self) -> str:
        return self.name


class OrganizationOwned(models.QuerySet["Any"]):
    """The words every table with an `organization` column is asked in, so that no view can forget the scope."""

    def of(self, organization: Organization) -> Self:
        return self.filter(organization=organization)

    def visible_to(self, user: User | AnonymousUser) -> Self:
        """The rows of every organisation that `user` belongs to; nothing for anybody else."""
        return self.filter(organization__in=Organization.objects.visible_to(user))


class Membership(models.Model):
    """A person's place in an organisation."""

    class Role(models.TextChoices):
        OWNER = "owner"
        ADMIN = "admin"
        DEVELOPER = "developer"
        BILLING = "billing"
        VIEWER = "viewer"

    organization = models.ForeignKey(Organization, models.CASCADE, related_name="memberships")
    user = models.ForeignKey(User, models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=10, choices=Role.choices, default=Role.DEVELOPER)
    joined_at = models.DateTimeField(default=timezone.now, editable=False)
    last_active_at = models.DateTimeField(null=True, editable=False, help_text="On the pages; right to five minutes.")
    started_at = models.DateTimeField(null=True, editable=False, help_text="First steps done, or skipped.")

    objects = OrganizationOwned.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint("organization", "user", name="membership_unique")]
        ordering = ["organization", "user"]

    def __str__(self) -> str:
        return f"{self.user} in {self.organization} ({self.role})"

    @property
    def audit_label(self) -> str:
        return str(self.user)


class ProjectQuerySet(OrganizationOwned):
    def default_of(self, organization: Organization) -> Project:
        """The project of keys that were made for none in particular."""
        if organization.default_project is not None:
            return organization.default_project
        project, _ = self.get_or_create(organization=organization, slug="default", defaults={"name": "Default"})
        return project  # type: ignore[no-any-return]

    def unarchived(self) -> Self:
        """Those that keys can be made in."""
        return self.filter(archived_at=None)


class Project(models.Model):
    """A part of an organisation: its keys, budgets and usage are told apart from the others'."""

    organization = models.ForeignKey(Organization, models.PROTECT, related_name="projects")
    name = models.CharField(max_length=120)
    slug = models.SlugField(max_length=60)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    archived_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects = ProjectQuerySet.as_manager()

    class Meta:
        ordering = ["organization", "name"]
        constraints = [models.UniqueConstraint("organization", "slug", name="project_slug_unique")]

    def __str__(self) -> str:
        return self.name


class Scope(models.TextChoices):
    """What a key may be used for."""

    CHAT = "chat", "Chat completions"
    EMBEDDINGS = "embeddings", "Embeddings"
    USAGE = "usage", "Reading usage and costs"
    ADMINISTRATION = "administration", "Administration"


def default_scopes() -> list[str]:
    return [Scope.CHAT.value, Scope.EMBEDDINGS.value]


class NotIssuedError(Exception):
    """No key was made. Says why, in words for whoever wanted it."""


def _holder_is_here() -> Exists:
    """Of a key that is a person's: whether they are still a member, and may sign in."""
    members = Membership.objects.filter(user__is_active=True)
    return Exists(members.filter(organization=OuterRef("organization"), user=OuterRef("owner")))


class ApiKeyQuerySet(OrganizationOwned):
    def ordinary(self) -> Self:
        """Those that somebody made and manages, which the playground's are not."""
        return self.filter(playground=False)

    def active(self) -> Self:
        unexpired = Q(expires_at=None) | Q(expires_at__gt=timezone.now())
        return self.filter(unexpired, Q(service_account=True) | _holder_is_here(), revoked_at=None)

    def with_standing(self) -> Self:
        """What `status` and `last_used_at` would otherwise ask the database for, row by row."""
        return self.annotate(holder_is_here=_holder_is_here(), last_use=Max("secrets__use__last_used_at"))

    def locked(self, pk: int) -> ApiKey:
        """The key, which nobody else changes, rotates or revokes until the transaction ends."""
        return self.select_for_update(no_key=True).get(pk=pk)  # type: ignore[no-any-return]

    @transaction.atomic
    def issue(
        self,
        *,
        organization: Organization,
        name: str,
        owner: User | None = None,
        project: Project | None = None,
        scopes: list[str] | None = None,
        **columns: Any,
    ) -> tuple[ApiKey, str]:
        """A new key and its secret. The secret is not kept: this is the only time anybody sees it.

        A key without an owner is a service account's: it outlives whoever made it. Raises `NotIssuedError`.
        """
        locked = Organization.objects.locked(organization.pk)
        project = project or Project.objects.default_of(locked)
        project.refresh_from_db(fields=["archived_at"])
        if locked.closed_at or project.archived_at:
            gone = f"{project} is archived" if project.archived_at else f"{locked} is closed"
            raise NotIssuedError(f"{gone}: no keys can be made in it.")
        if owner and not Membership.objects.of(locked).filter(user=owner).exists():
            raise NotIssuedError(f"{owner} is not a member of {locked}: only members hold keys.")
        key = self.create(
            organization=organization,
            project=project,
            name=name,
            owner=owner,
            service_account=owner is None,
            scopes=default_scopes() if scopes is None else scopes,
            **columns,
        )
        return key, key.add_secret()


class ApiKey(KeyLimits):
    """What a program calls with. It has one secret, and while it is rotated two."""

    organization = models.ForeignKey(Organization, models.PROTECT, related_name="api_keys")
    project = models.ForeignKey(Project, models.PROTECT, related_name="api_keys")
    owner = models.ForeignKey(User, models.SET_NULL, null=True, blank=True, related_name="api_keys")
    service_account = models.BooleanField(
        default=False, help_text="Belongs to the organisation, not to a person: it goes on when people leave."
    )
    scopes = ArrayField(models.CharField(max_length=20, choices=Scope.choices), default=default_scopes)
    name = models.CharField(max_length=120)
    note = models.CharField(max_length=500, blank=True, help_text="For people: where it is used, whom to ask.")
    hint_first4 = models.CharField(max_length=4, editable=False)  # of the newest secret
    hint_last4 = models.CharField(max_length=4, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True, editable=False)
    form = models.UUIDField(
        null=True, unique=True, editable=False, help_text="The form that made it: sent twice, it makes one key."
    )
    playground = models.BooleanField(
        default=False, editable=False, help_text="Made by the playground, for its pages: see accounts.playground_keys."
    )

    objects = ApiKeyQuerySet.as_manager()

    class Meta:
        verbose_name = "API key"
        ordering = ["-created_at"]
        indexes = [
            models.Index(fields=["organization", "-created_at"], name="api_key_list")
        ]  # an organisation's page of keys
        constraints = [
            models.CheckConstraint(
                condition=Q(service_account=False) | Q(owner=None), name="api_key_service_account_has_no_owner"
            ),
            models.CheckConstraint(
                condition=Q(playground=False) | Q(service_account=False), name="api_key_playground_is_a_persons"
            ),
            models.UniqueConstraint(
                fields=["organization", "owner", "project"],
                condition=Q(playground=True, revoked_at=None),
                name="api_key_playground_once",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.hint})"

    @property
    def hint(self) -> str:
        """What may be shown of its newest secret: `sk-2389-AbCd…wXyZ`."""
        return keys.hint(self.hint_first4, self.hint_last4)

    @property
    def status(self) -> str:
        """`active`, or why it is refused. `stopped` means that its holder is gone."""
        if self.revoked_at:
            return "revoked"
        if self.expires_at and self.expires_at <= timezone.now():
            return "expired"
        return "active" if self.service_account or self._holder_is_here() else "stopped"

    @property
    def last_used_at(self) -> datetime | None:
        """Right to within two minutes."""
        if "last_use" not in self.__dict__:
            self.last_use: datetime | None = self.secrets.aggregate(last=Max("use__last_used_at"))["last"]
        return self.last_use

    def add_secret(self) -> str:
        """Another secret, which is not kept. Those that it has go on, until somebody ends them."""
        secret, text = self.secrets.make(self)
        self.hint_first4, self.hint_last4 = secret.hint_first4, secret.hint_last4
        self.save(update_fields=["hint_first4", "hint_last4"])
        return text

    def revoke(self) -> None:
        """Refused by every worker within 5 seconds, and at once by those that hear Valkey."""
        if self.revoked_at is None:
            self.revoked_at = timezone.now()
            self.save(update_fields=["revoked_at"])
        self.announce()

    def announce(self) -> None:
        """Let every worker see what was changed, once it is committed."""
        digests = [bytes(secret.digest) for secret in self.secrets.all()]
        transaction.on_commit(lambda: keys.announce(digests))

    def _holder_is_here(self) -> bool:
        if "holder_is_here" not in self.__dict__:
            holder = Membership.objects.filter(organization=self.organization_id, user__is_active=True)
            self.holder_is_here = holder.filter(user=self.owner_id).exists()
        return self.holder_is_here


class KeptMail(models.Model):
    """A mail that was kept instead of sent: where there is no mail server, staff read it here."""

    sent_at = models.DateTimeField(default=timezone.now, db_index=True)
    sender = models.CharField(max_length=320)
    recipients = models.TextField()
    subject = models.TextField()
    text = models.TextField()
    html = models.TextField(blank=True)

    class Meta:
        verbose_name = "kept mail"
        verbose_name_plural = "kept mail"
        ordering = ["-pk"]

    def __str__(self) -> str:
        return self.subject


# Tables with a file of their own. They are built on what stands above.
from accounts.models_audit import AuditEvent as AuditEvent  # noqa: E402
from accounts.models_invitations import Invitation as Invitation  # noqa: E402
from accounts.models_keys import ApiKeySecret as ApiKeySecret  # noqa: E402
from accounts.models_keys import SecretSignIn as SecretSignIn  # noqa: E402
from accounts.models_keys import SecretUse as SecretUse  # noqa: E402
from accounts.models_security import SecurityEvent as SecurityEvent  # noqa: E402

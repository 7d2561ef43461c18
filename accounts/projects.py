"""Projects of an organisation: made, renamed, archived with their keys, and brought back without them."""

from __future__ import annotations

from django.db import transaction
from django.db.models import Count, F, Max, Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.text import slugify

from accounts import audit, key_life
from accounts.audit import Action, Change
from accounts.models import ApiKey, Organization, Project

SLUG = 60


class ProjectError(Exception):
    """It was not done. Says why and what to do, in words for whoever wanted it."""


def listed(organization: Organization) -> QuerySet[Project]:
    """All of them, the archived last, with how many working keys each has and when one of them last called."""
    working = Q(api_keys__in=ApiKey.objects.of(organization).ordinary().active())
    found: QuerySet[Project] = Project.objects.of(organization)
    return found.annotate(
        key_count=Count("api_keys", filter=working, distinct=True), used_at=Max("api_keys__secrets__use__last_used_at")
    ).order_by(F("archived_at").asc(nulls_first=True), "name")


def keys_of(project: Project) -> QuerySet[ApiKey]:
    found: QuerySet[ApiKey] = ApiKey.objects.of(project.organization).ordinary().active().filter(project=project)
    return found.select_related("owner").order_by("name")


@transaction.atomic
def create(request: HttpRequest, organization: Organization, name: str) -> Project:
    """With a slug made of its name, which stays when the name changes."""
    locked = Organization.objects.locked(organization.pk)
    project = Project.objects.create(organization=locked, name=name, slug=_free_slug(locked, name))
    audit.record(request, locked, Action.PROJECT_CREATED, project, slug=project.slug)
    return project


@transaction.atomic
def rename(request: HttpRequest, project: Project, name: str) -> None:
    before, project.name = project.name, name
    if before != name:
        project.save(update_fields=["name"])
        audit.record(request, project.organization, Action.PROJECT_CHANGED, project, name=Change(before, name))


@transaction.atomic
def archive(request: HttpRequest, project: Project) -> int:
    """No new keys, and its keys are revoked at once: how many. What it used stays in every report. Raises
    `ProjectError`."""
    organization = Organization.objects.locked(project.organization_id)
    if is_default(organization, project):
        raise ProjectError(f"{project} is the default project. Choose another one in the settings first.")
    ended = list(keys_of(project))
    project.archived_at = timezone.now()
    project.save(update_fields=["archived_at"])
    audit.record(request, organization, Action.PROJECT_ARCHIVED, project, keys_revoked=[key.hint for key in ended])
    trying = ApiKey.objects.of(organization).filter(project=project, playground=True, revoked_at=None)
    revoked = [key.pk for key in (*ended, *trying)]
    key_life.revoke(audit.person(request), revoked, reason="its project was archived")
    return len(ended)  # the playground makes its own anew


@transaction.atomic
def restore(request: HttpRequest, project: Project) -> None:
    project.archived_at = None
    project.save(update_fields=["archived_at"])
    audit.record(request, project.organization, Action.PROJECT_RESTORED, project)


def is_default(organization: Organization, project: Project) -> bool:
    """Whether keys go there that are made for no project by name."""
    if organization.default_project_id is not None:
        return organization.default_project_id == project.pk
    return project.slug == "default"


def _free_slug(organization: Organization, name: str) -> str:
    base = slugify(name)[: SLUG - 7] or "project"
    taken = set(Project.objects.of(organization).filter(slug__startswith=base).values_list("slug", flat=True))
    number, slug = 1, base
    while slug in taken:
        number += 1
        slug = f"{base}-{number}"
    return slug

"""What staff do in the admin, as the organisation's audit log has it: the operator did it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django import forms
from django.db.models import Model
from django.http import HttpRequest

from accounts import audit, members
from accounts.audit import Action, Change
from accounts.models import Membership, Organization


def saved(
    request: HttpRequest,
    organization: Organization,
    row: Model,
    form: forms.ModelForm[Any],
    actions: tuple[Action, Action],
    *,
    change: bool,
) -> None:
    """A form was saved: the first of the actions when it made the row, the second when it changed something."""
    made, changed = actions
    if not change:
        audit.record(audit.operator(request), organization, made, row)
    elif form.changed_data:
        told = {name: Change(_plain(form, name), _value(row, name)) for name in form.changed_data}
        told = {name: change for name, change in told.items() if change.before != change.after}
        audit.record(audit.operator(request), organization, changed, row, **told)


def end_memberships(request: HttpRequest, ended: Iterable[Membership]) -> None:
    """They are over, and their holders' keys with them, as when an owner removes somebody."""
    for membership in ended:
        organization = Organization.objects.locked(membership.organization_id)
        found = Membership.objects.of(organization).filter(pk=membership.pk).select_related("user").first()
        if found is not None:
            members.end(audit.operator(request), found, Action.MEMBER_REMOVED)


def _plain(form: forms.ModelForm[Any], name: str) -> Any:
    """What the field was: a row by its name, as it is told afterwards."""
    before = form.initial.get(name)
    field = form.fields.get(name)
    if isinstance(field, forms.ModelChoiceField) and before is not None and field.queryset is not None:
        return str(field.queryset.filter(pk=before).first() or before)
    return before


def _value(row: Model, name: str) -> Any:
    value = getattr(row, name)
    return str(value) if isinstance(value, Model) else value

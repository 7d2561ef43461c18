"""Reading the audit log: the filters of its page, and the same rows as a file."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, time, timedelta
from typing import Any

from django import forms
from django.db.models import Max

from accounts.models import AuditEvent, Membership, Organization, User
from accounts.models_audit import Action, AuditEventQuerySet

PAGE = 50
CHUNK = 500
COLUMNS = ("id", "at", "actor", "actor_kind", "action", "target_kind", "target_id", "target", "details",
           "address", "user_agent")  # fmt: skip
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what a spreadsheet would run
SUBJECTS = {
    "organization": "Organisation",
    "member": "Members",
    "invitation": "Invitations",
    "project": "Projects",
    "key": "Keys",
    "budget": "Budgets",
    "credit": "Credit",
    "billing": "Billing details",
    "top_up": "Top-ups",
    "webhook": "Webhooks",
    "prompts": "Stored prompts",
    "audit": "Audit log",
}


class FilterForm(forms.Form):
    """What is wanted of the log, from the address of the page. Days are those of UTC, and both ends count."""

    person = forms.ChoiceField(label="Who", required=False)
    action = forms.ChoiceField(label="What", required=False)
    since = forms.DateField(label="From", required=False, widget=forms.DateInput(attrs={"type": "date"}))
    until = forms.DateField(label="To", required=False, widget=forms.DateInput(attrs={"type": "date"}))

    def __init__(self, *args: Any, organization: Organization, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.organization = organization
        _choices(self, "person", [("", "Anybody"), *_actors(organization)])
        _choices(self, "action", [("", "Anything"), *_actions()])

    def rows(self) -> AuditEventQuerySet:
        """Newest first. A filter that makes no sense is left out, and the form says so."""
        self.full_clean()
        wanted = self.cleaned_data
        found: AuditEventQuerySet = AuditEvent.objects.of(self.organization).order_by("-pk")
        if wanted.get("person"):
            found = found.by(wanted["person"])
        if wanted.get("action"):
            found = found.about(wanted["action"])
        if wanted.get("since"):
            found = found.filter(created_at__gte=datetime.combine(wanted["since"], time(), UTC))
        if wanted.get("until"):
            found = found.filter(created_at__lt=datetime.combine(wanted["until"], time(), UTC) + timedelta(days=1))
        return found


def _choices(form: forms.Form, name: str, choices: list[Any]) -> None:
    field = form.fields[name]
    assert isinstance(field, forms.ChoiceField)  # noqa: S101 - for the type alone
    field.choices = choices


def _actors(organization: Organization) -> list[tuple[str, str]]:
    """Everybody who is or was a member and did something, and those who are no members."""
    active = AuditEvent.objects.of(organization).filter(actor_kind=AuditEvent.Actor.PERSON)
    there = Membership.objects.of(organization).values("user")
    people = User.objects.filter(pk__in=active.values("actor")) | User.objects.filter(pk__in=there)
    others = [kind for kind in AuditEvent.Actor if kind != AuditEvent.Actor.PERSON]
    return [
        *((str(user.pk), str(user)) for user in people.order_by("email")),
        *((kind.value, "Any API key" if kind == AuditEvent.Actor.KEY else kind.label) for kind in others),
    ]


def _actions() -> list[tuple[str, list[tuple[str, str]]]]:
    """By what they are about; each group can be asked for as a whole."""
    groups: dict[str, list[tuple[str, str]]] = {}
    for action in Action:
        subject = action.value.partition(".")[0]
        groups.setdefault(subject, [(subject, f"{SUBJECTS[subject]}: anything")]).append(
            (action.value, action.label.removesuffix(" of").removesuffix(" to").removesuffix(", the key"))
        )
    return [(SUBJECTS[subject], choices) for subject, choices in groups.items()]


def page_of(rows: AuditEventQuerySet, before: int | None) -> tuple[list[AuditEvent], int | None]:
    """The newest of them, or those before an event; and where the next page begins, if there is one."""
    if before is not None:
        rows = rows.before(before)
    found = list(rows[: PAGE + 1])
    return found[:PAGE], found[PAGE - 1].pk if len(found) > PAGE else None


def newest(organization: Organization) -> int:
    """An event after which nothing is exported that is written while the export runs."""
    last: int | None = AuditEvent.objects.of(organization).aggregate(last=Max("pk"))["last"]
    return last or 0


# -- files --------------------------------------------------------------------------------------------


def as_row(event: AuditEvent) -> dict[str, Any]:
    """Of the operator's staff nothing is told, as on the page."""
    operator = event.actor_kind == AuditEvent.Actor.OPERATOR
    values = (
        event.pk,
        event.created_at.isoformat(),
        event.who,
        event.actor_kind,
        event.action,
        event.target_kind,
        event.target_id,
        event.target_label,
        event.details,
        None if operator else event.address,
        "" if operator else event.user_agent,
    )
    return dict(zip(COLUMNS, values, strict=True))


async def as_csv(rows: AuditEventQuerySet) -> AsyncIterator[bytes]:
    yield _line(COLUMNS)
    async for chunk in _chunks(rows):
        yield b"".join(_line([_cell(value) for value in as_row(event).values()]) for event in chunk)


async def as_json(rows: AuditEventQuerySet) -> AsyncIterator[bytes]:
    """One array, an event a line."""
    lead = b"["
    async for chunk in _chunks(rows):
        lines = [json.dumps(as_row(event), ensure_ascii=False).encode() for event in chunk]
        yield lead + b"\n" + b",\n".join(lines)
        lead = b","
    yield b"[]\n" if lead == b"[" else b"\n]\n"


SHAPES: dict[str, tuple[str, Callable[[AuditEventQuerySet], AsyncIterator[bytes]]]] = {
    "csv": ("text/csv; charset=utf-8", as_csv),
    "json": ("application/json", as_json),
}


async def _chunks(rows: AuditEventQuerySet) -> AsyncIterator[list[AuditEvent]]:
    """Piece by piece, each by a query of its own: no transaction stays open while somebody reads slowly."""
    wanted = rows
    while chunk := [event async for event in wanted[:CHUNK]]:
        yield chunk
        wanted = rows.before(chunk[-1].pk)


def _line(values: Any) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerow(values)
    return text.getvalue().encode()


def _cell(value: Any) -> Any:
    """As text that no spreadsheet takes for a formula."""
    if isinstance(value, dict):
        value = json.dumps(value, ensure_ascii=False)
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value

"""What the list of requests is filtered by, as its address says it."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.http import QueryDict
from django.utils import timezone

from accounts.models import ApiKey, Organization
from billing import money, requests
from billing.requests import Wanted

MOST_KEYS = 200  # in the list to choose from; a link of a key's page finds any
MODELS_DAYS = 90
STATUSES = {
    "": "Any",
    "succeeded": "Succeeded",
    "failed": "Failed, for any reason",
    "4xx": "Refused: 4xx",
    "5xx": "Failed: 5xx",
    "hung-up": "Caller hung up",
    "running": "Running",
}
FINISHES = {
    "": "Any",
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "content_filter": "content_filter",
    "function_call": "function_call",
}
MORE = ("finish", "least_cost", "most_cost", "least_seconds", "most_seconds")  # what is folded away
MOST_SECONDS = 2_000_000


class Dollars(forms.CharField):
    """An amount as a person types it; nano-dollars when it is cleaned."""

    def clean(self, value: Any) -> int | None:
        text: str = super().clean(value)
        if not text:
            return None
        try:
            nano = money.nano_from_dollars(text)
        except ValueError as error:
            raise ValidationError(str(error)) from error
        if nano < 0:
            raise ValidationError("No request costs less than nothing.")
        return nano


def _seconds(label: str) -> forms.DecimalField:
    return forms.DecimalField(
        label=label, required=False, min_value=0, max_value=MOST_SECONDS, decimal_places=3,
        widget=forms.TextInput(attrs={"inputmode": "decimal", "placeholder": "seconds"}),
    )  # fmt: skip


def _dollars(label: str) -> Dollars:
    return Dollars(label=label, required=False, max_length=24, widget=forms.TextInput(attrs={"placeholder": "dollars"}))


class FilterForm(forms.Form):
    """Days are those of UTC, and both ends count. A filter that makes no sense filters nothing, and says so."""

    id = forms.CharField(label="Request id", required=False, max_length=200)
    key = forms.ChoiceField(label="Key", required=False)
    model = forms.ChoiceField(label="Model", required=False)
    status = forms.ChoiceField(label="Status", required=False, choices=list(STATUSES.items()))
    since = forms.DateField(label="From", required=False, widget=forms.DateInput(attrs={"type": "date"}))
    until = forms.DateField(label="To", required=False, widget=forms.DateInput(attrs={"type": "date"}))
    finish = forms.ChoiceField(label="Finish reason", required=False, choices=list(FINISHES.items()))
    least_cost = _dollars("Charged at least")
    most_cost = _dollars("Charged at most")
    least_seconds = _seconds("Took at least")
    most_seconds = _seconds("Took at most")

    def __init__(self, data: QueryDict, *, organization: Organization) -> None:
        super().__init__(data)
        self.organization = organization
        self.fields["id"].widget.attrs = {"type": "search", "spellcheck": "false", "placeholder": "x-request-id"}
        self._choose("key", "All keys", _keys(organization, data.get("key", "")))
        self._choose("model", "All models", _models(organization, data.get("model", "")))
        self.full_clean()

    @property
    def shown(self) -> list[forms.BoundField]:
        return [field for field in self if field.name not in MORE]

    @property
    def folded(self) -> list[forms.BoundField]:
        return [field for field in self if field.name in MORE]

    @property
    def uses_more(self) -> bool:
        """Whether a filter that is folded away is used, or wrong."""
        return any(name in self.errors or self.cleaned_data.get(name) not in {None, ""} for name in MORE)

    @property
    def is_filtered(self) -> bool:
        return any(value not in {None, ""} for value in self.cleaned_data.values())

    @property
    def request_id(self) -> uuid.UUID | None:
        """The id that was given, when it has the form of ours."""
        try:
            return uuid.UUID(self.cleaned_data.get("id", ""))
        except ValueError:
            return None

    @property
    def address(self) -> str:
        """The filters as a query, for the links to other pages."""
        query = QueryDict(mutable=True)
        query.update({name: self.data[name] for name in self.cleaned_data if self.data.get(name)})
        return query.urlencode()

    @property
    def wanted(self) -> Wanted:
        given = self.cleaned_data
        day = timedelta(days=1)
        asked = Wanted(
            since=_midnight(given["since"]) if given.get("since") else None,
            until=_midnight(given["until"]) + day if given.get("until") else None,
            api_key_id=int(given["key"]) if given.get("key") else None,
            model=given.get("model", ""),
            status=given.get("status", ""),
            finish=given.get("finish", ""),
            external_id=given.get("id", ""),
        )
        return replace(
            asked, least_nano=given.get("least_cost"), most_nano=given.get("most_cost"),
            least_ms=_milliseconds(given.get("least_seconds")), most_ms=_milliseconds(given.get("most_seconds")),
        )  # fmt: skip

    def _choose(self, name: str, everything: str, choices: list[tuple[str, str]]) -> None:
        self.fields[name].choices = [("", everything), *choices]  # type: ignore[attr-defined]


def _keys(organization: Organization, chosen: str) -> list[tuple[str, str]]:
    """The newest, and the one that is chosen."""
    of_organization = ApiKey.objects.of(organization).order_by("-pk")
    found = list(of_organization[:MOST_KEYS])
    if chosen.isascii() and chosen.isdigit() and len(chosen) < 19 and int(chosen) not in {key.pk for key in found}:
        found += of_organization.filter(pk=int(chosen))
    return [(str(key.pk), f"{key.name} ({key.hint})") for key in found]


def _models(organization: Organization, chosen: str) -> list[tuple[str, str]]:
    """Those of the last months, and the one that is chosen: an address may name an older one."""
    since = timezone.now().date() - timedelta(days=MODELS_DAYS)
    found = requests.models_of(organization, since)
    if chosen and chosen not in found and len(chosen) <= 120 and "\0" not in chosen:
        found.append(chosen)
    return [(model, model) for model in found]


def _midnight(day: Any) -> datetime:
    return datetime.combine(day, time(), UTC)


def _milliseconds(seconds: Decimal | None) -> int | None:
    return None if seconds is None else int(seconds * 1000)

"""The forms of the pages about keys: everything that a key may be limited to, in the words that people write it in."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.utils import timezone

from accounts import key_life, key_rules
from accounts.models import ApiKey, Membership, Project, Scope
from accounts.models_keys import MOST_REQUESTS, MOST_STREAMS, MOST_TOKENS
from accounts.roles import May, may
from billing.amount_field import DollarsField
from billing.key_budgets import Limit
from billing.models import Budget
from gateway.models import Model

MINE, SERVICE = "person", "service"
SCOPES = {
    Scope.CHAT: "Chat completions",
    Scope.EMBEDDINGS: "Embeddings",
    Scope.USAGE: "Read usage and costs of the whole organisation",
    Scope.ADMINISTRATION: "Administration",
}
ADVANCED = (
    "models_allowed", "address_ranges", "requests_per_minute", "tokens_per_minute", "parallel_streams", "expires_at",
    "budget", "period", "hard", "note",
)  # fmt: skip


class RulesField(forms.CharField):
    """A list, one a line, read by a function that raises `ValueError` in words for people."""

    def __init__(self, read: Any, *, rows: int = 3, placeholder: str = "", **options: Any) -> None:
        self._read = read
        attributes = {"rows": rows, "placeholder": placeholder, "spellcheck": "false", "autocapitalize": "off"}
        super().__init__(required=False, widget=forms.Textarea(attrs=attributes), **options)

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(value) if isinstance(value, list) else value

    def clean(self, value: Any) -> Any:
        text = super().clean(value)
        try:
            return self._read(text)
        except ValueError as error:
            raise ValidationError(str(error)) from error


class InstantField(forms.DateTimeField):
    """A date and a time of UTC, whatever the browser's zone is."""

    def __init__(self, **options: Any) -> None:
        widget = forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M")
        super().__init__(required=False, widget=widget, **options)

    def prepare_value(self, value: Any) -> Any:
        return value.astimezone(UTC).replace(tzinfo=None) if isinstance(value, datetime) and value.tzinfo else value

    def clean(self, value: Any) -> Any:
        found = super().clean(value)
        return found.replace(tzinfo=UTC) if found else None


def _number(label: str, most: int, unit: str, empty: str) -> forms.IntegerField:
    bounds = [
        MinValueValidator(1, f"Give at least 1, or nothing: {empty}"),
        MaxValueValidator(most, f"Give at most {most:,}."),
    ]
    return forms.IntegerField(
        label=label, required=False, validators=bounds, help_text=f"{unit} {empty}",
        widget=forms.NumberInput(attrs={"inputmode": "numeric", "min": 1, "max": most, "autocomplete": "off"}),
    )  # fmt: skip


class KeyForm(forms.Form):
    """A key's settings. Which fields there are depends on who looks and on whether the key is there already."""

    name = forms.CharField(
        label="Name", max_length=120, help_text="What uses it and where, such as “checkout, production”.",
        widget=forms.TextInput(attrs={"autocomplete": "off"}), error_messages={"required": "Give the key a name."},
    )  # fmt: skip
    project = forms.ModelChoiceField(
        label="Project", queryset=Project.objects.none(), empty_label=None,
        help_text="Its usage and cost are counted there.",
    )  # fmt: skip
    holder = forms.ChoiceField(
        label="Holder", widget=forms.RadioSelect, initial=MINE,
        choices=[
            (MINE, "You: it stops when you leave the organisation"),
            (SERVICE, "A service account: it goes on whoever comes and goes. For what runs in production"),
        ],
    )  # fmt: skip
    hand_over = forms.BooleanField(
        label="Hand it over to a service account", required=False,
        help_text="It then belongs to nobody in person, and does not stop when its holder leaves. For good.",
    )  # fmt: skip
    scopes = forms.MultipleChoiceField(
        label="May be used for", widget=forms.CheckboxSelectMultiple,
        error_messages={"required": "Choose at least one: a key that may do nothing is of no use."},
    )  # fmt: skip
    models_allowed = RulesField(
        key_rules.model_rules, label="Models", placeholder="claude-*\ngpt-5.4",
        help_text="One a line: an id, or the beginning of ids and a *. Empty: every model of the organisation.",
    )  # fmt: skip
    address_ranges = RulesField(
        key_rules.address_ranges, label="Addresses", placeholder="203.0.113.0/24\n2001:db8::/32",
        help_text="One a line: IPv4 or IPv6 addresses or ranges. Empty: it may be called from everywhere.",
    )  # fmt: skip
    requests_per_minute = _number(
        "Requests a minute", MOST_REQUESTS, "In any 60 seconds.", f"Empty: {settings.GATEWAY_DEFAULT_RPM}."
    )
    tokens_per_minute = _number("Tokens a minute", MOST_TOKENS, "Input and output.", "Empty: no limit.")
    parallel_streams = _number(
        "Streams at once", MOST_STREAMS, "Open together.", f"Empty: {settings.GATEWAY_STREAMS_PER_KEY}."
    )
    expires_at = InstantField(label="Ends", help_text="Date and time in UTC. Empty: it works until it is revoked.")
    budget = DollarsField(
        label="Budget", required=False,
        help_text="Empty: what the organisation has is the only limit.",
    )  # fmt: skip
    period = forms.ChoiceField(label="Budget for each", choices=Budget.Period, initial=Budget.Period.MONTH)
    hard = forms.BooleanField(
        label="Refuse requests that do not fit into the budget", required=False, initial=True,
        help_text="Otherwise the budget only tells, by mail.",
    )  # fmt: skip
    note = forms.CharField(
        label="Note", required=False, max_length=500, help_text="For people: whom to ask, what breaks without it.",
        widget=forms.Textarea(attrs={"rows": 2}),
    )  # fmt: skip
    form = forms.UUIDField(widget=forms.HiddenInput, initial=uuid.uuid4)

    def __init__(self, data: Any = None, *, membership: Membership, key: ApiKey | None = None, **options: Any) -> None:
        super().__init__(data, **options)
        self._key = key
        projects = Project.objects.of(membership.organization).unarchived()
        self.fields["project"].queryset = projects  # type: ignore[attr-defined]
        manages = may(membership, May.MANAGE_KEYS)
        self._offer_scopes(manages=manages)
        gone = [] if key else ["hand_over"]
        if key is not None:
            self.fields["project"].queryset = projects | Project.objects.filter(pk=key.project_id)  # type: ignore[attr-defined]
            gone += ["holder", "form"] + (["hand_over"] if key.service_account or not manages else [])
        elif not manages:
            gone += ["holder"]
        if not may(membership, May.MANAGE_BILLING):
            gone += ["budget", "period", "hard"]
        for name in gone:
            del self.fields[name]

    @property
    def plain(self) -> list[forms.BoundField]:
        return [self[name] for name in self.fields if name not in ADVANCED]

    @property
    def advanced(self) -> list[forms.BoundField]:
        return [self[name] for name in self.fields if name in ADVANCED]

    @property
    def opens(self) -> bool:
        """Whether there is something to see among the advanced fields."""
        return any(field.errors or field.value() for field in self.advanced if field.name not in {"period", "hard"})

    @property
    def columns(self) -> dict[str, Any]:
        """What the form says of the key itself."""
        apart = {"budget", "period", "hard", "form", "holder", "hand_over"}
        return {name: value for name, value in self.cleaned_data.items() if name not in apart}

    @property
    def limit(self) -> Limit | None:
        nano = self.cleaned_data["budget"]
        return None if nano is None else Limit(nano, self.cleaned_data["period"], self.cleaned_data["hard"])

    def clean_scopes(self) -> list[str]:
        """In the order of the list; those that whoever looks may not give stay as they were."""
        kept = set(self._key.scopes) - {value for value, _ in self._offered} if self._key else set()
        return [scope.value for scope in Scope if scope.value in kept | set(self.cleaned_data["scopes"])]

    def clean_expires_at(self) -> datetime | None:
        """To the minute, as the field has it; an end that was not touched stays as it was."""
        found: datetime | None = self.cleaned_data["expires_at"]
        kept = self._key.expires_at if self._key else None
        if found is not None and kept is not None and kept.replace(second=0, microsecond=0) == found:
            return kept
        if found is not None and found <= timezone.now():
            raise ValidationError("This is in the past. To end a key now, revoke it.")
        return found

    def clean_models_allowed(self) -> list[str]:
        """A name that nobody has is a slip; a family may have its members later."""
        rules: list[str] = self.cleaned_data["models_allowed"]
        named = {rule for rule in rules if not rule.endswith(key_rules.ANY)}
        known = set(Model.objects.filter(pk__in=named).values_list("pk", flat=True))
        kept = set(self._key.models_allowed) if self._key else set()
        for unknown in sorted(named - known - kept):
            raise ValidationError(f"There is no model “{unknown}” here. Write its id as in the list of models.")
        return rules

    def _offer_scopes(self, *, manages: bool) -> None:
        """Administration is for those to give who have it themselves."""
        self._offered = [
            (scope.value, label) for scope, label in SCOPES.items() if manages or scope != Scope.ADMINISTRATION
        ]
        field = self.fields["scopes"]
        field.choices, field.initial = self._offered, [Scope.CHAT.value, Scope.EMBEDDINGS.value]  # type: ignore[attr-defined]


class RotateForm(forms.Form):
    """What becomes of the secret that the key has."""

    hours = forms.TypedChoiceField(
        label="The earlier secret", coerce=int, choices=list(key_life.OVERLAPS.items()), widget=forms.RadioSelect,
        initial=24, error_messages={"required": "Say when the earlier secret ends."},
    )  # fmt: skip
    seen = forms.IntegerField(widget=forms.HiddenInput)

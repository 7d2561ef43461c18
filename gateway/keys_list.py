"""The list of an organisation's keys: filtered and sorted as the address says, a page at a time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django import forms
from django.db.models import Q, QuerySet
from django.http import HttpRequest, QueryDict
from django.utils import timezone

from accounts import keys
from accounts.models import ApiKey, ApiKeySecret, Membership, Organization, Project, User
from accounts.roles import May, may
from billing import key_budgets, key_usage
from billing.overview import BudgetLine
from gateway.keys_pages import NAME, NEWEST, SPENT, USED, Cursor, page_of

SERVICE = "service"
STATUSES = {
    "": "Not revoked",
    "active": "Active",
    "expired": "Expired",
    "stopped": "Holder is gone",
    "revoked": "Revoked",
    "playground": "Of the playground",
    "all": "All",
}
TONES = {"active": "good", "expired": "warn", "stopped": "bad", "revoked": "bad"}
WORDS = {"active": "Active", "expired": "Expired", "stopped": "Stopped: its holder is gone", "revoked": "Revoked"}
SORTS = {NEWEST: "Newest", NAME: "Name", USED: "Last used", SPENT: "Spent this month"}


@dataclass(frozen=True, slots=True)
class Row:
    """A key, and what stands beside it."""

    key: ApiKey
    spent_nano: int
    budgets: list[BudgetLine]
    may_change: bool

    @property
    def tone(self) -> str:
        return TONES[self.key.status]

    @property
    def words(self) -> str:
        return WORDS[self.key.status]

    @property
    def limits(self) -> list[str]:
        return limits_of(self.key)


class FilterForm(forms.Form):
    """What the address says. Whatever it cannot mean is left out."""

    q = forms.CharField(
        label="Search", required=False, max_length=120,
        widget=forms.TextInput(attrs={"type": "search", "placeholder": "Name, hint, note or holder"}),
    )  # fmt: skip
    project = forms.ChoiceField(label="Project", required=False)
    owner = forms.ChoiceField(label="Holder", required=False)
    status = forms.ChoiceField(label="Status", required=False, choices=list(STATUSES.items()))
    sort = forms.ChoiceField(label="Sort by", required=False, choices=list(SORTS.items()))

    def __init__(self, data: QueryDict, *, organization: Organization) -> None:
        super().__init__(data)
        projects = Project.objects.of(organization).order_by("name")
        people = User.objects.filter(api_keys__organization=organization).distinct().order_by("email")
        self._choose("project", [("", "All projects"), *((str(one.pk), one.name) for one in projects)])
        named = ((str(one.pk), one.name or one.email) for one in people)
        self._choose("owner", [("", "Everybody"), (SERVICE, "Service accounts"), *named])

    def chosen(self, name: str) -> str:
        """The value of a filter; empty when the address has none, or one that does not exist."""
        self.is_valid()
        return str(self.cleaned_data.get(name, ""))

    def _choose(self, name: str, choices: list[tuple[str, str]]) -> None:
        self.fields[name].choices = choices  # type: ignore[attr-defined]


class KeyList:
    """One look at the list."""

    def __init__(self, request: HttpRequest, membership: Membership) -> None:
        self.organization = membership.organization
        self.form = FilterForm(request.GET, organization=self.organization)
        self._membership = membership
        self._now = timezone.now()
        self._spent = key_usage.spent_by_key(self.organization, self._now)
        self._budgets = key_budgets.by_key(self.organization, self._now)
        self.after = Cursor.read(request.GET.get("after", ""))
        found = self._filtered()
        self.count = found.count()
        page = page_of(found, self.form.chosen("sort"), self.after, self._spent)
        self.next = page.next
        self.rows = [self._row(key) for key in self._loaded(page.numbers)]

    @property
    def is_filtered(self) -> bool:
        return any(self.form.chosen(name) for name in ("q", "project", "owner", "status"))

    @property
    def can_revoke(self) -> bool:
        return any(row.may_change and row.key.revoked_at is None for row in self.rows)

    @property
    def address(self) -> str:
        """The filters as a query, for the links to other pages."""
        query = QueryDict(mutable=True)
        query.update({name: self.form.chosen(name) for name in self.form.fields if self.form.chosen(name)})
        return query.urlencode()

    @property
    def sorted_by(self) -> dict[str, str]:
        """For the head of the table: the addresses that sort it by each column."""
        query = QueryDict(self.address, mutable=True)
        found = {}
        for sort in (NAME, USED, SPENT):
            query["sort"] = sort
            found[sort] = query.urlencode()
        return found

    def _filtered(self) -> QuerySet[ApiKey]:
        found: QuerySet[ApiKey] = _of_status(self.organization, self.form.chosen("status"), self._now)
        if self.form.chosen("project"):
            found = found.filter(project=int(self.form.chosen("project")))
        owner = self.form.chosen("owner")
        if owner:
            found = found.filter(service_account=True) if owner == SERVICE else found.filter(owner=int(owner))
        for word in self.form.chosen("q").split():
            found = found.filter(_about(word))
        return found

    def _loaded(self, numbers: list[int]) -> list[ApiKey]:
        found = ApiKey.objects.with_standing().select_related("project", "owner").in_bulk(numbers)
        return [found[number] for number in numbers if number in found]

    def _row(self, key: ApiKey) -> Row:
        return Row(key, self._spent.get(key.pk, 0), self._budgets.get(key.pk, []), may_change(self._membership, key))


def may_change(membership: Membership, key: ApiKey) -> bool:
    """Everybody's keys, or one's own. What the playground makes it sees to by itself."""
    if key.playground:
        return False
    own = key.owner_id == membership.user_id and may(membership, May.MAKE_KEYS)
    return own or may(membership, May.MANAGE_KEYS)


def limits_of(key: ApiKey) -> list[str]:
    """What limits it, a few words each; money apart."""
    numbers = {
        "requests/min": key.requests_per_minute,
        "tokens/min": key.tokens_per_minute,
        "streams": key.parallel_streams,
    }
    listed = {
        "model rule": key.models_allowed,
        "address range": key.address_ranges,
    }
    return [
        *(f"{number:,} {what}" for what, number in numbers.items() if number),
        *(f"{len(rules)} {what}{'' if len(rules) == 1 else 's'}" for what, rules in listed.items() if rules),
    ]


def _of_status(organization: Organization, status: str, now: datetime) -> Any:
    if status == "playground":
        return ApiKey.objects.of(organization).filter(playground=True)
    found = ApiKey.objects.of(organization).ordinary()
    if status == "all":
        return found
    if status == "revoked":
        return found.exclude(revoked_at=None)
    if status == "active":
        return found.active()
    if status == "expired":
        return found.filter(revoked_at=None, expires_at__lte=now)
    if status == "stopped":
        unexpired = Q(expires_at=None) | Q(expires_at__gt=now)
        return found.filter(unexpired, revoked_at=None).exclude(pk__in=found.active().values("pk"))
    return found.filter(revoked_at=None)


def _about(word: str) -> Q:
    """A word is somewhere in what is shown of a key; a hint finds it by its ends, also that of an earlier secret."""
    found = Q(name__icontains=word) | Q(note__icontains=word) | Q(owner__email__icontains=word)
    found |= Q(owner__name__icontains=word) | Q(project__name__icontains=word)
    first, dots, last = word.removeprefix(keys.PREFIX).partition("…")
    ends = Q(hint_first4=first, hint_last4=last) if dots else Q(hint_first4=first) | Q(hint_last4=first)
    return found | Q(pk__in=ApiKeySecret.objects.filter(ends).values("api_key"))

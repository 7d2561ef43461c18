"""The palette: what somebody means who types a few letters, as the pages that they may see."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from django.db.models import F, Q
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from accounts import keys
from accounts.models import ApiKey, ApiKeySecret, Membership
from accounts.organizations import FIRST_PAGE
from accounts.roles import May, MemberRequest, may, member_page
from billing.models import Hold, UsageEvent
from config.navigation import ITEMS
from gateway import documentation
from gateway.models import Model

MOST = 6  # of one kind: who sees more is better served by a page with filters
LONGEST = 200
# Pages that are not in the rail: label, address, icon, what the role must allow, and other words for it.
MORE = (
    ("Create key", "gateway:keys-new", "plus", May.MAKE_KEYS, "new api key"),
    ("First request", "gateway:start", "play", May.LOOK, "start quickstart onboarding"),
    ("Projects", "accounts:settings-projects", "folder", May.LOOK, ""),
    ("Invite somebody", "accounts:members-invite", "users", May.MANAGE_MEMBERS, "new member"),
)
PERSONAL = (
    ("Your account", "accounts:account", "user", "profile password passkey second factor totp"),
    ("Where you are signed in", "usersessions_list", "monitor", "sessions"),
    ("New organisation", "accounts:new-organization", "plus", "create organization"),
)
# Where a model and a request are shown.
REQUEST, MODEL = "gateway:requests-request", "gateway:models-model"


@dataclass(frozen=True, slots=True)
class Place:
    """Somewhere to go."""

    label: str
    url: str
    icon: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    title: str
    places: list[Place]


@require_safe
@member_page(May.LOOK)
def find(request: MemberRequest) -> HttpResponse:
    """A fragment: the list's groups. Without words, the pages."""
    asked = request.GET.get("q", "")[:LONGEST].strip()
    asked = keys.PATTERN.sub(lambda found: keys.hint(keys.first4(found[0]), found[0][-4:]), asked)
    groups = [group for group in _groups(request.membership, asked.split()) if group.places]
    return render(request, "components/palette_results.html", {"groups": groups})


def _groups(membership: Membership, words: list[str]) -> Iterator[Group]:
    if len(words) == 1:
        yield Group("Requests", list(_requests(membership, words[0])))
    yield Group("Pages", list(_pages(membership, words)))
    if words:
        yield Group("Keys", list(_keys(membership, words)))
        yield Group("Models", list(_models(membership, words)))
        yield Group("Docs", list(_docs(words)))
    yield Group("Organisations", list(_organizations(membership, words)))


def _pages(membership: Membership, words: list[str]) -> Iterator[Place]:
    slug = membership.organization.slug
    listed = [(label, name, icon, what, "") for label, name, icon, what in ITEMS]
    for label, name, icon, what, also in (*listed, *MORE):
        if may(membership, what) and _matches(words, label, also):
            yield Place(label, reverse(name, args=[slug]), icon)
    for label, name, icon, also in PERSONAL:
        if _matches(words, label, also):
            yield Place(label, reverse(name), icon)


def _keys(membership: Membership, words: list[str]) -> Iterator[Place]:
    """By name or by the ends of a secret; those that were revoked come last."""
    if not may(membership, May.SEE_KEYS):
        return
    found = ApiKey.objects.of(membership.organization).ordinary()
    for word in words:
        found = found.filter(_about(word))
    for key in found.order_by(F("revoked_at").asc(nulls_first=True), "name")[:MOST]:
        yield Place(
            key.name,
            reverse("gateway:keys-key", args=[membership.organization.slug, key.pk]),
            "key-round",
            f"{key.hint}, revoked" if key.revoked_at else key.hint,
        )


def _about(word: str) -> Q:
    first, dots, last = word.removeprefix(keys.PREFIX).partition("…")
    ends = Q(hint_first4=first, hint_last4=last) if dots else Q(hint_first4=first) | Q(hint_last4=first)
    return Q(name__icontains=word) | Q(pk__in=ApiKeySecret.objects.filter(ends).values("api_key"))


def _models(membership: Membership, words: list[str]) -> Iterator[Place]:
    found = Model.objects.filter(enabled=True)
    if not membership.organization.sandbox_enabled:
        found = found.filter(sandbox=False)
    for word in words:
        found = found.filter(Q(id__icontains=word) | Q(owned_by__icontains=word))
    for model in found.order_by("id")[:MOST]:
        url = reverse(MODEL, args=[membership.organization.slug, model.pk])
        yield Place(model.pk, url, "boxes", model.owned_by)


def _requests(membership: Membership, word: str) -> Iterator[Place]:
    """One, by its whole id: under way or ended."""
    if not may(membership, May.SEE_REQUESTS):
        return
    try:
        number = uuid.UUID(word)
    except ValueError:
        return
    url = reverse(REQUEST, args=[membership.organization.slug, number])
    for model, words in ((UsageEvent, "Request"), (Hold, "Request under way")):
        row = model.objects.of(membership.organization).filter(request_id=number).values("model").first()
        if row is not None:
            yield Place(str(number), url, "scroll-text", f"{words}, {row['model']}" if row["model"] else words)
            return


def _docs(words: list[str]) -> Iterator[Place]:
    found = (page for page in documentation.contents() if _matches(words, page.title, "docs"))
    for page, _ in zip(found, range(MOST), strict=False):
        yield Place(page.title, page.url, "book-open")


def _organizations(membership: Membership, words: list[str]) -> Iterator[Place]:
    others = Membership.objects.filter(user_id=membership.user_id, organization__closed_at=None)
    others = others.exclude(pk=membership.pk).select_related("organization").order_by("organization__name")
    found = (other for other in others if _matches(words, other.organization.name, "switch organisation"))
    for other, _ in zip(found, range(MOST), strict=False):
        yield Place(
            other.organization.name,
            reverse(FIRST_PAGE, args=[other.organization.slug]),
            "building-2",
            other.get_role_display(),
        )


def _matches(words: Iterable[str], *texts: str) -> bool:
    """Whether each word is in one of the texts."""
    text = " ".join(texts).casefold()
    return all(word.casefold() in text for word in words)

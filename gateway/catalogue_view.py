"""What the pages of the catalogue show: the list as the address asks for it, and one model with all there is to say."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlencode

from django import forms
from django.conf import settings
from django.core.paginator import Page, Paginator
from django.http import QueryDict
from django.urls import reverse

from accounts.models import Organization
from gateway import status
from gateway.capabilities import Refusal
from gateway.capabilities import refused as refusals_of
from gateway.capability_words import WITHOUT_REASONING
from gateway.catalogue import (
    CONTEXTS,
    FEATURES,
    LIVE,
    PRICES,
    RETIRED,
    RETIRING,
    SORTS,
    STATUSES,
    Listing,
    Wish,
    answering,
)
from gateway.model_samples import samples_for
from gateway.readers import Reader

PAGE = 100
LABELS = {
    "chat": "Chat completions",
    "completions": "Completions of the older kind",
    "embeddings": "Embeddings",
    "vision": "Images",
    "image_urls": "Images by URL",
    "pdf": "PDF files",
    "file_ids": "Files by their provider's id",
    "audio": "Audio in messages",
    "audio_output": "Speech in answers",
    "tools": "Tools",
    "forced_tool_choice": "Demanding a call by tool_choice",
    "custom_tools": "Custom tools",
    "json_object": "JSON objects",
    "json_schema": "JSON by a schema",
    "tools_with_json": "Tools and JSON together",
    "n": "Several answers (n)",
    "logprobs": "Probabilities of tokens (logprobs)",
    "stop": "Stop sequences (stop)",
    "sampling": "Sampling (temperature, top_p)",
    "reasoning": "Reasoning",
    "efforts": "Values of reasoning_effort",
    "prefill": "Going on from a last assistant message",
}
SAMPLING = {
    "both": "both",
    "one": "one of the two; the other is left out",
    "none": "neither; they are left out",
    WITHOUT_REASONING: "only with reasoning_effort none; otherwise they are left out",
}
_SELECTS = {"vendor": "Vendor", "status": "Status", "context": "Context", "price": "Input price", "sort": "Sort by"}
_CHOICES = {"status": STATUSES, "context": CONTEXTS, "price": PRICES, "sort": SORTS}


class FilterForm(forms.Form):
    """What the address says. Whatever it cannot mean is left out."""

    q = forms.CharField(
        label="Search",
        required=False,
        max_length=120,
        widget=forms.TextInput(attrs={"type": "search", "placeholder": "Name, vendor or description"}),
    )
    can = forms.MultipleChoiceField(
        label="It can do",
        required=False,
        choices=list(FEATURES.items()),
        widget=forms.CheckboxSelectMultiple,
    )

    def __init__(self, data: QueryDict, *, vendors: list[str]) -> None:
        super().__init__(data)
        named = {"": "All vendors", **{vendor: vendor for vendor in vendors}}
        for name, label in _SELECTS.items():
            choices = list(_CHOICES.get(name, named).items())
            self.fields[name] = forms.ChoiceField(label=label, required=False, choices=choices)

    @property
    def selects(self) -> list[forms.BoundField]:
        return [self[name] for name in _SELECTS]

    @property
    def wish(self) -> Wish:
        self.is_valid()
        known: dict[str, Any] = {name: self.cleaned_data.get(name) or "" for name in ("q", *_SELECTS)}
        asked = self.data.getlist("can") if isinstance(self.data, QueryDict) else []
        return Wish(**known, can=tuple(word for word in FEATURES if word in asked))


class ModelList:
    """One look at the list."""

    def __init__(self, listings: dict[str, Listing], query: QueryDict) -> None:
        self.total = len(listings)
        self.form = FilterForm(query, vendors=sorted({one.entry.owned_by for one in listings.values()}))
        self.wish = self.form.wish
        found = self.wish.choose(listings.values())
        self.found = len(found)
        self.page: Page[Listing] = Paginator(found, PAGE).get_page(query.get("page"))

    @property
    def rows(self) -> list[tuple[Listing, list[str]]]:
        """Each with the words for what people ask of models most."""
        return [(one, [label for word, label in FEATURES.items() if one.does(word)]) for one in self.page.object_list]

    @property
    def is_filtered(self) -> bool:
        return self.wish != Wish(sort=self.wish.sort)

    @property
    def address(self) -> str:
        """The filters as a query, for the links to other pages."""
        wish = self.wish
        asked = {name: value for name in ("q", *_SELECTS) if (value := getattr(wish, name))}
        return urlencode([*asked.items(), *(("can", word) for word in wish.can)])


@dataclass(frozen=True, slots=True)
class Capability:
    """A line of what a model can be asked for."""

    label: str
    word: str
    answer: str
    tone: str


class ModelPage:
    """One model."""

    def __init__(
        self,
        listing: Listing,
        listings: dict[str, Listing],
        *,
        reader: Reader,
        organization: Organization | None,
        now: datetime,
    ) -> None:
        self.listing = listing
        self.entry = listing.entry
        self.price = listing.price
        self.successor = answering(listing, listings) if listing.stage == RETIRED else None
        self.next = listings.get(listing.entry.successor or "")
        self.predecessors = [one for one in listings.values() if one.entry.successor == listing.id]
        self.reader = reader
        self._policy = (organization.retired_models if organization else "") or settings.GATEWAY_RETIRED_MODELS
        slugs = [provider.slug for provider in listing.providers]
        states = status.states(slugs, now)
        self.providers = [(provider.name, states[provider.slug]) for provider in listing.providers]
        self.samples = samples_for(listing, reader)

    @property
    def is_followed(self) -> bool:
        """Whether a successor answers once this one is gone, for this reader."""
        return self._policy == "follow"

    @property
    def capabilities(self) -> list[Capability]:
        return [self._capability(word) for word in LABELS]

    @property
    def refused(self) -> list[Refusal]:
        return refusals_of(self.entry)

    @property
    def left_out(self) -> list[str]:
        """Parameters that every provider of it is sent without, whatever the caller says."""
        options = [target.options for target in self.entry.targets]
        dropped = [set(one.get("drop") or ()) for one in options]
        return sorted(set.intersection(*dropped)) if dropped else []

    @property
    def playground(self) -> str:
        """Where it can be tried, by whoever may; empty when it cannot be."""
        organization = self.reader.organization
        answers = self.listing.stage in {LIVE, RETIRING} and self.listing.can.get("chat") is not False
        if organization is None or not self.reader.may_try or not answers:
            return ""
        page = reverse("gateway:playground", args=[organization.slug])
        return f"{page}?model={quote(self.listing.id, safe='')}"

    def _capability(self, word: str) -> Capability:
        value = self.listing.can.get(word)
        if value is None:
            return Capability(LABELS[word], word, "Not known", "")
        if word == "efforts":
            return Capability(LABELS[word], word, ", ".join(value) or "None", "")
        if word == "sampling":
            return Capability(LABELS[word], word, SAMPLING.get(str(value), str(value)).capitalize(), "")
        if value == WITHOUT_REASONING:
            return Capability(LABELS[word], word, "Only with reasoning_effort none", "warn")
        return Capability(LABELS[word], word, "Yes" if value else "No", "good" if value else "")

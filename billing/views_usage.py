"""Where an organisation's pages begin, and where it sees what it used. Looking is all that is done here."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_safe

from accounts.roles import May, MemberRequest, may, member_page
from billing import usage_files, usage_names, usage_overview, usage_selection, usage_sums, zones
from billing.usage_charts import Chart
from billing.usage_metrics import METRICS
from billing.usage_overview import Overview
from billing.usage_periods import PRESETS
from billing.usage_selection import GROUPS, KIND, UNITS, Selection
from billing.usage_sums import DIMENSIONS

REMEMBER = "remember"  # sent by the form that chooses a zone, and never part of an address that is shared
LIVE = "live"  # the part of a page that htmx fetches again and again


@require_safe
@member_page(May.LOOK)
def overview(request: MemberRequest) -> HttpResponse:
    if REMEMBER in request.GET:
        return _remembered(request)
    organization, now = request.membership.organization, timezone.now()
    zone = zones.find(request.GET.get("zone", "")) or zones.chosen_by(request)
    found = Overview(organization, zone, now)
    page = {
        "overview": found,
        "chart": found.chart,
        "usage_url": found.url,
        "is_new": found.is_new,
        "may_make_keys": may(request.membership, May.MAKE_KEYS),
        **_about(zone, now),
    }
    if not page["is_new"]:
        page |= {"tiles": found.tiles(), "models": found.leaders("model"), "keys": found.leaders("key")}
    return render(request, "billing/overview_live.html" if _is_live(request) else "billing/overview.html", page)


@require_safe
@member_page(May.LOOK)
def usage(request: MemberRequest) -> HttpResponse:
    if REMEMBER in request.GET:
        return _remembered(request)
    organization, now = request.membership.organization, timezone.now()
    selection = usage_selection.read(request.GET, zones.chosen_by(request), now)
    chart = Chart(organization, selection, now)
    url = reverse("billing:usage", args=[organization.slug])
    page = {
        "chart": chart,
        "selection": selection,
        "usage_url": url,
        "tiles": usage_overview.usage_tiles(chart, url),
        "csv_query": selection.address(zone=selection.zone.key),
        "token_metrics": [
            (key, METRICS[key].label, selection.address(metric=key, group=_kept(selection, key)))
            for key in ("tokens", "input", "cached", "output")
        ],
        **_about(selection.zone, now),
    }
    if _is_live(request):
        return render(request, "billing/usage_live.html", page)
    used = usage_sums.names_used(organization, selection.period.start, selection.period.end)
    page |= {
        "presets": [
            (label, selection.address(**{"range": key, "from": None, "to": None, "by": None}), key)
            for key, label in PRESETS.items()
        ],
        "filters": [
            (name, usage_names.LABELS[name], usage_names.ALL[name], choices)
            for name, choices in usage_names.choices(organization, used, selection.filters).items()
        ],
        "groups": _groups(selection),
        "units": [(unit.value, label, unit == selection.unit) for unit, label in UNITS.items()],
        "beside_filters": selection.beside(*DIMENSIONS, "group", "by", "compare"),
        "beside_days": selection.beside("range", "from", "to", "by"),
        "beside_zone": selection.beside("zone"),
        "is_custom": selection.period.key == "custom",
        "since": selection.parameters.get("from", selection.period.first_day.isoformat()),
        "until": selection.parameters.get("to", selection.period.last_day.isoformat()),
        "without_filters": selection.address(**dict.fromkeys(selection.filters)),
    }
    return render(request, "billing/usage.html", page)


@require_safe
@member_page(May.LOOK)
def usage_file(request: MemberRequest) -> HttpResponse:
    """The table of the chart at the same address. What is not understood is refused: a file must not be another."""
    now = timezone.now()
    selection = usage_selection.read(request.GET, zones.chosen_by(request), now)
    if selection.problems:
        told = "\n".join(f"{field}: {text}" for field, text in selection.problems.items())
        return HttpResponse(f"{told}\n", status=400, content_type="text/plain; charset=utf-8")
    chart = Chart(request.membership.organization, selection, now)
    response = HttpResponse(usage_files.as_csv(chart), content_type="text/csv; charset=utf-8")
    response.headers["Content-Disposition"] = f'attachment; filename="{usage_files.name_of(chart)}"'
    return response


def _remembered(request: HttpRequest) -> HttpResponse:
    """To the same page without the word, which keeps the zone in this browser."""
    kept = request.GET.copy()
    del kept[REMEMBER]
    response = redirect(f"{request.path}?{kept.urlencode()}" if kept else request.path)
    zone = zones.find(request.GET.get("zone", ""))
    if zone is not None:
        zones.remember(response, zone)
    return response


def _is_live(request: HttpRequest) -> bool:
    return request.headers.get("HX-Target") == LIVE


def _about(zone: ZoneInfo, now: datetime) -> dict[str, object]:
    return {
        "now": now,
        "zone": zone.key,
        "zone_words": zones.label(zone, now),
        "zone_minutes": zones.minutes_past(zone, now),
        "zones": zones.options(),
    }


def _kept(selection: Selection, metric: str) -> str | None:
    """How it is split, unless the metric does not come that way."""
    group = selection.parameters.get("group")
    return None if group == KIND and metric != "tokens" else group


def _groups(selection: Selection) -> list[tuple[str, str, bool]]:
    shown = [(key, label) for key, label in GROUPS.items() if key != KIND or selection.metric.key == "tokens"]
    return [(key, label.capitalize() or "Nothing", key == selection.group) for key, label in shown]

"""How long the server takes for each page of an organisation, with a database as it is after years.

    ./dev bench pages [--rounds N] [--keys N] [--events N] [--full] [PAGE ...]

One worker of the real server, a member who is signed in, one request after the other. Beside what a request takes on
the clock stands the worker's processor time, which other programs on the machine change little. The organisation that
is looked at has a tenth of all events and of the keys: pages are slow for those who have much. With `--full` there are
a million keys and ten million events.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import machine, seeds
from benchmarks.histogram import Histogram

if TYPE_CHECKING:
    import httpx

    from tests.browser.demonstration import Acme

SHARE = 10  # one in so many belongs to the organisation that is looked at
MOST_MS = 100
WARM_UP = 3
FULL = (1_000_000, 10_000_000)
SHORT = (20_000, 200_000)
ENTRIES = """
INSERT INTO billing_transfer (organization_id, kind, ref, debit, credit, amount_nano, created_at)
SELECT organization_id, 'usage', request_id::text, 'wallet', 'revenue', 200, ended_at
FROM billing_usageevent WHERE organization_id = %s AND charged_nano = 0 AND status = 200
ORDER BY request_id LIMIT %s
"""


@dataclass(frozen=True, slots=True)
class Took:
    """One page: how long each of its requests took, and how much came over the wire."""

    name: str
    times: Histogram
    wire_bytes: int
    processor_ms: float  # of the worker, for each request

    @property
    def is_slow(self) -> bool:
        return self.times.percentile(95) > MOST_MS

    def __str__(self) -> str:
        slow = f"over {MOST_MS} ms" if self.is_slow else ""
        figures = (*map(self.times.percentile, (50, 95)), self.processor_ms, self.wire_bytes / 1024)
        return f"| {self.name} | {' | '.join(f'{figure:.1f}' for figure in figures)} | {slow} |"


def main() -> int:
    options = _options()
    seeds.ready()
    keys, events = FULL if options.full else SHORT
    keys, events = options.keys or keys, options.events or events
    acme = _fill(keys, events)
    print(
        f"\nWith {keys:,} keys and {events:,} events, of which every tenth is of the organisation that is looked at;"
        f" {options.rounds} requests each:\n\n| page | p50 ms | p95 ms | processor ms | KB sent | |\n{'|---' * 6}|",
        flush=True,
    )
    slow = [took for took in _measure(acme, options.rounds, options.pages) if took.is_slow]
    print(f"\n{len(slow)} pages take more than {MOST_MS} ms at p95.", flush=True)
    return 1 if slow else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./dev bench pages", description="How long the server takes for each page.")
    parser.add_argument("pages", nargs="*", metavar="PAGE", help="words of names, such as keys or billing; all of them")
    parser.add_argument("--full", action="store_true", help="a million keys and ten million events")
    parser.add_argument("--keys", type=int, default=0)
    parser.add_argument("--events", type=int, default=0)
    parser.add_argument("--rounds", type=int, default=40, help="requests for each page")
    return parser.parse_args()


def _fill(keys: int, events: int) -> Acme:
    """A month that ends now, of a thousand organisations and of one that has much."""
    from django.db import connection
    from django.utils import timezone

    from benchmarks.ledger import FILLED_SECONDS, fill_events
    from billing import rollups
    from tests.browser import demonstration

    acme = demonstration.make(days=10, a_day=10)
    now = timezone.now()
    start, mine = now - timedelta(seconds=FILLED_SECONDS), acme.organization.pk
    seeds.fill(keys - keys // SHARE, events - events // SHARE, start=start)
    projects = len(acme.projects)  # it gets a key in each of them
    seeds.fill_keys([mine] * seeds.CUSTOMERS, keys // SHARE // projects)
    fill_events(mine, events // SHARE, start=start, of=1)
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")
        cursor.execute(ENTRIES, [mine, events // SHARE])
        rollups.rebuild(acme.organization, start.date(), now.date())
        cursor.execute("VACUUM ANALYZE")
    return acme


def _measure(acme: Acme, rounds: int, wanted: Sequence[str]) -> Iterable[Took]:
    import httpx
    from django.conf import settings
    from django.db import connection
    from django.utils import timezone

    from tests import live
    from tests.browser.places import As, places
    from tests.browser.session import session_of

    owner = acme.people[next(iter(acme.people))]
    cookies = {settings.SESSION_COOKIE_NAME: session_of(owner, timezone.now())}
    database = str(connection.settings_dict["NAME"])
    with tempfile.TemporaryDirectory(prefix="2389-bench-") as folder:
        log = Path(folder) / "gateway.log"
        with (
            live.serving(database=database, log=log, TRUSTED_PROXIES="") as gateway,
            httpx.Client(base_url=gateway.origin, cookies=cookies, timeout=120) as client,
        ):
            for place in places():
                url = place.url(acme) if place.who is As.MEMBER and not place.given else ""
                if url.startswith("/o/") and (not wanted or any(word in place.name for word in wanted)):
                    took = _page(client, gateway.process.pid, place.name, url, rounds)
                    if took is not None:
                        print(took, flush=True)
                        yield took


def _page(client: httpx.Client, server: int, name: str, url: str, rounds: int) -> Took | None:
    """None for an address that is no page, but passes on or takes forms."""
    times: list[int] = []
    sent, before = 0, 0.0
    for number in range(WARM_UP + rounds):
        if number == WARM_UP:
            before = machine.processor_seconds(machine.tree(server))
        began = time.perf_counter_ns()
        with client.stream("GET", url) as answer:
            sent = sum(len(piece) for piece in answer.iter_raw())
        if answer.status_code != 200:
            return None
        if number >= WARM_UP:
            times.append((time.perf_counter_ns() - began) // 1000)
    spent = machine.processor_seconds(machine.tree(server)) - before
    return Took(name, Histogram.of(times), sent, spent * 1000 / rounds)


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    raise SystemExit(main())

"""When each key last called, kept without a write for every call: at most one row a key and minute."""

from __future__ import annotations

import time

import psycopg

from accounts.pool import Pool

FLUSH_SECONDS = 60.0

UPSERT = """
INSERT INTO accounts_apikeyuse (api_key_id, last_used_at)
SELECT k.id, v.t FROM unnest(%s::bigint[], %s::float8[]) AS u(id, ago)
JOIN accounts_apikey k ON k.id = u.id
CROSS JOIN LATERAL (SELECT clock_timestamp() - make_interval(secs => u.ago) AS t) v
ORDER BY k.id
ON CONFLICT (api_key_id) DO UPDATE SET last_used_at = EXCLUDED.last_used_at
WHERE accounts_apikeyuse.last_used_at < EXCLUDED.last_used_at - interval '30 s'
"""


class LastUse:
    """Notes keys in memory; `flush`, called each minute and at shutdown, writes them in one statement.

    Right to within two minutes. When several processes saw the same key, the later instant stands.
    """

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._seen: dict[int, float] = {}

    def note(self, api_key_id: int) -> None:
        self._seen[api_key_id] = time.monotonic()

    async def flush(self) -> None:
        """Write what was noted. On a database error the notes are kept for the next time."""
        seen, self._seen = self._seen, {}
        if not seen:
            return
        now = time.monotonic()
        try:
            async with self._pool.connection() as connection:
                await connection.execute(UPSERT, [list(seen), [now - at for at in seen.values()]])
        except psycopg.Error:
            self._seen = {**seen, **self._seen}
            raise

"""When each secret was last called with, kept without a write for every call: at most one a secret and minute."""

from __future__ import annotations

import time

import psycopg

from accounts.pool import Pool

FLUSH_SECONDS = 60.0

UPSERT = """
INSERT INTO accounts_secretuse (secret_id, last_used_at)
SELECT s.id, v.t FROM unnest(%s::bigint[], %s::float8[]) AS u(id, ago)
JOIN accounts_apikeysecret s ON s.id = u.id
CROSS JOIN LATERAL (SELECT clock_timestamp() - make_interval(secs => u.ago) AS t) v
ORDER BY s.id
ON CONFLICT (secret_id) DO UPDATE SET last_used_at = EXCLUDED.last_used_at
WHERE accounts_secretuse.last_used_at < EXCLUDED.last_used_at - interval '30 s'
"""


class LastUse:
    """Notes secrets in memory; `flush`, called each minute and at shutdown, writes them in one statement.

    Right to within two minutes. When several processes saw the same one, the later instant stands.
    """

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._seen: dict[int, float] = {}

    def note(self, secret_id: int) -> None:
        self._seen[secret_id] = time.monotonic()

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

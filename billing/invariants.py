"""What is always true of the ledger, as queries that find nothing: a row is a difference.

Each answers `organization_id` and `detail`. They may use `%(since)s`, an instant, to look at what is recent when the
audit is a quick one, and `%(full)s`. A detail does not change from one audit to the next while its fault stays.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Invariant:
    """A query that must return no rows."""

    name: str
    query: str
    quick: bool = True  # cheap enough for every few minutes
    halts: bool = True  # a difference stops the organisation: its money cannot be told any more
    needs: tuple[str, ...] = ()  # a table and its columns, without which there is nothing to look at


INVARIANTS = (
    Invariant(
        "wallet_posted",
        # A quick audit trusts the newest sealed block, and adds what came after it.
        """
        SELECT w.organization_id, 'the wallet says ' || w.posted_nano || ', its entries come to ' || e.total AS detail
        FROM billing_wallet w
        LEFT JOIN LATERAL (
          SELECT closing_nano, last_id FROM billing_block b
          WHERE b.organization_id = w.organization_id AND NOT %(full)s ORDER BY number DESC LIMIT 1) s ON true
        CROSS JOIN LATERAL (
          SELECT coalesce(s.closing_nano, 0)
                 + coalesce(sum(CASE WHEN credit = 'wallet' THEN amount_nano ELSE -amount_nano END), 0) AS total
          FROM billing_transfer t
          WHERE t.organization_id = w.organization_id AND t.id > coalesce(s.last_id, 0)) e
        WHERE w.posted_nano <> e.total
        """,
    ),
    Invariant(
        "wallet_held",
        """
        SELECT w.organization_id,
               'the wallet holds ' || w.held_nano || ', open requests come to ' || coalesce(h.total, 0) AS detail
        FROM billing_wallet w
        LEFT JOIN (SELECT organization_id, sum(amount_nano) AS total FROM billing_hold GROUP BY 1) h
          USING (organization_id)
        WHERE w.held_nano <> coalesce(h.total, 0)
        """,
    ),
    Invariant(
        "wallet_overspent",
        """
        SELECT organization_id, 'the wallet is beyond its overdraft of ' || overdraft_nano || ' and the ' || owed_nano
               || ' that payments were taken back beyond it' AS detail
        FROM billing_wallet WHERE posted_nano - held_nano < -(overdraft_nano + owed_nano)
        """,
    ),
    Invariant(
        "event_is_paid",
        # A request's id is made before it is paid, but by another clock: hence the hour more.
        """
        SELECT e.organization_id, 'request ' || e.request_id || ' was charged ' || e.charged_nano
               || ', its entries come to ' || coalesce(t.paid, 0) AS detail
        FROM billing_usageevent e
        LEFT JOIN (
          SELECT organization_id, ref, sum(CASE WHEN debit = 'wallet' THEN amount_nano ELSE -amount_nano END) AS paid
          FROM billing_transfer
          WHERE kind IN ('usage', 'late_usage') AND created_at >= %(since)s - interval '1 hour' GROUP BY 1, 2) t
          ON t.organization_id = e.organization_id AND t.ref = e.request_id::text
        WHERE e.request_id >= billing_uuid_at(%(since)s) AND e.charged_nano <> coalesce(t.paid, 0)
        """,
    ),
    Invariant(
        "entry_has_its_event",
        """
        SELECT t.organization_id,
               'entry ' || t.id || ' is for request ' || t.ref || ', which the organisation did not make' AS detail
        FROM billing_transfer t
        LEFT JOIN billing_usageevent e ON e.organization_id = t.organization_id AND e.request_id =
          CASE WHEN t.ref ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' THEN t.ref::uuid END
        WHERE t.kind IN ('usage', 'late_usage') AND t.created_at >= %(since)s AND e.request_id IS NULL
        """,
    ),
    Invariant(
        "closed_once",
        """
        SELECT h.organization_id, 'request ' || h.request_id || ' is closed and still holds ' || h.amount_nano AS detail
        FROM billing_hold h JOIN billing_usageevent e USING (organization_id, request_id)
        """,
    ),
    Invariant(
        "hold_is_heard_of",
        """
        SELECT organization_id, 'request ' || request_id || ' holds ' || amount_nano
               || ' and has not been heard of since ' || to_char(heard_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI')
               AS detail
        FROM billing_hold WHERE heard_at < now() - interval '10 minutes'
        """,
        halts=False,
    ),
    Invariant(
        "budget_held",
        """
        SELECT organization_id, 'budget ' || budget_id || ' holds ' || coalesce(p.held_nano, 0)
               || ', its open requests come to ' || coalesce(h.held, 0) AS detail
        FROM billing_budgetperiod p
        FULL JOIN (
          SELECT h.organization_id, u.budget_id, u.starts_at, sum(h.amount_nano) AS held
          FROM billing_hold h CROSS JOIN LATERAL unnest(h.budget_ids, h.budget_starts) AS u (budget_id, starts_at)
          GROUP BY 1, 2, 3) h USING (organization_id, budget_id, starts_at)
        WHERE coalesce(p.held_nano, 0) <> coalesce(h.held, 0)
        """,
    ),
    Invariant(
        "budget_overspent",
        """
        SELECT organization_id, 'budget ' || budget_id || ' is beyond its ceiling of ' || ceiling_nano AS detail
        FROM billing_budgetperiod WHERE spent_nano + held_nano > ceiling_nano
        """,
    ),
    Invariant(
        "budget_spent",
        # Only periods during which the budget was one and the same: it counts nothing while it is switched off.
        """
        SELECT p.organization_id, 'budget ' || p.budget_id || ' says ' || p.spent_nano || ' were spent, the requests'
               || ' of its period come to ' || e.charged AS detail
        FROM billing_budgetperiod p
        JOIN billing_budget b ON b.id = p.budget_id AND b.organization_id = p.organization_id
        CROSS JOIN LATERAL (
          SELECT coalesce(sum(charged_nano), 0) AS charged FROM billing_usageevent e
          WHERE e.organization_id = p.organization_id AND e.admitted_at >= p.starts_at
            AND e.admitted_at < billing_period_end(b.period, p.starts_at)) e
        WHERE b.scope = 'organization' AND b.enabled AND p.starts_at >= coalesce(b.changed_at, b.created_at)
          AND p.spent_nano <> e.charged
        """,
        quick=False,
    ),
    Invariant(
        "trial_balance",
        # What we owe an organisation is what came in for it and was given to it, less what it bought.
        """
        SELECT w.organization_id, 'the wallet says ' || w.posted_nano || ', the accounts against it come to '
               || coalesce(t.total, 0) AS detail
        FROM billing_wallet w
        LEFT JOIN (
          SELECT organization_id, sum(CASE WHEN debit <> 'wallet' THEN amount_nano ELSE 0 END)
                 - sum(CASE WHEN credit <> 'wallet' THEN amount_nano ELSE 0 END) AS total
          FROM billing_transfer GROUP BY 1) t USING (organization_id)
        WHERE w.posted_nano <> coalesce(t.total, 0)
        """,
        quick=False,
    ),
    Invariant(
        "entry_accounts",
        """
        SELECT organization_id, 'entry ' || id || ', ' || kind || ', goes from ' || debit || ' to ' || credit AS detail
        FROM billing_transfer
        WHERE created_at >= %(since)s AND NOT CASE kind
          WHEN 'topup' THEN (debit, credit) = ('cash', 'wallet')
          WHEN 'grant' THEN (debit, credit) = ('promotion', 'wallet')
          WHEN 'refund' THEN (debit, credit) = ('revenue', 'wallet')
          WHEN 'returned' THEN (debit, credit) = ('wallet', 'cash')
          WHEN 'usage' THEN (debit, credit) = ('wallet', 'revenue')
          WHEN 'late_usage' THEN (debit, credit) = ('wallet', 'revenue')
          WHEN 'adjustment' THEN 'adjustment' IN (debit, credit)
          ELSE true END
        """,
    ),
    Invariant(
        "reversal_is_the_opposite",
        """
        SELECT r.organization_id, 'entry ' || r.id || ' is not the opposite of entry ' || r.reverses_id AS detail
        FROM billing_transfer r
        LEFT JOIN billing_transfer t ON t.organization_id = r.organization_id AND t.id = r.reverses_id
        WHERE r.kind = 'reversal' AND r.created_at >= %(since)s
          AND (t.credit, t.debit, t.amount_nano) IS DISTINCT FROM (r.debit, r.credit, r.amount_nano)
        """,
    ),
    Invariant(
        "usage_days",
        # Days whose roll-ups are behind are left to the roll-up.
        """
        SELECT organization_id, 'the roll-ups of ' || day || ' come to ' || coalesce(d.charged, 0)
               || ', its requests to ' || coalesce(e.charged, 0) AS detail
        FROM (SELECT organization_id, day, sum(charged_nano) AS charged FROM billing_usageday GROUP BY 1, 2) d
        FULL JOIN (
          SELECT organization_id, (admitted_at AT TIME ZONE 'UTC')::date AS day, sum(charged_nano) AS charged
          FROM billing_usageevent GROUP BY 1, 2) e USING (organization_id, day)
        WHERE coalesce(d.charged, 0) <> coalesce(e.charged, 0) AND NOT EXISTS (
          SELECT FROM billing_rollupdue q WHERE q.organization_id = coalesce(d.organization_id, e.organization_id)
            AND (q.hour AT TIME ZONE 'UTC')::date = coalesce(d.day, e.day))
        """,
        quick=False,
        halts=False,
        needs=("billing_usageday", "organization_id", "day", "charged_nano"),
    ),
    Invariant(
        "outbox_moves",
        """
        SELECT organization_id, 'message ' || id || ', ' || topic || ', has not been sent' AS detail
        FROM billing_outbox
        WHERE sent_at IS NULL AND created_at < now() - interval '15 minutes'
          AND (tries > 0 OR due_at < now() - interval '15 minutes')
        """,
        halts=False,
    ),
    Invariant(
        "blocks_are_a_chain",
        """
        SELECT organization_id, 'block ' || number || ' does not follow the block before it' AS detail
        FROM (
          SELECT organization_id, number, first_id, previous_hash,
                 lag(number, 1, 0) OVER chain AS number_before, lag(last_id, 1, 0::bigint) OVER chain AS id_before,
                 lag(hash::text, 1, repeat('0', 64)) OVER chain AS hash_before
          FROM billing_block WINDOW chain AS (PARTITION BY organization_id ORDER BY number)) b
        WHERE number <> number_before + 1 OR first_id <= id_before OR previous_hash <> hash_before
        """,
        quick=False,
    ),
    Invariant(
        "blocks_hold_every_entry",
        """
        SELECT b.organization_id, 'the blocks hold ' || b.entries || ' entries, the ledger has ' || t.entries
               || ' up to the last of them' AS detail
        FROM (SELECT organization_id, sum(entries) AS entries, max(last_id) AS last_id FROM billing_block GROUP BY 1) b
        CROSS JOIN LATERAL (
          SELECT count(*) AS entries FROM billing_transfer t
          WHERE t.organization_id = b.organization_id AND t.id <= b.last_id) t
        WHERE b.entries <> t.entries
        """,
        quick=False,
    ),
)

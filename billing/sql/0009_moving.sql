-- Settles some requests and admits others in one transaction, so that both together wait for the disk once. What the
-- settled give back is there for the admitted. All wallets are locked before any is touched: two processes that did
-- this one after the other could each wait for the other.
--
-- Answers the admissions, in the order of their requests. What was absorbed in settling stands before them: the request
-- as `named`, the outcome, and the amount as `held`.
CREATE FUNCTION billing_move(
  items jsonb,
  requests uuid[], organizations bigint[], api_keys bigint[], projects bigint[], members bigint[],
  wanted bigint[], acceptable bigint[], requested text[], models text[], streams boolean[],
  prices bigint[], charge_prices bigint[], markups integer[],
  OUT outcome text, OUT held bigint, OUT affordable bigint, OUT scope text, OUT target bigint, OUT named text,
  OUT spent bigint, OUT on_hold bigint, OUT ceiling bigint, OUT resets_at timestamptz
) RETURNS SETOF record LANGUAGE plpgsql AS $$
BEGIN
  PERFORM billing_lock(ARRAY(
    SELECT unnest(organizations) UNION SELECT (x ->> 'organization_id')::bigint FROM jsonb_array_elements(items) x
  ));
  RETURN QUERY SELECT s.outcome, s.absorbed, NULL::bigint, 'settled'::text, NULL::bigint, s.request::text,
    NULL::bigint, NULL::bigint, NULL::bigint, NULL::timestamptz
    FROM billing_settle(items) s WHERE s.absorbed > 0 AND s.outcome <> 'dup';
  RETURN QUERY SELECT * FROM billing_reserve(requests, organizations, api_keys, projects, members, wanted, acceptable,
    requested, models, streams, prices, charge_prices, markups);
END $$;

-- Settling as before, with less to do for requests that are closed for the first time, which nearly all are: nothing of
-- them is read again, and they are taken out of their JSON once.
CREATE OR REPLACE FUNCTION billing_settle(items jsonb)
  RETURNS TABLE (request uuid, outcome text, charged bigint, absorbed bigint) LANGUAGE plpgsql AS $$
DECLARE
  organizations bigint[]; new_orgs bigint[]; new_ids uuid[]; new_charges bigint[]; new_absorbed bigint[];
  budgets_touched bigint[];
  r record; e billing_usageevent; extra bigint; room bigint;
BEGIN
  SELECT array_agg(DISTINCT (x ->> 'organization_id')::bigint) INTO organizations FROM jsonb_array_elements(items) x;
  PERFORM billing_lock(organizations);
  WITH item AS MATERIALIZED (
    SELECT DISTINCT ON (organization_id, request_id) * FROM jsonb_populate_recordset(NULL::billing_usageevent, items)
  ), closed AS (
    DELETE FROM billing_hold h USING item i
    WHERE h.organization_id = i.organization_id AND h.request_id = i.request_id RETURNING h.*
  ), event AS (
    INSERT INTO billing_usageevent AS u (organization_id, request_id, external_id, api_key_id, project_id, member_id,
      model_requested, model, provider, upstream_model, stream, status, error_code, finish_reason,
      input_tokens, cache_read_tokens, cache_write_5m_tokens, cache_write_1h_tokens, audio_input_tokens,
      image_input_tokens, output_tokens, reasoning_tokens, audio_output_tokens, image_output_tokens,
      usage_source, rule, price_id, charge_price_id, markup_basis_points, held_nano, cost_nano, charged_nano,
      absorbed_nano, max_tokens, attempts, admitted_at, started_at, ended_at, first_token_ms, duration_ms)
    SELECT i.organization_id, i.request_id, coalesce(i.external_id, ''), i.api_key_id,
      coalesce(i.project_id, c.project_id), coalesce(i.member_id, c.member_id),
      coalesce(i.model_requested, ''), coalesce(i.model, ''), coalesce(i.provider, ''), coalesce(i.upstream_model, ''),
      i.stream, i.status, coalesce(i.error_code, ''), coalesce(i.finish_reason, ''),
      coalesce(i.input_tokens, 0), coalesce(i.cache_read_tokens, 0), coalesce(i.cache_write_5m_tokens, 0),
      coalesce(i.cache_write_1h_tokens, 0), coalesce(i.audio_input_tokens, 0), coalesce(i.image_input_tokens, 0),
      coalesce(i.output_tokens, 0), coalesce(i.reasoning_tokens, 0), coalesce(i.audio_output_tokens, 0),
      coalesce(i.image_output_tokens, 0), coalesce(i.usage_source, 'none'), coalesce(i.rule, ''), c.price_id,
      c.charge_price_id, coalesce(c.markup_basis_points, 0), coalesce(c.amount_nano, 0), coalesce(i.cost_nano, 0),
      LEAST(coalesce(i.charged_nano, 0), coalesce(c.amount_nano, 0)),
      coalesce(i.charged_nano, 0) - LEAST(coalesce(i.charged_nano, 0), coalesce(c.amount_nano, 0)),
      coalesce(i.max_tokens, c.max_tokens), coalesce(i.attempts, '[]'), coalesce(c.admitted_at, clock_timestamp()),
      i.started_at, coalesce(i.ended_at, clock_timestamp()), i.first_token_ms, i.duration_ms
    FROM item i LEFT JOIN closed c ON c.organization_id = i.organization_id AND c.request_id = i.request_id
    ON CONFLICT (organization_id, request_id) DO NOTHING
    RETURNING u.organization_id, u.request_id, u.charged_nano, u.absorbed_nano, u.admitted_at
  ), freed AS (
    UPDATE billing_wallet w SET held_nano = w.held_nano - f.amount
    FROM (SELECT organization_id, sum(amount_nano)::bigint AS amount FROM closed GROUP BY 1) f
    WHERE w.organization_id = f.organization_id AND f.amount > 0
  ), budgeted AS (
    UPDATE billing_budgetperiod p SET held_nano = p.held_nano - s.amount, spent_nano = p.spent_nano + s.charged
    FROM (SELECT c.organization_id, u.id, u.starts, sum(c.amount_nano)::bigint AS amount,
                 sum(coalesce(v.charged_nano, 0))::bigint AS charged
          FROM closed c
          CROSS JOIN LATERAL unnest(c.budget_ids, c.budget_starts) AS u (id, starts)
          LEFT JOIN event v ON v.organization_id = c.organization_id AND v.request_id = c.request_id
          GROUP BY 1, 2, 3) s
    WHERE p.organization_id = s.organization_id AND p.budget_id = s.id AND p.starts_at = s.starts
    RETURNING p.organization_id
  ), due AS (
    INSERT INTO billing_rollupdue AS d (organization_id, hour)
    SELECT DISTINCT organization_id, date_trunc('hour', admitted_at AT TIME ZONE 'UTC') AT TIME ZONE 'UTC' FROM event
    ON CONFLICT (organization_id, hour) DO UPDATE SET marks = d.marks + 1
  )
  SELECT array_agg(v.organization_id), array_agg(v.request_id), array_agg(v.charged_nano), array_agg(v.absorbed_nano),
         (SELECT array_agg(DISTINCT organization_id) FROM budgeted)
    INTO new_orgs, new_ids, new_charges, new_absorbed, budgets_touched FROM event v;
  INSERT INTO billing_transfer (organization_id, kind, ref, debit, credit, amount_nano)
    SELECT u.o, 'usage', u.id::text, 'wallet', 'revenue', u.charge
    FROM unnest(new_orgs, new_ids, new_charges) AS u (o, id, charge) WHERE u.charge > 0;
  IF cardinality(new_ids) IS DISTINCT FROM jsonb_array_length(items) THEN  -- some were closed before
  FOR r IN SELECT * FROM jsonb_populate_recordset(NULL::billing_usageevent, items) x
           WHERE NOT x.request_id = ANY (coalesce(new_ids, '{}')) LOOP
    request := r.request_id; outcome := 'dup'; charged := NULL; absorbed := NULL;
    SELECT * INTO e FROM billing_usageevent v
      WHERE v.organization_id = r.organization_id AND v.request_id = r.request_id;
    charged := e.charged_nano; absorbed := e.absorbed_nano;
    IF e.usage_source = 'swept' AND r.usage_source <> 'swept' THEN
      SELECT posted_nano - held_nano + overdraft_nano INTO room FROM billing_wallet
        WHERE organization_id = r.organization_id;
      extra := LEAST(GREATEST(LEAST(r.charged_nano, e.held_nano) - e.charged_nano, 0), GREATEST(room, 0));
      charged := e.charged_nano + extra; absorbed := GREATEST(r.charged_nano - charged, 0); outcome := 'late';
      UPDATE billing_usageevent v SET status = r.status, error_code = coalesce(r.error_code, ''),
        finish_reason = coalesce(r.finish_reason, ''), usage_source = r.usage_source, rule = 'late',
        provider = r.provider, upstream_model = r.upstream_model,
        input_tokens = r.input_tokens, cache_read_tokens = r.cache_read_tokens,
        cache_write_5m_tokens = r.cache_write_5m_tokens, cache_write_1h_tokens = r.cache_write_1h_tokens,
        audio_input_tokens = r.audio_input_tokens, image_input_tokens = r.image_input_tokens,
        output_tokens = r.output_tokens, reasoning_tokens = r.reasoning_tokens,
        audio_output_tokens = r.audio_output_tokens, image_output_tokens = r.image_output_tokens,
        cost_nano = r.cost_nano, charged_nano = billing_settle.charged, absorbed_nano = billing_settle.absorbed,
        attempts = coalesce(r.attempts, '[]'), first_token_ms = r.first_token_ms, duration_ms = r.duration_ms
        WHERE v.organization_id = r.organization_id AND v.request_id = r.request_id;
      INSERT INTO billing_rollupdue AS d (organization_id, hour)
        VALUES (r.organization_id, date_trunc('hour', e.admitted_at AT TIME ZONE 'UTC') AT TIME ZONE 'UTC')
        ON CONFLICT (organization_id, hour) DO UPDATE SET marks = d.marks + 1;
      IF extra > 0 THEN
        INSERT INTO billing_transfer (organization_id, kind, ref, debit, credit, amount_nano)
          VALUES (r.organization_id, 'late_usage', r.request_id::text, 'wallet', 'revenue', extra);
        UPDATE billing_budgetperiod p SET spent_nano = p.spent_nano + extra,
          ceiling_nano = CASE WHEN p.ceiling_nano IS NULL THEN NULL
                              ELSE GREATEST(p.ceiling_nano, p.spent_nano + p.held_nano + extra) END
          FROM billing_budget b
          WHERE p.organization_id = r.organization_id AND b.id = p.budget_id
            AND p.starts_at = billing_period_start(b.period, e.admitted_at)
            AND CASE b.scope WHEN 'organization' THEN true WHEN 'api_key' THEN b.target_id = e.api_key_id
                  WHEN 'project' THEN b.target_id = e.project_id ELSE b.target_id = e.member_id END;
      END IF;
    END IF;
    RETURN NEXT;
  END LOOP;
  END IF;
  IF budgets_touched IS NOT NULL THEN PERFORM billing_alert(budgets_touched); END IF;
  RETURN QUERY SELECT u.id, 'new'::text, u.charge, u.absorbed FROM unnest(new_ids, new_charges, new_absorbed)
    AS u (id, charge, absorbed);
END $$;

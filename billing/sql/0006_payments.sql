-- Payments that are taken back. A bank asks nobody: a refund or a dispute may take what was spent already. The wallet
-- then owes, beyond its overdraft, exactly that much; requests are admitted within the overdraft alone.
ALTER TABLE billing_wallet ADD COLUMN owed_nano bigint NOT NULL DEFAULT 0;
ALTER TABLE billing_wallet ADD CONSTRAINT wallet_owed_not_negative CHECK (owed_nano >= 0);
ALTER TABLE billing_wallet DROP CONSTRAINT wallet_no_overspend;
ALTER TABLE billing_wallet ADD CONSTRAINT wallet_no_overspend
  CHECK (posted_nano - held_nano >= -(overdraft_nano + owed_nano));

-- What comes in pays what is owed first. What is held is left out of it: a request that ends gives its hold back and is
-- charged in two steps, and between them nothing may be forgotten.
CREATE FUNCTION billing_owed_is_paid() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.owed_nano := LEAST(NEW.owed_nano, GREATEST(0, NEW.held_nano - NEW.posted_nano - NEW.overdraft_nano));
  RETURN NEW;
END $$;
CREATE TRIGGER wallet_owed_is_paid BEFORE UPDATE OF posted_nano ON billing_wallet FOR EACH ROW
  WHEN (NEW.owed_nano > 0 AND NEW.posted_nano > OLD.posted_nano) EXECUTE FUNCTION billing_owed_is_paid();

-- Every entry that there is is of a kind that was allowed before: validated apart, without keeping anybody waiting.
ALTER TABLE billing_transfer DROP CONSTRAINT billing_transfer_kind_check;
ALTER TABLE billing_transfer ADD CONSTRAINT billing_transfer_kind_check CHECK (kind IN
  ('topup', 'grant', 'usage', 'late_usage', 'refund', 'reversal', 'adjustment', 'returned')) NOT VALID;

-- An amount that was paid in goes back to whoever paid, whether or not it is there. Once for its ref.
CREATE FUNCTION billing_take_back(organization bigint, entry_ref text, amount bigint, why text, who text)
  RETURNS TABLE (id bigint, created boolean) LANGUAGE plpgsql AS $$
DECLARE t billing_transfer;
BEGIN
  PERFORM billing_lock(ARRAY[organization]);
  SELECT * INTO t FROM billing_transfer x
    WHERE x.organization_id = organization AND x.kind = 'returned' AND x.ref = entry_ref;
  IF FOUND THEN
    IF t.amount_nano <> amount THEN
      RAISE EXCEPTION 'ref % was used for another amount', entry_ref USING ERRCODE = 'unique_violation';
    END IF;
    RETURN QUERY SELECT t.id, false; RETURN;
  END IF;
  UPDATE billing_wallet w
    SET owed_nano = GREATEST(w.owed_nano, amount - (w.posted_nano - w.held_nano + w.overdraft_nano))
    WHERE w.organization_id = organization;
  RETURN QUERY INSERT INTO billing_transfer AS n (organization_id, kind, ref, debit, credit, amount_nano, reason, author)
    VALUES (organization, 'returned', entry_ref, 'wallet', 'cash', amount, why, who) RETURNING n.id, true;
END $$;

-- What was issued is never changed, and no number is missing.
CREATE TRIGGER document_is_final BEFORE UPDATE OR DELETE ON billing_document
  FOR EACH ROW EXECUTE FUNCTION billing_refuse();

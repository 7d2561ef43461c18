-- What was sealed or signed is never changed.
CREATE TRIGGER block_is_final BEFORE UPDATE OR DELETE ON billing_block
  FOR EACH ROW EXECUTE FUNCTION billing_refuse();
CREATE TRIGGER statement_is_final BEFORE UPDATE OR DELETE ON billing_statement
  FOR EACH ROW EXECUTE FUNCTION billing_refuse();

-- A budget counts what was admitted while it was what it is: the audit compares the periods since then.
ALTER TABLE billing_budget ADD COLUMN changed_at timestamptz NULL;
CREATE FUNCTION billing_budget_changes() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.changed_at := clock_timestamp();
  RETURN NEW;
END $$;
CREATE TRIGGER budget_changes BEFORE UPDATE ON billing_budget FOR EACH ROW
  WHEN ((OLD.scope, OLD.target_id, OLD.period, OLD.enabled) IS DISTINCT FROM (NEW.scope, NEW.target_id, NEW.period, NEW.enabled))
  EXECUTE FUNCTION billing_budget_changes();

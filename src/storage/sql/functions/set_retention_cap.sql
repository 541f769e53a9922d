-- Sets how long messages are kept at most, null: for ever. True: it has to be applied to the
-- conversations that there are (apply_retention_cap); those that are made from now on have it.
CREATE OR REPLACE FUNCTION set_retention_cap(p_kept_s bigint) RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
  UPDATE retention_cap r SET kept_s = p_kept_s, is_applied = false
  WHERE r.kept_s IS DISTINCT FROM p_kept_s;
  RETURN (SELECT NOT r.is_applied FROM retention_cap r);
END
$$;

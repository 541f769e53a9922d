-- Adds to what an erasure has taken away; in the transaction that takes it away.
CREATE OR REPLACE FUNCTION count_erased(p_user bigint, p_what text, p_count bigint) RETURNS void
LANGUAGE sql AS $$
  UPDATE erasures e SET counts = jsonb_set(
    e.counts, ARRAY[p_what], to_jsonb(coalesce((e.counts->>p_what)::bigint, 0) + p_count))
  WHERE e.user_id = p_user AND (p_count > 0 OR NOT e.counts ? p_what)
$$;

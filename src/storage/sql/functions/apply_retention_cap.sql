-- Applies the cap to the next p_most conversations after p_after; the id of the last one, null after all
-- of them. Messages that have become too old are not served from then on; a job moves first_seq.
CREATE OR REPLACE FUNCTION apply_retention_cap(p_after bigint, p_most int) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
  last bigint;
BEGIN
  SELECT max(x.id) INTO last FROM (
    SELECT c.id FROM conversations c WHERE c.id > p_after ORDER BY c.id LIMIT p_most
  ) x;
  IF last IS NULL THEN
    UPDATE retention_cap r SET is_applied = true;
    RETURN NULL;
  END IF;
  PERFORM 1 FROM conversations c WHERE c.id > p_after AND c.id <= last
  ORDER BY c.id FOR NO KEY UPDATE;
  UPDATE conversations c
  SET kept_s = x.kept_s, kept_next_at = CASE WHEN x.kept_s IS NOT NULL THEN clock_timestamp() END
  FROM (
    SELECT o.id, least((p.extra->'settings'->>'retention_s')::bigint, r.kept_s) AS kept_s
    FROM retention_cap r
    CROSS JOIN conversations o
    JOIN conversations p ON p.id = coalesce(o.parent_id, o.id)
    WHERE o.id > p_after AND o.id <= last AND o.deleted_at IS NULL
  ) x
  WHERE c.id = x.id AND c.kept_s IS DISTINCT FROM x.kept_s;
  RETURN last;
END
$$;

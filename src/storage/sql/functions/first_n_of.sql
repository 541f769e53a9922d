-- How many messages counted as unread before the first one that is served; null: none is gone.
CREATE OR REPLACE FUNCTION first_n_of(c conversations) RETURNS bigint
LANGUAGE sql STABLE AS $$
  SELECT CASE WHEN c.kept_next_at <= statement_timestamp()
    THEN n_before(c.id, kept_from(c.id, c.kept_s, c.first_seq, c.last_seq), coalesce(c.first_n, 0))
    ELSE c.first_n END
$$;

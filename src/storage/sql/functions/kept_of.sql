-- From which seq on the messages of a conversation are served: what is older than it keeps is not,
-- from that second on, although first_seq is moved a little later. PostgreSQL inlines it: where
-- nothing is due it is a look at two columns.
CREATE OR REPLACE FUNCTION kept_of(c conversations) RETURNS bigint
LANGUAGE sql STABLE AS $$
  SELECT CASE WHEN c.kept_next_at <= statement_timestamp()
    THEN kept_from(c.id, c.kept_s, c.first_seq, c.last_seq)
    ELSE coalesce(c.first_seq, 1) END
$$;

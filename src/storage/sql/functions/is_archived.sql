-- Whether a user with these preferences has archived the conversation at that time: it comes back
-- with the next message that counts, unless it is muted. The twin of isArchived in
-- src/protocol/prefs.ts. One expression over two rows, which PostgreSQL inlines.
CREATE OR REPLACE FUNCTION is_archived(c conversations, p conversation_prefs, p_now timestamptz)
RETURNS boolean
LANGUAGE sql STABLE AS $$
  SELECT p.archived_n IS NOT NULL AND (
    coalesce(c.last_n, c.last_seq) <= p.archived_n OR coalesce(p.muted_until > p_now, false))
$$;

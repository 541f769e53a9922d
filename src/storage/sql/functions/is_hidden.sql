-- Whether a user with these preferences has hidden the conversation: it comes back with the next
-- message that counts. The twin of isHidden in src/protocol/prefs.ts. PostgreSQL inlines it.
CREATE OR REPLACE FUNCTION is_hidden(c conversations, p conversation_prefs) RETURNS boolean
LANGUAGE sql STABLE AS $$
  SELECT coalesce(coalesce(c.last_n, c.last_seq) <= p.hidden_n, false)
$$;

-- One user's preferences of a conversation as the contract's JSON text. Every statement that
-- answers preferences calls it. What is marked unread or cleared is in the user's membership m, a
-- row of nulls where it has ended. One expression over two rows, which PostgreSQL inlines.
CREATE OR REPLACE FUNCTION prefs_text(p conversation_prefs, m conversation_members) RETURNS text
LANGUAGE sql STABLE AS $$
  SELECT '{"conversation_id":"' || p.conversation_id
    || '","prefs_rev":' || p.prefs_rev
    || CASE WHEN p.is_removed THEN ',"removed":true' ELSE
      coalesce(',"muted_until":"' || CASE
        WHEN p.muted_until = 'infinity' THEN 'forever' ELSE iso_time(p.muted_until)
      END || '"', '')
      || coalesce(',"level":"' || p.level || '"', '')
      || coalesce(',"pinned_at":"' || iso_time(p.pinned_at) || '"', '')
      || coalesce(',"archived_n":' || p.archived_n, '')
      || coalesce(',"hidden_n":' || p.hidden_n, '')
      || coalesce(',"unread_from_seq":' || m.unread_from_seq, '')
      || coalesce(',"cleared_before_seq":' || m.cleared_before_seq, '')
      || coalesce(',"draft":' || p.draft, '')
    END
    || '}'
$$;

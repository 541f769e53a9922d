-- How many messages of a conversation are unread for one of its members. The twin of unreadCount
-- (src/protocol/unread.ts), where the rule stands; test/contract/unread.test.ts compares the two.
-- No other SQL counts unread messages. PostgreSQL inlines it: it is one expression over two rows.
CREATE OR REPLACE FUNCTION unread_count(c conversations, m conversation_members) RETURNS bigint
LANGUAGE sql STABLE AS $$
  SELECT greatest(0, coalesce(c.last_n, c.last_seq)
    - greatest(first_n_of(c), m.cleared_n, coalesce(m.unread_from_n, m.read_n, m.read_seq)))
$$;

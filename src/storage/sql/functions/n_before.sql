-- How many messages count as unread before the one of that seq; see src/protocol/unread.ts.
-- p_first_n: how many of those that are not kept any more did.
CREATE OR REPLACE FUNCTION n_before(p_id bigint, p_seq bigint, p_first_n bigint) RETURNS bigint
LANGUAGE sql STABLE AS $$
  SELECT coalesce((
    SELECT coalesce(y.n, y.seq) FROM messages y
    WHERE y.conversation_id = p_id AND y.seq < p_seq ORDER BY y.seq DESC LIMIT 1
  ), p_first_n)
$$;

-- The first message of a conversation that is not too old at this moment; last_seq + 1 where all are.
-- It walks over those that have become too old since first_seq was moved last: a few seconds of them.
CREATE OR REPLACE FUNCTION kept_from(
  p_id bigint, p_kept_s bigint, p_first_seq bigint, p_last_seq bigint
) RETURNS bigint
LANGUAGE sql STABLE AS $$
  SELECT coalesce((
    SELECT y.seq FROM messages y
    WHERE y.conversation_id = p_id AND y.seq >= coalesce(p_first_seq, 1)
      AND y.created_at > statement_timestamp() - p_kept_s * interval '1 second'
    ORDER BY y.seq LIMIT 1
  ), p_last_seq + 1)
$$;

-- A batch of one cursor mark: what write_batch does and answers, in two short statements. A mark of
-- a member whose cursors are anything but plain (blocked, hiding how far they have read, with
-- messages that do not count as unread, with a conversation marked unread) goes to write_batch.
CREATE OR REPLACE FUNCTION write_mark(
  in_conversation bigint, by_member bigint, delivered_to bigint, read_to bigint
) RETURNS TABLE (
  at timestamptz, outcomes int[], ids bigint[], seqs bigint[], revs bigint[], dups json,
  old_delivered bigint[], old_read bigint[], ns bigint[], extras json, owns json,
  prefs json, followed json
)
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_column
DECLARE
  -- Null where there is no such member.
  is_plain boolean;
  was_delivered bigint;
  was_read bigint;
  -- What is read is delivered, too.
  delivers bigint := greatest(delivered_to, read_to);
  is_still_plain boolean := true;
BEGIN
  SELECT m.delivered_seq, m.read_seq,
    NOT m.apart AND num_nonnulls(m.read_n, m.cleared_n, m.unread_from_seq, m.read_mask) = 0
  INTO was_delivered, was_read, is_plain
  FROM conversation_members m
  WHERE m.conversation_id = in_conversation AND m.user_id = by_member;

  IF is_plain AND (was_delivered < delivers OR was_read < read_to) THEN
    UPDATE conversation_members m
    SET delivered_seq = greatest(m.delivered_seq, delivers),
      read_seq = greatest(m.read_seq, read_to),
      own_activity_at = CASE
        WHEN was_read < read_to THEN clock_timestamp() ELSE m.own_activity_at
      END
    WHERE m.conversation_id = in_conversation AND m.user_id = by_member
      AND NOT m.apart AND num_nonnulls(m.read_n, m.cleared_n, m.unread_from_seq, m.read_mask) = 0
      -- Its n is its seq: a look at the message's row, which the read of a message has in memory.
      AND (m.read_seq >= read_to OR read_to = (
        SELECT coalesce(y.n, y.seq) FROM messages y
        WHERE y.conversation_id = in_conversation AND y.seq <= read_to
        ORDER BY y.seq DESC LIMIT 1
      ));
    is_still_plain := FOUND;
  END IF;
  IF is_plain AND is_still_plain THEN
    old_delivered := ARRAY[was_delivered];
    old_read := ARRAY[was_read];
    RETURN NEXT;
    RETURN;
  END IF;

  RETURN QUERY SELECT b.* FROM write_batch(
    NULL,
    NULL,
    json_build_array(json_build_object(
      'c', in_conversation, 'u', by_member, 'd', delivered_to, 'r', read_to
    ))
  ) b;
END
$$;

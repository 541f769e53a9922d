-- Makes a group, or finds or makes the one direct conversation of a pair.
-- outcome: ok, user_not_found, apart (a block stands between p_owner_id and another member).
-- A block that is committed at this moment may come after a new group, as if it were made later;
-- of a direct conversation blocks are kept (see lock_pair).
CREATE OR REPLACE FUNCTION create_conversation(
  p_kind text, p_owner_id bigint, p_member_ids bigint[], p_title text
)
RETURNS TABLE (
  outcome text, changed boolean, id bigint, kind text, title text, owner_id bigint,
  last_seq bigint, rev bigint, created_at timestamptz,
  member_ids bigint[], member_delivered bigint[], member_read bigint[]
)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  made_id bigint;
  found_count int;
  lo bigint;
  hi bigint;
BEGIN
  SELECT count(*), min(u.id), max(u.id) INTO found_count, lo, hi
  FROM users u WHERE u.id = ANY (p_member_ids);
  IF found_count < cardinality(p_member_ids) THEN
    outcome := 'user_not_found';
    RETURN NEXT;
    RETURN;
  END IF;

  outcome := 'ok';
  IF p_kind = 'direct' THEN
    -- A block of this moment comes before or after, never between the check and the insert.
    PERFORM lock_pair(lo, hi);
    IF is_apart(lo, hi) AND NOT EXISTS (
      SELECT 1 FROM conversations c
      WHERE c.kind = 'direct' AND c.direct_lo = lo AND c.direct_hi = hi
    ) THEN
      outcome := 'apart';
      RETURN NEXT;
      RETURN;
    END IF;
    INSERT INTO conversations (kind, direct_lo, direct_hi, member_count)
    VALUES ('direct', lo, hi, 2)
    ON CONFLICT (direct_lo, direct_hi) WHERE kind = 'direct' DO NOTHING
    RETURNING id INTO made_id;
  ELSE
    IF EXISTS (SELECT 1 FROM apart_from(p_owner_id, p_member_ids)) THEN
      outcome := 'apart';
      RETURN NEXT;
      RETURN;
    END IF;
    INSERT INTO conversations (kind, title, owner_id, member_count)
    VALUES ('group', p_title, p_owner_id, cardinality(p_member_ids))
    RETURNING id INTO made_id;
  END IF;
  changed := made_id IS NOT NULL;
  IF changed THEN
    INSERT INTO conversation_members (conversation_id, user_id, own_activity_at)
    SELECT made_id, u, CASE WHEN u = p_owner_id THEN clock_timestamp() END
    FROM unnest(p_member_ids) u ORDER BY u;
    INSERT INTO user_changes (user_ids) VALUES (p_member_ids);
  ELSE
    SELECT c.id INTO made_id FROM conversations c
    WHERE c.kind = 'direct' AND c.direct_lo = lo AND c.direct_hi = hi;
  END IF;
  RETURN QUERY SELECT outcome, changed, r.* FROM conversation_rows r WHERE r.id = made_id;
END
$$;

-- Does the calls of p_calls in their order, as one change of the group's title and members. A call
-- is {"by", "does": "retitle" | "add" | "remove", "title"?, "user_ids"?, "user_id"?}. outcomes and
-- done run parallel to the calls: ok, not_found (the caller is no member), conflict (a direct
-- conversation), user_not_found, invalid_payload (the group would have more than p_members_max
-- members), apart (a block stands between the caller and one who is added), has_left (one who is
-- added has left the group by themselves), forbidden (only the owner removes others); and whether
-- the call did something. A call that is refused leaves the others as they are. added_ids and removed_ids compare the members
-- with those of before; who was removed and added again is in both.
-- It locks the conversation's row first and reads in later statements, so that under READ
-- COMMITTED it sees everything that was committed before: rev is taken under that lock, once.
-- The owner's leaving passes ownership to the member of longest standing.
CREATE OR REPLACE FUNCTION change_conversation(p_id bigint, p_calls json, p_members_max int)
RETURNS TABLE (
  outcomes text[], done boolean[], changed boolean, added_ids bigint[], removed_ids bigint[],
  id bigint, kind text, title text, owner_id bigint,
  last_seq bigint, rev bigint, created_at timestamptz,
  member_ids bigint[], member_delivered bigint[], member_read bigint[]
)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  before conversations;
  now_title text;
  now_owner bigint;
  call json;
  caller bigint;
  wanted bigint[];
  outcome text;
  did boolean;
  removed jsonb := '[]';
  removed_at timestamptz[] := '{}';
  gone conversation_members;
BEGIN
  outcomes := '{}';
  done := '{}';
  changed := false;
  added_ids := '{}';
  removed_ids := '{}';
  SELECT c.* INTO before FROM conversations c WHERE c.id = p_id FOR NO KEY UPDATE;
  now_title := before.title;
  now_owner := before.owner_id;

  FOR call IN SELECT e FROM json_array_elements(p_calls) WITH ORDINALITY AS j (e, n) ORDER BY n LOOP
    caller := (call->>'by')::bigint;
    did := false;
    outcome := CASE
      WHEN NOT EXISTS (
        SELECT 1 FROM conversation_members m WHERE m.conversation_id = p_id AND m.user_id = caller
      ) THEN 'not_found'
      WHEN before.kind = 'direct' THEN 'conflict'
      ELSE 'ok'
    END;

    IF outcome = 'ok' AND call->>'does' = 'retitle' THEN
      did := now_title IS DISTINCT FROM call->>'title';
      now_title := call->>'title';
    END IF;

    IF outcome = 'ok' AND call->>'does' = 'add' THEN
      SELECT coalesce(array_agg(DISTINCT u.id), '{}') INTO wanted
      FROM json_array_elements_text(call->'user_ids') t (id), LATERAL (SELECT t.id::bigint) u (id)
      WHERE NOT EXISTS (
        SELECT 1 FROM conversation_members m WHERE m.conversation_id = p_id AND m.user_id = u.id
      );
      outcome := CASE
        WHEN (SELECT count(*) FROM users u WHERE u.id = ANY (wanted)) < cardinality(wanted)
          THEN 'user_not_found'
        WHEN cardinality(wanted) > 0 AND cardinality(wanted) + (
          SELECT count(*) FROM conversation_members m WHERE m.conversation_id = p_id
        ) > p_members_max THEN 'invalid_payload'
        WHEN EXISTS (SELECT 1 FROM apart_from(caller, wanted)) THEN 'apart'
        WHEN EXISTS (
          SELECT 1 FROM conversation_leavers l
          WHERE l.conversation_id = p_id AND l.user_id = ANY (wanted)
        ) THEN 'has_left'
        ELSE 'ok'
      END;
      IF outcome = 'ok' AND cardinality(wanted) > 0 THEN
        did := true;
        INSERT INTO conversation_members (conversation_id, user_id)
        SELECT p_id, u FROM unnest(wanted) u ORDER BY u;
        added_ids := added_ids || wanted;
      END IF;
    END IF;

    IF outcome = 'ok' AND call->>'does' = 'remove' THEN
      IF caller <> (call->>'user_id')::bigint AND now_owner IS DISTINCT FROM caller THEN
        outcome := 'forbidden';
      ELSE
        DELETE FROM conversation_members m
        WHERE m.conversation_id = p_id AND m.user_id = (call->>'user_id')::bigint
        RETURNING m.* INTO gone;
        IF NOT FOUND THEN
          outcome := 'user_not_found';
        ELSE
          did := true;
          IF caller = gone.user_id THEN
            INSERT INTO conversation_leavers (conversation_id, user_id)
            VALUES (p_id, gone.user_id) ON CONFLICT DO NOTHING;
          END IF;
          IF gone.user_id = ANY (added_ids) THEN
            added_ids := array_remove(added_ids, gone.user_id);
          ELSE
            removed := removed || jsonb_build_object(
              'member', jsonb_build_object('user_id', gone.user_id::text,
                'delivered_seq', gone.delivered_seq, 'read_seq', gone.read_seq),
              -- Of those who were there before the change: who stays, and who was removed by it.
              'place', (
                SELECT count(*) FROM conversation_members m
                WHERE m.conversation_id = p_id AND m.user_id <> ALL (added_ids)
                  AND (m.joined_at, m.user_id) < (gone.joined_at, gone.user_id)
              ) + (
                SELECT count(*) FROM unnest(removed_ids, removed_at) AS r (user_id, joined_at)
                WHERE (r.joined_at, r.user_id) < (gone.joined_at, gone.user_id)
              )
            );
            removed_ids := removed_ids || gone.user_id;
            removed_at := removed_at || gone.joined_at;
          END IF;
          IF now_owner = gone.user_id THEN
            now_owner := (
              SELECT m.user_id FROM conversation_members m
              WHERE m.conversation_id = p_id ORDER BY m.joined_at, m.user_id LIMIT 1
            );
          END IF;
        END IF;
      END IF;
    END IF;

    outcomes := outcomes || outcome;
    done := done || did;
    changed := changed OR did;
  END LOOP;

  IF changed THEN
    UPDATE conversations c
    SET title = now_title, owner_id = now_owner, rev = c.rev + 1, meta_rev = c.rev + 1,
      member_count = c.member_count + cardinality(added_ids) - cardinality(removed_ids)
    WHERE c.id = p_id;
    INSERT INTO conversation_changes
      (conversation_id, rev, before_rev, last_seq, title_before, owner_before, added_ids, removed)
    VALUES (
      p_id, before.rev + 1, before.meta_rev, before.last_seq, before.title, before.owner_id,
      added_ids, removed
    );
    IF cardinality(added_ids) > 0 THEN
      INSERT INTO user_changes (user_ids) VALUES (added_ids);
    END IF;
  END IF;
  RETURN QUERY
  SELECT outcomes, done, changed, added_ids, removed_ids, r.*
  FROM (SELECT 1) one LEFT JOIN conversation_rows r ON r.id = p_id;
END
$$;

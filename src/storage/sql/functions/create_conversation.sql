-- Makes a group or a channel, or finds or makes the one direct conversation of a pair, or finds the one of an
-- external_id.
-- p_owner_id: who owns a group. p_by: the user who makes it; 0, the owner does (hosts of the
-- version before leave it out); null, a service, which blocks do not bind. p_patch: data, image_url, settings and permissions, as change_conversation takes them, a channel's audience, and the name of the service that asks.
-- outcome: ok, user_not_found, apart (a block stands between p_by and another member), contacts_only
-- (another member takes this from contacts only, see wants_contacts), taken (the external_id names a conversation of another kind or of another pair).
-- Where the external_id is known already, nothing else of the call counts but its kind and pair.
-- A block that is committed at this moment may come after a new group, as if it were made later;
-- of a direct conversation blocks are kept (see lock_pair).
CREATE OR REPLACE FUNCTION create_conversation(
  p_kind text, p_owner_id bigint, p_member_ids bigint[], p_title text,
  p_by bigint DEFAULT 0, p_patch json DEFAULT NULL, p_external_id text DEFAULT NULL
)
RETURNS TABLE (
  outcome text, changed boolean, id bigint, kind text, title text, owner_id bigint,
  last_seq bigint, rev bigint, created_at timestamptz,
  member_ids bigint[], member_delivered bigint[], member_read bigint[],
  external_id text, extra json, member_extras json,
  last_n bigint, first_seq bigint, first_n bigint, channel_members int
)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  maker bigint := CASE p_by WHEN 0 THEN p_owner_id ELSE p_by END;
  made_id bigint;
  found conversations;
  found_count int;
  lo bigint;
  hi bigint;
BEGIN
  outcome := 'ok';
  IF p_external_id IS NOT NULL THEN
    -- When two calls come at once, the second waits here and finds the first one's conversation.
    PERFORM pg_advisory_xact_lock(hashtextextended('conversation ' || p_external_id, 0));
    SELECT c.* INTO found FROM conversations c WHERE c.external_id = p_external_id;
  END IF;
  SELECT count(*), min(u.id), max(u.id) INTO found_count, lo, hi
  FROM users u WHERE u.id = ANY (p_member_ids);
  IF found_count < cardinality(p_member_ids) AND found.id IS NULL THEN
    outcome := 'user_not_found';
    RETURN NEXT;
    RETURN;
  END IF;
  IF p_kind = 'direct' THEN
    -- A block of this moment comes before or after, never between the check and the insert.
    PERFORM lock_pair(lo, hi);
    IF maker IS NOT NULL AND NOT EXISTS (
      SELECT 1 FROM conversations c
      WHERE c.kind = 'direct' AND c.direct_lo = lo AND c.direct_hi = hi
    ) THEN
      outcome := CASE
        WHEN is_apart(lo, hi) THEN 'apart'
        WHEN EXISTS (SELECT 1 FROM wants_contacts('direct', maker, p_member_ids))
          THEN 'contacts_only'
        ELSE 'ok'
      END;
      IF outcome <> 'ok' THEN
        RETURN NEXT;
        RETURN;
      END IF;
    END IF;
    IF found.id IS NULL THEN
      INSERT INTO conversations (kind, direct_lo, direct_hi, member_count, extra, external_id)
      VALUES ('direct', lo, hi, 2, revised_extra('direct', NULL, p_patch), p_external_id)
      ON CONFLICT (direct_lo, direct_hi) WHERE kind = 'direct' DO NOTHING
      RETURNING id INTO made_id;
      IF made_id IS NULL THEN
        SELECT c.* INTO found FROM conversations c
        WHERE c.kind = 'direct' AND c.direct_lo = lo AND c.direct_hi = hi;
        -- The pair's conversation that was there before takes the name, once.
        IF p_external_id IS NOT NULL AND found.external_id IS NULL THEN
          UPDATE conversations c SET external_id = p_external_id WHERE c.id = found.id;
        ELSIF p_external_id IS DISTINCT FROM found.external_id AND p_external_id IS NOT NULL THEN
          outcome := 'taken';
        END IF;
      END IF;
    ELSIF found.kind <> 'direct' OR (found.direct_lo, found.direct_hi) IS DISTINCT FROM (lo, hi)
    THEN
      outcome := 'taken';
    END IF;
  ELSIF found.id IS NOT NULL THEN
    IF found.kind <> p_kind THEN
      outcome := 'taken';
    END IF;
  ELSE
    IF maker IS NOT NULL AND EXISTS (SELECT 1 FROM apart_from(maker, p_member_ids)) THEN
      outcome := 'apart';
      RETURN NEXT;
      RETURN;
    END IF;
    IF maker IS NOT NULL
      AND EXISTS (SELECT 1 FROM wants_contacts('add_consent', maker, p_member_ids)) THEN
      outcome := 'contacts_only';
      RETURN NEXT;
      RETURN;
    END IF;
    INSERT INTO conversations (kind, title, owner_id, member_count, extra, external_id)
    VALUES (p_kind, p_title, p_owner_id, cardinality(p_member_ids),
      merge_keys(revised_extra(p_kind, NULL, p_patch), json_build_object('audience',
        CASE WHEN p_kind = 'channel' THEN coalesce(p_patch->>'audience', 'members') END)),
      p_external_id)
    RETURNING id INTO made_id;
  END IF;
  IF outcome <> 'ok' THEN
    RETURN NEXT;
    RETURN;
  END IF;
  changed := made_id IS NOT NULL;
  IF changed THEN
    PERFORM set_config('troupe.actor', maker::text, true),
      set_config('troupe.service', coalesce(p_patch->>'service', ''), true);
    -- A service makes direct conversations of users who have blocked each other, too.
    INSERT INTO conversation_members (conversation_id, user_id, in_channel, own_activity_at, apart)
    SELECT made_id, u, CASE WHEN p_kind = 'channel' THEN true END, CASE WHEN u = maker THEN clock_timestamp() END,
      p_kind = 'direct' AND maker IS NULL AND is_apart(lo, hi)
    FROM unnest(p_member_ids) u ORDER BY u;
    IF p_kind = 'channel' THEN
      PERFORM begin_prefs(made_id, p_member_ids);
    END IF;
    INSERT INTO user_changes (user_ids) VALUES (p_member_ids);
  END IF;
  RETURN QUERY
  SELECT outcome, changed, r.* FROM conversation_rows r WHERE r.id = coalesce(made_id, found.id);
END
$$;

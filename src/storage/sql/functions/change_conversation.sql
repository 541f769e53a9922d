-- Does the calls of p_calls in their order, as one change of the conversation with one rev. A call
-- is {"by", "does", …}; by null: a service, which may do what the owner may. What it does:
--   update   title?, data?, image_url?, settings?, permissions?, if_rev?
--   add      user_ids             remove  user_id            member  user_id, role?, data?, silenced_until?
--   join                          accept  invite_id          ban     user_id, until?, reason?
--   unban    user_id              delete
--   trim: by null; moves first_seq past messages that are not kept any longer
-- outcomes and done run parallel to the calls: the outcome, and whether the call did something to
-- what members see. Outcomes: ok, not_found (the caller is no member), conflict (a conversation of
-- this kind cannot do it), user_not_found, member_not_found, forbidden (the caller's role),
-- invalid_payload (more than p_members_max members), full (the same for one who joins), data_size, stale (if_rev is not
-- the present meta_rev), apart (a block stands between the caller and one who is added), has_left
-- (one who is added has left by themselves), contacts_only (one who is added takes that from contacts
-- only), banned (one who is added is banned), invite_not_found.
-- A call that is refused leaves the others as they are. added_ids and removed_ids compare the
-- members with those of before; who was removed and added again is in both. changed_ids: members
-- whose role, data or silence changed. The rules are those of protocol/permissions.ts.
-- It locks the conversation's row first and reads in later statements, so that under READ
-- COMMITTED it sees everything that was committed before: rev is taken under that lock, once.
-- A leaving owner is followed by the highest role, and among those by the longest standing.
-- A leaving member leaves the threads, too, and threads go with their parent. has_threads: somebody went, and
-- there are threads.
-- system_messages: where settings.system_messages wants them, a message for each call that did
-- something, as message_text writes it, joined by commas. They take the revs after the change's
-- own, and do not count as unread; nobody's cursors move.
-- masked_ids: members of whom others do not see how far they have read.
-- In a channel only its owner, admins and moderators count as members that others see. What happens
-- to the others is done without being a change of the channel: joined_ids, left_ids and quiet_ids
-- (their role, data or silence) name them, each with the preferences that say so (begin_prefs), and
-- nothing here reads all members. While such a call is done troupe.quiet is who does it, 0 for a
-- service, by which log_quiet_members knows it.
CREATE OR REPLACE FUNCTION change_conversation(p_id bigint, p_calls json, p_members_max int)
RETURNS TABLE (
  outcomes text[], done boolean[], changed boolean, added_ids bigint[], removed_ids bigint[],
  id bigint, kind text, title text, owner_id bigint,
  last_seq bigint, rev bigint, created_at timestamptz,
  member_ids bigint[], member_delivered bigint[], member_read bigint[],
  external_id text, extra json, member_extras json,
  last_n bigint, first_seq bigint, first_n bigint,
  channel_members int,
  changed_ids bigint[], deleted boolean, has_threads boolean, system_messages text,
  masked_ids bigint[], joined_ids bigint[], left_ids bigint[], quiet_ids bigint[]
)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  before conversations;
  now_title text;
  now_owner bigint;
  now_extra json;
  is_informed boolean := false;
  call json;
  does text;
  caller bigint;
  caller_rank int;
  target_id bigint;
  target conversation_members;
  target_rank int;
  needed text;
  wanted bigint[];
  wanted_role text;
  revised json;
  invite conversation_invites;
  outcome text;
  did boolean;
  -- What the call did concerns ordinary members of a channel only.
  quiet boolean;
  is_channel boolean;
  most int;
  -- Rows of a kind that a deletion deletes by itself.
  most_deleted constant int := 1000;
  leaves_members boolean;
  leaves_rows boolean;
  -- Members whose extra changed, with what it was before.
  touched_ids bigint[] := '{}';
  touched_before json[] := '{}';
  removed json[] := '{}';
  removed_at timestamptz[] := '{}';
  leaving conversation_members;
  heir conversation_members;
  -- What the system messages say: {by, event, user_ids, title}.
  notices json[] := '{}';
  event text;
  moment timestamptz(3);
  -- The users whose calls did something, 0 for a service: where there is one, events name them.
  actors bigint[] := '{}';
BEGIN
  outcomes := '{}';
  done := '{}';
  changed := false;
  added_ids := '{}';
  removed_ids := '{}';
  changed_ids := '{}';
  deleted := false;
  has_threads := false;
  joined_ids := '{}';
  left_ids := '{}';
  quiet_ids := '{}';
  SELECT c.* INTO before FROM conversations c
  WHERE c.id = p_id AND c.deleted_at IS NULL FOR NO KEY UPDATE;
  now_title := before.title;
  now_owner := before.owner_id;
  now_extra := before.extra;
  is_channel := coalesce(before.kind = 'channel', false);
  most := CASE WHEN is_channel THEN 1000000 ELSE p_members_max END;
  IF is_channel THEN
    -- In the order of change_prefs: memberships first, then counters, each rising.
    SELECT array_agg(DISTINCT x.id::bigint) INTO wanted
    FROM json_array_elements(p_calls) j (e), LATERAL (
      SELECT j.e->>'by' AS id WHERE j.e->>'does' IN ('join', 'accept')
      UNION ALL SELECT j.e->>'user_id' WHERE j.e->>'does' IN ('remove', 'ban')
      UNION ALL SELECT t.id FROM json_array_elements_text(j.e->'user_ids') t (id)
    ) x;
    PERFORM 1 FROM conversation_members m
    WHERE m.conversation_id = p_id AND m.user_id = ANY (wanted)
    ORDER BY m.user_id FOR NO KEY UPDATE;
    PERFORM lock_prefs_counters(wanted);
  END IF;

  FOR call IN SELECT e FROM json_array_elements(p_calls) WITH ORDINALITY AS j (e, n) ORDER BY n LOOP
    does := call->>'does';
    caller := (call->>'by')::bigint;
    target_id := (call->>'user_id')::bigint;
    did := false;
    IF quiet THEN
      PERFORM set_config('troupe.quiet', '', true);
    END IF;
    quiet := false;
    leaving := NULL;
    wanted := '{}';
    wanted_role := NULL;
    event := NULL;
    caller_rank := CASE WHEN caller IS NULL THEN 9 ELSE coalesce((
      SELECT role_rank(role_in(now_owner, m.user_id, m.extra)) FROM conversation_members m
      WHERE m.conversation_id = p_id AND m.user_id = caller
    ), -1) END;
    SELECT m.* INTO target FROM conversation_members m
    WHERE m.conversation_id = p_id AND m.user_id = target_id;
    target_rank := CASE
      WHEN target.user_id IS NULL THEN -1
      ELSE role_rank(role_in(now_owner, target.user_id, target.extra))
    END;
    needed := CASE does
      WHEN 'add' THEN 'add_members' WHEN 'ban' THEN 'ban' WHEN 'unban' THEN 'ban'
      WHEN 'remove' THEN CASE WHEN target_id IS DISTINCT FROM caller THEN 'remove_members' END
    END;
    outcome := CASE
      WHEN before.id IS NULL OR deleted THEN 'not_found'
      WHEN does IN ('join', 'accept') THEN 'ok'
      WHEN caller_rank < 0 THEN 'not_found'
      WHEN before.kind = 'thread' THEN 'conflict'
      WHEN before.kind = 'direct' AND does NOT IN ('update', 'member', 'trim') THEN 'conflict'
      WHEN role_rank(least_role(before.kind, now_extra, needed)) > caller_rank AND needed IS NOT NULL
        THEN 'forbidden'
      WHEN (does = 'ban' OR needed = 'remove_members') AND target_rank >= caller_rank
        THEN 'forbidden'
      ELSE 'ok'
    END;

    IF outcome = 'ok' AND does = 'update' THEN
      revised := revised_extra(before.kind, now_extra, call);
      outcome := CASE
        WHEN before.kind = 'direct' AND (
          call->'title' IS NOT NULL OR call->'permissions' IS NOT NULL
          OR call->'settings'->'join' IS NOT NULL OR call->'settings'->'history' IS NOT NULL
        ) THEN 'conflict'
        WHEN (call->'title' IS NOT NULL OR call->'data' IS NOT NULL OR call->'image_url' IS NOT NULL)
          AND role_rank(least_role(before.kind, now_extra, 'edit_info')) > caller_rank
          THEN 'forbidden'
        WHEN (call->'settings' IS NOT NULL OR call->'permissions' IS NOT NULL)
          AND role_rank(least_role(before.kind, now_extra, 'edit_settings')) > caller_rank
          THEN 'forbidden'
        WHEN EXISTS (
          SELECT 1 FROM json_object_keys(coalesce(call->'permissions', '{}')) a (action)
          WHERE (now_extra->'permissions'->>a.action)
              IS DISTINCT FROM (revised->'permissions'->>a.action)
            AND caller_rank < greatest(
              role_rank(least_role(before.kind, now_extra, a.action)),
              role_rank(least_role(before.kind, revised, a.action)))
        ) THEN 'forbidden'
        WHEN (call->>'if_rev')::bigint <> CASE
            WHEN is_informed THEN before.rev + 1 ELSE coalesce((before.extra->>'meta_rev')::bigint, 1)
          END THEN 'stale'
        WHEN octet_length((revised->'data')::text) > 4096 THEN 'data_size'
        ELSE 'ok'
      END;
      IF outcome = 'ok' THEN
        did := revised::jsonb IS DISTINCT FROM now_extra::jsonb
          OR (call->'title' IS NOT NULL AND now_title IS DISTINCT FROM call->>'title');
        is_informed := is_informed OR did;
        now_extra := revised;
        IF call->'title' IS NOT NULL THEN
          event := CASE WHEN now_title IS DISTINCT FROM call->>'title' THEN 'title_changed' END;
          now_title := call->>'title';
        END IF;
      END IF;
    END IF;

    -- The trigger keep_messages moves it, with every change.
    IF outcome = 'ok' AND does = 'trim' THEN
      did := kept_of(before) > coalesce(before.first_seq, 1);
      -- That is nobody's writing.
      UPDATE imported_conversations i SET rev = before.rev + 1
      WHERE did AND i.conversation_id = p_id AND i.rev = before.rev;
    END IF;

    IF outcome = 'ok' AND does = 'member' THEN
      wanted_role := call->>'role';
      outcome := CASE
        WHEN before.kind = 'direct'
          AND (wanted_role IS NOT NULL OR call->'silenced_until' IS NOT NULL) THEN 'conflict'
        WHEN wanted_role = 'owner' AND caller_rank < 4 THEN 'forbidden'
        WHEN wanted_role <> 'owner' AND (
          role_rank(least_role(before.kind, now_extra, 'edit_roles')) > caller_rank
          OR target_rank >= caller_rank OR role_rank(wanted_role) >= caller_rank
        ) THEN 'forbidden'
        WHEN call->'silenced_until' IS NOT NULL AND (
          role_rank(least_role(before.kind, now_extra, 'silence')) > caller_rank
          OR target_rank >= caller_rank
        ) THEN 'forbidden'
        WHEN call->'data' IS NOT NULL AND caller IS NOT NULL AND caller <> target_id
          THEN 'forbidden'
        WHEN target.user_id IS NULL THEN 'member_not_found'
        ELSE 'ok'
      END;
      IF outcome = 'ok' THEN
        revised := target.extra;
        IF wanted_role IS NOT NULL AND target_id IS DISTINCT FROM now_owner THEN
          revised := merge_keys(revised, json_build_object(
            'role', CASE WHEN wanted_role NOT IN ('owner', 'member') THEN wanted_role END));
        ELSIF wanted_role <> 'owner' THEN
          -- A service moves the owner down: somebody else has to be given the place first.
          outcome := 'forbidden';
        END IF;
        IF call->'silenced_until' IS NOT NULL THEN
          revised := merge_keys(revised, json_build_object('silenced_until', CASE
            WHEN (call->>'silenced_until')::timestamptz > clock_timestamp()
              THEN call->>'silenced_until' END));
        END IF;
        IF call->'data' IS NOT NULL THEN
          revised := merge_keys(revised, json_build_object('data', CASE
            WHEN json_typeof(call->'data') <> 'null' THEN merge_keys(revised->'data', call->'data')
          END));
        END IF;
        IF octet_length((revised->'data')::text) > 512 THEN
          outcome := 'data_size';
        END IF;
      END IF;
      IF outcome = 'ok' THEN
        did := revised::jsonb IS DISTINCT FROM target.extra::jsonb
          OR (wanted_role = 'owner' AND now_owner IS DISTINCT FROM target_id);
        quiet := is_channel AND target_rank < 2
          AND role_rank(coalesce(wanted_role, 'member')) < 2;
        IF did AND quiet THEN
          quiet_ids := array_remove(quiet_ids, target_id) || target_id;
          PERFORM set_config('troupe.quiet', coalesce(caller, 0)::text, true);
        END IF;
        IF did AND NOT quiet AND target_id <> ALL (touched_ids) AND target_id <> ALL (added_ids) THEN
          touched_ids := touched_ids || target_id;
          touched_before := touched_before || target.extra;
        END IF;
        UPDATE conversation_members m SET extra = revised
        WHERE m.conversation_id = p_id AND m.user_id = target_id;
        IF did AND wanted_role = 'owner' THEN
          SELECT m.* INTO heir FROM conversation_members m
          WHERE m.conversation_id = p_id AND m.user_id = now_owner;
          IF now_owner <> ALL (touched_ids) AND now_owner <> ALL (added_ids) THEN
            touched_ids := touched_ids || now_owner;
            touched_before := touched_before || heir.extra;
          END IF;
          UPDATE conversation_members m SET extra = merge_keys(m.extra, '{"role":"admin"}')
          WHERE m.conversation_id = p_id AND m.user_id = now_owner;
          now_owner := target_id;
        END IF;
      END IF;
    END IF;

    IF outcome = 'ok' AND does = 'add' THEN
      SELECT coalesce(array_agg(DISTINCT u.id), '{}') INTO wanted
      FROM json_array_elements_text(call->'user_ids') t (id), LATERAL (SELECT t.id::bigint) u (id)
      WHERE NOT EXISTS (
        SELECT 1 FROM conversation_members m WHERE m.conversation_id = p_id AND m.user_id = u.id
      );
      outcome := CASE
        WHEN (SELECT count(*) FROM users u WHERE u.id = ANY (wanted)) < cardinality(wanted)
          THEN 'user_not_found'
        WHEN cardinality(wanted) > 0 AND cardinality(wanted) + CASE
          WHEN is_channel THEN before.member_count + cardinality(added_ids) - cardinality(removed_ids)
            + cardinality(joined_ids) - cardinality(left_ids)
          ELSE (SELECT count(*) FROM conversation_members m WHERE m.conversation_id = p_id)
        END > most THEN 'invalid_payload'
        WHEN EXISTS (SELECT 1 FROM apart_from(caller, wanted)) THEN 'apart'
        WHEN EXISTS (
          SELECT 1 FROM conversation_bans b
          WHERE b.conversation_id = p_id AND b.user_id = ANY (wanted)
            AND (b.until IS NULL OR b.until > clock_timestamp())
        ) THEN 'banned'
        WHEN caller IS NOT NULL AND EXISTS (
          SELECT 1 FROM conversation_leavers l
          WHERE l.conversation_id = p_id AND l.user_id = ANY (wanted)
        ) THEN 'has_left'
        WHEN caller IS NOT NULL
          AND EXISTS (SELECT 1 FROM wants_contacts('add_consent', caller, wanted))
          THEN 'contacts_only'
        ELSE 'ok'
      END;
    END IF;

    IF outcome = 'ok' AND does IN ('join', 'accept') AND NOT EXISTS (
      SELECT 1 FROM conversation_members m WHERE m.conversation_id = p_id AND m.user_id = caller
    ) THEN
      wanted := ARRAY[caller];
      outcome := CASE
        WHEN before.kind NOT IN ('group', 'channel') THEN 'not_found'
        WHEN EXISTS (
          SELECT 1 FROM conversation_bans b
          WHERE b.conversation_id = p_id AND b.user_id = caller
            AND (b.until IS NULL OR b.until > clock_timestamp())
        ) THEN 'not_found'
        WHEN does = 'join' AND coalesce(now_extra->'settings'->>'join', 'invite') <> 'open'
          THEN 'not_found'
        ELSE 'ok'
      END;
      IF does = 'accept' THEN
        SELECT i.* INTO invite FROM conversation_invites i
        WHERE i.id = (call->>'invite_id')::bigint AND i.conversation_id = p_id
          AND i.expires_at > clock_timestamp()
          AND (i.max_uses IS NULL OR i.uses < i.max_uses)
        -- An invitation that is ended at this moment is not accepted any more.
        FOR UPDATE;
        SELECT role_rank(role_in(now_owner, m.user_id, m.extra)) INTO target_rank
        FROM conversation_members m
        WHERE m.conversation_id = p_id AND m.user_id = invite.inviter_id;
        IF target_rank IS NULL OR outcome <> 'ok' OR is_apart(invite.inviter_id, caller) THEN
          outcome := 'invite_not_found';
        ELSE
          wanted_role := CASE
            WHEN invite.role IS NOT NULL AND role_rank(invite.role) < target_rank
              OR (invite.role IN ('member', 'reader') AND role_rank(invite.role) = target_rank)
              THEN invite.role
            WHEN target_rank = 0 THEN 'reader'
            ELSE 'member'
          END;
        END IF;
      END IF;
      IF outcome = 'ok' AND most <= (CASE
        WHEN is_channel THEN before.member_count + cardinality(added_ids) - cardinality(removed_ids)
          + cardinality(joined_ids) - cardinality(left_ids)
        ELSE (SELECT count(*) FROM conversation_members m WHERE m.conversation_id = p_id)
      END) THEN
        outcome := 'full';
      END IF;
      IF outcome = 'ok' AND does = 'accept' THEN
        UPDATE conversation_invites i SET uses = i.uses + 1 WHERE i.id = invite.id;
      END IF;
    END IF;

    IF outcome = 'ok' AND cardinality(wanted) > 0 THEN
      did := true;
      quiet := is_channel AND role_rank(coalesce(wanted_role, 'member')) < 2;
      IF quiet THEN
        PERFORM set_config('troupe.quiet', coalesce(caller, 0)::text, true);
      END IF;
      DELETE FROM conversation_leavers l WHERE l.conversation_id = p_id AND l.user_id = ANY (wanted);
      -- With history "joined" a newcomer sees, and has not to read, what came before.
      INSERT INTO conversation_members
        (conversation_id, user_id, in_channel, visible_from_seq, delivered_seq, read_seq, read_n,
          extra)
      SELECT p_id, u, nullif(is_channel, false), f.seq, coalesce(f.seq - 1, 0),
        coalesce(f.seq - 1, 0),
        CASE WHEN f.seq IS NOT NULL THEN before.last_n END,
        merge_keys(NULL, json_build_object(
          'role', nullif(wanted_role, 'member'), 'visible_from_seq', f.seq))
      FROM unnest(wanted) u, LATERAL (
        SELECT CASE WHEN now_extra->'settings'->>'history' = 'joined' AND before.last_seq > 0
          THEN before.last_seq + 1 END AS seq
      ) f
      ORDER BY u;
      IF quiet THEN
        joined_ids := joined_ids || wanted;
      ELSE
        added_ids := added_ids || wanted;
      END IF;
    END IF;

    IF outcome = 'ok' AND does = 'remove' THEN
      IF target.user_id IS NULL THEN
        outcome := 'member_not_found';
      ELSE
        leaving := target;
        IF caller = target_id THEN
          INSERT INTO conversation_leavers (conversation_id, user_id)
          VALUES (p_id, target_id) ON CONFLICT DO NOTHING;
        END IF;
      END IF;
    END IF;

    IF outcome = 'ok' AND does = 'ban' THEN
      IF NOT EXISTS (SELECT 1 FROM users u WHERE u.id = target_id) THEN
        outcome := 'user_not_found';
      ELSE
        INSERT INTO conversation_bans (conversation_id, user_id, banned_by, until, reason)
        VALUES (
          p_id, target_id, caller, (call->>'until')::timestamptz, call->>'reason')
        ON CONFLICT (conversation_id, user_id) DO UPDATE
        SET banned_by = excluded.banned_by, until = excluded.until, reason = excluded.reason;
        leaving := target;
      END IF;
    END IF;

    IF outcome = 'ok' AND does = 'unban' THEN
      DELETE FROM conversation_bans b WHERE b.conversation_id = p_id AND b.user_id = target_id;
    END IF;

    IF leaving.user_id IS NOT NULL THEN
      did := true;
      quiet := is_channel AND target_rank < 2;
      IF quiet THEN
        PERFORM set_config('troupe.quiet', coalesce(caller, 0)::text, true);
      END IF;
      has_threads := has_threads
        OR EXISTS (SELECT 1 FROM conversations c WHERE c.parent_id = p_id);
      IF has_threads THEN
        PERFORM lock_followers(p_id, leaving.user_id);
      END IF;
      DELETE FROM conversation_members m
      WHERE m.conversation_id = p_id AND m.user_id = leaving.user_id;
      IF has_threads THEN
        PERFORM end_following(p_id, leaving.user_id);
      END IF;
      DELETE FROM conversation_invites i
      WHERE i.conversation_id = p_id AND i.inviter_id = leaving.user_id;
      IF quiet THEN
        quiet_ids := array_remove(quiet_ids, leaving.user_id);
        joined_ids := array_remove(joined_ids, leaving.user_id);
        left_ids := left_ids || leaving.user_id;
      ELSIF leaving.user_id = ANY (added_ids) THEN
        added_ids := array_remove(added_ids, leaving.user_id);
      ELSE
        removed := removed || json_build_object(
          'member', json_build_object('user_id', leaving.user_id::text,
            'delivered_seq', leaving.delivered_seq, 'read_seq',
            CASE WHEN leaving.read_mask IS NULL THEN leaving.read_seq ELSE 0 END),
          'extra', CASE
            WHEN leaving.user_id = ANY (touched_ids)
              THEN touched_before[array_position(touched_ids, leaving.user_id)]
            ELSE leaving.extra
          END,
          -- Counted are the members of before the change, those it has removed included.
          'place', CASE WHEN is_channel THEN 0 ELSE (
            SELECT count(*) FROM conversation_members m
            WHERE m.conversation_id = p_id AND m.user_id <> ALL (added_ids)
              AND (m.joined_at, m.user_id) < (leaving.joined_at, leaving.user_id)
          ) END + (
            SELECT count(*) FROM unnest(removed_ids, removed_at) AS r (user_id, joined_at)
            WHERE (r.joined_at, r.user_id) < (leaving.joined_at, leaving.user_id)
          )
        );
        removed_ids := removed_ids || leaving.user_id;
        removed_at := removed_at || leaving.joined_at;
      END IF;
      IF now_owner = leaving.user_id THEN
        IF is_channel THEN
          SELECT m.* INTO heir FROM conversation_members m
          WHERE m.conversation_id = p_id AND m.extra->>'role' IN ('admin', 'moderator')
          ORDER BY m.extra->>'role', m.joined_at, m.user_id LIMIT 1;
        END IF;
        IF is_channel AND heir.user_id IS NULL THEN
          SELECT m.* INTO heir FROM conversation_members m
          WHERE m.conversation_id = p_id AND m.in_channel ORDER BY m.joined_at, m.user_id LIMIT 1;
        ELSIF NOT is_channel THEN
          SELECT m.* INTO heir FROM conversation_members m WHERE m.conversation_id = p_id
          ORDER BY role_rank(coalesce(m.extra->>'role', 'member')) DESC, m.joined_at, m.user_id
          LIMIT 1;
        END IF;
        now_owner := heir.user_id;
        IF heir.extra->>'role' IS NOT NULL THEN
          IF heir.user_id <> ALL (touched_ids) AND heir.user_id <> ALL (added_ids) THEN
            touched_ids := touched_ids || heir.user_id;
            touched_before := touched_before || heir.extra;
          END IF;
          UPDATE conversation_members m SET extra = merge_keys(m.extra, '{"role":null}')
          WHERE m.conversation_id = p_id AND m.user_id = heir.user_id;
        ELSIF heir.user_id IS NOT NULL AND heir.user_id <> ALL (touched_ids)
          AND heir.user_id <> ALL (added_ids) THEN
          touched_ids := touched_ids || heir.user_id;
          touched_before := touched_before || heir.extra;
        END IF;
      END IF;
    END IF;

    IF outcome = 'ok' AND does = 'delete' THEN
      IF caller_rank < 4 THEN
        outcome := 'forbidden';
      ELSE
        did := true;
        deleted := true;
        SELECT removed || coalesce(array_agg(json_build_object(
            'member', json_build_object('user_id', m.user_id::text,
              'delivered_seq', m.delivered_seq, 'read_seq',
              CASE WHEN m.read_mask IS NULL THEN m.read_seq ELSE 0 END),
            'extra', CASE
              WHEN m.user_id = ANY (touched_ids)
                THEN touched_before[array_position(touched_ids, m.user_id)]
              ELSE m.extra
            END,
            'place', m.place - 1 + (
              SELECT count(*) FROM unnest(removed_ids, removed_at) AS r (user_id, joined_at)
              WHERE (r.joined_at, r.user_id) < (m.joined_at, m.user_id)
            ))), '{}'),
          removed_ids || coalesce(array_agg(m.user_id), '{}')
        INTO removed, removed_ids
        FROM (
          SELECT m.*, row_number() OVER (ORDER BY m.joined_at, m.user_id) AS place
          FROM conversation_members m
          WHERE m.conversation_id = p_id AND m.user_id <> ALL (added_ids)
            AND (NOT is_channel OR m.user_id IN (
              SELECT r FROM conversation_rows v, unnest(v.member_ids) r WHERE v.id = p_id))
        ) m;
        added_ids := '{}';
        has_threads := EXISTS (SELECT 1 FROM conversations c WHERE c.parent_id = p_id);
        -- Rows that are many are deleted by a job (forget_conversation), and mean nothing until then.
        leaves_members := before.member_count > most_deleted
          OR (has_threads AND most_deleted < (
            SELECT coalesce(sum(c.member_count), 0) FROM conversations c WHERE c.parent_id = p_id));
        leaves_rows := leaves_members
          OR EXISTS (
            SELECT 1 FROM message_expiries e WHERE e.conversation_id = p_id OFFSET most_deleted)
          OR EXISTS (
            SELECT 1 FROM conversation_leavers l WHERE l.conversation_id = p_id OFFSET most_deleted)
          OR EXISTS (
            SELECT 1 FROM conversation_bans b WHERE b.conversation_id = p_id OFFSET most_deleted);
        IF leaves_members THEN
          DELETE FROM conversation_members m
          WHERE m.conversation_id = p_id AND m.user_id = ANY (removed_ids);
          IF has_threads THEN
            PERFORM end_threads(p_id);
          END IF;
        ELSE
          IF has_threads THEN
            PERFORM lock_followers(p_id, NULL);
          END IF;
          DELETE FROM conversation_members m WHERE m.conversation_id = p_id;
          IF has_threads THEN
            PERFORM end_following(p_id, NULL);
          END IF;
        END IF;
        IF leaves_rows THEN
          INSERT INTO jobs (kind, key) VALUES ('conversations.forget', p_id::text)
          ON CONFLICT (kind, key) WHERE key IS NOT NULL AND state IN ('waiting', 'running')
          DO NOTHING;
          PERFORM pg_notify('troupe_jobs', '');
        ELSE
          DELETE FROM conversation_bans b WHERE b.conversation_id = p_id;
          DELETE FROM conversation_leavers l WHERE l.conversation_id = p_id;
          DELETE FROM message_expiries e WHERE e.conversation_id = p_id;
        END IF;
        -- Its messages, with what belongs to each, are removed in the background.
        DELETE FROM conversation_invites i WHERE i.conversation_id = p_id;
        DELETE FROM conversation_pins p WHERE p.conversation_id = p_id;
        now_title := NULL;
        now_extra := NULL;
        is_informed := false;
      END IF;
    END IF;

    event := CASE
      WHEN does = 'add' THEN 'member_added'
      WHEN does IN ('join', 'accept') THEN 'member_joined'
      WHEN does IN ('remove', 'ban') AND target_id = caller THEN 'member_left'
      WHEN does IN ('remove', 'ban') THEN 'member_removed'
      ELSE event
    END;
    IF did AND NOT quiet AND event IS NOT NULL AND (
      now_extra->'settings'->>'system_messages' = 'all'
      OR (now_extra->'settings'->>'system_messages' = 'members' AND event <> 'title_changed')
    ) THEN
      notices := notices || json_build_object('by', caller, 'data', json_strip_nulls(
        json_build_object(
          'event', 'troupe.' || event,
          'user_ids', CASE
            WHEN cardinality(wanted) > 0 THEN to_json(wanted::text[])
            WHEN target_id IS NOT NULL THEN json_build_array(target_id::text)
          END,
          'title', CASE WHEN event = 'title_changed' THEN now_title END)));
    END IF;

    outcomes := outcomes || outcome;
    done := done || did;
    changed := changed OR (did AND NOT quiet);
    IF did AND coalesce(caller, 0) <> ALL (actors) THEN
      actors := actors || coalesce(caller, 0);
    END IF;
  END LOOP;

  IF quiet THEN
    PERFORM set_config('troupe.quiet', '', true);
  END IF;
  IF is_channel AND cardinality(joined_ids || added_ids) > 0 THEN
    PERFORM begin_prefs(p_id, joined_ids || added_ids);
  END IF;
  IF cardinality(joined_ids || left_ids) > 0 THEN
    UPDATE conversations c
    SET member_count = c.member_count + cardinality(joined_ids) - cardinality(left_ids)
    WHERE c.id = p_id;
    INSERT INTO user_changes (user_ids) VALUES (joined_ids || left_ids);
  END IF;
  IF changed THEN
    PERFORM set_config('troupe.actor',
      CASE WHEN cardinality(actors) = 1 THEN nullif(actors[1], 0)::text END, true);
    IF is_informed THEN
      now_extra := merge_keys(now_extra, json_build_object('meta_rev', before.rev + 1));
    END IF;
    SELECT coalesce(array_agg(m.user_id ORDER BY m.user_id), '{}') INTO changed_ids
    FROM unnest(touched_ids) t (user_id)
    JOIN conversation_members m ON m.conversation_id = p_id AND m.user_id = t.user_id;
    UPDATE conversations c
    SET title = now_title, owner_id = now_owner, extra = now_extra,
      external_id = CASE WHEN NOT deleted THEN c.external_id END,
      deleted_at = CASE WHEN deleted THEN clock_timestamp() END,
      rev = c.rev + 1, meta_rev = c.rev + 1,
      member_count = CASE WHEN deleted THEN 0
        ELSE c.member_count + cardinality(added_ids) - cardinality(removed_ids) END
    WHERE c.id = p_id;
    INSERT INTO conversation_changes
      (conversation_id, rev, before_rev, last_seq, last_n, title_before, owner_before, added_ids,
        removed,
        extra_before, members_before)
    VALUES (
      p_id, before.rev + 1, before.meta_rev, before.last_seq, before.last_n, before.title,
      before.owner_id,
      added_ids, array_to_json(removed), before.extra,
      (SELECT json_object_agg(t.user_id, t.extra)
        FROM unnest(touched_ids, touched_before) t (user_id, extra))
    );
    IF cardinality(added_ids) > 0 THEN
      INSERT INTO user_changes (user_ids) VALUES (added_ids);
    END IF;
    IF has_threads THEN
      INSERT INTO user_changes (user_ids) VALUES (removed_ids);
    END IF;
    IF cardinality(notices) > 0 AND NOT deleted THEN
      moment := clock_timestamp();
      INSERT INTO messages (conversation_id, seq, id, rev, sender_id, body, created_at, n, data, extra)
      SELECT p_id, before.last_seq + x.n, nextval('messages_id_seq'), before.rev + 1 + x.n,
        (x.notice->>'by')::bigint, '', moment, coalesce(before.last_n, before.last_seq),
        (x.notice->'data')::text, '{"type": "system"}'
      FROM unnest(notices) WITH ORDINALITY x (notice, n);
      UPDATE conversations c
      SET last_seq = before.last_seq + cardinality(notices),
        rev = before.rev + 1 + cardinality(notices),
        last_n = coalesce(before.last_n, before.last_seq), last_activity_at = moment
      WHERE c.id = p_id;
      system_messages := (
        SELECT string_agg(message_text(m), ',' ORDER BY m.seq) FROM messages m
        WHERE m.conversation_id = p_id AND m.seq > before.last_seq);
    END IF;
  END IF;
  RETURN QUERY
  SELECT outcomes, done, changed, added_ids, removed_ids, r.*, changed_ids, deleted,
    has_threads, system_messages, (
      SELECT array_agg(m.user_id) FROM conversation_members m
      WHERE m.conversation_id = p_id AND m.read_mask IS NOT NULL AND NOT is_channel
    ), joined_ids, left_ids, quiet_ids
  FROM (SELECT 1) one LEFT JOIN conversation_rows r ON r.id = p_id;
END
$$;

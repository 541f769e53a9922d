-- Group commit of users' changes to their preferences.
--   changes: [{u: user, c: conversation, h: what is asked, as the contract has it, s: the session
--     whose acknowledgement carries the change or '', w: the session that writes the draft or '',
--     d: true where the draft goes only if that session wrote it}], no user twice.
-- What is marked unread is at most the read cursor, and what is cleared only rises; both are in the
-- membership, with n before them.
-- The answer has a row for each, n is its place from 1:
--   outcome: ok, not_found (the user may not read it), conflict (hidden, where the conversation is not
--     direct), pinned_max.
--   changed: whether it took the next number of the user's stream.
--   prefs: as they are afterwards, as prefs_text writes them.
-- A user who may read a thread has preferences of it, also without following it; nothing is marked unread
-- or cleared there then, for that is in the follower's membership.
-- Memberships are locked first, then counters, each in rising order (see lock_prefs_counters): a
-- membership that ends at this moment either is not found here or forgets what is written here.
CREATE OR REPLACE FUNCTION change_prefs(changes json, p_pinned_max int)
RETURNS TABLE (n int, outcome text, changed boolean, prefs text)
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_column
DECLARE
  asked record;
  h json;
  before conversation_prefs;
  after conversation_prefs;
  own_before conversation_members;
  own conversation_members;
BEGIN
  PERFORM 1 FROM json_to_recordset(changes) AS i (u bigint, c bigint)
  JOIN conversations v ON v.id = i.c
  JOIN conversation_members m
    ON m.user_id = i.u AND m.conversation_id = ANY (ARRAY[v.id, v.parent_id])
  ORDER BY m.conversation_id, m.user_id FOR NO KEY UPDATE OF m;
  PERFORM lock_prefs_counters(
    (SELECT array_agg(i.u) FROM json_to_recordset(changes) AS i (u bigint)));

  FOR asked IN
    SELECT i.n::int, i.u, i.c, i.s, i.w, i.h, coalesce(i.d, false) AS d, v.kind,
      v.last_seq, coalesce(v.last_n, v.last_seq) AS last_n, coalesce(v.first_n, 0) AS first_n,
      k.last_rev + 1 AS next_rev, m.user_id IS NOT NULL AND v.deleted_at IS NULL AS is_member
    FROM ROWS FROM (
      json_to_recordset(changes) AS (u bigint, c bigint, s text, w text, h json, d boolean)
    ) WITH ORDINALITY AS i (u, c, s, w, h, d, n)
    LEFT JOIN conversations v ON v.id = i.c
    LEFT JOIN conversation_members m
      ON m.conversation_id = coalesce(v.parent_id, v.id) AND m.user_id = i.u
      AND NOT coalesce(m.visible_from_seq > v.parent_seq, false)
    LEFT JOIN prefs_counters k ON k.user_id = i.u
  LOOP
    n := asked.n;
    h := asked.h;
    changed := false;
    prefs := NULL;
    SELECT p.* INTO before FROM conversation_prefs p
    WHERE p.user_id = asked.u AND p.conversation_id = asked.c;
    IF before.user_id IS NULL OR before.is_removed THEN
      -- The number of the removal is no news of what is set from now on.
      before := NULL;
      before.user_id := asked.u;
      before.conversation_id := asked.c;
      before.prefs_rev := 0;
      before.draft_by := '';
    END IF;
    outcome := CASE
      WHEN NOT asked.is_member THEN 'not_found'
      WHEN h->'hidden' IS NOT NULL AND asked.kind <> 'direct' THEN 'conflict'
      WHEN (h->>'pinned')::boolean AND before.pinned_at IS NULL AND (
        SELECT count(*) FROM conversation_prefs p
        WHERE p.user_id = asked.u AND p.pinned_at IS NOT NULL
      ) >= p_pinned_max THEN 'pinned_max'
      ELSE 'ok'
    END;
    IF outcome <> 'ok' THEN
      RETURN NEXT;
      CONTINUE;
    END IF;
    after := before;
    SELECT m.* INTO own_before FROM conversation_members m
    WHERE m.conversation_id = asked.c AND m.user_id = asked.u;
    own := own_before;
    IF h->'unread_from_seq' IS NOT NULL AND own.user_id IS NOT NULL THEN
      own.unread_from_seq := least((h->>'unread_from_seq')::bigint, own.read_seq);
      own.unread_from_n := n_before(asked.c, own.unread_from_seq, asked.first_n);
    END IF;
    IF h->'cleared_before_seq' IS NOT NULL AND own.user_id IS NOT NULL THEN
      own.cleared_before_seq := greatest(own.cleared_before_seq,
        least((h->>'cleared_before_seq')::bigint, asked.last_seq + 1));
      own.cleared_n := n_before(asked.c, own.cleared_before_seq, asked.first_n);
    END IF;
    IF h->'muted_until' IS NOT NULL THEN
      after.muted_until := replace(h->>'muted_until', 'forever', 'infinity')::timestamptz;
    END IF;
    IF h->'level' IS NOT NULL THEN
      after.level := h->>'level';
    END IF;
    IF h->'pinned' IS NOT NULL THEN
      after.pinned_at := CASE
        WHEN (h->>'pinned')::boolean THEN coalesce(before.pinned_at, clock_timestamp())
      END;
    END IF;
    IF h->'archived' IS NOT NULL THEN
      after.archived_n := CASE WHEN (h->>'archived')::boolean THEN asked.last_n END;
    END IF;
    IF h->'hidden' IS NOT NULL THEN
      after.hidden_n := CASE WHEN (h->>'hidden')::boolean THEN asked.last_n END;
    END IF;
    IF h->'draft' IS NOT NULL AND (NOT asked.d OR before.draft_by = asked.w) THEN
      after.draft := nullif(h->>'draft', 'null')::json;
      after.draft_by := CASE WHEN after.draft IS NULL THEN '' ELSE asked.w END;
    END IF;
    -- json has no comparison of its own.
    changed := (after.muted_until, after.level, after.pinned_at, after.archived_n, after.hidden_n,
        after.draft::text, own.unread_from_seq, own.cleared_before_seq)
      IS DISTINCT FROM (before.muted_until, before.level, before.pinned_at, before.archived_n,
        before.hidden_n, before.draft::text, own_before.unread_from_seq,
        own_before.cleared_before_seq);
    IF changed THEN
      after.prefs_rev := asked.next_rev;
      after.set_by := asked.s;
      after.is_removed := false;
      UPDATE prefs_counters k SET last_rev = asked.next_rev WHERE k.user_id = asked.u;
      INSERT INTO conversation_prefs AS p SELECT after.*
      ON CONFLICT (user_id, conversation_id) DO UPDATE
      SET prefs_rev = after.prefs_rev, set_by = after.set_by, is_removed = false,
        muted_until = after.muted_until, level = after.level, pinned_at = after.pinned_at,
        archived_n = after.archived_n, hidden_n = after.hidden_n, draft = after.draft,
        draft_by = after.draft_by;
      IF (own.unread_from_seq, own.cleared_before_seq)
        IS DISTINCT FROM (own_before.unread_from_seq, own_before.cleared_before_seq) THEN
        UPDATE conversation_members m
        SET unread_from_seq = own.unread_from_seq, unread_from_n = own.unread_from_n,
          cleared_before_seq = own.cleared_before_seq, cleared_n = own.cleared_n
        WHERE m.conversation_id = asked.c AND m.user_id = asked.u;
      END IF;
    ELSIF after.draft_by <> before.draft_by THEN
      -- The same words, which another session wrote: its next send removes them.
      UPDATE conversation_prefs p SET draft_by = after.draft_by
      WHERE p.user_id = asked.u AND p.conversation_id = asked.c;
    END IF;
    prefs := prefs_text(after, own);
    RETURN NEXT;
  END LOOP;
END
$$;

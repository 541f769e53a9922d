-- Changes a message. p_change says how, with "does":
--   edit: what is named of "body", "data" (JSON text, or null to remove it), and with "body" also
--     "names" (the folded names that it mentions) and "all" (whether it mentions all), and
--     "attachments" (the ids of the files that it is to show);
--   delete: "any" is true where the user may delete others' messages, but for those of "spared",
--     and "system" where they may delete system messages; "expired" is true where the server
--     deletes it, whoever asks;
--   pin, unpin;
--   files: shows the files as they are now, whoever asks; "expired" is true.
-- outcome: ok, not_found (p_by is no member), message_not_found (also of what p_by has cleared), forbidden (p_by is not the sender),
-- apart (an edit or a pin under a block), conflict (the message is deleted), too_large, full (as
-- many messages are pinned as may be), streaming (an edit of an open stream), empty (neither body nor data nor type nor files would be left), no_file, not_uploader.
-- A deletion or pin that was made before changes nothing and is ok.
-- It locks the conversation's row first and reads in later statements, so that under READ
-- COMMITTED it sees everything that was committed before: rev is taken under that lock.
-- message: as it is afterwards, as message_text writes it. news: who is mentioned that was not.
CREATE OR REPLACE FUNCTION revise_message(p_id bigint, p_seq bigint, p_by bigint, p_change json)
RETURNS TABLE (outcome text, changed boolean, message text, news bigint[])
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  act constant text := p_change->>'does';
  is_expiry constant boolean := coalesce((p_change->>'expired')::boolean, false);
  moment constant timestamptz(3) := clock_timestamp();
  found_apart boolean;
  found_hidden boolean;
  next_rev bigint;
  -- The conversation whose members may speak: in a thread the parent.
  of_id bigint;
  is_thread boolean;
  -- Messages before it are not kept any longer.
  kept bigint;
  before messages;
  after messages;
  is_pinned boolean;
  old_mentions bigint[];
  new_mentions bigint[];
  new_files jsonb;
BEGIN
  SELECT c.rev + 1, coalesce(c.parent_id, c.id), c.parent_id IS NOT NULL, kept_of(c)
  INTO next_rev, of_id, is_thread, kept
  FROM conversations c WHERE c.id = p_id FOR NO KEY UPDATE;
  SELECT k.apart, p_seq < k.cleared_before_seq AND NOT is_thread INTO found_apart, found_hidden
  FROM conversation_members k JOIN conversations c ON c.id = k.conversation_id
  WHERE k.conversation_id = of_id AND k.user_id = p_by AND c.deleted_at IS NULL;
  SELECT m.* INTO before FROM messages m WHERE m.conversation_id = p_id AND m.seq = p_seq;
  is_pinned := before.extra ? 'pinned_at';
  outcome := CASE
    WHEN found_apart IS NULL AND NOT is_expiry THEN 'not_found'
    WHEN before.seq IS NULL OR ((found_hidden OR p_seq < kept) AND NOT is_expiry) THEN 'message_not_found'
    WHEN act = 'edit' AND before.sender_id IS DISTINCT FROM p_by THEN 'forbidden'
    WHEN act = 'edit' AND before.extra->>'type' = 'system' THEN 'forbidden'
    WHEN act = 'delete' AND NOT is_expiry
      AND (before.sender_id IS DISTINCT FROM p_by OR before.extra->>'type' = 'system')
      AND NOT (
        CASE WHEN before.extra->>'type' = 'system' THEN (p_change->>'system')::boolean
        ELSE (p_change->>'any')::boolean AND NOT EXISTS (
          SELECT 1 FROM json_array_elements_text(p_change->'spared') s (id)
          WHERE s.id::bigint = before.sender_id) END
      ) THEN 'forbidden'
    WHEN act <> 'delete' AND found_apart THEN 'apart'
    WHEN act IN ('edit', 'pin') AND before.deleted_at IS NOT NULL THEN 'conflict'
    WHEN act = 'edit' AND before.extra->'stream'->>'state' = 'open' THEN 'streaming'
    WHEN act = 'pin' AND is_pinned IS NOT TRUE AND (
      SELECT count(*) FROM conversation_pins p WHERE p.conversation_id = p_id) >= 50 THEN 'full'
    ELSE 'ok'
  END;
  changed := CASE act
    WHEN 'edit' THEN true
    WHEN 'delete' THEN before.deleted_at IS NULL
    WHEN 'pin' THEN is_pinned IS NOT TRUE
    WHEN 'files' THEN before.extra ? 'attachments'
    ELSE is_pinned IS TRUE
  END;
  after := before;
  IF outcome = 'ok' AND changed THEN
    CASE act
      WHEN 'edit' THEN
        IF p_change->'data' IS NOT NULL THEN after.data := p_change->>'data'; END IF;
        IF p_change->'body' IS NOT NULL THEN
          after.body := p_change->>'body';
          old_mentions := (
            SELECT array_agg(u.id::bigint) FROM jsonb_array_elements_text(before.extra->'mentions') u (id));
          new_mentions := mentioned_members(p_id, p_by,
            ARRAY(SELECT t.name FROM json_array_elements_text(p_change->'names') t (name)), 20);
          after.extra := coalesce(before.extra, '{}') - ARRAY['mentions', 'mention_all']
            || jsonb_strip_nulls(jsonb_build_object(
              'mentions', new_mentions::text[],
              'mention_all', CASE WHEN (p_change->>'all')::boolean THEN true END));
          news := ARRAY(
            SELECT u FROM unnest(new_mentions) u WHERE u <> ALL (coalesce(old_mentions, '{}')));
        END IF;
        IF json_array_length(p_change->'attachments') > 0 THEN
          new_files := attached_files(p_by,
            ARRAY(SELECT f.id::bigint FROM json_array_elements_text(p_change->'attachments') f (id)));
          after.extra := coalesce(after.extra, '{}') || jsonb_build_object('attachments', new_files);
        ELSIF p_change->'attachments' IS NOT NULL THEN
          after.extra := after.extra - 'attachments';
        END IF;
        after.edited_at := moment;
        outcome := CASE
          WHEN json_array_length(p_change->'attachments') > 0 AND new_files IS NULL THEN 'no_file'
          WHEN jsonb_typeof(new_files) = 'string' THEN 'not_uploader'
          -- A streamed text may be longer, and an edit of its data alone leaves it as it is.
          WHEN CASE WHEN p_change->'body' IS NULL AND before.extra ? 'stream' THEN 0
              ELSE octet_length(after.body) END
            + coalesce(octet_length(after.data), 0) > 16384 THEN 'too_large'
          WHEN after.body = '' AND after.data IS NULL
            AND NOT coalesce(after.extra ?| ARRAY['type', 'attachments'], false) THEN 'empty'
          ELSE 'ok'
        END;
      WHEN 'delete' THEN
        after.body := '';
        after.data := NULL;
        after.reactions := NULL;
        after.extra := before.extra - ARRAY[
          'mentions', 'mention_all', 'attachments', 'pinned_at', 'pinned_by', 'expires_at'];
        after.deleted_at := moment;
        IF before.extra->'stream'->>'state' = 'open' THEN
          after.extra := after.extra || '{"stream": {"state": "cancelled"}}';
        END IF;
      WHEN 'files' THEN
        new_files := (
          SELECT jsonb_agg(file_json(f) ORDER BY a.n)
          FROM jsonb_array_elements(before.extra->'attachments') WITH ORDINALITY a (shown, n)
          JOIN files f ON f.id = (a.shown->>'id')::bigint AND f.removed_at IS NULL);
        changed := new_files IS DISTINCT FROM before.extra->'attachments';
        after.extra := before.extra - 'attachments'
          || jsonb_strip_nulls(jsonb_build_object('attachments', new_files));
      WHEN 'pin' THEN
        after.extra := coalesce(before.extra, '{}')
          || jsonb_build_object('pinned_at', iso_time(moment), 'pinned_by', p_by::text);
      ELSE
        after.extra := before.extra - ARRAY['pinned_at', 'pinned_by'];
    END CASE;
  END IF;
  IF outcome <> 'ok' THEN
    changed := false;
    RETURN NEXT;
    RETURN;
  END IF;

  IF changed THEN
    PERFORM set_config('troupe.actor', CASE WHEN NOT is_expiry THEN p_by::text END, true);
    UPDATE conversations c SET rev = next_rev WHERE c.id = p_id;
    INSERT INTO message_versions (conversation_id, rev, seq, body, edited_at, data, extra, revised)
    VALUES (p_id, before.rev, p_seq, before.body, before.edited_at, before.data, before.extra,
      before.revised);
    UPDATE messages m
    SET rev = next_rev, body = after.body, data = after.data, extra = nullif(after.extra, '{}'),
      edited_at = after.edited_at, deleted_at = after.deleted_at, revised = true,
      reactions = after.reactions
    WHERE m.conversation_id = p_id AND m.seq = p_seq;
    IF act = 'pin' THEN
      INSERT INTO conversation_pins (conversation_id, seq, pinned_at) VALUES (p_id, p_seq, moment);
    ELSIF act = 'unpin' OR (act = 'delete' AND is_pinned) THEN
      DELETE FROM conversation_pins p WHERE p.conversation_id = p_id AND p.seq = p_seq;
    END IF;
    IF before.extra ? 'attachments'
      AND (act IN ('delete', 'files') OR p_change->'attachments' IS NOT NULL) THEN
      DELETE FROM message_files r WHERE r.conversation_id = p_id AND r.seq = p_seq;
    END IF;
    IF after.extra ? 'attachments' AND (act = 'files' OR p_change->'attachments' IS NOT NULL) THEN
      INSERT INTO message_files (conversation_id, seq, file_id)
      SELECT p_id, p_seq, (a.shown->>'id')::bigint
      FROM jsonb_array_elements(after.extra->'attachments') a (shown);
      UPDATE files f SET attached_at = moment
      FROM jsonb_array_elements(after.extra->'attachments') a (shown)
      WHERE f.id = (a.shown->>'id')::bigint AND f.attached_at IS NULL;
    END IF;
    IF act = 'delete' THEN
      DELETE FROM message_reactions r WHERE r.conversation_id = p_id AND r.seq = p_seq;
    END IF;
    IF act = 'delete' AND is_thread THEN
      -- What no summary has counted yet, none will count.
      IF before.extra->>'type' IS DISTINCT FROM 'system' THEN
        UPDATE conversations c SET reply_count = c.reply_count - 1
        WHERE c.id = p_id AND c.counted_seq >= p_seq;
      END IF;
      INSERT INTO thread_summaries (conversation_id, due_at)
      VALUES (p_id, moment + interval '3 seconds') ON CONFLICT DO NOTHING;
    END IF;
    IF act = 'delete' AND before.extra ? 'stream' THEN
      DELETE FROM open_streams o WHERE o.conversation_id = p_id AND o.seq = p_seq;
    END IF;
    IF act = 'delete' AND before.extra ? 'expires_at' THEN
      DELETE FROM message_expiries e WHERE e.conversation_id = p_id AND e.seq = p_seq;
    END IF;
    IF before.extra ? 'mentions' AND (act = 'delete' OR p_change->'body' IS NOT NULL) THEN
      DELETE FROM message_mentions x WHERE x.conversation_id = p_id AND x.seq = p_seq;
    END IF;
    INSERT INTO message_mentions (user_id, conversation_id, seq)
    SELECT u, p_id, p_seq FROM unnest(new_mentions) u;
  END IF;
  RETURN QUERY
  SELECT outcome, changed, message_text(m), news
  FROM messages m WHERE m.conversation_id = p_id AND m.seq = p_seq;
END
$$;

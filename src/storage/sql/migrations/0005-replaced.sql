-- The states that later changes replaced, so that a repair can deliver every rev in order and skip
-- none. The replacing transaction writes them; a plain send writes nothing here. Rows are kept for
-- less than an hour (see postgres/pruning.ts): an older gap is repaired with the present state.
-- The functions are those of 0002-writes.sql and 0004-blocks.sql, which now write these rows too.

-- A message as it was at `rev`, before an edit or its deletion. A deletion is never replaced.
CREATE TABLE message_versions (
  conversation_id bigint NOT NULL,
  rev             bigint NOT NULL,
  seq             bigint NOT NULL,
  body            text NOT NULL,
  edited_at       timestamptz(3),
  replaced_at     timestamptz(3) NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (conversation_id, rev)
);
CREATE INDEX message_versions_replaced ON message_versions (replaced_at);

-- What the change at `rev` did to members or title: enough to undo it, for a group may have a
-- thousand members and a change concerns few of them.
CREATE TABLE conversation_changes (
  conversation_id   bigint NOT NULL,
  rev               bigint NOT NULL,
  -- rev of the change before it.
  before_rev        bigint NOT NULL,
  -- As of this change.
  last_seq          bigint NOT NULL,
  title_before      text,
  owner_before      bigint,
  added_ids         bigint[] NOT NULL DEFAULT '{}',
  -- The one that was removed, and how many members stood before it.
  removed_id        bigint,
  removed_place     int,
  removed_delivered bigint,
  removed_read      bigint,
  changed_at        timestamptz(3) NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (conversation_id, rev)
);
CREATE INDEX conversation_changes_changed ON conversation_changes (changed_at);

CREATE OR REPLACE FUNCTION retitle_conversation(p_id bigint, p_by bigint, p_title text)
RETURNS TABLE (
  outcome text, changed boolean, id bigint, kind text, title text, owner_id bigint,
  last_seq bigint, rev bigint, created_at timestamptz,
  member_ids bigint[], member_delivered bigint[], member_read bigint[]
)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  before conversations;
BEGIN
  SELECT c.* INTO before FROM conversations c WHERE c.id = p_id FOR NO KEY UPDATE;
  outcome := CASE
    WHEN NOT EXISTS (
      SELECT 1 FROM conversation_members m WHERE m.conversation_id = p_id AND m.user_id = p_by
    ) THEN 'not_found'
    WHEN before.kind = 'direct' THEN 'conflict'
    ELSE 'ok'
  END;
  IF outcome <> 'ok' THEN
    RETURN NEXT;
    RETURN;
  END IF;
  UPDATE conversations c SET title = p_title, rev = c.rev + 1, meta_rev = c.rev + 1
  WHERE c.id = p_id AND c.title IS DISTINCT FROM p_title;
  changed := FOUND;
  IF changed THEN
    INSERT INTO conversation_changes
      (conversation_id, rev, before_rev, last_seq, title_before, owner_before)
    VALUES
      (p_id, before.rev + 1, before.meta_rev, before.last_seq, before.title, before.owner_id);
  END IF;
  RETURN QUERY SELECT outcome, changed, r.* FROM conversation_rows r WHERE r.id = p_id;
END
$$;

CREATE OR REPLACE FUNCTION add_members(
  p_id bigint, p_by bigint, p_user_ids bigint[], p_members_max int
)
RETURNS TABLE (
  outcome text, changed boolean, id bigint, kind text, title text, owner_id bigint,
  last_seq bigint, rev bigint, created_at timestamptz,
  member_ids bigint[], member_delivered bigint[], member_read bigint[]
)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  before conversations;
  new_ids bigint[];
BEGIN
  SELECT c.* INTO before FROM conversations c WHERE c.id = p_id FOR NO KEY UPDATE;
  SELECT coalesce(array_agg(DISTINCT u), '{}') INTO new_ids
  FROM unnest(p_user_ids) u
  WHERE NOT EXISTS (
    SELECT 1 FROM conversation_members m WHERE m.conversation_id = p_id AND m.user_id = u
  );
  outcome := CASE
    WHEN NOT EXISTS (
      SELECT 1 FROM conversation_members m WHERE m.conversation_id = p_id AND m.user_id = p_by
    ) THEN 'not_found'
    WHEN before.kind = 'direct' THEN 'conflict'
    WHEN (SELECT count(*) FROM users u WHERE u.id = ANY (new_ids)) < cardinality(new_ids)
      THEN 'user_not_found'
    WHEN cardinality(new_ids) > 0 AND cardinality(new_ids) + (
      SELECT count(*) FROM conversation_members m WHERE m.conversation_id = p_id
    ) > p_members_max THEN 'invalid_payload'
    ELSE 'ok'
  END;
  IF outcome <> 'ok' THEN
    RETURN NEXT;
    RETURN;
  END IF;
  changed := cardinality(new_ids) > 0;
  IF changed THEN
    INSERT INTO conversation_members (conversation_id, user_id)
    SELECT p_id, u FROM unnest(new_ids) u ORDER BY u;
    UPDATE conversations c SET rev = c.rev + 1, meta_rev = c.rev + 1 WHERE c.id = p_id;
    INSERT INTO conversation_changes
      (conversation_id, rev, before_rev, last_seq, title_before, owner_before, added_ids)
    VALUES (
      p_id, before.rev + 1, before.meta_rev, before.last_seq, before.title, before.owner_id,
      new_ids
    );
  END IF;
  RETURN QUERY SELECT outcome, changed, r.* FROM conversation_rows r WHERE r.id = p_id;
END
$$;

CREATE OR REPLACE FUNCTION remove_member(p_id bigint, p_by bigint, p_user_id bigint)
RETURNS TABLE (
  outcome text, changed boolean, id bigint, kind text, title text, owner_id bigint,
  last_seq bigint, rev bigint, created_at timestamptz,
  member_ids bigint[], member_delivered bigint[], member_read bigint[]
)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  before conversations;
  gone conversation_members;
BEGIN
  SELECT c.* INTO before FROM conversations c WHERE c.id = p_id FOR NO KEY UPDATE;
  outcome := CASE
    WHEN NOT EXISTS (
      SELECT 1 FROM conversation_members m WHERE m.conversation_id = p_id AND m.user_id = p_by
    ) THEN 'not_found'
    WHEN before.kind = 'direct' THEN 'conflict'
    WHEN p_by <> p_user_id AND before.owner_id IS DISTINCT FROM p_by THEN 'forbidden'
    ELSE 'ok'
  END;
  IF outcome = 'ok' THEN
    DELETE FROM conversation_members m WHERE m.conversation_id = p_id AND m.user_id = p_user_id
    RETURNING m.* INTO gone;
    IF NOT FOUND THEN
      outcome := 'user_not_found';
    END IF;
  END IF;
  IF outcome <> 'ok' THEN
    RETURN NEXT;
    RETURN;
  END IF;
  UPDATE conversations c
  SET rev = c.rev + 1, meta_rev = c.rev + 1,
    owner_id = CASE
      WHEN c.owner_id IS DISTINCT FROM p_user_id THEN c.owner_id
      ELSE (
        SELECT m.user_id FROM conversation_members m
        WHERE m.conversation_id = p_id ORDER BY m.joined_at, m.user_id LIMIT 1
      )
    END
  WHERE c.id = p_id;
  INSERT INTO conversation_changes (
    conversation_id, rev, before_rev, last_seq, title_before, owner_before,
    removed_id, removed_place, removed_delivered, removed_read
  )
  VALUES (
    p_id, before.rev + 1, before.meta_rev, before.last_seq, before.title, before.owner_id,
    p_user_id, (
      SELECT count(*) FROM conversation_members m
      WHERE m.conversation_id = p_id AND (m.joined_at, m.user_id) < (gone.joined_at, gone.user_id)
    ), gone.delivered_seq, gone.read_seq
  );
  RETURN QUERY SELECT outcome, true, r.* FROM conversation_rows r WHERE r.id = p_id;
END
$$;

CREATE OR REPLACE FUNCTION change_message(p_id bigint, p_seq bigint, p_by bigint, p_body text)
RETURNS TABLE (
  outcome text, changed boolean, id bigint, conversation_id bigint, seq bigint, rev bigint,
  sender_id bigint, client_id text, body text, reply_to_seq bigint, created_at timestamptz,
  edited_at timestamptz, deleted_at timestamptz
)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  found_apart boolean;
  next_rev bigint;
  found_sender bigint;
  found_deleted boolean;
BEGIN
  SELECT c.rev + 1 INTO next_rev FROM conversations c WHERE c.id = p_id FOR NO KEY UPDATE;
  SELECT k.apart INTO found_apart FROM conversation_members k
  WHERE k.conversation_id = p_id AND k.user_id = p_by;
  SELECT m.sender_id, m.deleted_at IS NOT NULL INTO found_sender, found_deleted
  FROM messages m WHERE m.conversation_id = p_id AND m.seq = p_seq;
  outcome := CASE
    WHEN found_apart IS NULL THEN 'not_found'
    WHEN found_sender IS NULL THEN 'message_not_found'
    WHEN found_sender <> p_by THEN 'forbidden'
    WHEN p_body IS NOT NULL AND found_apart THEN 'apart'
    WHEN found_deleted AND p_body IS NOT NULL THEN 'conflict'
    ELSE 'ok'
  END;
  IF outcome <> 'ok' THEN
    RETURN NEXT;
    RETURN;
  END IF;
  changed := NOT found_deleted;
  IF changed THEN
    UPDATE conversations c SET rev = next_rev WHERE c.id = p_id;
    INSERT INTO message_versions (conversation_id, rev, seq, body, edited_at)
    SELECT m.conversation_id, m.rev, m.seq, m.body, m.edited_at
    FROM messages m WHERE m.conversation_id = p_id AND m.seq = p_seq;
    IF p_body IS NULL THEN
      UPDATE messages m SET rev = next_rev, body = '', deleted_at = clock_timestamp()
      WHERE m.conversation_id = p_id AND m.seq = p_seq;
    ELSE
      UPDATE messages m SET rev = next_rev, body = p_body, edited_at = clock_timestamp()
      WHERE m.conversation_id = p_id AND m.seq = p_seq;
    END IF;
  END IF;
  RETURN QUERY
  SELECT outcome, changed, m.id, m.conversation_id, m.seq, m.rev, m.sender_id, m.client_id,
    m.body, m.reply_to_seq, m.created_at, m.edited_at, m.deleted_at
  FROM messages m WHERE m.conversation_id = p_id AND m.seq = p_seq;
END
$$;

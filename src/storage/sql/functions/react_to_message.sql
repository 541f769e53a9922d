-- Applies the calls of p_calls, in their order, to the reactions of one message, as one change.
-- A call is {u: user, k: key, o: on, x: only, a: all, m: may}. only: the user's other keys go in
-- the same change. all: the key goes for all users. may: whether the user may react; who may not
-- can still take their own reactions away.
-- At most p_changes_max rows change, so that calls may be left for the next flush: outcomes and
-- done, which run parallel to the calls, are then shorter. Outcomes: ok, not_found (the user is no
-- member), message_not_found, apart (a block), conflict (the message is deleted), forbidden, full
-- (the message has p_keys_max keys), more
-- It locks the conversation's row first and reads in later statements, so that under READ
-- COMMITTED it sees everything that was committed before: rev is taken under that lock.
-- event: the contract's `reaction`, null where nothing changed. own: keys by user, of those who
-- called. message: as it is afterwards, as message_text writes it.
CREATE OR REPLACE FUNCTION react_to_message(
  p_id bigint, p_seq bigint, p_calls json, p_changes_max int, p_keys_max int
)
RETURNS TABLE (
  outcomes text[], done boolean[], rev bigint, event text, own json, message text
)
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_column
DECLARE
  next_rev bigint;
  -- The conversation whose members may react: in a thread the parent. They see all or nothing of it.
  of_id bigint;
  of_seq bigint;
  -- Messages before it are not kept any longer.
  kept_seq bigint;
  found_message messages;
  -- The keys of the message in the order of their first use. One that goes keeps its place until
  -- the end of the flush, for it may come back within it.
  keys text[] := '{}';
  folded text[] := '{}';
  counts int[] := '{}';
  entries text[] := '{}';
  touched boolean[] := '{}';
  -- How many keys the message had before.
  known int;
  call record;
  found_apart boolean;
  found_hidden boolean;
  outcome text;
  place int;
  the_key text;
  mine text[];
  others text[];
  other text;
  taken bigint[];
  did boolean;
  changes text[] := '{}';
  news text[] := '{}';
  kept text[] := '{}';
  last_ids text;
BEGIN
  outcomes := '{}';
  done := '{}';
  SELECT c.rev + 1, coalesce(c.parent_id, c.id), coalesce(c.parent_seq, p_seq), kept_of(c)
  INTO next_rev, of_id, of_seq, kept_seq
  FROM conversations c WHERE c.id = p_id FOR NO KEY UPDATE;
  SELECT m.* INTO found_message FROM messages m
  WHERE m.conversation_id = p_id AND m.seq = p_seq;
  IF found_message.reactions <> '' THEN
    SELECT array_agg(e->>'key' ORDER BY n), array_agg(replace(e->>'key', U&'\FE0F', '') ORDER BY n),
      array_agg((e->>'count')::int ORDER BY n), array_agg(e::text ORDER BY n),
      array_agg(false ORDER BY n)
    INTO keys, folded, counts, entries, touched
    FROM json_array_elements(found_message.reactions::json) WITH ORDINALITY AS j (e, n);
  END IF;
  known := cardinality(keys);

  FOR call IN
    SELECT i.* FROM ROWS FROM (
      json_to_recordset(p_calls) AS (u bigint, k text, o boolean, x boolean, a boolean, m boolean)
    ) WITH ORDINALITY AS i (u, k, o, x, a, m, n) ORDER BY i.n
  LOOP
    EXIT WHEN cardinality(changes) + CASE WHEN call.x THEN p_keys_max + 1 ELSE 1 END
      > p_changes_max;
    SELECT k.apart, CASE WHEN of_id <> p_id THEN k.visible_from_seq > of_seq
        ELSE greatest(k.visible_from_seq, k.cleared_before_seq) > p_seq END
    INTO found_apart, found_hidden
    FROM conversation_members k JOIN conversations c ON c.id = k.conversation_id
    WHERE k.conversation_id = of_id AND k.user_id = call.u AND c.deleted_at IS NULL;
    outcome := CASE
      WHEN NOT FOUND THEN 'not_found'
      WHEN found_message.seq IS NULL OR found_hidden OR p_seq < kept_seq THEN 'message_not_found'
      WHEN found_apart THEN 'apart'
      WHEN found_message.deleted_at IS NOT NULL THEN 'conflict'
      WHEN (call.o OR call.a) AND NOT call.m THEN 'forbidden'
      ELSE 'ok'
    END;
    did := false;
    place := array_position(folded, replace(call.k, U&'\FE0F', ''));
    the_key := coalesce(keys[place], call.k);

    IF outcome = 'ok' AND call.a THEN
      WITH gone AS (
        DELETE FROM message_reactions r
        WHERE (r.conversation_id, r.user_id, r.seq, r.key) IN (
          SELECT y.conversation_id, y.user_id, y.seq, y.key FROM message_reactions y
          WHERE y.conversation_id = p_id AND y.seq = p_seq AND y.key = the_key
          ORDER BY y.id LIMIT p_changes_max - cardinality(changes)
        )
        RETURNING r.user_id, r.id
      )
      SELECT array_agg(g.user_id ORDER BY g.id) INTO taken FROM gone g;
      IF taken IS NOT NULL THEN
        did := true;
        counts[place] := counts[place] - cardinality(taken);
        touched[place] := true;
        SELECT changes || array_agg(
          '{"user_id":"' || t || '","key":' || to_json(the_key)::text || ',"on":false}' ORDER BY n
        ) INTO changes FROM unnest(taken) WITH ORDINALITY AS g (t, n);
        IF counts[place] > 0 THEN
          outcome := 'more';
        END IF;
      END IF;

    ELSIF outcome = 'ok' THEN
      SELECT coalesce(array_agg(r.key ORDER BY r.id), '{}') INTO mine FROM message_reactions r
      WHERE r.conversation_id = p_id AND r.user_id = call.u AND r.seq = p_seq;
      others := CASE
        WHEN call.o AND call.x THEN array_remove(mine, the_key)
        WHEN NOT call.o AND the_key = ANY (mine) THEN ARRAY[the_key]
        ELSE '{}'
      END;
      IF call.o AND the_key <> ALL (mine) AND coalesce(counts[place], 0) = 0 AND (
        SELECT count(*) FROM unnest(keys, counts) AS u (k, n)
        WHERE u.n > CASE WHEN u.k = ANY (others) THEN 1 ELSE 0 END
      ) >= p_keys_max THEN
        outcome := 'full';
      ELSE
        FOREACH other IN ARRAY others LOOP
          DELETE FROM message_reactions r WHERE r.conversation_id = p_id
            AND r.user_id = call.u AND r.seq = p_seq AND r.key = other;
          counts[array_position(keys, other)] := counts[array_position(keys, other)] - 1;
          touched[array_position(keys, other)] := true;
          changes := changes
            || ('{"user_id":"' || call.u || '","key":' || to_json(other)::text || ',"on":false}');
          did := true;
        END LOOP;
        IF call.o AND the_key <> ALL (mine) THEN
          IF place IS NULL THEN
            keys := keys || the_key;
            folded := folded || replace(the_key, U&'\FE0F', '');
            counts := counts || 0;
            entries := array_append(entries, '');
            touched := touched || true;
            place := cardinality(keys);
          END IF;
          INSERT INTO message_reactions (conversation_id, user_id, seq, key)
          VALUES (p_id, call.u, p_seq, the_key);
          counts[place] := counts[place] + 1;
          touched[place] := true;
          changes := changes
            || ('{"user_id":"' || call.u || '","key":' || to_json(the_key)::text || ',"on":true}');
          did := true;
        END IF;
      END IF;
    END IF;
    outcomes := outcomes || outcome;
    done := done || did;
    EXIT WHEN outcome = 'more';
  END LOOP;

  IF cardinality(changes) > 0 THEN
    FOR place IN 1 .. cardinality(keys) LOOP
      IF touched[place] THEN
        SELECT coalesce(string_agg('"' || r.user_id || '"', ',' ORDER BY r.id DESC), '')
        INTO last_ids FROM (
          SELECT y.user_id, y.id FROM message_reactions y
          WHERE y.conversation_id = p_id AND y.seq = p_seq AND y.key = keys[place]
          ORDER BY y.id DESC LIMIT 5
        ) r;
        entries[place] := '{"key":' || to_json(keys[place])::text || ',"count":' || counts[place]
          || ',"last_user_ids":[' || last_ids || ']}';
        -- A key that came and went within the flush was never there for anybody.
        IF counts[place] > 0 OR place <= known THEN
          news := news || entries[place];
        END IF;
      END IF;
      IF counts[place] > 0 THEN
        kept := kept || entries[place];
      END IF;
    END LOOP;
    rev := next_rev;
    event := '{"conversation_id":"' || p_id || '","seq":' || p_seq || ',"rev":' || next_rev
      || ',"changed":[' || array_to_string(news, ',') || '],"changes":['
      || array_to_string(changes, ',') || ']}';
    UPDATE conversations c SET rev = next_rev WHERE c.id = p_id;
    IF NOT EXISTS (
      SELECT 1 FROM reaction_changes g
      WHERE g.conversation_id = p_id AND g.rev = found_message.rev
    ) THEN
      INSERT INTO message_versions (conversation_id, rev, seq, body, edited_at)
      VALUES (p_id, found_message.rev, p_seq, found_message.body, found_message.edited_at);
    END IF;
    INSERT INTO reaction_changes (conversation_id, rev, seq, event)
    VALUES (p_id, next_rev, p_seq, event);
    UPDATE messages m SET rev = next_rev, reactions = CASE
      WHEN cardinality(kept) = 0 THEN '' ELSE '[' || array_to_string(kept, ',') || ']' END
    WHERE m.conversation_id = p_id AND m.seq = p_seq;
  END IF;

  own := (
    SELECT json_object_agg(a.u, coalesce(r.keys, '{}'))
    FROM (SELECT DISTINCT i.u FROM json_to_recordset(p_calls) AS i (u bigint)) a
    LEFT JOIN LATERAL (
      SELECT array_agg(y.key ORDER BY y.id) AS keys FROM message_reactions y
      WHERE y.conversation_id = p_id AND y.user_id = a.u AND y.seq = p_seq
    ) r ON true
  );
  message := (
    SELECT message_text(m) FROM messages m WHERE m.conversation_id = p_id AND m.seq = p_seq
  );
  RETURN NEXT;
END
$$;

-- Group commit of turns of the application's actors.
--   commits: [{k: kind, y: key, v: the version on which the turns began (0: no row), r: rev,
--     s: state or null, ss: whether the state is written, g: gone, d: durable, c: code version,
--     m: {args, caller} or null, o: conversation or null, t: now_ms, i: [{name, in: ms}],
--     w: wake in ms or null, u: users or null, h: watching, e: effect count,
--     f: [{n, x: effect}], z: [n of effects that are done],
--     a: [{r, n, d, t}] events, l: [{c: caller, i: call id, h: hash, a: answer, r: rev}]}],
--   no actor twice.
-- The answer has a row for each, n is its place from 1: outcome is ok, stale (another version is
-- there) or no_conversation.
CREATE OR REPLACE FUNCTION commit_app_actors(commits json)
RETURNS TABLE (n int, outcome text, id text, version text)
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_column
DECLARE
  c record;
  row_id bigint;
  row_version bigint;
  due json;
BEGIN
  -- In one order, so that two hosts do not wait for each other.
  FOR c IN
    SELECT i.* FROM ROWS FROM (
      json_to_recordset(commits) AS (k text, y text, v bigint, r bigint, s text, ss boolean,
        g boolean, d boolean, c int, m json, o bigint, t bigint, i json, w bigint, u json, h json,
        e bigint, f json, z json, a json, l json)
    ) WITH ORDINALITY AS i (k, y, v, r, s, ss, g, d, c, m, o, t, i, w, u, h, e, f, z, a, l, n)
    ORDER BY i.k, i.y
  LOOP
    n := c.n;
    id := NULL;
    version := NULL;
    SELECT coalesce(json_agg(json_build_object('name', x->>'name', 'at',
        (extract(epoch FROM clock_timestamp()) * 1000)::bigint + (x->>'in')::bigint)), '[]')
      INTO due FROM json_array_elements(c.i) AS x;
    IF c.o IS NOT NULL AND NOT EXISTS (
      SELECT FROM conversations v WHERE v.id = c.o AND v.deleted_at IS NULL
    ) THEN
      outcome := 'no_conversation';
      RETURN NEXT;
      CONTINUE;
    END IF;
    IF c.v = 0 THEN
      INSERT INTO app_actors AS p (kind, key, version, rev, state, is_gone, is_durable,
        code_version, created, conversation_id, now_ms, timers, wake_at, users, watching,
        effect_count)
      VALUES (c.k, c.y, 1, c.r, c.s, c.g, c.d, c.c, c.m, c.o, c.t, due,
        clock_timestamp() + c.w * interval '1 ms',
        coalesce(ARRAY(SELECT json_array_elements_text(c.u)), '{}'),
        ARRAY(SELECT json_array_elements_text(c.h)), c.e)
      ON CONFLICT (kind, key) DO NOTHING
      RETURNING p.id, p.version INTO row_id, row_version;
    ELSE
      UPDATE app_actors AS p SET version = p.version + 1, rev = c.r,
        state = CASE WHEN c.ss THEN c.s ELSE p.state END,
        is_gone = c.g, is_durable = c.d, code_version = c.c,
        created = coalesce(c.m, p.created),
        conversation_id = CASE WHEN c.m IS NULL THEN p.conversation_id ELSE c.o END,
        now_ms = c.t, timers = due, wake_at = clock_timestamp() + c.w * interval '1 ms',
        users = CASE WHEN c.u IS NULL THEN p.users
          ELSE ARRAY(SELECT json_array_elements_text(c.u)) END,
        watching = ARRAY(SELECT json_array_elements_text(c.h)), effect_count = c.e
      WHERE p.kind = c.k AND p.key = c.y AND p.version = c.v
      RETURNING p.id, p.version INTO row_id, row_version;
    END IF;
    IF NOT FOUND THEN
      outcome := 'stale';
      RETURN NEXT;
      CONTINUE;
    END IF;
    INSERT INTO app_events (actor_id, rev, name, data, to_users)
    SELECT row_id, (x->>'r')::bigint, x->>'n', x->>'d',
      CASE WHEN x->'t' IS NOT NULL THEN ARRAY(SELECT json_array_elements_text(x->'t')) END
    FROM json_array_elements(c.a) AS x;
    IF json_array_length(c.a) > 0 THEN
      DELETE FROM app_events e WHERE e.actor_id = row_id AND e.rev <= c.r - 200;
    END IF;
    INSERT INTO app_calls (actor_id, caller, call_id, hash, answer, rev, made_at)
    SELECT row_id, x->>'c', x->>'i', x->>'h', x->>'a', (x->>'r')::bigint, clock_timestamp()
    FROM json_array_elements(c.l) AS x;
    INSERT INTO app_effects (actor_id, n, effect)
    SELECT row_id, (x->>'n')::bigint, x->>'x' FROM json_array_elements(c.f) AS x;
    IF json_array_length(c.z) > 0 THEN
      DELETE FROM app_effects e WHERE e.actor_id = row_id
        AND e.n IN (SELECT x::text::bigint FROM json_array_elements(c.z) AS x);
    END IF;
    outcome := 'ok';
    id := row_id::text;
    version := row_version::text;
    RETURN NEXT;
  END LOOP;
END
$$;

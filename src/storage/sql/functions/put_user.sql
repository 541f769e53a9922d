-- Makes or changes one user: by id, or by the application's own name (external_id), which makes the
-- user that is not there. p_change holds the keys that change: username, display_name, image_url,
-- data, trusted; null takes a key away. p_every: the user's own change of name is possible once in
-- that time; null: for services, at any time.
--
-- outcome: ok, not_found, username_taken, too_soon. changed: whether the user is another one now.
CREATE FUNCTION put_user(
  p_id bigint, p_external text, p_change jsonb, p_every interval, p_reserved interval
)
RETURNS TABLE (outcome text, user_id bigint, created boolean, changed boolean)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  known users%ROWTYPE;
  wanted text := p_change->>'username';
  next_name text;
BEGIN
  created := false;
  changed := false;
  FOR attempt IN 1..8 LOOP
    IF p_id IS NOT NULL THEN
      SELECT u.* INTO known FROM users u WHERE u.id = p_id FOR NO KEY UPDATE;
    ELSE
      SELECT u.* INTO known FROM users u WHERE u.external_id = p_external FOR NO KEY UPDATE;
    END IF;
    EXIT WHEN known.id IS NOT NULL;
    IF p_external IS NULL THEN
      outcome := 'not_found';
      RETURN NEXT;
      RETURN;
    END IF;
    IF wanted IS NOT NULL AND EXISTS (
      SELECT 1 FROM reserved_names r
      WHERE r.name_hash = name_hash(wanted) AND r.until > clock_timestamp()
    ) THEN
      outcome := 'username_taken';
      RETURN NEXT;
      RETURN;
    END IF;
    user_id := nextval(pg_get_serial_sequence('users', 'id'));
    -- Somebody may have chosen the name that follows from the id.
    next_name := coalesce(wanted, 'u' || user_id || repeat('_', attempt - 1));
    INSERT INTO users (id, username, display_name, image_url, data, trusted, external_id)
    VALUES (
      user_id, next_name, coalesce(p_change->>'display_name', next_name),
      p_change->>'image_url', nullif(p_change->'data', 'null'),
      nullif(p_change->'trusted', 'null'), p_external
    )
    ON CONFLICT DO NOTHING;
    IF FOUND THEN
      outcome := 'ok';
      created := true;
      changed := true;
      RETURN NEXT;
      RETURN;
    END IF;
    -- Either somebody made the same user just now, who is found in the next round, or the name is
    -- taken.
    IF wanted IS NOT NULL AND NOT EXISTS (
      SELECT 1 FROM users u WHERE u.external_id = p_external
    ) THEN
      outcome := 'username_taken';
      RETURN NEXT;
      RETURN;
    END IF;
  END LOOP;

  user_id := known.id;
  IF wanted IS NOT NULL AND wanted <> known.username THEN
    outcome := CASE
      WHEN known.renamed_at > clock_timestamp() - p_every THEN 'too_soon'
      WHEN EXISTS (SELECT 1 FROM users u WHERE u.username = wanted) OR EXISTS (
        SELECT 1 FROM reserved_names r
        WHERE r.name_hash = name_hash(wanted) AND r.until > clock_timestamp()
          AND r.user_id IS DISTINCT FROM known.id
      ) THEN 'username_taken'
    END;
    IF outcome IS NOT NULL THEN
      RETURN NEXT;
      RETURN;
    END IF;
    INSERT INTO reserved_names AS r (name_hash, user_id, until)
    VALUES (name_hash(known.username), known.id, clock_timestamp() + p_reserved)
    ON CONFLICT (name_hash) DO UPDATE SET user_id = excluded.user_id, until = excluded.until;
  ELSE
    wanted := known.username;
  END IF;
  UPDATE users u SET
    username = wanted,
    renamed_at = CASE WHEN wanted = known.username THEN u.renamed_at ELSE clock_timestamp() END,
    display_name = coalesce(p_change->>'display_name', u.display_name),
    image_url = CASE WHEN p_change ? 'image_url' THEN p_change->>'image_url' ELSE u.image_url END,
    data = CASE WHEN p_change ? 'data' THEN nullif(p_change->'data', 'null') ELSE u.data END,
    trusted = CASE WHEN p_change ? 'trusted' THEN nullif(p_change->'trusted', 'null') ELSE u.trusted END
  WHERE u.id = known.id AND (
    wanted <> u.username
    OR coalesce(p_change->>'display_name', u.display_name) <> u.display_name
    OR p_change ? 'image_url' AND (p_change->>'image_url') IS DISTINCT FROM u.image_url
    OR p_change ? 'data' AND nullif(p_change->'data', 'null') IS DISTINCT FROM u.data
    OR p_change ? 'trusted' AND nullif(p_change->'trusted', 'null') IS DISTINCT FROM u.trusted
  );
  changed := FOUND;
  outcome := 'ok';
  RETURN NEXT;
EXCEPTION WHEN unique_violation THEN
  -- Another user took the name between the look and the change.
  outcome := 'username_taken';
  created := false;
  changed := false;
  RETURN NEXT;
END
$$;

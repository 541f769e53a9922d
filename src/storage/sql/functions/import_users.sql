-- Writes the users of an import whose lines follow p_after, at most p_most; the last line, null after all
-- of them. A user who is there already stays as they are.
CREATE OR REPLACE FUNCTION import_users(p_import bigint, p_after bigint, p_most int) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
  last bigint;
  asked record;
BEGIN
  PERFORM set_config('troupe.events', 'off', true);
  PERFORM hold_import(p_import);
  FOR asked IN
    SELECT l.n, l.ref, l.line FROM import_lines l
    WHERE l.import_id = p_import AND l.type = 'user' AND l.n > p_after ORDER BY l.n LIMIT p_most
  LOOP
    last := asked.n;
    INSERT INTO users (id, username, display_name, image_url, data, trusted, external_id,
      password_hash, issuer, subject, suspended_at, created_at)
    SELECT x.id, x.name, coalesce(asked.line->>'display_name', x.name),
      asked.line->>'image_url', asked.line->'data', asked.line->'trusted', asked.ref,
      asked.line->>'password_hash', asked.line->>'issuer', asked.line->>'subject',
      (asked.line->>'suspended_at')::timestamptz,
      coalesce((asked.line->>'created_at')::timestamptz, clock_timestamp())
    FROM (
      SELECT i.id, coalesce(lower(asked.line->>'username'), 'u' || i.id) AS name
      FROM (SELECT nextval(pg_get_serial_sequence('users', 'id')) AS id) i
    ) x
    WHERE NOT EXISTS (SELECT 1 FROM users u WHERE u.external_id = asked.ref)
    ON CONFLICT (external_id) WHERE external_id IS NOT NULL DO NOTHING;
  END LOOP;
  RETURN last;
END
$$;

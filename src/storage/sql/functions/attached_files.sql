-- The files that a user attaches, as messages hold them, in the order in which they are named.
-- Null where one of them is not there for the user; the text "forbidden" as JSON where the user sees it and
-- is not its uploader.
CREATE OR REPLACE FUNCTION attached_files(p_user bigint, p_ids bigint[]) RETURNS jsonb
LANGUAGE sql STABLE AS $$
  SELECT CASE
    WHEN bool_and(coalesce(f.user_id = p_user, false)) THEN jsonb_agg(file_json(f) ORDER BY i.n)
    WHEN bool_and(coalesce(may_see_file(p_user, f), false)) THEN '"forbidden"'
  END
  FROM (SELECT u.id, min(u.n) AS n FROM unnest(p_ids) WITH ORDINALITY u (id, n) GROUP BY u.id) i
  LEFT JOIN files f
    ON f.id = i.id AND f.removed_at IS NULL AND f.state IN ('ready', 'processing')
$$;

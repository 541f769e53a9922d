-- The files that a post shows, in its order; null where it shows none. They are read with the post, so
-- that a file that is made ready, or taken back, needs no change of it.
CREATE OR REPLACE FUNCTION post_files(p_ids bigint[]) RETURNS jsonb
LANGUAGE sql STABLE STRICT AS $$
  SELECT jsonb_agg(file_json(f) ORDER BY i.n)
  FROM unnest(p_ids) WITH ORDINALITY i (id, n)
  JOIN files f ON f.id = i.id AND f.removed_at IS NULL AND f.state <> 'uploading'
$$;

-- Merges two JSON objects by top-level key; a key that is null in p_patch is removed. Null where
-- nothing is left. Values keep their text.
CREATE OR REPLACE FUNCTION merge_keys(p_old json, p_patch json) RETURNS json
LANGUAGE sql IMMUTABLE AS $$
  SELECT ('{' || string_agg(to_json(k.key)::text || ':' || k.value::text, ',') || '}')::json
  FROM (
    SELECT o.key, o.value FROM json_each(coalesce(p_old, '{}')) o
    WHERE p_patch->o.key IS NULL
    UNION ALL
    SELECT n.key, n.value FROM json_each(p_patch) n
    WHERE json_typeof(n.value) <> 'null'
  ) k
$$;

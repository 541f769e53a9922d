-- The folded words of a name, each once.
CREATE OR REPLACE FUNCTION name_words(p_text text) RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT coalesce(array_agg(DISTINCT x.word), '{}')
  FROM regexp_split_to_table(fold_name(p_text), '[\s!-/:-@\[-`{-~]+') AS x (word)
  WHERE x.word <> ''
$$;

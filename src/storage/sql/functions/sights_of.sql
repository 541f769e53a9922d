-- What each of p_viewers sees of the one of p_users in the same place: 0 nothing, 1 the presence,
-- 2 when they were last seen, 3 both. Both have to let the other see it, each by their own choice.
CREATE OR REPLACE FUNCTION sights_of(p_viewers bigint[], p_users bigint[])
RETURNS TABLE (n int, sight int)
LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_column
BEGIN
  RETURN QUERY
  SELECT x.n::int,
    (CASE WHEN l.presence THEN 1 ELSE 0 END) + (CASE WHEN l.last_seen THEN 2 ELSE 0 END)
  FROM unnest(p_viewers, p_users) WITH ORDINALITY x (viewer, target, n)
  CROSS JOIN privacy_defaults d
  LEFT JOIN user_privacy v ON v.user_id = x.viewer
  LEFT JOIN user_privacy t ON t.user_id = x.target
  CROSS JOIN LATERAL (
    SELECT lets_see(coalesce(t.presence, d.presence), x.target, x.viewer)
        AND lets_see(coalesce(v.presence, d.presence), x.viewer, x.target) AS presence,
      lets_see(coalesce(t.last_seen, d.last_seen), x.target, x.viewer)
        AND lets_see(coalesce(v.last_seen, d.last_seen), x.viewer, x.target) AS last_seen
  ) l
  ORDER BY x.n;
END
$$;

-- The members of a conversation who have these folded names, in the order of the names,
-- without p_by: at most p_most of them.
CREATE OR REPLACE FUNCTION mentioned_members(p_id bigint, p_by bigint, p_names text[], p_most int)
RETURNS bigint[]
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
SET plan_cache_mode = force_generic_plan
AS $$
BEGIN
  RETURN (
    SELECT array_agg(x.id ORDER BY x.place) FROM (
      SELECT u.id, t.place
      FROM unnest(p_names) WITH ORDINALITY AS t (name, place)
      JOIN users u ON u.username = t.name
      JOIN conversation_members k ON k.conversation_id = p_id AND k.user_id = u.id
      WHERE u.id IS DISTINCT FROM p_by
      ORDER BY t.place LIMIT p_most
    ) x
  );
END
$$;

-- The members of a conversation who have these folded names, in the order of the names,
-- without p_by: at most p_most of them. In a thread they are the members of the parent who may see
-- its root.
CREATE OR REPLACE FUNCTION mentioned_members(p_id bigint, p_by bigint, p_names text[], p_most int)
RETURNS bigint[]
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
  of_id bigint;
  root_seq bigint;
BEGIN
  IF p_names IS NULL OR cardinality(p_names) = 0 THEN RETURN NULL; END IF;
  SELECT coalesce(c.parent_id, c.id), c.parent_seq INTO of_id, root_seq
  FROM conversations c WHERE c.id = p_id;
  RETURN (
    SELECT array_agg(x.id ORDER BY x.place) FROM (
      SELECT u.id, t.place
      FROM unnest(p_names) WITH ORDINALITY AS t (name, place)
      JOIN users u ON u.username = t.name
      JOIN conversation_members k ON k.conversation_id = of_id AND k.user_id = u.id
      WHERE u.id IS DISTINCT FROM p_by
        AND (root_seq IS NULL OR coalesce(k.visible_from_seq, 1) <= root_seq)
      ORDER BY t.place LIMIT p_most
    ) x
  );
END
$$;

-- Conversations with changes that the index of messages does not have. p_since: a number of a
-- transaction before which a look has found everything, or null to look at all. "xmin": what the
-- next look may pass as p_since where this one gave fewer than p_most. A conversation's row is
-- written by each of its changes, so that a look reads one table from end to end, whose rows tell by
-- the transaction that wrote them whether they are new: 100,000 conversations take some 20 ms.
CREATE OR REPLACE FUNCTION search_due(p_since xid8, p_most int)
RETURNS TABLE (epoch bigint, xmin text, due json)
LANGUAGE plpgsql STABLE
SET enable_seqscan = on SET enable_hashjoin = on SET plan_cache_mode = force_custom_plan
AS $$
#variable_conflict use_column
BEGIN
  RETURN QUERY
  SELECT (SELECT s.epoch FROM search_state s), pg_snapshot_xmin(pg_current_snapshot())::text, (
    SELECT json_agg(json_build_object('id', x.id::text, 'of', x.of_id::text, 'rev', x.rev,
      'fed', x.fed, 'gone', x.gone))
    FROM (
      SELECT c.id, coalesce(c.parent_id, c.id) AS of_id, c.rev, coalesce(p.rev, 0) AS fed,
        c.deleted_at IS NOT NULL AS gone
      FROM conversations c LEFT JOIN search_progress p ON p.conversation_id = c.id
      WHERE (p_since IS NULL OR age(c.xmin) <= age(p_since::xid)) AND c.rev > coalesce(p.rev, 0)
      LIMIT p_most
    ) x
  );
END
$$;

-- The first message of a conversation that is not too old at this moment; last_seq + 1 where all are.
-- It walks over those that have become too old since first_seq was moved last: a few seconds of them.
-- Where a cap is new, or shorter, these may be all there are: then it searches by halves, for messages
-- have rising times. An import alone may have made others; of these it may find another place.
CREATE OR REPLACE FUNCTION kept_from(
  p_id bigint, p_kept_s bigint, p_first_seq bigint, p_last_seq bigint
) RETURNS bigint
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_bitmapscan = off
AS $$
DECLARE
  walked constant int := 500;
  since constant timestamptz := statement_timestamp() - p_kept_s * interval '1 second';
  low bigint := coalesce(p_first_seq, 1);
  high bigint := p_last_seq + 1;
  middle bigint;
  found record;
BEGIN
  SELECT min(y.seq) FILTER (WHERE y.created_at > since) AS kept, max(y.seq) AS last,
    count(*) AS n INTO found
  FROM (
    SELECT x.seq, x.created_at FROM messages x
    WHERE x.conversation_id = p_id AND x.seq >= low ORDER BY x.seq LIMIT walked
  ) y;
  IF found.kept IS NOT NULL OR found.n < walked THEN
    RETURN coalesce(found.kept, high);
  END IF;
  low := found.last + 1;
  WHILE low < high LOOP
    middle := (low + high) / 2;
    SELECT x.seq, x.created_at > since AS is_kept INTO found FROM messages x
    WHERE x.conversation_id = p_id AND x.seq >= middle ORDER BY x.seq LIMIT 1;
    IF found.seq IS NULL OR found.is_kept THEN
      high := middle;
    ELSE
      low := found.seq + 1;
    END IF;
  END LOOP;
  RETURN low;
END
$$;

-- The read_mask of a member; see the table conversation_members.
CREATE OR REPLACE FUNCTION read_mask_of(p_conversation bigint, p_user bigint) RETURNS smallint
LANGUAGE sql STABLE AS $$
  SELECT (CASE
    WHEN NOT shows_reads(p_user) THEN 1
    WHEN EXISTS (
      SELECT 1 FROM conversations c
      WHERE c.id = p_conversation AND c.kind = 'direct'
        AND NOT shows_reads(CASE WHEN c.direct_lo = p_user THEN c.direct_hi ELSE c.direct_lo END)
    ) THEN 2
  END)::smallint
$$;

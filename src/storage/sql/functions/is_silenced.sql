-- Whether a user who has these preferences of a conversation is not notified of something of this
-- type in it. Muted means silent; of the levels `none` does, too, and `mentions` lets mentions
-- pass, and reactions to what the user has written. The twin of isSilenced in
-- src/protocol/prefs.ts.
CREATE OR REPLACE FUNCTION is_silenced(p conversation_prefs, p_type text, p_now timestamptz)
RETURNS boolean
LANGUAGE sql IMMUTABLE AS $$
  SELECT coalesce(p.muted_until > p_now, false) OR coalesce(
    p.level = 'none' OR (p.level = 'mentions' AND p_type NOT IN ('mention', 'reaction')), false)
$$;

-- Whether a message of a conversation of that kind mentions a user: by name or, except in a channel,
-- as one of all.
CREATE OR REPLACE FUNCTION is_push_mention(m messages, p_user bigint, p_kind text) RETURNS boolean
LANGUAGE sql IMMUTABLE AS $$
  SELECT coalesce(m.extra->'mentions' ? p_user::text, false)
    OR (p_kind <> 'channel' AND coalesce((m.extra->>'mention_all')::boolean, false))
$$;

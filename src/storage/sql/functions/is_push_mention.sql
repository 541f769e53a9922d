-- Whether a message mentions a user, by name or as one of all.
CREATE OR REPLACE FUNCTION is_push_mention(m messages, p_user bigint) RETURNS boolean
LANGUAGE sql IMMUTABLE AS $$
  SELECT coalesce(m.extra->'mentions' ? p_user::text, false)
    OR coalesce((m.extra->>'mention_all')::boolean, false)
$$;

-- Begins to erase a user: they have no name and no way in from here on, and a job takes away the
-- rest. p_mode: `erase` empties their messages, `keep` leaves them. A second call changes at most
-- `keep` to `erase`, and the job goes through everything again.
-- The job begins when every edge has ended the user's sessions (p_delay).
-- outcome: ok, not_found. cut_ms: tokens from before are refused.
CREATE OR REPLACE FUNCTION begin_erasure(
  p_user bigint, p_mode text, p_asked_by text, p_reserved interval, p_delay interval
)
RETURNS TABLE (outcome text, job_id bigint, cut_ms bigint)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  moment constant timestamptz(3) := clock_timestamp();
  known users;
  next_name text := 'erased.' || p_user;
BEGIN
  SELECT u.* INTO known FROM users u WHERE u.id = p_user FOR UPDATE;
  IF known.id IS NULL THEN
    outcome := 'not_found';
    RETURN NEXT;
    RETURN;
  END IF;
  IF known.erased_at IS NULL THEN
    INSERT INTO reserved_names AS r (name_hash, user_id, until)
    VALUES (name_hash(known.username), NULL, moment + p_reserved)
    ON CONFLICT (name_hash) DO UPDATE SET user_id = NULL, until = excluded.until;
    -- Names that the user had before are reserved for nobody, too.
    UPDATE reserved_names r SET user_id = NULL WHERE r.user_id = p_user;
    IF EXISTS (SELECT 1 FROM users u WHERE u.username = next_name AND u.id <> p_user) THEN
      next_name := next_name || '_';
    END IF;
    UPDATE users u SET
      username = next_name, display_name = '', image_url = NULL, data = NULL, trusted = NULL,
      external_id = NULL, password_hash = NULL, renamed_at = NULL, last_seen_at = NULL,
      -- An outside issuer may go on to issue tokens for the subject: they are refused, not taken for
      -- those of a new user.
      subject = erased_subject(u.issuer, u.subject),
      suspended_at = moment, suspended_until = NULL, suspension_reason = NULL,
      suspension_changed_at = moment, erased_at = moment,
      tokens_cut_at = greatest(moment, u.tokens_cut_at + interval '1 millisecond')
    WHERE u.id = p_user;
  END IF;
  INSERT INTO erasures AS e (user_id, mode) VALUES (p_user, p_mode)
  ON CONFLICT (user_id) DO UPDATE SET
    mode = CASE WHEN e.mode = 'erase' THEN 'erase' ELSE excluded.mode END,
    step = 0, after = 0, finished_at = NULL;
  INSERT INTO jobs AS j (kind, key, args, run_at, asked_by)
  VALUES ('users.erase', p_user::text, json_build_object('user', p_user::text), moment + p_delay,
    p_asked_by)
  ON CONFLICT (kind, key) WHERE key IS NOT NULL AND state IN ('waiting', 'running')
  DO UPDATE SET is_again = j.state = 'running'
  RETURNING id INTO job_id;
  PERFORM pg_notify('troupe_jobs', '');
  SELECT (extract(epoch FROM u.tokens_cut_at) * 1000)::bigint INTO cut_ms
  FROM users u WHERE u.id = p_user;
  outcome := 'ok';
  RETURN NEXT;
END
$$;

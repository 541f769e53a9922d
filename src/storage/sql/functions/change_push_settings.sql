-- Changes what p_patch names of a user's settings of pushes, and answers all of them as the contract
-- has them. p_content: what the deployment has for content. A patch of null changes nothing.
CREATE OR REPLACE FUNCTION change_push_settings(p_user bigint, p_patch jsonb, p_content text)
RETURNS json
LANGUAGE plpgsql AS $$
DECLARE
  s push_settings;
BEGIN
  IF p_patch IS NOT NULL THEN
    INSERT INTO push_settings (user_id) VALUES (p_user) ON CONFLICT DO NOTHING;
    UPDATE push_settings t SET
      level = CASE WHEN p_patch ? 'level' THEN p_patch->>'level' ELSE t.level END,
      snoozed_until = CASE WHEN p_patch ? 'snoozed_until'
        THEN (p_patch->>'snoozed_until')::timestamptz ELSE t.snoozed_until END,
      quiet_hours = CASE WHEN p_patch ? 'quiet_hours'
        THEN nullif(p_patch->'quiet_hours', 'null')::json ELSE t.quiet_hours END,
      content = CASE WHEN p_patch ? 'content' THEN p_patch->>'content' ELSE t.content END
    WHERE t.user_id = p_user;
  END IF;
  SELECT t.* INTO s FROM push_settings t WHERE t.user_id = p_user;
  RETURN json_build_object('level', s.level, 'snoozed_until', iso_time(s.snoozed_until),
    'quiet_hours', CASE WHEN s.quiet_hours IS NOT NULL THEN json_build_object(
      'from', s.quiet_hours->>'from', 'to', s.quiet_hours->>'to', 'tz', s.quiet_hours->>'tz') END,
    'content', coalesce(s.content, p_content));
END
$$;

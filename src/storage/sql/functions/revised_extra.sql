-- The extra of a conversation after a patch of data, image_url, settings and permissions: objects
-- merge by top-level key, null removes, and permissions that say what is the default go.
CREATE OR REPLACE FUNCTION revised_extra(p_kind text, p_extra json, p_patch json) RETURNS json
LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
  revised json := p_extra;
  part text;
  merged json;
BEGIN
  IF p_patch->'image_url' IS NOT NULL THEN
    revised := merge_keys(revised, json_build_object('image_url', p_patch->'image_url'));
  END IF;
  FOREACH part IN ARRAY ARRAY['data', 'settings', 'permissions'] LOOP
    IF p_patch->part IS NOT NULL THEN
      merged := CASE
        WHEN json_typeof(p_patch->part) = 'null' THEN NULL
        ELSE merge_keys(revised->part, p_patch->part)
      END;
      revised := merge_keys(revised, json_build_object(part, merged));
    END IF;
  END LOOP;
  IF revised->'permissions' IS NOT NULL THEN
    SELECT json_object_agg(e.key, e.value) INTO merged FROM json_each_text(revised->'permissions') e
    WHERE e.value <> default_role(p_kind, revised->'settings', e.key);
    revised := merge_keys(revised, json_build_object('permissions', merged));
  END IF;
  RETURN revised;
END
$$;

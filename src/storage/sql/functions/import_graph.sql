-- Writes the follows, blocks, posts, comments and likes of an import, in the order of their lines after
-- p_after, at most p_most; the last line, null after all of them. Rows that are there already stay as they are.
CREATE OR REPLACE FUNCTION import_graph(p_import bigint, p_after bigint, p_most int) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
  last bigint;
  asked record;
  made bigint;
BEGIN
  PERFORM set_config('troupe.events', 'off', true);
  PERFORM hold_import(p_import);
  FOR asked IN
    SELECT l.n, l.type, l.ref, l.line, u.id AS usr, r.id AS actor, i.post_id AS post,
      coalesce((l.line->>'created_at')::timestamptz, clock_timestamp()) AS at
    FROM import_lines l
    LEFT JOIN users u ON u.external_id = l.usr
    LEFT JOIN users r ON l.type IN ('follow', 'block') AND r.external_id = l.ref
    LEFT JOIN imported_posts i ON l.type IN ('post', 'comment', 'like') AND i.external_id = l.ref
    WHERE l.import_id = p_import AND l.type IN ('follow', 'block', 'post', 'comment', 'like')
      AND l.n > p_after
    ORDER BY l.n LIMIT p_most
  LOOP
    last := asked.n;
    CASE asked.type
      WHEN 'follow' THEN
        INSERT INTO follows (follower_id, followee_id, created_at)
        SELECT asked.actor, asked.usr, asked.at WHERE NOT is_apart(asked.actor, asked.usr)
        ON CONFLICT DO NOTHING;
      WHEN 'block' THEN
        PERFORM block_user(asked.actor, asked.usr, true);
      WHEN 'post' THEN
        IF asked.post IS NULL THEN
          INSERT INTO posts (author_id, body, data, created_at, edited_at)
          VALUES (asked.usr, asked.line->>'body', asked.line->'data', asked.at,
            (asked.line->>'edited_at')::timestamptz)
          RETURNING id INTO made;
          INSERT INTO imported_posts (external_id, post_id) VALUES (asked.ref, made);
        END IF;
      WHEN 'comment' THEN
        made := coalesce(asked.post, (
          SELECT i.post_id FROM imported_posts i WHERE i.external_id = asked.ref));
        -- Without a time it is known by its place among the same words of the same author.
        IF (CASE WHEN asked.line->>'created_at' IS NOT NULL THEN NOT EXISTS (
          SELECT 1 FROM comments x WHERE x.post_id = made AND x.author_id = asked.usr
            AND x.created_at = asked.at::timestamptz(3) AND x.body = asked.line->>'body'
        ) ELSE (
          SELECT count(*) FROM comments x WHERE x.post_id = made AND x.author_id = asked.usr
            AND x.body = asked.line->>'body'
        ) < (
          SELECT count(*) FROM import_lines o
          WHERE o.import_id = p_import AND o.type = 'comment' AND o.ref = asked.ref
            AND o.n <= asked.n AND o.usr = asked.line->>'author'
            AND o.line->>'body' = asked.line->>'body'
        ) END) THEN
          INSERT INTO comments (id, post_id, author_id, body, data, created_at)
          VALUES (nextval('comments_id_seq'), made, asked.usr, asked.line->>'body',
            asked.line->'data', asked.at);
          UPDATE posts p SET comment_count = p.comment_count + 1 WHERE p.id = made;
        END IF;
      ELSE
        made := coalesce(asked.post, (
          SELECT i.post_id FROM imported_posts i WHERE i.external_id = asked.ref));
        INSERT INTO likes (post_id, user_id, created_at) VALUES (made, asked.usr, asked.at)
        ON CONFLICT DO NOTHING;
        IF FOUND THEN
          UPDATE posts p SET like_count = p.like_count + 1 WHERE p.id = made;
        END IF;
    END CASE;
  END LOOP;
  RETURN last;
END
$$;

-- name: conversations_named
SELECT id FROM conversation WHERE id >= ?1 AND id < ?1 || 'g' AND deleted_at IS NULL
ORDER BY id DESC LIMIT ?2;

-- name: conversation
SELECT id, account_id, end_user, listed, title, model, metadata, message_count, tokens_in,
       tokens_out, cost, created_at, updated_at, last_message_at, archived, organization,
       branch_count, defaults
FROM conversation WHERE id = ?;

-- name: every_branch
SELECT * FROM branch_seen WHERE conversation_id = ? ORDER BY is_main DESC, id;

-- name: merges
SELECT g.message_id, m.branch_id, m.depth, max(g.position),
       max(iif(g.position = 0, o.branch_id, NULL))
FROM merge g JOIN message m ON m.id = g.message_id LEFT JOIN message o ON o.id = g.other_id
WHERE g.conversation_id = ? GROUP BY g.message_id;

-- name: places
SELECT id, branch_id, depth FROM message WHERE conversation_id = ?;

-- name: lines
SELECT m.id, m.conversation_id, m.parent_id, m.depth, m.body, m.hash, m.role, m.tokens, m.created_at,
       m.deleted_at, m.branch_id
FROM json_each(?1) wanted JOIN message m ON m.id = wanted.value;

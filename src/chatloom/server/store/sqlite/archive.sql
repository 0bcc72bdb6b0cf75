-- name: conversation_here
SELECT deleted_at IS NOT NULL FROM conversation WHERE id = ?;

-- name: add_conversation
INSERT INTO conversation (id, account_id, end_user, organization, listed, title, model, metadata,
                          defaults, created_at, updated_at, last_message_at, archived)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: add_branch
INSERT INTO branch (id, conversation_id, name, head_id, parent_branch_id, forked_from_id, is_main,
                    active, description, context_mode, created_at, updated_at, deleted_at,
                    merged_head_id, merged_into_id, merged_by_id, merged_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: add_message
INSERT INTO message (id, conversation_id, account_id, parent_id, depth, role, body, hash, tokens,
                     created_at, answered, deleted_at, branch_id)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: add_other
INSERT INTO merge (conversation_id, message_id, position, other_id) VALUES (?, ?, ?, ?);

-- name: add_checkpoint
INSERT INTO checkpoint (id, account_id, conversation_id, branch_id, anchor_id, anchor_depth,
                        summary, tokens, model, created_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: count
UPDATE conversation
SET message_count = (SELECT count(*) FROM message
                     WHERE conversation_id = ?1 AND deleted_at IS NULL),
    branch_count = (SELECT count(*) FROM branch WHERE conversation_id = ?1 AND deleted_at IS NULL)
WHERE id = ?1;

-- name: conversations_of
SELECT id FROM conversation WHERE account_id = ? AND deleted_at IS NULL ORDER BY id;

-- name: place
SELECT branch_id, depth FROM message WHERE id = ?;

-- name: message_at
SELECT id FROM message WHERE conversation_id = ? AND branch_id = ? AND depth = ?;

-- name: messages
SELECT m.id, m.branch_id, m.parent_id, m.role, m.body, m.hash, m.tokens, m.created_at, m.answered,
       m.deleted_at, m.depth, EXISTS (
           SELECT 1 FROM merge g WHERE g.conversation_id = ?1 AND g.message_id = m.id)
FROM message m WHERE m.conversation_id = ?1 ORDER BY m.rowid;

-- name: others
SELECT other_id FROM merge WHERE conversation_id = ? AND message_id = ? ORDER BY position;

-- name: checkpoints
SELECT c.id, c.branch_id, c.anchor_id, c.summary, c.tokens, c.model, c.created_at, m.branch_id,
       m.depth
FROM checkpoint c JOIN message m ON m.id = c.anchor_id
WHERE c.conversation_id = ? ORDER BY c.created_at, c.id;

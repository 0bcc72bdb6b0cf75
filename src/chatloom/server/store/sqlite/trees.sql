-- name: add_conversation
INSERT INTO conversation (id, account_id, end_user, organization, listed, title, metadata, defaults,
                          created_at, updated_at)
VALUES (?, ?, ?, ?, 1, ?, ?, ?, ?, ?);

-- name: made_before
SELECT body_digest, made_id FROM made WHERE account_id = ? AND key_digest = ?;

-- name: add_made
INSERT INTO made (account_id, key_digest, body_digest, made_id, expires_at) VALUES (?, ?, ?, ?, ?);

-- name: forget_made
DELETE FROM made WHERE expires_at < ?;

-- name: add_branch
INSERT INTO branch (id, conversation_id, name, head_id, parent_branch_id, forked_from_id, is_main,
                    description, context_mode, created_at, updated_at)
VALUES (?1, ?2, ?3, ?4, coalesce((SELECT branch_id FROM message WHERE message.id = ?6), ?5), ?6, ?7,
        ?8, ?9, ?10, ?11);

-- name: conversations
SELECT id, account_id, end_user, listed, title, model, metadata, message_count, tokens_in,
       tokens_out, cost, created_at, updated_at, last_message_at, archived, organization,
       branch_count, defaults
FROM conversation
WHERE account_id = ?1 AND listed AND deleted_at IS NULL AND (?2 IS NULL OR end_user = ?2)
ORDER BY updated_at DESC, id DESC LIMIT ?3 OFFSET ?4;

-- name: count_conversations
SELECT count(*) FROM conversation
WHERE account_id = ?1 AND listed AND deleted_at IS NULL AND (?2 IS NULL OR end_user = ?2);

-- name: set_defaults
UPDATE conversation SET defaults = json_patch(defaults, ?3), updated_at = max(updated_at, ?4)
WHERE account_id = ?1 AND id = ?2 AND deleted_at IS NULL;

-- name: delete_conversation
UPDATE conversation SET deleted_at = ?3, updated_at = max(updated_at, ?3)
WHERE account_id = ?1 AND id = ?2 AND deleted_at IS NULL;

-- name: branches_after
SELECT * FROM branch_seen
WHERE conversation_id = ?1 AND id > ?2 AND deleted_at IS NULL ORDER BY id LIMIT ?3;

-- name: change_branch
UPDATE branch SET name = coalesce(?3, name), description = coalesce(?4, description),
                  context_mode = coalesce(?5, context_mode), active = coalesce(?6, active),
                  updated_at = max(updated_at, ?7)
WHERE conversation_id = ?1 AND id = ?2 AND deleted_at IS NULL;

-- name: delete_branch
UPDATE branch SET deleted_at = ?3, updated_at = max(updated_at, ?3)
WHERE conversation_id = ?1 AND id = ?2 AND NOT is_main AND deleted_at IS NULL;

-- name: path_slice
WITH RECURSIVE up (id, parent_id, depth) AS (
    SELECT id, parent_id, depth FROM message WHERE id = ?1
    UNION ALL
    SELECT m.id, m.parent_id, m.depth FROM up JOIN message m ON m.id = up.parent_id
    WHERE m.depth >= ?2
)
SELECT m.*
FROM up JOIN node m ON m.id = up.id WHERE up.depth BETWEEN ?2 AND ?3 ORDER BY up.depth;

-- name: first_said_on
SELECT * FROM node WHERE conversation_id = ? AND branch_id = ? ORDER BY position LIMIT ?;

-- name: ground_of
SELECT f.branch_id, f.depth FROM branch b JOIN message f ON f.id = b.forked_from_id
WHERE b.conversation_id = ? AND b.id = ?;

-- name: place_of
SELECT parent_id, depth FROM message WHERE id = ?;

-- name: node_by_id
SELECT * FROM node WHERE id = ?;

-- name: others
SELECT other_id FROM merge WHERE conversation_id = ? AND message_id = ? ORDER BY position;

-- name: add_other
INSERT INTO merge (conversation_id, message_id, position, other_id) VALUES (?, ?, ?, ?);

-- name: nodes
SELECT m.* FROM json_each(?1) wanted JOIN node m ON m.id = wanted.value
WHERE m.account_id = ?2 ORDER BY wanted.key;

-- name: makings
SELECT t.id, t.protocol, t.model, t.served_model, t.outcome, t.usage, t.cost, t.price_id IS NOT NULL,
       t.started_at, t.ended_at, CAST(json_object(
           'parameters', json_object(
               'temperature', json_extract(CAST(t.request AS TEXT), '$.parameters.temperature'),
               'max_tokens', json_extract(CAST(t.request AS TEXT), '$.parameters.max_tokens')),
           'context', json(coalesce(json_extract(CAST(t.request AS TEXT), '$.context'), '{}')))
       AS BLOB)
FROM json_each(?1) wanted JOIN turn t ON t.id = wanted.value;

-- name: taken
WITH RECURSIVE up (id, parent_id, depth, turn_id) AS (
    SELECT id, parent_id, depth, turn_id FROM message WHERE id = ?1 AND depth >= ?2
    UNION ALL
    SELECT m.id, m.parent_id, m.depth, m.turn_id FROM up JOIN message m ON m.id = up.parent_id
    WHERE m.depth >= ?2
)
SELECT coalesce(sum(l.prompt_tokens), 0), coalesce(sum(l.completion_tokens), 0),
       coalesce(sum(t.cost), 0)
FROM up JOIN turn t ON t.id = up.turn_id AND t.message_id = up.id
    LEFT JOIN ledger l ON l.turn_id = t.id AND l.kind <> 'reserve';

-- name: own_nodes
WITH RECURSIVE up (id, parent_id, branch_id, depth) AS (
    SELECT id, parent_id, branch_id, depth FROM message WHERE id = ?1 AND branch_id = ?2
    UNION ALL
    SELECT m.id, m.parent_id, m.branch_id, m.depth FROM up JOIN message m ON m.id = up.parent_id
    WHERE m.branch_id = ?2 AND m.depth >= ?3
)
SELECT id FROM up;

-- name: hand_over_messages
UPDATE message SET branch_id = ?1 WHERE id IN (SELECT value FROM json_each(?2));

-- name: hand_over_forks
UPDATE branch SET parent_branch_id = ?1
WHERE conversation_id = ?2 AND forked_from_id IN (SELECT value FROM json_each(?3));

-- name: hand_over_checkpoints
UPDATE checkpoint SET branch_id = ?1
WHERE conversation_id = ?2 AND branch_id = ?4
    AND anchor_id IN (SELECT value FROM json_each(?3));

-- name: taken_by_turns
SELECT coalesce(sum(l.prompt_tokens), 0), coalesce(sum(l.completion_tokens), 0),
       coalesce(sum(t.cost), 0), json_group_array(t.id)
FROM (SELECT DISTINCT turn_id FROM message WHERE id IN (SELECT value FROM json_each(?1))) said
JOIN turn t ON t.id = said.turn_id
    AND t.message_id IN (SELECT value FROM json_each(?1)) AND t.branch_id = ?2
LEFT JOIN ledger l ON l.turn_id = t.id AND l.kind <> 'reserve';

-- name: hand_over_turns
UPDATE turn SET branch_id = ?1 WHERE id IN (SELECT value FROM json_each(?2));

-- name: add_taken
UPDATE branch SET tokens_in = tokens_in + ?3, tokens_out = tokens_out + ?4, cost = cost + ?5
WHERE conversation_id = ?1 AND id = ?2;

-- name: add_kept
INSERT INTO branch (id, conversation_id, name, head_id, parent_branch_id, forked_from_id,
                    description, context_mode, created_at, updated_at)
SELECT ?3, conversation_id, ?4, head_id,
       coalesce((SELECT branch_id FROM message WHERE message.id = ?5), branch.id), ?5, description,
       context_mode, ?6, ?6
FROM branch WHERE conversation_id = ?1 AND id = ?2;

-- name: set_head
UPDATE branch SET head_id = ?3, updated_at = max(updated_at, ?4)
WHERE conversation_id = ?1 AND id = ?2;

-- name: move_head
UPDATE branch SET head_id = ?4, updated_at = max(updated_at, ?5)
WHERE conversation_id = ?1 AND id = ?2 AND head_id IS ?3 AND deleted_at IS NULL;

-- name: mark_merged
UPDATE branch SET merged_head_id = head_id, merged_into_id = ?4, merged_by_id = ?5, merged_at = ?6,
                  forked_from_id = iif(?5 IS NULL, head_id, forked_from_id),
                  parent_branch_id = iif(?5 IS NULL, ?4, parent_branch_id),
                  updated_at = max(updated_at, ?6)
WHERE conversation_id = ?1 AND id = ?2 AND head_id IS ?3 AND deleted_at IS NULL
    AND (?5 IS NOT NULL OR forked_from_id IS ?7);

-- name: count_messages
UPDATE conversation SET message_count = message_count + ?2, updated_at = max(updated_at, ?3),
                        last_message_at = max(coalesce(last_message_at, 0), ?3)
WHERE id = ?1;

-- name: erase_message
UPDATE message SET body = '{}', deleted_at = ?2 WHERE id = ?1;

-- name: uncount_message
UPDATE conversation SET message_count = message_count - 1, updated_at = max(updated_at, ?2)
WHERE id = ?1;

-- name: forget_answer
UPDATE replay SET deltas = x'' WHERE turn_id = (
    SELECT m.turn_id FROM message m JOIN turn t ON t.id = m.turn_id
    WHERE m.id = ?1 AND (m.role = 'assistant' OR t.apart));

-- name: tree_slice
SELECT * FROM node WHERE conversation_id = ?1 AND position > ?2 ORDER BY position LIMIT ?3;

-- name: deleted_branches
SELECT id FROM branch WHERE conversation_id = ? AND deleted_at IS NOT NULL;

-- name: stands_on
SELECT b.id, b.deleted_at IS NOT NULL, 0, f.branch_id, f.depth
FROM branch b JOIN message f ON f.id = b.forked_from_id WHERE b.conversation_id = ?1
UNION ALL
SELECT b.id, b.deleted_at IS NOT NULL, 0, h.branch_id, h.depth
FROM branch b JOIN message h ON h.id = b.head_id WHERE b.conversation_id = ?1 AND b.deleted_at IS NULL
UNION ALL
SELECT m.branch_id, b.deleted_at IS NOT NULL, m.depth, o.branch_id, o.depth
FROM merge g JOIN message m ON m.id = g.message_id JOIN message o ON o.id = g.other_id
    JOIN branch b ON b.conversation_id = ?1 AND b.id = m.branch_id
WHERE g.conversation_id = ?1;

-- name: extents
SELECT b.id, coalesce(h.depth, 0), coalesce(f.depth, 0)
FROM branch b LEFT JOIN message h ON h.id = b.head_id LEFT JOIN message f ON f.id = b.forked_from_id
WHERE b.conversation_id = ?;

-- name: deepest
SELECT coalesce(max(m.depth), 0) FROM branch b JOIN message m ON m.id = b.head_id
WHERE b.conversation_id = ? AND b.deleted_at IS NULL;

-- name: add_checkpoint
INSERT INTO checkpoint (id, account_id, conversation_id, branch_id, anchor_id, anchor_depth,
                        summary, tokens, model, turn_id, created_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE
SET summary = excluded.summary, tokens = excluded.tokens, model = excluded.model,
    turn_id = excluded.turn_id, created_at = excluded.created_at
WHERE deleted_at IS NULL;

-- name: checkpoint
SELECT c.id, c.account_id, c.conversation_id, c.branch_id, c.anchor_id, c.anchor_depth, c.summary,
       c.tokens, c.model, c.turn_id, c.created_at
FROM checkpoint c JOIN conversation v ON v.id = c.conversation_id AND v.deleted_at IS NULL
WHERE c.id = ?1 AND c.deleted_at IS NULL AND (?2 IS NULL OR c.account_id = ?2);

-- name: checkpoints
SELECT id, account_id, conversation_id, branch_id, anchor_id, anchor_depth, summary, tokens, model,
       turn_id, created_at
FROM checkpoint
WHERE conversation_id = ?1 AND deleted_at IS NULL AND (?2 IS NULL OR branch_id = ?2)
ORDER BY created_at, id;

-- name: anchors_down_to
SELECT id, anchor_id FROM checkpoint
WHERE conversation_id = ?1 AND anchor_depth <= ?2 AND deleted_at IS NULL
ORDER BY anchor_depth DESC, created_at DESC, id DESC;

-- name: anchors_from
SELECT id, anchor_id, account_id FROM checkpoint
WHERE conversation_id = ?1 AND anchor_depth >= ?2 AND deleted_at IS NULL;

-- name: delete_checkpoint
UPDATE checkpoint SET summary = '', deleted_at = ?3
WHERE account_id = ?1 AND id = ?2 AND deleted_at IS NULL;

-- name: stands_behind
WITH RECURSIVE up (id, parent_id, depth) AS (
    SELECT id, parent_id, depth FROM message WHERE id = ?1
    UNION ALL
    SELECT m.id, m.parent_id, m.depth FROM up JOIN message m ON m.id = up.parent_id
    WHERE m.depth >= ?3
)
SELECT EXISTS (SELECT 1 FROM up WHERE id = ?2);

-- name: forget_title
UPDATE conversation SET title = '' WHERE id = ?1 AND title = ?2;

-- name: unindexed
SELECT rowid, account_id, conversation_id, body, deleted_at FROM message
WHERE rowid > (SELECT upto FROM message_text_state) ORDER BY rowid LIMIT ?;

-- name: index_words
INSERT INTO message_text (rowid, account, conversation, text) VALUES (?, ?, ?, ?);

-- name: indexed_upto
UPDATE message_text_state SET upto = ?;

-- name: upto
SELECT upto FROM message_text_state;

-- name: forget_words
INSERT INTO message_text (message_text, rowid, account, conversation, text)
VALUES ('delete', ?, ?, ?, ?);

-- name: some_forgotten
UPDATE message_text_state SET forgotten = 1;

-- name: any_forgotten
SELECT forgotten FROM message_text_state;

-- name: purge_words
INSERT INTO message_text (message_text) VALUES ('optimize');

-- name: none_forgotten
UPDATE message_text_state SET forgotten = 0;

-- name: row_of_message
SELECT rowid, account_id, conversation_id, body, deleted_at FROM message WHERE id = ?;

-- name: search
SELECT m.*, c.title
FROM message_text t JOIN node m ON m.position = t.rowid
    JOIN conversation c ON c.id = m.conversation_id
WHERE message_text MATCH ?1 AND t.rowid < ?2 AND m.account_id = ?3 AND m.deleted_at IS NULL
    AND c.deleted_at IS NULL AND (?4 IS NULL OR c.end_user = ?4)
    AND (?5 IS NULL OR m.conversation_id = ?5)
ORDER BY t.rowid DESC LIMIT ?6;

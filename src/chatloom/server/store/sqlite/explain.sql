-- name: turns_named
SELECT id FROM turn WHERE id >= ?1 AND id < ?1 || 'g' ORDER BY id DESC LIMIT ?2;

-- name: turn
SELECT t.*, a.name AS account_name, k.name AS key_name,
       coalesce(k.ancestors, '[]') AS ancestors,
       (SELECT hint FROM api_secret WHERE key_id = t.key_id ORDER BY created_at DESC LIMIT 1)
           AS key_hint,
       l.unread, c.title, b.name AS branch_name, m.hash AS parent_hash,
       (SELECT count(*) FROM journal WHERE turn_id = t.id) AS journalled,
       (SELECT expires_at FROM replay WHERE turn_id = t.id) AS replay_expires_at
FROM turn t LEFT JOIN account a ON a.id = t.account_id LEFT JOIN api_key k ON k.id = t.key_id
    LEFT JOIN ledger l ON l.turn_id = t.id AND l.kind = 'reserve'
    LEFT JOIN conversation c ON c.id = t.conversation_id
    LEFT JOIN branch b ON b.conversation_id = t.conversation_id AND b.id = t.branch_id
    LEFT JOIN message m ON m.id = t.parent_id
WHERE t.id = ?;

-- name: attempts
SELECT number, provider, model, started_at, ended_at, problem FROM attempt WHERE turn_id = ?
ORDER BY number;

-- name: price
SELECT id, model, prompt, completion, cached, valid_from FROM price WHERE id = ?;

-- name: entries
SELECT kind, amount, prompt_tokens, completion_tokens, estimated, created_at
FROM ledger WHERE turn_id = ? ORDER BY kind <> 'reserve', created_at;

-- name: grown
SELECT id, parent_id, depth, role, body, hash, tokens, deleted_at FROM message
WHERE turn_id = ?1 AND id > ?1 AND id < ?2 ORDER BY depth, id;

-- name: branches_over
WITH RECURSIVE up (name, id) AS (
    SELECT name, head_id FROM branch WHERE conversation_id = ?1 AND deleted_at IS NULL
    UNION ALL
    SELECT up.name, m.parent_id FROM up JOIN message m ON m.id = up.id WHERE m.depth > ?2
)
SELECT name FROM up WHERE id = ?3 ORDER BY name;

-- name: memory_taken
SELECT count(*), coalesce(sum(size), 0) FROM memory
WHERE account_id = ?1 AND end_user = ?2 AND key <> ?3;

-- name: expired_of_user
SELECT number FROM memory WHERE account_id = ?1 AND end_user = ?2 AND expires_at <= ?3;

-- name: set_memory
INSERT INTO memory (account_id, end_user, key, size, created_at, updated_at, expires_at, value)
VALUES (?1, ?2, ?3, ?4, ?5, ?5, ?6, ?7)
ON CONFLICT (account_id, end_user, key) DO UPDATE
SET size = excluded.size, updated_at = excluded.updated_at, expires_at = excluded.expires_at,
    value = excluded.value
RETURNING number;

-- name: set_memory_words
INSERT OR REPLACE INTO memory_text (rowid, scope, text) VALUES (?, ?, ?);

-- name: memory
SELECT key, value, size, created_at, updated_at, expires_at, number FROM memory
WHERE account_id = ?1 AND end_user = ?2 AND key = ?3 AND (expires_at IS NULL OR expires_at > ?4);

-- name: memories
SELECT key, value, size, created_at, updated_at, expires_at FROM memory
WHERE account_id = ?1 AND end_user = ?2 AND key >= ?3 AND key > ?4 AND (?5 IS NULL OR key < ?5)
    AND (expires_at IS NULL OR expires_at > ?6)
ORDER BY key LIMIT ?7;

-- name: delete_memory
DELETE FROM memory WHERE number = ?;

-- name: delete_memory_words
DELETE FROM memory_text WHERE rowid = ?;

-- name: expired_memories
SELECT number FROM memory WHERE expires_at <= ? LIMIT ?;

-- name: live_memories
SELECT number, updated_at, size + length(CAST(key AS BLOB)) FROM memory
WHERE account_id = ?1 AND end_user = ?2 AND (expires_at IS NULL OR expires_at > ?3);

-- name: memories_with
SELECT rowid FROM memory_text WHERE memory_text MATCH ? LIMIT 1000;

-- name: memory_by_number
SELECT key, value, size, created_at, updated_at, expires_at FROM memory WHERE number = ?;

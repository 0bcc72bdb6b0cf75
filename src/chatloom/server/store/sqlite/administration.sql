-- name: accounts
SELECT id, name, tier, dev, created_at FROM account ORDER BY id DESC;

-- name: account
SELECT id, name, tier, dev, created_at FROM account WHERE id = ?;

-- name: set_tier
UPDATE account SET tier = ?2 WHERE id = ?1;

-- name: administrators
SELECT id, email, workos_id, name, added_by, created_at FROM administrator ORDER BY id;

-- name: is_administrator
SELECT EXISTS (SELECT 1 FROM administrator WHERE email = ?);

-- name: put_administrator
INSERT INTO administrator (id, email, workos_id, name, added_by, created_at)
VALUES (?1, ?2, ?3, ?4, ?5, ?6)
ON CONFLICT (email) DO UPDATE SET workos_id = ?3, name = ?4;

-- name: remove_administrator
DELETE FROM administrator WHERE email = ?;

-- name: last_entry
SELECT hash FROM audit ORDER BY id DESC LIMIT 1;

-- name: add_entry
INSERT INTO audit (at, account_id, actor, action, resource, resource_id, detail, hash)
VALUES (?, ?, ?, ?, ?, ?, ?, ?);

-- name: entries
SELECT id, at, account_id, actor, action, resource, resource_id, detail, hash
FROM audit ORDER BY id DESC LIMIT ? OFFSET ?;

-- name: every_entry
SELECT id, at, account_id, actor, action, resource, resource_id, detail, hash
FROM audit ORDER BY id;

-- name: users
SELECT count(*), total(moved_at >= ?1) FROM balance held
WHERE scope = 'end_user'
    -- Whoever names no end users is one.
    OR (scope = 'account' AND NOT EXISTS (
        SELECT 1 FROM balance WHERE scope = 'end_user'
            AND subject >= held.subject || '/' AND subject < held.subject || '0'));

-- name: organizations
SELECT count(*) FROM balance WHERE scope = 'organization';

-- name: use
SELECT total(turns), total(prompt_tokens + completion_tokens) FROM balance WHERE scope = 'account';

-- name: use_since
SELECT count(*), total(prompt_tokens + completion_tokens) FROM ledger
WHERE turn_id >= ? AND kind <> 'reserve';

-- name: add_account
INSERT INTO account (id, name, dev, created_at) VALUES (?, ?, ?, ?);

-- name: is_taken
SELECT EXISTS (SELECT 1 FROM person WHERE login = ? AND dev = ?);

-- name: add_person
INSERT INTO person (id, account_id, login, dev, email, name, password, created_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?);

-- name: person_by_login
SELECT p.id, p.account_id, p.login, p.email, p.name, p.password, p.created_at, p.dev,
    a.tier, p.disabled_at
FROM person p JOIN account a ON a.id = p.account_id
WHERE p.login = ? AND p.dev = ?;

-- name: person
SELECT p.id, p.account_id, p.login, p.email, p.name, p.password, p.created_at, p.dev,
    a.tier, p.disabled_at
FROM person p JOIN account a ON a.id = p.account_id
WHERE p.id = ?;

-- name: people
SELECT p.id, p.account_id, p.login, p.email, p.name, p.password, p.created_at, p.dev,
    a.tier, p.disabled_at
FROM person p JOIN account a ON a.id = p.account_id
ORDER BY p.id DESC;

-- name: person_of_account
SELECT p.id, p.account_id, p.login, p.email, p.name, p.password, p.created_at, p.dev,
    a.tier, p.disabled_at
FROM person p JOIN account a ON a.id = p.account_id
WHERE p.account_id = ?;

-- name: set_password
UPDATE person SET password = ?2 WHERE id = ?1;

-- name: keep_anew
UPDATE person SET password = ?2 WHERE id = ?1 AND password = ?3;

-- name: set_disabled
UPDATE person SET disabled_at = ?2 WHERE id = ?1;

-- name: sessions
SELECT DISTINCT r.session_id
FROM person p
JOIN api_key k ON k.account_id = p.account_id
JOIN refresh_token r ON r.session_id = k.id
WHERE p.id = ? AND k.revoked_at IS NULL;

-- name: add_refresh_token
INSERT INTO refresh_token (digest, session_id, created_at, expires_at) VALUES (?, ?, ?, ?);

-- name: refresh_token
SELECT digest, session_id, created_at, expires_at, used_at FROM refresh_token WHERE digest = ?;

-- name: use_refresh_token
UPDATE refresh_token SET used_at = ?2 WHERE digest = ?1 AND used_at IS NULL;

-- name: is_session
SELECT EXISTS (SELECT 1 FROM refresh_token WHERE session_id = ?);

-- name: forget_refresh_tokens
DELETE FROM refresh_token WHERE digest IN (
    SELECT digest FROM refresh_token WHERE expires_at <= ? LIMIT ?);

-- name: use
SELECT turns, prompt_tokens, completion_tokens, spent FROM balance WHERE scope = ? AND subject = ?;

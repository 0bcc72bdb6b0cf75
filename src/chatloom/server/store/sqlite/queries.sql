-- name: add_account
INSERT INTO account (id, name, dev, created_at) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING;

-- name: add_key
INSERT INTO api_key (id, account_id, parent_id, name, scopes, models, created_at, expires_at, unread,
                     ancestors, owner, organization, routes, limits)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: revoked_ancestor
SELECT k.id FROM json_each(?) above JOIN api_key k ON k.id = above.value
WHERE k.revoked_at IS NOT NULL LIMIT 1;

-- name: add_secret
INSERT INTO api_secret (digest, key_id, hint, created_at, expires_at) VALUES (?, ?, ?, ?, ?);

-- name: find_key
SELECT k.id, k.account_id, k.name, k.scopes, k.models, k.created_at, k.expires_at,
       coalesce(k.revoked_at, (SELECT min(above.revoked_at) FROM json_each(k.ancestors) a
                               JOIN api_key above ON above.id = a.value)),
       k.last_used_at, k.ancestors, k.unread, a.dev, s.hint, s.expires_at,
       k.owner, k.organization, k.routes, k.limits, a.tier
FROM api_secret s JOIN api_key k ON k.id = s.key_id JOIN account a ON a.id = k.account_id
WHERE s.digest = ?;

-- name: key
SELECT k.id, k.account_id, k.name, k.scopes, k.models, k.created_at, k.expires_at,
       coalesce(k.revoked_at, (SELECT min(above.revoked_at) FROM json_each(k.ancestors) a
                               JOIN api_key above ON above.id = a.value)),
       k.last_used_at, k.ancestors, k.unread, a.dev,
       (SELECT hint FROM api_secret WHERE key_id = k.id ORDER BY created_at DESC LIMIT 1), NULL,
       k.owner, k.organization, k.routes, k.limits, a.tier
FROM api_key k JOIN account a ON a.id = k.account_id
WHERE k.id = ?;

-- name: keys
SELECT k.id, k.account_id, k.name, k.scopes, k.models, k.created_at, k.expires_at,
       coalesce(k.revoked_at, (SELECT min(above.revoked_at) FROM json_each(k.ancestors) a
                               JOIN api_key above ON above.id = a.value)),
       k.last_used_at, k.ancestors, k.unread, a.dev,
       (SELECT hint FROM api_secret WHERE key_id = k.id ORDER BY created_at DESC LIMIT 1), NULL,
       k.owner, k.organization, k.routes, k.limits, a.tier
FROM api_key k JOIN account a ON a.id = k.account_id
ORDER BY k.id DESC;

-- name: keys_of_account
SELECT k.id, k.account_id, k.name, k.scopes, k.models, k.created_at, k.expires_at,
       coalesce(k.revoked_at, (SELECT min(above.revoked_at) FROM json_each(k.ancestors) a
                               JOIN api_key above ON above.id = a.value)),
       k.last_used_at, k.ancestors, k.unread, a.dev,
       (SELECT hint FROM api_secret WHERE key_id = k.id ORDER BY created_at DESC LIMIT 1), NULL,
       k.owner, k.organization, k.routes, k.limits, a.tier
FROM api_key k JOIN account a ON a.id = k.account_id
WHERE k.account_id = ? ORDER BY k.id DESC;

-- name: descendants
SELECT k.id, k.account_id, k.name, k.scopes, k.models, k.created_at, k.expires_at,
       coalesce(k.revoked_at, (SELECT min(above.revoked_at) FROM json_each(k.ancestors) a
                               JOIN api_key above ON above.id = a.value)),
       k.last_used_at, k.ancestors, k.unread, a.dev,
       (SELECT hint FROM api_secret WHERE key_id = k.id ORDER BY created_at DESC LIMIT 1), NULL,
       k.owner, k.organization, k.routes, k.limits, a.tier
FROM api_key k JOIN account a ON a.id = k.account_id
WHERE k.account_id = ?1 AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > ?3)
    AND EXISTS (SELECT 1 FROM json_each(k.ancestors) WHERE value = ?2)
ORDER BY k.id DESC;

-- name: most_descendants
SELECT max(number) FROM (
    SELECT count(*) AS number FROM api_key k JOIN json_each(k.ancestors) above
    WHERE k.account_id = ?1 AND above.value IN (SELECT value FROM json_each(?2))
        AND (k.created_at > ?4
             OR (k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > ?3)))
    GROUP BY above.value);

-- name: revoke_key
UPDATE api_key SET revoked_at = ?1
WHERE account_id = (SELECT account_id FROM api_key WHERE id = ?2)
    AND revoked_at IS NULL
    AND (id = ?2 OR EXISTS (SELECT 1 FROM json_each(ancestors) WHERE value = ?2));

-- name: expire_secrets
UPDATE api_secret SET expires_at = min(coalesce(expires_at, ?1), ?1) WHERE key_id = ?2;

-- name: touch_key
UPDATE api_key SET last_used_at = max(coalesce(last_used_at, 0), ?) WHERE id = ?;

-- name: last_price
SELECT id, prompt, completion, cached FROM price WHERE model = ? ORDER BY id DESC LIMIT 1;

-- name: add_price
INSERT INTO price (model, prompt, completion, cached, valid_from) VALUES (?, ?, ?, ?, ?);

-- name: add_sibling
INSERT INTO branch (id, conversation_id, name, head_id, parent_branch_id, forked_from_id,
                    context_mode, created_at, updated_at, tokens_in, tokens_out, cost)
SELECT ?1, ?2, ?3 || ' ' || (SELECT branch_count + 1 FROM conversation WHERE id = ?2), ?4, ?5, ?6,
       coalesce((SELECT context_mode FROM branch WHERE conversation_id = ?2 AND id = ?5), 'FULL'),
       ?7, ?7, ?8, ?9, ?10;

-- name: count_branch
UPDATE conversation SET branch_count = branch_count + ? WHERE id = ?;

-- name: add_main_branch
INSERT INTO branch (id, conversation_id, name, head_id, is_main, created_at, updated_at, tokens_in,
                    tokens_out, cost)
VALUES (?, ?, 'main', ?, 1, ?, ?, ?, ?, ?);

-- name: branch_of_message
SELECT branch_id FROM message WHERE id = ?;

-- name: turn_on_branch
UPDATE turn SET branch_id = ? WHERE id = ?;

-- name: taken_before
-- All turns of a conversation are younger than itself, and so are their ids.
SELECT coalesce(sum(l.prompt_tokens), 0), coalesce(sum(l.completion_tokens), 0),
       coalesce(sum(t.cost), 0)
FROM turn t JOIN ledger l ON l.turn_id = t.id AND l.kind = 'settle'
WHERE t.id > ?1 AND t.id < ?2 AND t.conversation_id = ?1;

-- name: turns_on_branch
UPDATE turn SET branch_id = ?3
WHERE id > ?1 AND id < ?2 AND conversation_id = ?1 AND outcome IS NOT NULL;

-- name: charge_branch
UPDATE branch SET tokens_in = tokens_in + ?3, tokens_out = tokens_out + ?4, cost = cost + ?5
WHERE conversation_id = ?1 AND id = ?2;

-- name: add_turn
INSERT INTO turn (id, account_id, key_id, end_user, conversation_id, branch_id, parent_id, protocol,
                  told_as, model, provider, streamed, listed, key_digest, body_digest, price_id,
                  reserved, started_at, request, metadata, asked, organization, band, request_id,
                  apart)
VALUES (?, ?, ?, nullif(?, ''), ?, nullif(?, ''), nullif(?, ''), ?, ?, ?, ?, ?, ?, ?, ?,
        nullif(?, 0), ?, ?, ?, nullif(?, ''), ?, nullif(?, ''), ?, ?, ?);

-- name: add_reserve
INSERT INTO ledger (turn_id, kind, account_id, key_id, end_user, amount, price_id, unread,
                    created_at, organization)
VALUES (?, 'reserve', ?, ?, nullif(?, ''), ?, nullif(?, 0), ?, ?, nullif(?, ''));

-- name: add_entry
INSERT INTO ledger (turn_id, kind, account_id, key_id, end_user, amount, price_id,
                    prompt_tokens, completion_tokens, unread, estimated, created_at, organization,
                    spent_before)
VALUES (?, ?, ?, ?, nullif(?, ''), ?, nullif(?, 0), nullif(?, -1), nullif(?, -1), ?, ?, ?,
        nullif(?, ''), ?);

-- name: any_budget
SELECT EXISTS (SELECT 1 FROM budget);

-- name: budgets_of
SELECT b.concern, b.subject, b.amount,
       coalesce((SELECT spent FROM balance
                 WHERE scope = iif(b.concern = 'end_users', 'end_user', b.concern)
                     AND subject = iif(b.concern = 'end_users', ?3, b.subject)), 0)
       + coalesce((SELECT spent FROM balance WHERE b.concern = 'key' AND scope = 'lineage'
                       AND subject = b.subject), 0) AS spent,
       coalesce((SELECT reserved FROM balance
                 WHERE scope = iif(b.concern = 'end_users', 'end_user', b.concern)
                     AND subject = iif(b.concern = 'end_users', ?3, b.subject)), 0)
       + coalesce((SELECT reserved FROM balance WHERE b.concern = 'key' AND scope = 'lineage'
                       AND subject = b.subject), 0) AS reserved
FROM budget b
WHERE (b.concern = 'account' AND b.subject = ?1)
    OR (b.concern = 'key' AND b.subject IN (SELECT value FROM json_each(?2)))
    OR (b.concern = 'end_user' AND b.subject = ?3)
    OR (b.concern = 'organization' AND b.subject = ?4)
    OR (b.concern = 'end_users' AND b.subject = ?1 AND ?3 IS NOT NULL
        AND NOT EXISTS (SELECT 1 FROM budget WHERE concern = 'end_user' AND subject = ?3));

-- name: set_budget
INSERT INTO budget (concern, subject, amount) VALUES (?1, ?2, ?3)
ON CONFLICT (concern, subject) DO UPDATE SET amount = ?3;

-- name: lift_budget
DELETE FROM budget WHERE concern = ? AND subject = ?;

-- name: budgets
SELECT b.concern, b.subject, b.amount, coalesce(held.spent, 0) + coalesce(heirs.spent, 0),
       coalesce(held.reserved, 0) + coalesce(heirs.reserved, 0)
FROM budget b LEFT JOIN balance held ON held.scope = b.concern AND held.subject = b.subject
    LEFT JOIN balance heirs ON b.concern = 'key' AND heirs.scope = 'lineage'
        AND heirs.subject = b.subject
ORDER BY b.concern, b.subject;

-- name: budget
SELECT b.concern, b.subject, b.amount, coalesce(held.spent, 0) + coalesce(heirs.spent, 0),
       coalesce(held.reserved, 0) + coalesce(heirs.reserved, 0)
FROM budget b LEFT JOIN balance held ON held.scope = b.concern AND held.subject = b.subject
    LEFT JOIN balance heirs ON b.concern = 'key' AND heirs.scope = 'lineage'
        AND heirs.subject = b.subject
WHERE b.concern = ? AND b.subject = ?;

-- name: move_balance
INSERT INTO balance (scope, subject, reserved, spent, turns, prompt_tokens, completion_tokens,
                     moved_at)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
ON CONFLICT (scope, subject) DO UPDATE
SET reserved = reserved + ?3, spent = spent + ?4, turns = turns + ?5,
    prompt_tokens = prompt_tokens + ?6, completion_tokens = completion_tokens + ?7,
    moved_at = max(moved_at, ?8);

-- name: account_balance
SELECT spent, reserved FROM balance WHERE scope = 'account' AND subject = ?;

-- name: allowance
SELECT since, spent_before FROM allowance WHERE account_id = ?;

-- name: begin_allowance
INSERT INTO allowance (account_id, since, spent_before) VALUES (?1, ?2, ?3)
ON CONFLICT (account_id) DO UPDATE SET since = ?2, spent_before = ?3;

-- name: append
INSERT INTO journal (turn_id, last, deltas) VALUES (?, ?, ?);

-- name: end_turn
UPDATE turn SET outcome = ?, problem = nullif(?, ''), problem_kind = nullif(?, ''),
                served_model = nullif(?, ''), usage = ?, cost = ?, message_id = nullif(?, ''),
                first_token_at = ?, ended_at = ?, metadata = NULL, asked = NULL
WHERE id = ? AND outcome IS NULL;

-- name: free_key
UPDATE turn SET key_digest = NULL, body_digest = NULL WHERE id = ?;

-- name: add_attempt
INSERT INTO attempt (turn_id, number, provider, model, started_at, ended_at, problem)
VALUES (?, ?, ?, ?, ?, ?, nullif(?, ''));

-- name: add_message
INSERT INTO message (id, conversation_id, account_id, parent_id, depth, role, body, hash, turn_id,
                     tokens, created_at, answered, branch_id)
VALUES (?, ?, ?, nullif(?, ''), ?, ?, ?, ?, nullif(?, ''), nullif(?, -1), ?, ?, ?);

-- name: move_branch
UPDATE branch SET head_id = ?, updated_at = ?, tokens_in = tokens_in + ?,
                  tokens_out = tokens_out + ?, cost = cost + ?
WHERE conversation_id = ? AND id = ? AND head_id IS nullif(?, '') AND deleted_at IS NULL;

-- name: any_branch
SELECT EXISTS (SELECT 1 FROM branch WHERE conversation_id = ?);

-- name: grow_conversation
INSERT INTO conversation (id, account_id, end_user, listed, title, model, metadata, message_count,
                          tokens_in, tokens_out, cost, created_at, updated_at, last_message_at,
                          organization)
VALUES (?, ?, nullif(?, ''), ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, nullif(?, ''))
ON CONFLICT (id) DO UPDATE
SET end_user = coalesce(end_user, excluded.end_user),
    organization = coalesce(organization, excluded.organization),
    listed = max(listed, excluded.listed),
    title = coalesce(nullif(title, ''), excluded.title),
    model = excluded.model, message_count = message_count + excluded.message_count,
    tokens_in = tokens_in + excluded.tokens_in, tokens_out = tokens_out + excluded.tokens_out,
    cost = cost + excluded.cost, updated_at = excluded.updated_at,
    last_message_at = excluded.last_message_at;

-- name: charge_conversation
UPDATE conversation SET tokens_in = tokens_in + ?2, tokens_out = tokens_out + ?3, cost = cost + ?4
WHERE id = ?1;

-- name: keep_conversation
INSERT INTO conversation (id, account_id, end_user, organization, metadata, created_at, updated_at)
SELECT t.conversation_id, t.account_id, t.end_user, t.organization, coalesce(t.metadata, '{}'),
       t.started_at, t.started_at
FROM turn t WHERE t.conversation_id = ?1 AND t.outcome IS NULL
    AND NOT EXISTS (SELECT 1 FROM conversation WHERE id = ?1)
ORDER BY t.id LIMIT 1;

-- name: keep_branch
INSERT INTO branch (id, conversation_id, name, is_main, created_at, updated_at)
SELECT coalesce(t.branch_id, t.conversation_id), t.conversation_id, 'main', 1, t.started_at,
       t.started_at
FROM turn t WHERE t.conversation_id = ?1 AND t.outcome IS NULL
    AND NOT EXISTS (SELECT 1 FROM branch WHERE conversation_id = ?1)
ORDER BY t.id LIMIT 1;

-- name: forget_journal
DELETE FROM journal WHERE turn_id = ?;

-- name: add_replay
INSERT INTO replay (turn_id, deltas, expires_at) VALUES (?, ?, ?);

-- name: replay
SELECT deltas FROM replay WHERE turn_id = ?;

-- name: free_old_keys
UPDATE turn SET key_digest = NULL, body_digest = NULL
WHERE key_digest IS NOT NULL AND id IN (
    SELECT turn_id FROM replay WHERE expires_at < ?1 ORDER BY expires_at, turn_id LIMIT ?2);

-- name: forget_replays
DELETE FROM replay WHERE turn_id IN (
    SELECT turn_id FROM replay WHERE expires_at < ?1 ORDER BY expires_at, turn_id LIMIT ?2);

-- name: turn
SELECT id, account_id, key_id, conversation_id, parent_id, message_id, protocol, model,
       served_model, provider, streamed, outcome, problem, usage, reserved, cost, price_id,
       started_at, first_token_at, ended_at, problem_kind, body_digest, told_as, end_user, branch_id
FROM turn WHERE account_id = ?1
    AND id = coalesce(?2, (SELECT id FROM turn WHERE account_id = ?1 AND key_digest = ?3));

-- name: open_turns
SELECT t.id, t.account_id, t.key_id, t.end_user, t.conversation_id, t.listed, t.branch_id,
       t.parent_id, t.protocol, t.told_as, t.model, t.provider, t.streamed, t.request, t.asked,
       t.key_digest, t.body_digest, t.price_id, t.reserved, t.started_at, l.unread, p.model,
       p.prompt, p.completion, p.cached, t.metadata, t.organization, t.band, k.ancestors, t.apart
FROM turn t LEFT JOIN api_key k ON k.id = t.key_id LEFT JOIN ledger l ON l.turn_id = t.id AND l.kind = 'reserve'
    LEFT JOIN price p ON p.id = t.price_id
WHERE t.outcome IS NULL ORDER BY t.id;

-- name: journal
SELECT deltas FROM journal WHERE turn_id = ? ORDER BY last;

-- name: conversation
SELECT id, account_id, end_user, listed, title, model, metadata, message_count, tokens_in,
       tokens_out, cost, created_at, updated_at, last_message_at, archived, organization,
       branch_count, defaults
FROM conversation WHERE id = ? AND account_id = ? AND deleted_at IS NULL;

-- name: conversation_to_be
SELECT conversation_id, account_id, end_user, 0, NULL, NULL, coalesce(metadata, '{}'), 0, 0, 0, 0,
       started_at, started_at, NULL, 0, organization, 1, '{}'
FROM turn WHERE conversation_id = ?1 AND account_id = ?2 AND outcome IS NULL
    AND NOT EXISTS (SELECT 1 FROM conversation WHERE id = ?1)
ORDER BY id LIMIT 1;

-- name: sessions
SELECT id, account_id, end_user, listed, title, model, metadata, message_count, tokens_in,
       tokens_out, cost, created_at, updated_at, last_message_at, archived, organization,
       branch_count, defaults
FROM conversation
WHERE account_id = ?1 AND end_user = ?2 AND listed AND deleted_at IS NULL AND archived = ?3
ORDER BY last_message_at DESC, id DESC LIMIT ?4 OFFSET ?5;

-- name: count_sessions
SELECT count(*) FROM conversation
WHERE account_id = ?1 AND end_user = ?2 AND listed AND deleted_at IS NULL AND archived = ?3;

-- name: change_conversation
UPDATE conversation SET archived = coalesce(?3, archived), title = coalesce(?4, title),
                        metadata = coalesce(?5, metadata), updated_at = max(updated_at, ?6)
WHERE id = ?2 AND account_id = ?1 AND deleted_at IS NULL;

-- name: branches
SELECT * FROM branch_seen
WHERE conversation_id = ? AND deleted_at IS NULL ORDER BY is_main DESC, id;

-- name: branch
SELECT * FROM branch_seen
WHERE conversation_id = ? AND id = ?;

-- name: main_branch
SELECT * FROM branch_seen
WHERE conversation_id = ? AND is_main ORDER BY id LIMIT 1;

-- name: branch_to_be
SELECT coalesce(branch_id, conversation_id), conversation_id, 'main', NULL, NULL, NULL, 1, 1, NULL,
       'FULL', started_at, started_at, 0, 0, 0, NULL, NULL, NULL, NULL, NULL, 0, 0
FROM turn WHERE conversation_id = ?1 AND outcome IS NULL
    AND NOT EXISTS (SELECT 1 FROM branch WHERE conversation_id = ?1)
ORDER BY id LIMIT 1;

-- name: branch_at
-- Left to itself, the planner looks at every branch of the conversation.
SELECT * FROM branch_seen WHERE conversation_id = ?1 AND id = (
    SELECT id FROM branch INDEXED BY branch_by_head
    WHERE conversation_id = ?1 AND head_id IS ?2 AND deleted_at IS NULL AND active AND NOT is_main
    ORDER BY id LIMIT 1);

-- name: node
SELECT m.* FROM node m JOIN conversation c ON c.id = m.conversation_id
WHERE m.id = ? AND m.account_id = ? AND c.deleted_at IS NULL;

-- name: find_node
SELECT m.* FROM node m JOIN conversation c ON c.id = m.conversation_id
WHERE m.account_id = ?1 AND m.hash = ?2 AND c.deleted_at IS NULL AND m.deleted_at IS NULL
    AND (m.conversation_id = ?3 OR (?3 IS NULL AND c.end_user IS ?4))
ORDER BY m.id DESC LIMIT 1;

-- name: subscriptions
SELECT account_id, id, events, end_user, organization, disabled_at IS NULL
FROM webhook WHERE removed_at IS NULL ORDER BY id;

-- name: add_webhook
INSERT INTO webhook (id, account_id, end_user, organization, key_id, url, events, description,
                     created_at, updated_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: count_webhooks
SELECT count(*) FROM webhook WHERE account_id = ? AND removed_at IS NULL;

-- name: webhook
SELECT * FROM webhook_seen WHERE id = ?;

-- name: webhooks
SELECT * FROM webhook_seen ORDER BY id DESC;

-- name: webhooks_of_account
SELECT * FROM webhook_seen WHERE account_id = ? ORDER BY id DESC;

-- name: change_webhook
UPDATE webhook SET url = ?2, events = ?3, description = ?4, updated_at = ?5 WHERE id = ?1;

-- name: enable_webhook
UPDATE webhook SET disabled_at = NULL, disabled_because = NULL, failures = 0
WHERE id = ? AND disabled_at IS NOT NULL;

-- name: disable_webhook
UPDATE webhook SET disabled_at = ?3, disabled_because = ?2 WHERE id = ?1 AND disabled_at IS NULL;

-- name: remove_webhook
UPDATE webhook SET removed_at = ?2 WHERE id = ?1 AND removed_at IS NULL;

-- name: add_webhook_secret
INSERT INTO webhook_secret (webhook_id, created_at, expires_at, value) VALUES (?, ?, ?, ?);

-- name: expire_webhook_secrets
UPDATE webhook_secret SET expires_at = min(coalesce(expires_at, ?2), ?2) WHERE webhook_id = ?1;

-- name: forget_webhook_secrets
DELETE FROM webhook_secret WHERE webhook_id = ?;

-- name: forget_old_secrets
DELETE FROM webhook_secret WHERE expires_at <= ?;

-- name: webhook_secrets
SELECT webhook_id, value, created_at, expires_at FROM webhook_secret
WHERE webhook_id = ?1 AND (expires_at IS NULL OR expires_at > ?2)
ORDER BY expires_at IS NOT NULL, created_at DESC;

-- What a turn says that outlives its conversation is told without its words.
-- name: add_event
INSERT INTO event (id, account_id, type, conversation_id, message_id, created_at, body)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, iif(
    ?5 IS NOT NULL
        AND EXISTS (SELECT 1 FROM conversation WHERE id = ?4 AND deleted_at IS NOT NULL),
    json_set(?7, '$.data.content', NULL, '$.data.deleted', json('true')), ?7));

-- What is older in its lane is told first. Left to itself, SQLite reads the webhook's whole log.
-- name: add_delivery
INSERT INTO delivery (webhook_id, event, state, lane, next_at)
SELECT ?1, ?2, 'waiting', ?3, iif(
    EXISTS (SELECT 1 FROM delivery INDEXED BY delivery_in_lane
            WHERE webhook_id = ?1 AND lane = ?3 AND state = 'waiting'),
    NULL, ?4);

-- name: add_missed
INSERT INTO delivery (webhook_id, event, state, lane) VALUES (?, ?, 'missed', ?);

-- name: miss_what_waits
UPDATE delivery SET state = 'missed', next_at = NULL WHERE webhook_id = ? AND state = 'waiting';

-- name: waited_for
SELECT id FROM webhook WHERE disabled_at IS NULL AND removed_at IS NULL
    AND EXISTS (SELECT 1 FROM delivery WHERE webhook_id = webhook.id AND next_at IS NOT NULL);

-- name: due
SELECT event, next_at FROM delivery WHERE webhook_id = ? AND next_at IS NOT NULL
ORDER BY next_at, event LIMIT ?;

-- name: due_event
SELECT e.number, e.id, e.type, e.body, d.attempts, d.tries, d.first_at
FROM delivery d JOIN event e ON e.number = d.event
WHERE d.webhook_id = ? AND d.event = ? AND d.next_at IS NOT NULL;

-- An older one of its lane may have been replayed while this one was on its way.
-- name: note_attempt
UPDATE delivery SET state = ?3, attempts = attempts + 1, tries = tries + 1,
                    first_at = coalesce(first_at, ?5), next_at = iif(
    EXISTS (SELECT 1 FROM delivery older INDEXED BY delivery_in_lane
            WHERE older.webhook_id = ?1 AND older.lane = delivery.lane
                AND older.state = 'waiting' AND older.event < ?2),
    NULL, ?4)
WHERE webhook_id = ?1 AND event = ?2 AND state = 'waiting'
RETURNING lane, attempts;

-- name: note_late_attempt
UPDATE delivery SET attempts = attempts + 1, state = iif(?3 = 'delivered', ?3, state)
WHERE webhook_id = ?1 AND event = ?2 AND state <> 'waiting'
RETURNING NULL, attempts;

-- name: add_delivery_attempt
INSERT INTO delivery_attempt (webhook_id, event, number, started_at, ended_at, status, problem,
                              response)
VALUES (?, ?, ?, ?, ?, ?, ?, ?);

-- name: webhook_took
UPDATE webhook SET last_triggered_at = ?2, last_delivered_at = ?3, failures = 0 WHERE id = ?1;

-- name: webhook_failed
UPDATE webhook SET last_triggered_at = ?2, failures = failures + 1 WHERE id = ?1;

-- name: next_in_lane
UPDATE delivery SET next_at = ?3
WHERE webhook_id = ?1 AND next_at IS NULL AND event = (
    SELECT event FROM delivery INDEXED BY delivery_in_lane
    WHERE webhook_id = ?1 AND lane = ?2 AND state = 'waiting' ORDER BY event LIMIT 1);

-- name: deliveries
SELECT * FROM delivery_told WHERE webhook_id = ?1 AND event < ?2 ORDER BY event DESC LIMIT ?3;

-- name: deliveries_in_state
SELECT * FROM delivery_told WHERE webhook_id = ?1 AND event < ?2 AND state = ?4
ORDER BY event DESC LIMIT ?3;

-- name: deliveries_of_event
SELECT * FROM delivery_told WHERE webhook_id = ?1 AND event < ?2 AND event_id = ?4
    AND (?5 IS NULL OR state = ?5) LIMIT ?3;

-- name: delivery_attempts
SELECT event, number, started_at, ended_at, status, problem, response FROM delivery_attempt
WHERE webhook_id = ?1 AND event BETWEEN ?2 AND ?3 ORDER BY event, number;

-- Named ones are sent whatever became of them; not what must wait for another of its conversation.
-- name: replay_named
UPDATE delivery SET state = 'waiting', next_at = ?3, tries = 0, first_at = NULL
WHERE webhook_id = ?1
    AND event IN (SELECT number FROM event WHERE id IN (SELECT value FROM json_each(?2)))
    AND (state <> 'waiting' OR next_at IS NOT NULL);

-- name: replay_some
UPDATE delivery SET state = 'waiting', next_at = ?5, tries = 0, first_at = NULL
WHERE webhook_id = ?1
    AND state IN (SELECT value FROM json_each(?2) WHERE value <> 'waiting')
    AND EXISTS (SELECT 1 FROM event WHERE number = delivery.event
                AND (?3 IS NULL OR created_at >= ?3)
                AND (?4 IS NULL OR created_at < ?4));

-- What was replayed may stand before what is due already.
-- name: wait_in_lanes
UPDATE delivery INDEXED BY delivery_due SET next_at = NULL
WHERE webhook_id = ?1 AND next_at IS NOT NULL
    AND EXISTS (SELECT 1 FROM delivery older INDEXED BY delivery_in_lane
                WHERE older.webhook_id = ?1 AND older.lane = delivery.lane
                    AND older.state = 'waiting' AND older.event < delivery.event);

-- name: old_deliveries
SELECT d.webhook_id, d.event, d.lane FROM event e JOIN delivery d ON d.event = e.number
WHERE e.id < ?1 LIMIT ?2;

-- name: removed_deliveries
SELECT d.webhook_id, d.event, NULL FROM webhook w CROSS JOIN delivery d ON d.webhook_id = w.id
WHERE w.removed_at IS NOT NULL LIMIT ?;

-- name: forget_removed_webhooks
DELETE FROM webhook WHERE removed_at IS NOT NULL
    AND NOT EXISTS (SELECT 1 FROM delivery WHERE webhook_id = webhook.id);

-- name: forget_delivery
DELETE FROM delivery WHERE webhook_id = ? AND event = ?;

-- name: forget_attempts
DELETE FROM delivery_attempt WHERE webhook_id = ? AND event = ?;

-- name: forget_event
DELETE FROM event WHERE number = ?1 AND NOT EXISTS (SELECT 1 FROM delivery WHERE event = ?1);

-- name: erase_message_event
UPDATE event SET body = json_set(body, '$.data.content', NULL, '$.data.deleted', json('true'))
WHERE conversation_id = ? AND message_id = ?;

-- name: erase_conversation_events
UPDATE event SET body = json_set(body, '$.data.content', NULL, '$.data.deleted', json('true'))
WHERE conversation_id = ? AND message_id IS NOT NULL;

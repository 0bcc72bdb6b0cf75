-- name: every_node
SELECT m.*, p.hash, p.depth,
       (SELECT json_group_array(hex(other.hash)) FROM (
            SELECT o.hash FROM merge g JOIN message o ON o.id = g.other_id
            WHERE g.conversation_id = m.conversation_id AND g.message_id = m.id
            ORDER BY g.position) other)
FROM node m LEFT JOIN message p ON p.id = m.parent_id;

-- name: every_open_turn
SELECT id FROM turn WHERE outcome IS NULL ORDER BY id;

-- name: every_charge
SELECT t.id, t.outcome IS NOT NULL, t.key_digest IS NOT NULL, t.reserved, t.cost, t.usage,
       r.amount, s.amount, x.amount, s.prompt_tokens, s.completion_tokens, s.estimated,
       p.prompt, p.completion, p.cached
FROM turn t LEFT JOIN ledger r ON r.turn_id = t.id AND r.kind = 'reserve'
    LEFT JOIN ledger s ON s.turn_id = t.id AND s.kind = 'settle'
    LEFT JOIN ledger x ON x.turn_id = t.id AND x.kind = 'release'
    LEFT JOIN price p ON p.id = t.price_id;

-- name: every_balance
WITH entry AS (
    SELECT turn_id, account_id, key_id, end_user, organization,
           sum(CASE WHEN kind = 'reserve' THEN amount ELSE 0 END) AS reserved,
           sum(CASE WHEN kind = 'settle' THEN amount ELSE 0 END) AS spent,
           max(kind <> 'reserve') AS closed
    FROM ledger GROUP BY turn_id
), owed AS (
    SELECT 'account' AS scope, account_id AS subject, iif(closed, 0, reserved) AS reserved, spent
    FROM entry
    UNION ALL
    SELECT 'key', key_id, iif(closed, 0, reserved), spent FROM entry
    UNION ALL
    SELECT 'end_user', account_id || '/' || end_user, iif(closed, 0, reserved), spent FROM entry
    WHERE end_user IS NOT NULL
    UNION ALL
    SELECT 'organization', account_id || '/' || organization, iif(closed, 0, reserved), spent
    FROM entry WHERE organization IS NOT NULL
    UNION ALL
    SELECT 'lineage', ancestor.value, iif(closed, 0, reserved), spent
    FROM entry JOIN api_key k ON k.id = entry.key_id JOIN json_each(k.ancestors) ancestor
), summed AS (
    SELECT scope, subject, sum(reserved) AS reserved, sum(spent) AS spent
    FROM owed GROUP BY scope, subject
)
SELECT coalesce(s.scope, b.scope), coalesce(s.subject, b.subject),
       coalesce(s.reserved, 0), coalesce(s.spent, 0), coalesce(b.reserved, 0), coalesce(b.spent, 0)
FROM summed s FULL JOIN balance b ON b.scope = s.scope AND b.subject = s.subject;

-- name: every_stray
SELECT 'branch', b.id, 'its head is not a message of its conversation'
FROM branch b LEFT JOIN message m ON m.id = b.head_id AND m.conversation_id = b.conversation_id
WHERE b.head_id IS NOT NULL AND m.id IS NULL
UNION ALL
SELECT 'branch', b.id, 'the message it was forked from is missing'
FROM branch b LEFT JOIN message m ON m.id = b.forked_from_id
WHERE b.forked_from_id IS NOT NULL AND m.id IS NULL
UNION ALL
SELECT 'branch', b.id, 'its conversation is missing'
FROM branch b LEFT JOIN conversation c ON c.id = b.conversation_id WHERE c.id IS NULL
UNION ALL
SELECT 'message', m.id, 'its conversation is missing'
FROM message m LEFT JOIN conversation c ON c.id = m.conversation_id WHERE c.id IS NULL
UNION ALL
SELECT 'turn', t.id, 'its key is not of its account'
FROM turn t JOIN api_key k ON k.id = t.key_id WHERE k.account_id <> t.account_id
UNION ALL
SELECT 'turn', t.id, 'its answer is not a stored message'
FROM turn t LEFT JOIN message m ON m.id = t.message_id
WHERE t.message_id IS NOT NULL AND m.id IS NULL
UNION ALL
SELECT 'turn', id, 'what was asked cannot be read' FROM turn
WHERE NOT json_valid(CAST(request AS TEXT))
    OR (outcome IS NULL AND asked <> x'' AND NOT json_valid(CAST(asked AS TEXT)))
UNION ALL
SELECT 'turn', id, 'it has one half of an idempotency key' FROM turn
WHERE (key_digest IS NULL) <> (body_digest IS NULL)
UNION ALL
SELECT 'turn', t.id, 'its idempotency key stands for an answer that is forgotten'
FROM turn t LEFT JOIN replay r ON r.turn_id = t.id
WHERE t.key_digest IS NOT NULL AND t.outcome IS NOT NULL AND r.turn_id IS NULL
UNION ALL
SELECT 'attempt', a.turn_id, 'its turn is unknown or still open'
FROM (SELECT DISTINCT turn_id FROM attempt) a LEFT JOIN turn t ON t.id = a.turn_id
WHERE t.outcome IS NULL
UNION ALL
SELECT 'attempt', turn_id, 'its turn''s attempts are not numbered from 1 on' FROM attempt
GROUP BY turn_id HAVING min(number) <> 1 OR max(number) <> count(*)
UNION ALL
SELECT 'replay', r.turn_id, 'its turn is unknown or still open'
FROM replay r LEFT JOIN turn t ON t.id = r.turn_id WHERE t.outcome IS NULL
UNION ALL
SELECT 'replay', turn_id, 'what was said cannot be read' FROM replay
WHERE deltas <> x'' AND NOT json_valid(CAST(deltas AS TEXT))
UNION ALL
SELECT 'journal', j.turn_id, 'its turn is settled or unknown'
FROM (SELECT DISTINCT turn_id FROM journal) j LEFT JOIN turn t ON t.id = j.turn_id
WHERE t.id IS NULL OR t.outcome IS NOT NULL
UNION ALL
SELECT 'ledger', l.turn_id, 'its ' || l.kind || ' entry has no turn'
FROM ledger l LEFT JOIN turn t ON t.id = l.turn_id WHERE t.id IS NULL
UNION ALL
SELECT 'ledger', l.turn_id, 'its ' || l.kind || ' entry has another payer or price than its turn'
FROM ledger l JOIN turn t ON t.id = l.turn_id
WHERE (l.account_id, l.key_id, l.end_user, l.organization)
        IS NOT (t.account_id, t.key_id, t.end_user, t.organization)
    OR (l.price_id IS NOT NULL AND l.price_id IS NOT t.price_id)
UNION ALL
SELECT 'webhook', webhook_id, 'event ' || event || ' waits for nothing, or for nobody' FROM (
    SELECT webhook_id, event, next_at, lane IS NULL OR event = min(event) OVER (
        PARTITION BY webhook_id, lane) AS is_first
    FROM delivery WHERE state = 'waiting')
WHERE is_first <> (next_at IS NOT NULL)
UNION ALL
SELECT 'conversation', c.id, 'it has ' || c.message_count || ' messages by its own count, not ' || n
FROM conversation c JOIN (
    SELECT conversation_id, sum(deleted_at IS NULL) AS n FROM message GROUP BY conversation_id
) m ON m.conversation_id = c.id WHERE c.message_count <> n
UNION ALL
SELECT 'conversation', c.id, 'its cost is not what its turns cost'
FROM conversation c JOIN (
    SELECT conversation_id, total(cost) AS n FROM turn GROUP BY conversation_id
) t ON t.conversation_id = c.id WHERE c.cost <> n
UNION ALL
SELECT 'conversation', c.id, 'it has ' || c.branch_count || ' branches by its own count, not ' || n
FROM conversation c JOIN (
    SELECT conversation_id, sum(deleted_at IS NULL) AS n FROM branch GROUP BY conversation_id
) b ON b.conversation_id = c.id WHERE c.branch_count <> n
UNION ALL
SELECT 'branch', b.id, 'its cost is not what its turns cost'
FROM branch b LEFT JOIN (
    SELECT conversation_id, branch_id, total(cost) AS n FROM turn
    WHERE outcome IS NOT NULL AND conversation_id <> '' GROUP BY conversation_id, branch_id
) t ON t.conversation_id = b.conversation_id AND t.branch_id = b.id WHERE b.cost <> coalesce(n, 0)
UNION ALL
SELECT 'message', m.id, 'its branch is missing, or of another conversation'
FROM message m LEFT JOIN branch b ON b.conversation_id = m.conversation_id AND b.id = m.branch_id
WHERE b.id IS NULL
UNION ALL
-- A branch's own messages are a chain: each stands behind another one of it, but for the first,
-- which stands behind the message that the branch was forked from.
SELECT 'message', m.id, 'it stands behind another branch than its own was forked from'
FROM message m JOIN branch b ON b.conversation_id = m.conversation_id AND b.id = m.branch_id
    LEFT JOIN message p ON p.id = m.parent_id
WHERE p.branch_id IS NOT m.branch_id AND b.forked_from_id IS NOT m.parent_id
UNION ALL
SELECT 'branch', b.id, 'its own messages do not end at its head'
FROM branch b LEFT JOIN message h ON h.id = b.head_id LEFT JOIN message f ON f.id = b.forked_from_id
    LEFT JOIN (SELECT conversation_id, branch_id, count(*) AS n FROM message
               GROUP BY conversation_id, branch_id) own
        ON own.conversation_id = b.conversation_id AND own.branch_id = b.id
WHERE coalesce(h.depth, 0) - coalesce(f.depth, 0) <> coalesce(n, 0)
    OR (n > 0 AND h.branch_id <> b.id)
UNION ALL
SELECT 'branch', b.id, 'the message it was forked from belongs to another branch than its parent'
FROM branch b JOIN message f ON f.id = b.forked_from_id
WHERE f.branch_id IS NOT b.parent_branch_id
UNION ALL
SELECT 'merge', g.message_id, 'it names a message that is not of its conversation'
FROM merge g LEFT JOIN message m ON m.id = g.message_id AND m.conversation_id = g.conversation_id
    LEFT JOIN message o ON o.id = g.other_id AND o.conversation_id = g.conversation_id
WHERE m.id IS NULL OR o.id IS NULL
UNION ALL
SELECT 'checkpoint', c.id, 'its anchor is not a message of its conversation'
FROM checkpoint c LEFT JOIN message m
    ON m.id = c.anchor_id AND m.conversation_id = c.conversation_id AND m.depth = c.anchor_depth
WHERE m.id IS NULL
UNION ALL
SELECT 'ledger', turn_id, 'its account had spent another sum before it'
FROM (
    -- Entries were made in the order of what had been spent; those that cost nothing, anywhere.
    SELECT turn_id, spent_before,
           sum(amount) OVER (PARTITION BY account_id ORDER BY spent_before, amount > 0, turn_id)
               - amount AS summed
    FROM ledger WHERE kind <> 'reserve'
) WHERE spent_before IS NOT summed
UNION ALL
SELECT 'key', k.id, 'it is not revoked, and a key it descends from is'
FROM api_key k JOIN json_each(k.ancestors) above JOIN api_key p ON p.id = above.value
WHERE k.revoked_at IS NULL AND p.revoked_at IS NOT NULL
UNION ALL
SELECT 'entry', e.id, 'its passages are not as many, or not as long, as it says'
FROM entry e LEFT JOIN (
    SELECT number >> 20 AS entry, count(*) AS n, sum(length(text)) AS long FROM passage GROUP BY 1
) p ON p.entry = e.number
WHERE e.state = 'ready'
    AND (e.passages, e.characters) IS NOT (coalesce(p.n, 0), coalesce(p.long, 0))
UNION ALL
SELECT 'passage', p.number, 'its entry is missing'
FROM passage p LEFT JOIN entry e ON e.number = p.number >> 20 WHERE e.number IS NULL
UNION ALL
SELECT 'passage', p.number, 'it does not stand where it says in the text of its entry'
FROM passage p LEFT JOIN passage b ON b.number = p.number - 1 AND b.number >> 20 = p.number >> 20
WHERE p.at <> coalesce(b.at + length(b.text), 0) OR p.start < p.at OR p.start >= p.stop
    OR p.stop > p.at + length(p.text)
UNION ALL
SELECT 'passage', p.number, 'its words are not in the index'
FROM passage p LEFT JOIN passage_text_docsize i ON i.id = p.number WHERE i.id IS NULL
UNION ALL
SELECT 'passage', i.id, 'it is not there, and its words are in the index'
FROM passage_text_docsize i LEFT JOIN passage p ON p.number = i.id WHERE p.number IS NULL
UNION ALL
SELECT 'knowledge', a.id, 'it has another size than its entries'
FROM account a LEFT JOIN knowledge k ON k.account_id = a.id LEFT JOIN (
    SELECT account_id, count(*) AS n, sum(passages) AS parts, sum(characters) AS long
    FROM entry WHERE state = 'ready' GROUP BY account_id
) e ON e.account_id = a.id
WHERE (coalesce(k.entries, 0), coalesce(k.passages, 0), coalesce(k.characters, 0))
    IS NOT (coalesce(e.n, 0), coalesce(e.parts, 0), coalesce(e.long, 0))
UNION ALL
SELECT 'memory', m.number, 'its value has another size than it says'
FROM memory m WHERE m.size <> length(CAST(m.value AS BLOB)) OR NOT json_valid(m.value)
UNION ALL
SELECT 'memory', m.number, 'its words are not in the index'
FROM memory m LEFT JOIN memory_text_content i ON i.id = m.number WHERE i.id IS NULL
UNION ALL
SELECT 'memory', i.id, 'it is not there, and its words are in the index'
FROM memory_text_content i LEFT JOIN memory m ON m.number = i.id WHERE m.number IS NULL;

-- name: every_draft
SELECT 'entry', id, iif(state = 'draft', 'it was begun to be written, and not ended',
                        'it is not removed to its end')
FROM entry WHERE state <> 'ready';

-- name: every_overrun
SELECT b.concern, held.subject, b.amount,
       held.spent + held.reserved + coalesce(heirs.spent + heirs.reserved, 0) AS taken
FROM budget b JOIN balance held ON held.scope = iif(b.concern = 'end_users', 'end_user', b.concern)
    AND (held.subject = b.subject OR (b.concern = 'end_users'
         AND held.subject >= b.subject || '/' AND held.subject < b.subject || '0'
         AND NOT EXISTS (SELECT 1 FROM budget
                         WHERE concern = 'end_user' AND subject = held.subject)))
    LEFT JOIN balance heirs ON b.concern = 'key' AND heirs.scope = 'lineage'
        AND heirs.subject = b.subject
WHERE taken > b.amount;

-- name: charges
SELECT l.turn_id, t.request_id, l.key_id, l.end_user, t.model, t.provider, t.band, t.outcome,
       t.problem, l.prompt_tokens, l.completion_tokens, t.usage, l.amount, l.spent_before,
       t.started_at, t.ended_at
FROM ledger l JOIN turn t ON t.id = l.turn_id
WHERE {which} AND l.turn_id < :before
ORDER BY l.turn_id DESC LIMIT :limit OFFSET :offset;

-- name: count_charges
SELECT count(*) FROM ledger l JOIN turn t ON t.id = l.turn_id WHERE {which};

-- name: charge_sums
SELECT {group}, count(*), total(l.prompt_tokens), total(l.completion_tokens), sum(l.amount),
       sum((l.spent_before + l.amount) / :credit - l.spent_before / :credit),
       total(t.ended_at - t.started_at)
FROM ledger l JOIN turn t ON t.id = l.turn_id
WHERE {which} GROUP BY 1 ORDER BY 1;

-- name: spent_before
SELECT spent_before FROM allowance WHERE account_id = ? AND since >= ?;

-- name: holders
SELECT subject, turns, prompt_tokens, completion_tokens, spent, moved_at FROM balance
WHERE scope = ?1 AND (?2 IS NULL OR (subject >= ?2 || '/' AND subject < ?2 || '0'))
ORDER BY subject;

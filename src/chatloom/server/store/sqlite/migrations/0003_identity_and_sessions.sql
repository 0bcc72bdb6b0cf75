-- Who may do what, and pays for it: tiers, lineages of keys, organizations, administrators; what
-- sessions and the history of credits need.

ALTER TABLE account ADD COLUMN tier TEXT;               -- NULL for the configuration's default

ALTER TABLE api_key ADD COLUMN ancestors TEXT NOT NULL DEFAULT '[]';  -- a JSON list, parent first
ALTER TABLE api_key ADD COLUMN owner TEXT;              -- the end user it belongs to
ALTER TABLE api_key ADD COLUMN organization TEXT;
ALTER TABLE api_key ADD COLUMN routes TEXT;             -- a JSON list of patterns; NULL for all

-- Whoever made keys before can give out what every new one may: to make keys with less power.
UPDATE api_key SET scopes = json_insert(scopes, '$[#]', 'keys')
WHERE EXISTS (SELECT 1 FROM json_each(scopes) WHERE value = 'admin');

ALTER TABLE conversation ADD COLUMN organization TEXT;

ALTER TABLE turn ADD COLUMN organization TEXT;
ALTER TABLE turn ADD COLUMN band TEXT NOT NULL DEFAULT 'standard';
ALTER TABLE turn ADD COLUMN request_id TEXT NOT NULL DEFAULT '';  -- the caller's own; means nothing

ALTER TABLE ledger ADD COLUMN organization TEXT;
-- What the account had spent before this entry: so that credits, the difference of floors, are
-- the same whenever they are asked for.
ALTER TABLE ledger ADD COLUMN spent_before INTEGER;

DROP TRIGGER ledger_is_append_only;
UPDATE ledger SET spent_before = so_far.spent - ledger.amount
FROM (SELECT turn_id, kind,
             sum(amount) OVER (PARTITION BY account_id ORDER BY created_at, turn_id) AS spent
      FROM ledger WHERE kind <> 'reserve') so_far
WHERE ledger.turn_id = so_far.turn_id AND ledger.kind = so_far.kind;
CREATE TRIGGER ledger_is_append_only BEFORE UPDATE ON ledger
BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;

CREATE INDEX ledger_by_account ON ledger (account_id, turn_id) WHERE kind <> 'reserve';

-- `scope` is account, key, end_user, organization, or lineage: what a key's descendants took.
ALTER TABLE balance ADD COLUMN turns INTEGER NOT NULL DEFAULT 0;
ALTER TABLE balance ADD COLUMN prompt_tokens INTEGER NOT NULL DEFAULT 0;
ALTER TABLE balance ADD COLUMN completion_tokens INTEGER NOT NULL DEFAULT 0;
ALTER TABLE balance ADD COLUMN moved_at INTEGER NOT NULL DEFAULT 0;

UPDATE balance
SET turns = used.turns, prompt_tokens = used.prompt, completion_tokens = used.completion,
    moved_at = used.at
FROM (
    SELECT scope, subject, count(*) AS turns, sum(coalesce(prompt_tokens, 0)) AS prompt,
           sum(coalesce(completion_tokens, 0)) AS completion, max(created_at) AS at
    FROM (
        SELECT 'account' AS scope, account_id AS subject, * FROM ledger WHERE kind <> 'reserve'
        UNION ALL
        SELECT 'key', key_id, * FROM ledger WHERE kind <> 'reserve'
        UNION ALL
        SELECT 'end_user', account_id || '/' || end_user, * FROM ledger
        WHERE kind <> 'reserve' AND end_user IS NOT NULL
    ) GROUP BY scope, subject
) used
WHERE balance.scope = used.scope AND balance.subject = used.subject;

CREATE TABLE new_budget (
    concern TEXT NOT NULL
            CHECK (concern IN ('account', 'key', 'end_user', 'end_users', 'organization')),
    subject TEXT NOT NULL,
    amount  INTEGER NOT NULL,
    PRIMARY KEY (concern, subject)
) STRICT, WITHOUT ROWID;

INSERT INTO new_budget SELECT * FROM budget;
DROP TABLE budget;
ALTER TABLE new_budget RENAME TO budget;

-- What an account had spent when the period of its credits began.
CREATE TABLE allowance (
    account_id   TEXT PRIMARY KEY,
    since        INTEGER NOT NULL,
    spent_before INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE administrator (
    email      TEXT PRIMARY KEY COLLATE NOCASE,
    id         TEXT NOT NULL,
    workos_id  TEXT NOT NULL,
    name       TEXT NOT NULL,
    added_by   TEXT NOT NULL,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

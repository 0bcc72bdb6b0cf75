-- Trees of many branches. Every message belongs to one branch, on which it was said; a branch's own
-- messages are a chain, from behind the message it was forked from to its head.

-- Rows come in the order of ids, each behind its parent's: a long history used to have its first ones
-- last.
CREATE TABLE new_message (
    id              TEXT PRIMARY KEY,
    conversation_id TEXT NOT NULL,
    account_id      TEXT NOT NULL,
    parent_id       TEXT,
    depth           INTEGER NOT NULL,       -- 1 at a root
    role            TEXT NOT NULL,
    body            TEXT NOT NULL,          -- canonical JSON; '{}' once deleted
    hash            BLOB NOT NULL,          -- over version, role, content, parents' hashes
    turn_id         TEXT,
    tokens          INTEGER,
    created_at      INTEGER NOT NULL,
    answered        INTEGER NOT NULL,       -- it, or one before it, was said here, not told to us
    deleted_at      INTEGER,
    branch_id       TEXT
) STRICT;

INSERT INTO new_message SELECT *, NULL FROM message ORDER BY id;
DROP TABLE message;
ALTER TABLE new_message RENAME TO message;

CREATE INDEX message_by_hash ON message (account_id, hash);
CREATE INDEX message_by_conversation ON message (conversation_id);

ALTER TABLE branch ADD COLUMN description TEXT;
-- What the turns took that said the branch's own messages.
ALTER TABLE branch ADD COLUMN tokens_in INTEGER NOT NULL DEFAULT 0;
ALTER TABLE branch ADD COLUMN tokens_out INTEGER NOT NULL DEFAULT 0;
ALTER TABLE branch ADD COLUMN cost INTEGER NOT NULL DEFAULT 0;
-- The last time it was merged: with which head, into which branch, by which node (NULL: none was needed).
ALTER TABLE branch ADD COLUMN merged_head_id TEXT;
ALTER TABLE branch ADD COLUMN merged_into_id TEXT;
ALTER TABLE branch ADD COLUMN merged_by_id TEXT;
ALTER TABLE branch ADD COLUMN merged_at INTEGER;

ALTER TABLE conversation ADD COLUMN branch_count INTEGER NOT NULL DEFAULT 1;
ALTER TABLE conversation ADD COLUMN defaults TEXT NOT NULL DEFAULT '{}';  -- what requests need not say

CREATE INDEX conversation_recent ON conversation (account_id, updated_at)
    WHERE listed AND deleted_at IS NULL;

-- A merge node's second parent, and in order the messages it brings in. Nothing was ever merged before.
DROP TABLE merge;
CREATE TABLE merge (
    conversation_id TEXT NOT NULL,
    message_id      TEXT NOT NULL,
    position        INTEGER NOT NULL,           -- 0 is the second parent
    other_id        TEXT NOT NULL,
    PRIMARY KEY (conversation_id, message_id, position)
) STRICT, WITHOUT ROWID;

-- What requests with an idempotency key made that cost nothing; a turn keeps its own key.
CREATE TABLE made (
    account_id  TEXT NOT NULL,
    key_digest  BLOB NOT NULL,
    body_digest BLOB NOT NULL,
    made_id     TEXT NOT NULL,
    expires_at  INTEGER NOT NULL,
    PRIMARY KEY (account_id, key_digest)
) STRICT, WITHOUT ROWID;

-- It concerns a conversation, and does not grow it: a summary, say.
ALTER TABLE turn ADD COLUMN apart INTEGER NOT NULL DEFAULT 0;

-- The first branch that holds a message owns it: the main one, then the oldest.
UPDATE message SET branch_id = owner.branch_id
FROM (
    WITH RECURSIVE ranked (rank, branch_id, head_id) AS (
        SELECT row_number() OVER (ORDER BY is_main DESC, id), id, head_id
        FROM branch WHERE head_id IS NOT NULL
    ), up (rank, branch_id, id) AS (
        SELECT rank, branch_id, head_id FROM ranked
        UNION ALL
        SELECT up.rank, up.branch_id, m.parent_id
        FROM up JOIN message m ON m.id = up.id WHERE m.parent_id IS NOT NULL
    )
    SELECT id, branch_id, min(rank) FROM up GROUP BY id
) owner
WHERE message.id = owner.id;

-- What was said behind a further answer was forked from that, and holds it; it is forked from before.
UPDATE branch SET forked_from_id = iif(own.id IS NULL, named.head_id, own.parent_id)
FROM branch named LEFT JOIN (
    SELECT id, branch_id, parent_id, min(depth) FROM message GROUP BY branch_id
) own ON own.branch_id = named.id
WHERE named.id = branch.id AND NOT branch.is_main;

-- Further answers to one question were on no branch; each becomes the head of one.
INSERT INTO branch (id, conversation_id, name, head_id, forked_from_id, created_at, updated_at)
SELECT m.id, m.conversation_id, 'alternative ' || (
           (SELECT count(*) FROM branch b WHERE b.conversation_id = m.conversation_id)
           + row_number() OVER (PARTITION BY m.conversation_id ORDER BY m.id)),
       m.id, m.parent_id, m.created_at, m.created_at
FROM message m WHERE m.branch_id IS NULL;
UPDATE message SET branch_id = id WHERE branch_id IS NULL;

UPDATE branch SET parent_branch_id = coalesce(
    (SELECT branch_id FROM message WHERE message.id = branch.forked_from_id),
    (SELECT id FROM branch main WHERE main.conversation_id = branch.conversation_id AND main.is_main))
WHERE NOT is_main;

UPDATE turn SET branch_id = (SELECT branch_id FROM message WHERE message.id = turn.message_id)
WHERE message_id IS NOT NULL;
UPDATE turn SET branch_id = (
    SELECT id FROM branch main WHERE main.conversation_id = turn.conversation_id AND main.is_main)
WHERE outcome IS NOT NULL AND message_id IS NULL AND NOT EXISTS (
    SELECT 1 FROM branch b WHERE b.conversation_id = turn.conversation_id AND b.id = turn.branch_id);

UPDATE branch SET cost = said.cost, tokens_in = said.prompt, tokens_out = said.completion
FROM (
    SELECT t.conversation_id, t.branch_id, sum(coalesce(t.cost, 0)) AS cost,
           sum(iif(t.message_id IS NULL, 0, coalesce(l.prompt_tokens, 0))) AS prompt,
           sum(iif(t.message_id IS NULL, 0, coalesce(l.completion_tokens, 0))) AS completion
    FROM turn t LEFT JOIN ledger l ON l.turn_id = t.id AND l.kind <> 'reserve'
    WHERE t.outcome IS NOT NULL GROUP BY t.conversation_id, t.branch_id
) said
WHERE branch.conversation_id = said.conversation_id AND branch.id = said.branch_id;

UPDATE conversation SET branch_count = (
    SELECT count(*) FROM branch b
    WHERE b.conversation_id = conversation.id AND b.deleted_at IS NULL);

-- Main branches are found as the first of their conversation, and hardly any other ever moves.
CREATE INDEX branch_by_head ON branch (conversation_id, head_id) WHERE NOT is_main;

-- What a model made of everything up to and with a message.
CREATE TABLE checkpoint (
    id              TEXT NOT NULL,
    account_id      TEXT NOT NULL,
    conversation_id TEXT NOT NULL,
    branch_id       TEXT NOT NULL,
    anchor_id       TEXT NOT NULL,
    anchor_depth    INTEGER NOT NULL,
    summary         TEXT NOT NULL,
    tokens          INTEGER NOT NULL,
    model           TEXT,
    turn_id         TEXT,
    created_at      INTEGER NOT NULL,
    deleted_at      INTEGER,                    -- then the summary is empty
    PRIMARY KEY (id)
) STRICT;

CREATE INDEX checkpoint_by_anchor ON checkpoint (conversation_id, anchor_depth);

-- The words of messages, by their row ids: messages are never taken away. Who searches first has
-- those added that have come since `upto`, so that turns need not wait for it.
CREATE VIRTUAL TABLE message_text USING fts5 (
    account, conversation, text, content = '', tokenize = 'unicode61 remove_diacritics 2');

CREATE TABLE message_text_state (
    upto      INTEGER NOT NULL,
    forgotten INTEGER NOT NULL                  -- whether it still holds words of deleted messages
) STRICT;
INSERT INTO message_text_state VALUES (0, 0);

-- What `rows.py` reads, in its order. A migration that makes one of their tables anew drops them first.
CREATE VIEW node AS
SELECT id, conversation_id, parent_id, depth, body, hash, turn_id, tokens, created_at, answered,
       deleted_at, branch_id, account_id, rowid AS position
FROM message;

CREATE VIEW branch_seen AS
SELECT b.id, b.conversation_id, b.name, b.head_id, b.parent_branch_id, b.forked_from_id, b.is_main,
       b.active, b.description, b.context_mode, b.created_at, b.updated_at, b.tokens_in,
       b.tokens_out, b.cost, b.merged_head_id, b.merged_into_id, b.merged_by_id, b.merged_at,
       b.deleted_at, coalesce(h.depth, 0) AS head_depth, coalesce(f.depth, 0) AS fork_depth
FROM branch b LEFT JOIN message h ON h.id = b.head_id LEFT JOIN message f ON f.id = b.forked_from_id;

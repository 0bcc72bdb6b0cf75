-- What accounts know, and what is remembered of their users.

-- A version of something known. Large ones are written, and removed, in several goes: only what is
-- `ready` is seen.
CREATE TABLE entry (
    number     INTEGER PRIMARY KEY AUTOINCREMENT,  -- the version; never given twice
    id         TEXT NOT NULL,
    account_id TEXT NOT NULL REFERENCES account (id),
    state      TEXT NOT NULL CHECK (state IN ('draft', 'ready', 'doomed')),
    begun_at   INTEGER NOT NULL,
    type       TEXT NOT NULL,
    title      TEXT NOT NULL,
    format     TEXT NOT NULL,
    domain     TEXT,
    tags       TEXT NOT NULL,                      -- JSON
    confidence REAL NOT NULL,
    source     TEXT,
    facets     TEXT NOT NULL,                      -- what filters ask for, as words with blanks between
    heading    TEXT NOT NULL,                      -- the forms of the words of title and tags, a line each
    passages   INTEGER NOT NULL,
    characters INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;

CREATE UNIQUE INDEX entry_by_id ON entry (account_id, id) WHERE state = 'ready';
CREATE INDEX entry_unready ON entry (state, number) WHERE state <> 'ready';

-- Entry number * 2^20 + position, so that an entry's passages are a range, here and in the index.
CREATE TABLE passage (
    number INTEGER PRIMARY KEY,
    at     INTEGER NOT NULL,    -- where in the entry's text this text begins
    start  INTEGER NOT NULL,    -- where in the entry's text the passage is, without what is blank around it
    stop   INTEGER NOT NULL,
    text   TEXT NOT NULL,
    words  TEXT NOT NULL        -- their forms (`knowledge/words.py`), in order
) STRICT;

-- What passages are found by (`sqlite/indexing.py`); it can be made again of what stands above.
CREATE VIRTUAL TABLE passage_text USING fts5 (words, content = '', tokenize = 'ascii', detail = none);

CREATE TABLE knowledge (
    account_id TEXT PRIMARY KEY,
    entries    INTEGER NOT NULL,
    passages   INTEGER NOT NULL,
    characters INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE memory (
    number     INTEGER PRIMARY KEY AUTOINCREMENT,
    account_id TEXT NOT NULL REFERENCES account (id),
    end_user   TEXT NOT NULL,   -- '' for nobody's name
    key        TEXT NOT NULL,
    size       INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    expires_at INTEGER,
    value      TEXT NOT NULL,   -- JSON
    UNIQUE (account_id, end_user, key)
) STRICT;

CREATE INDEX memory_by_end ON memory (expires_at) WHERE expires_at IS NOT NULL;

CREATE VIRTUAL TABLE memory_text USING fts5 (
    scope, text, tokenize = 'ascii', detail = none, columnsize = 0);

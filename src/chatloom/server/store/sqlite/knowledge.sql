-- name: add_entry
INSERT INTO entry (id, account_id, state, begun_at, type, title, format, domain, tags, confidence,
                   source, facets, heading, passages, characters, created_at, updated_at)
VALUES (?, ?, 'draft', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: add_passage
INSERT INTO passage (number, at, start, stop, text, words) VALUES (?, ?, ?, ?, ?, ?);

-- name: index_passage
INSERT INTO passage_text (rowid, words) VALUES (?, ?);

-- name: unindex_passage
INSERT INTO passage_text (passage_text, rowid, words) VALUES ('delete', ?, ?);

-- name: indexed
SELECT p.number, p.words, e.account_id, e.facets, e.heading
FROM passage p JOIN entry e ON e.number = p.number >> 20
WHERE p.number BETWEEN ?1 AND ?2;

-- name: some_passages
SELECT at, start, stop, text, words FROM passage WHERE number BETWEEN ?1 AND ?2 ORDER BY number;

-- name: set_state
UPDATE entry SET state = ?2, begun_at = ?3 WHERE number = ?1;

-- name: delete_entry
DELETE FROM entry WHERE number = ?;

-- name: delete_passages
DELETE FROM passage WHERE number BETWEEN ?1 AND ?2;

-- name: last_passage
SELECT max(number) FROM passage WHERE number BETWEEN ?1 AND ?2;

-- name: add_known
INSERT INTO knowledge (account_id, entries, passages, characters) VALUES (?1, ?2, ?3, ?4)
ON CONFLICT DO UPDATE
SET entries = entries + ?2, passages = passages + ?3, characters = characters + ?4;

-- name: known
SELECT entries, passages, characters FROM knowledge WHERE account_id = ?;

-- name: forgotten_drafts
SELECT number FROM entry WHERE state = 'doomed' OR (state = 'draft' AND begun_at < ?1) LIMIT 1;

-- name: entry
SELECT id, account_id, type, title, format, domain, tags, confidence, source, passages, characters,
       created_at, updated_at, number
FROM entry WHERE account_id = ? AND id = ? AND state = 'ready';

-- name: entries
SELECT id, account_id, type, title, format, domain, tags, confidence, source, passages, characters,
       created_at, updated_at, number
FROM entry
WHERE account_id = ?1 AND state = 'ready' AND (?2 IS NULL OR id < ?2)
    AND (?3 IS NULL OR type IN (SELECT value FROM json_each(?3)))
    AND (?4 IS NULL OR EXISTS (SELECT 1 FROM json_each(?4) WHERE instr(facets, value)))
    AND NOT EXISTS (SELECT 1 FROM json_each(?5) WHERE NOT instr(facets, value))
    AND confidence >= ?6
ORDER BY id DESC LIMIT ?7;

-- name: count_entries
SELECT count(*) FROM entry
WHERE account_id = ?1 AND state = 'ready'
    AND (?2 IS NULL OR type IN (SELECT value FROM json_each(?2)))
    AND (?3 IS NULL OR EXISTS (SELECT 1 FROM json_each(?3) WHERE instr(facets, value)))
    AND NOT EXISTS (SELECT 1 FROM json_each(?4) WHERE NOT instr(facets, value))
    AND confidence >= ?5;

-- name: text_of
SELECT text FROM passage WHERE number BETWEEN ?1 AND ?2 ORDER BY number;

-- name: counted
SELECT count(*), min(n), max(n) FROM (
    SELECT rowid AS n FROM passage_text WHERE passage_text MATCH ?1 LIMIT ?2);

-- name: newest
SELECT rowid FROM passage_text WHERE passage_text MATCH ?1 ORDER BY rowid DESC LIMIT ?2;

-- name: matching
SELECT count(*) FROM (
    SELECT DISTINCT n >> 20 AS number FROM (
        SELECT rowid AS n FROM passage_text WHERE passage_text MATCH ?1 LIMIT ?2)
) found CROSS JOIN entry e ON e.number = found.number
WHERE e.account_id = ?3 AND e.state = 'ready' AND e.confidence >= ?4;

-- name: candidates
SELECT p.number, p.words, e.heading
FROM json_each(?1) wanted CROSS JOIN passage p ON p.number = wanted.value
    CROSS JOIN entry e ON e.number = p.number >> 20
WHERE e.account_id = ?2 AND e.state = 'ready' AND e.confidence >= ?3;

-- name: found
SELECT e.id, e.account_id, e.type, e.title, e.format, e.domain, e.tags, e.confidence, e.source,
       e.passages, e.characters, e.created_at, e.updated_at, e.number, p.at, p.start, p.stop, p.text
FROM passage p JOIN entry e ON e.number = p.number >> 20 WHERE p.number = ?;

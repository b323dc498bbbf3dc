-- Every statement of the ledger, by name. A block begins with its name and one line of purpose.

-- name: meta
-- Whose ledger this is.
SELECT account, base_url, instance_id, created_at_s FROM meta;

-- name: lives
-- How often it was used.
SELECT count(*) AS lives FROM lives;

-- name: sign_meta
-- Say once whose ledger this is.
INSERT INTO meta (only_row, account, base_url, instance_id, created_at_s)
VALUES (1, :account, :base_url, :instance_id, :created_at_s);

-- name: sign_migration
-- Note a migration in the transaction that applies it.
INSERT INTO migrations (number, name, applied_at_s) VALUES (:number, :name, :applied_at_s);

-- name: wrong_books
-- Scopes whose books are not the sum of their attempts; there must be none.
SELECT scope FROM (
    SELECT scope, reserved, settled FROM books
    UNION ALL
    SELECT scope, -reserved, -settled FROM attempts
) AS sums GROUP BY scope HAVING sum(reserved) <> 0 OR sum(settled) <> 0;

-- name: put_run
-- Write the run, or what its latest life knows of it.
INSERT INTO runs (run_id, name, edition, manifest_path, manifest_sha256, cap_credits, out_dir)
VALUES (:run_id, :name, :edition, :manifest_path, :manifest_sha256, :cap_credits, :out_dir)
ON CONFLICT (run_id) DO UPDATE SET
    manifest_path = excluded.manifest_path,
    manifest_sha256 = excluded.manifest_sha256,
    cap_credits = excluded.cap_credits,
    out_dir = excluded.out_dir;

-- name: put_layout
-- How the run's results are laid out, as its latest life was told.
INSERT INTO layouts (run_id, layout) VALUES (:run_id, :layout)
ON CONFLICT (run_id) DO UPDATE SET layout = excluded.layout;

-- name: layout
-- How a run's results are laid out.
SELECT layout FROM layouts WHERE run_id = :run_id;

-- name: add_note
-- What happened to a run as a whole.
INSERT INTO notes (life_id, at_s, name, data) VALUES (:life_id, :at_s, :name, :data);

-- name: notes
-- What happened to a run as a whole, over all its lives, in order.
SELECT notes.note_id, notes.life_id, notes.at_s, notes.name, notes.data
FROM lives CROSS JOIN notes ON notes.life_id = lives.life_id
WHERE lives.run_id = :run_id AND notes.note_id > :after ORDER BY notes.note_id;

-- name: open_books
-- Begin a scope's books at nothing.
INSERT INTO books (scope) VALUES (:scope) ON CONFLICT (scope) DO NOTHING;

-- name: begin_life
-- Open a life of a run.
INSERT INTO lives (run_id, started_at_s, pid, host, out_dir) VALUES (:run_id, :started_at_s, :pid, :host, :out_dir)
RETURNING life_id;

-- name: end_life
-- Close a life.
UPDATE lives SET ended_at_s = :ended_at_s, exit_code = :exit_code WHERE life_id = :life_id;

-- name: set_cap
-- A person gave the run of this life another budget.
UPDATE runs SET cap_credits = :cap_credits WHERE run_id = (SELECT run_id FROM lives WHERE life_id = :life_id);

-- name: known_identities
-- Which of these items the ledger has.
SELECT items.identity FROM json_each(:identities) AS wanted CROSS JOIN items ON items.identity = wanted.value;

-- name: plan_item
-- Write an item the ledger has never seen.
INSERT INTO items (
    identity, model, prompt, params, reference_digests, repeat, edition, price_class, state, version, first_at_s
) VALUES (
    :identity, :model, :prompt, :params, :reference_digests, :repeat, :edition, :price_class, 'planned', 1, :at_s
);

-- name: unwant_all
-- Before a life says what it wants.
UPDATE run_items SET wanted = 0 WHERE run_id = :run_id AND wanted = 1;

-- name: want_item
-- Write how a run names an item now.
INSERT INTO run_items (run_id, identity, item_index, item_key, job, axes, tags, output_stem, wanted)
VALUES (:run_id, :identity, :item_index, :item_key, :job, :axes, :tags, :output_stem, 1)
ON CONFLICT (run_id, identity) DO UPDATE SET
    item_index = excluded.item_index,
    item_key = excluded.item_key,
    job = excluded.job,
    axes = excluded.axes,
    tags = excluded.tags,
    output_stem = excluded.output_stem,
    wanted = 1;

-- name: add_event
-- Append one event.
INSERT INTO events (at_s, life_id, identity, attempt_key, type, data)
VALUES (:at_s, :life_id, :identity, :attempt_key, :type, :data);

-- name: reserve
-- Reserve an intent's bound, if it fits the cap.
UPDATE books SET reserved = reserved + :bound
WHERE scope = :scope AND (CAST(:cap AS BIGINT) IS NULL OR reserved + settled + :bound <= :cap);

-- name: move_books
-- Add what an event moves.
UPDATE books SET reserved = reserved + :reserved, settled = settled + :settled WHERE scope = :scope;

-- name: add_attempt
-- Write an attempt with its frozen body.
INSERT INTO attempts (
    "key", identity, epoch, ordinal, scope, price_class, state, body, body_sha256, bound, reserved, server_at_s,
    opened_at_s
) VALUES (
    :key, :identity, :epoch, :ordinal, :scope, :price_class, :state, :body, :body_sha256, :bound, :reserved,
    :server_at_s, :opened_at_s
);

-- name: move_attempt
-- Write where an attempt stands.
UPDATE attempts SET
    state = :state,
    reserved = :reserved,
    settled = :settled,
    ambiguous = :ambiguous,
    sends = :sends,
    task_id = :task_id,
    reserved_credits = :reserved_credits,
    final_credits = :final_credits,
    accepted_at_s = :accepted_at_s,
    finished_at_s = :finished_at_s
WHERE "key" = :key;

-- name: move_item
-- Write where an item stands, unless somebody wrote it since.
UPDATE items SET
    state = :state,
    version = :version,
    attempts = :attempts,
    sends = :sends,
    failures = :failures,
    latest_attempt_key = :latest_attempt_key,
    error_code = :error_code,
    error_message = :error_message,
    request_id = :request_id
WHERE identity = :identity AND version = :version - 1;

-- name: put_artifact
-- Write one result file, or where it stands.
INSERT INTO artifacts (attempt_key, n, url, state, file, sha256, bytes, type, life_id)
VALUES (:attempt_key, :n, :url, :state, :file, :sha256, :bytes, :type, :life_id)
ON CONFLICT (attempt_key, n) DO UPDATE SET
    url = excluded.url,
    state = excluded.state,
    file = excluded.file,
    sha256 = excluded.sha256,
    bytes = excluded.bytes,
    type = excluded.type,
    life_id = excluded.life_id;

-- name: put_upload
-- Remember what the account holds of a content.
INSERT INTO uploads (
    sha256, file_id, url, kind, name, mime_type, duration_token, duration_s, expires_at, at_s
) VALUES (
    :sha256, :file_id, :url, :kind, :name, :mime_type, :duration_token, :duration_s, :expires_at, :at_s
)
ON CONFLICT (sha256) DO UPDATE SET
    file_id = excluded.file_id,
    url = excluded.url,
    kind = excluded.kind,
    name = excluded.name,
    mime_type = excluded.mime_type,
    duration_token = excluded.duration_token,
    duration_s = excluded.duration_s,
    expires_at = excluded.expires_at,
    at_s = excluded.at_s;

-- name: records
-- Where these items stand, each with its latest attempt. The order of columns is that of `rows.record_of`.
SELECT
    i.identity, i.state, i.version, i.first_at_s, i.attempts, i.sends, i.failures, i.error_code, i.error_message,
    i.request_id,
    a."key", a.epoch, a.ordinal, a.scope, a.price_class, a.bound, a.opened_at_s, a.server_at_s, a.reserved, a.settled,
    a.ambiguous, a.sends, a.task_id, a.reserved_credits, a.final_credits, a.accepted_at_s, a.finished_at_s
FROM json_each(:identities) AS wanted
CROSS JOIN items AS i ON i.identity = wanted.value
LEFT JOIN attempts AS a ON a."key" = i.latest_attempt_key;

-- name: artifacts
-- The result files of these items' latest attempts.
SELECT i.identity, f.n, f.url, f.state, f.file, f.sha256, f.bytes, f.type
FROM json_each(:identities) AS wanted
CROSS JOIN items AS i ON i.identity = wanted.value
CROSS JOIN artifacts AS f ON f.attempt_key = i.latest_attempt_key
ORDER BY f.n;

-- name: body
-- The frozen body of an attempt.
SELECT body, body_sha256 FROM attempts WHERE "key" = :key;

-- name: task_key
-- Whose task this is.
SELECT "key" FROM attempts WHERE task_id = :task_id;

-- name: books
-- Credits of one scope.
SELECT reserved, settled FROM books WHERE scope = :scope;

-- name: class_prices
-- The highest figure the service gave for each price class.
SELECT price_class, credits FROM class_prices;

-- name: class_prices_of_attempts
-- The same in a ledger of an older shape. A zero is no price: it may only come late, or be a refund.
SELECT price_class, max(max(coalesce(reserved_credits, 0), coalesce(final_credits, 0))) AS credits
FROM attempts
WHERE reserved_credits > 0 OR final_credits > 0
GROUP BY price_class;

-- name: ends_seen
-- Ages between which the latest tasks of these price classes ended, the oldest first. Before it was noted how long a task
-- had not been looked at, no end of a task that an earlier life left can be told from the others.
WITH late AS (
    SELECT rowid AS place, identity, "key", price_class, finished_at_s - accepted_at_s AS age_s,
        row_number() OVER (PARTITION BY price_class ORDER BY rowid DESC) AS nth
    FROM attempts
    WHERE rowid > (SELECT max(rowid) FROM attempts) - :late
    AND state IN ('succeeded', 'failed') AND finished_at_s > accepted_at_s
    AND price_class IN (SELECT value FROM json_each(:classes))
), seen AS (
    SELECT late.price_class, late.age_s, late.place, json_extract(e.data, '$.polls') AS polls,
        json_extract(e.data, '$.unseen_s') AS unseen_s
    FROM late CROSS JOIN events AS e ON e.identity = late.identity AND e.attempt_key = late."key"
    WHERE late.nth <= :kept AND e.type IN ('succeeded', 'failed')
)
SELECT price_class, age_s, max(0.0, age_s - coalesce(unseen_s, 0.1 * age_s)) AS ran_s
FROM seen WHERE unseen_s IS NOT NULL OR polls IS NULL
ORDER BY place;

-- name: uploads
-- What the account holds of these contents.
SELECT uploads.*
FROM json_each(:digests) AS wanted CROSS JOIN uploads ON uploads.sha256 = wanted.value;

-- name: past_items
-- All items any life of a run wanted, in order; of one place the one it wants now comes first.
SELECT r.*, i.model, i.prompt, i.params, i.reference_digests, i.repeat, i.edition
FROM run_items AS r JOIN items AS i USING (identity)
WHERE r.run_id = :run_id
ORDER BY r.item_index, r.wanted DESC, r.identity;

-- name: past_count
-- How many items any life of a run wanted.
SELECT count(*) AS items FROM run_items WHERE run_id = :run_id;

-- name: wanted_count
-- How many items the latest life of a run wanted.
SELECT count(*) AS items FROM run_items WHERE run_id = :run_id AND wanted = 1;

-- name: named
-- How many of these any life of a run wanted.
SELECT count(*) AS items
FROM json_each(:identities) AS asked CROSS JOIN run_items AS r ON r.run_id = :run_id AND r.identity = asked.value;

-- name: fingerprint
-- What the latest life of a run was told.
SELECT manifest_sha256 FROM runs WHERE run_id = :run_id;

-- name: wanted_items
-- All that the latest life of a run wanted: where it stands, and what it is. The columns are those of `wanted.wanted_of`.
SELECT
    i.state, i.version, i.first_at_s,
    r.item_index, r.identity, r.item_key, r.job, r.axes, r.tags, r.output_stem, i.model, i.prompt, i.params,
    i.reference_digests, i.repeat, i.edition
FROM run_items AS r CROSS JOIN items AS i ON i.identity = r.identity
WHERE r.run_id = :run_id AND r.wanted = 1;

-- name: unfinished_items
-- Those of a run whose purchase goes on, or whose results may not all be saved.
SELECT r.*, i.model, i.prompt, i.params, i.reference_digests, i.repeat, i.edition
FROM run_items AS r JOIN items AS i USING (identity)
WHERE r.run_id = :run_id
AND (
    i.state IN ('submitting', 'accepted')
    OR EXISTS (
        SELECT 1 FROM attempts AS a JOIN artifacts AS f ON f.attempt_key = a."key"
        WHERE a.identity = r.identity AND f.state IN ('wanted', 'partial')
    )
)
ORDER BY r.item_index, r.wanted DESC, r.identity;

-- name: position
-- A number that grows with every event.
SELECT coalesce(max(seq), 0) AS position FROM events;

-- name: runs
-- All runs with their latest life and their books, the latest first.
SELECT r.*, l.life_id, l.started_at_s, l.pid, l.host, l.ended_at_s, l.exit_code,
    (SELECT count(*) FROM lives WHERE lives.run_id = r.run_id) AS lives,
    coalesce(b.reserved, 0) AS reserved, coalesce(b.settled, 0) AS settled
FROM runs AS r
JOIN lives AS l ON l.life_id = (SELECT max(life_id) FROM lives WHERE lives.run_id = r.run_id)
LEFT JOIN books AS b ON b.scope = r.run_id
WHERE CAST(:run_id AS TEXT) IS NULL OR r.run_id = :run_id
ORDER BY l.life_id DESC;

-- name: run_states
-- How many of the items that runs want are in each state.
SELECT r.run_id, i.state, count(*) AS items
FROM run_items AS r JOIN items AS i USING (identity)
WHERE r.wanted = 1 AND (CAST(:run_id AS TEXT) IS NULL OR r.run_id = :run_id)
GROUP BY r.run_id, i.state;

-- name: uncertain_credits
-- Credits held for attempts whose outcome needs a person.
SELECT scope, sum(reserved) AS credits FROM attempts
WHERE state IN ('uncertain', 'vanished', 'stalled') GROUP BY scope;

-- name: run_order
-- A run's items in order.
SELECT identity FROM run_items WHERE run_id = :run_id AND wanted >= :wanted ORDER BY item_index, wanted DESC, identity;

-- name: run_items
-- What a run calls these items, in the order they are asked for.
SELECT r.identity, r.item_key, r.job, r.axes, r.tags, i.model, i.prompt, i.params
FROM json_each(:identities) AS asked
CROSS JOIN run_items AS r ON r.run_id = :run_id AND r.identity = asked.value
CROSS JOIN items AS i ON i.identity = r.identity
ORDER BY asked.key;

-- name: keys_beginning
-- What a run calls the items it wants, of those whose key begins so, in order.
SELECT item_key FROM run_items
WHERE run_id = :run_id AND wanted = 1 AND substr(item_key, 1, length(:beginning)) = :beginning
ORDER BY item_index LIMIT :limit;

-- name: item_folders
-- The places that result files of these items are relative to.
SELECT i.identity, f.n, l.out_dir
FROM json_each(:identities) AS asked
CROSS JOIN items AS i ON i.identity = asked.value
CROSS JOIN artifacts AS f ON f.attempt_key = i.latest_attempt_key
CROSS JOIN lives AS l ON l.life_id = f.life_id;

-- name: run_folders
-- The output folders that result files of a run's items are relative to.
SELECT r.identity, f.n, l.out_dir
FROM run_items AS r
JOIN items AS i USING (identity)
JOIN artifacts AS f ON f.attempt_key = i.latest_attempt_key
JOIN lives AS l USING (life_id)
WHERE r.run_id = :run_id;

-- name: run_looks
-- How the ends of a run's purchases were noticed: by how many polls, and how late, if they lay in the middle of what was
-- not seen.
SELECT i.model, json_extract(e.data, '$.polls') AS polls, 0.5 * json_extract(e.data, '$.unseen_s') AS noticed_s
FROM run_items AS r
JOIN items AS i USING (identity)
JOIN attempts AS a USING (identity)
JOIN events AS e ON e.identity = a.identity AND e.attempt_key = a."key"
WHERE r.run_id = :run_id AND a.scope = :run_id AND e.type IN ('succeeded', 'failed')
AND json_extract(e.data, '$.unseen_s') IS NOT NULL;

-- name: result_states
-- Result files of what a run wants, by state.
SELECT f.state, count(*) AS files, coalesce(sum(f.bytes), 0) AS bytes
FROM run_items AS r
JOIN items AS i USING (identity)
JOIN artifacts AS f ON f.attempt_key = i.latest_attempt_key
WHERE r.run_id = :run_id AND r.wanted = 1
GROUP BY f.state;

-- name: run_sends
-- Creates that left under a run, over all its lives.
SELECT coalesce(sum(a.sends), 0) AS sends
FROM run_items AS r JOIN attempts AS a USING (identity)
WHERE r.run_id = :run_id AND a.scope = :run_id;

-- name: run_refusals
-- Creates of a run that ended without a task by the service's word, by what they proved. An attempt that was sent once
-- and taken has none, and its events are not looked at.
SELECT CASE e.type WHEN 'rejected' THEN 'rejected' ELSE json_extract(e.data, '$.outcome') END AS reason,
    count(*) AS sends
FROM run_items AS r
JOIN attempts AS a USING (identity)
JOIN events AS e ON e.identity = a.identity AND e.attempt_key = a."key"
WHERE r.run_id = :run_id AND a.scope = :run_id AND e.type IN ('rejected', 'send_ended')
AND (a.sends > 1 OR a.state IN ('submitting', 'uncertain', 'rejected'))
AND coalesce(json_extract(e.data, '$.by'), 'service') = 'service'
GROUP BY reason;

-- name: run_times
-- How long each purchase of a run took: until it had a task, and from there until it succeeded.
SELECT i.model, a.accepted_at_s - a.opened_at_s AS create_s,
    CASE a.state WHEN 'succeeded' THEN a.finished_at_s - a.accepted_at_s END AS generation_s
FROM run_items AS r
JOIN items AS i USING (identity)
JOIN attempts AS a USING (identity)
WHERE r.run_id = :run_id AND a.scope = :run_id AND a.accepted_at_s IS NOT NULL;

-- name: last_success
-- When a run of this name last ended well.
SELECT max(l.ended_at_s) AS ended_at_s
FROM runs AS r JOIN lives AS l USING (run_id)
WHERE r.name = :name AND l.exit_code = 0;

-- name: slowest
-- The items of a run that are in flight the longest.
SELECT r.item_key, a.identity, a.state, a.task_id, a.sends, a.opened_at_s, a.accepted_at_s
FROM attempts AS a JOIN run_items AS r ON r.identity = a.identity AND r.run_id = :run_id
WHERE a.state IN ('submitting', 'accepted') ORDER BY a.opened_at_s, r.item_key LIMIT :limit;

-- name: names_of_item
-- The runs that name an item: the one that was asked for, then what is wanted now and ran last.
SELECT r.run_id, r.item_key, r.job, r.axes, r.tags, r.output_stem
FROM run_items AS r
WHERE r.identity = :identity
ORDER BY r.run_id = :run_id DESC, r.wanted DESC, (SELECT max(life_id) FROM lives WHERE lives.run_id = r.run_id) DESC;

-- name: item
-- What an item is.
SELECT model, prompt, params, reference_digests, repeat, edition, price_class FROM items WHERE identity = :identity;

-- name: find_by_name
-- Items a run, or any run, calls so: what is wanted now and ran last comes first.
SELECT r.identity FROM run_items AS r
WHERE r.item_key = :word AND (CAST(:run_id AS TEXT) IS NULL OR r.run_id = :run_id)
ORDER BY r.wanted DESC, (SELECT max(life_id) FROM lives WHERE lives.run_id = r.run_id) DESC;

-- name: find_by_mark
-- Items with exactly this identity, task id or idempotency key.
SELECT identity FROM items WHERE identity = :word
UNION SELECT identity FROM attempts WHERE task_id = :word OR "key" = :word;

-- name: find_by_prefix
-- Items whose identity begins so, with or without its tag.
SELECT identity FROM items
WHERE substr(identity, 1, length(:word)) = :word
    OR substr(identity, instr(identity, '-') + 1, length(:word)) = :word
ORDER BY identity LIMIT :limit;

-- name: item_keys
-- What people can ask for.
SELECT DISTINCT item_key FROM run_items WHERE CAST(:run_id AS TEXT) IS NULL OR run_id = :run_id;

-- name: attempts_of_item
-- All attempts of an item, in the order they were opened. The columns after the first two are those of `attempt_of`.
SELECT
    a.state, a.body_sha256,
    a."key", a.epoch, a.ordinal, a.scope, a.price_class, a.bound, a.opened_at_s, a.server_at_s, a.reserved, a.settled,
    a.ambiguous, a.sends, a.task_id, a.reserved_credits, a.final_credits, a.accepted_at_s, a.finished_at_s
FROM attempts AS a WHERE a.identity = :identity ORDER BY a.epoch, a.ordinal;

-- name: artifacts_of_item
-- The result files of all attempts of an item, with the folder each is relative to.
SELECT f.*, l.out_dir
FROM attempts AS a
JOIN artifacts AS f ON f.attempt_key = a."key"
LEFT JOIN lives AS l USING (life_id)
WHERE a.identity = :identity ORDER BY f.n;

-- name: events_of_item
-- Everything that happened to an item, in order.
SELECT seq, at_s, life_id, attempt_key, type, data FROM events WHERE identity = :identity ORDER BY seq;

-- name: page_items
-- What a run calls its items and what they are, in order.
SELECT r.identity, r.item_key, r.job, r.axes, r.tags, i.model, i.prompt, i.params, i.repeat, i.reference_digests
FROM run_items AS r JOIN items AS i USING (identity)
WHERE r.run_id = :run_id AND r.wanted = 1
ORDER BY r.item_index, r.identity;

-- name: page_events
-- Everything that happened to all items any life of a run wanted, in order.
SELECT e.at_s, e.life_id, e.identity, e.type, e.data
FROM run_items AS r CROSS JOIN events AS e ON e.identity = r.identity
WHERE r.run_id = :run_id ORDER BY e.seq;

-- name: lives_of_run
-- The lives of a run, in order.
SELECT life_id, started_at_s, ended_at_s FROM lives WHERE run_id = :run_id ORDER BY life_id;

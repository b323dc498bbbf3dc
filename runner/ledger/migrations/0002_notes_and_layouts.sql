-- What happened to a run as a whole, beside what happened to its items: changes of speed, pauses, a person's steering,
-- prices that moved. For people and pages; nothing is decided by it.
CREATE TABLE notes (
    note_id INTEGER PRIMARY KEY,
    life_id INTEGER NOT NULL REFERENCES lives (life_id),
    at_s REAL NOT NULL,
    name TEXT NOT NULL,
    data TEXT NOT NULL CHECK (json_valid(data))
) STRICT;

CREATE INDEX notes_of_life ON notes (life_id, note_id);

-- How a run's results are laid out, as its latest life was told: JSON, the `report` block of each job that has one.
CREATE TABLE layouts (
    run_id TEXT PRIMARY KEY NOT NULL REFERENCES runs (run_id),
    layout TEXT NOT NULL CHECK (json_valid(layout))
) STRICT;

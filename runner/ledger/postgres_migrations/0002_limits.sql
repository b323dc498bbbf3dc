-- Several workers on one account's limits: who has how much of them, and for how long (`jobs/sharing.py`). Moments are
-- by the clock of the server.

CREATE TABLE shares (
    worker TEXT COLLATE "C" PRIMARY KEY,
    parts TEXT NOT NULL CHECK (parts::json IS NOT NULL),
    lease_until_s DOUBLE PRECISION NOT NULL,
    free_at_s DOUBLE PRECISION NOT NULL
) WITH (fillfactor = 50);

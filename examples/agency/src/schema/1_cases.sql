-- Identities are texts that sort by the time they were made; moments are milliseconds since 1970.
CREATE TABLE cases (
    id TEXT NOT NULL CONSTRAINT cases_id_key PRIMARY KEY,
    number TEXT NOT NULL CONSTRAINT cases_number_key UNIQUE,
    region_code TEXT NOT NULL CONSTRAINT cases_region_code_check
        CHECK (region_code GLOB '[0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9]'),
    comment_id TEXT CONSTRAINT cases_comment_id_key UNIQUE,
    title TEXT NOT NULL CONSTRAINT cases_title_check CHECK (title <> ''),
    state TEXT NOT NULL CONSTRAINT cases_state_check CHECK (state IN ('OPEN', 'IN_PROGRESS', 'CLOSED')),
    note TEXT,
    opened_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    opened_by TEXT NOT NULL,
    idempotency_key TEXT NOT NULL,
    CONSTRAINT cases_opened_once UNIQUE (opened_by, idempotency_key),
    CONSTRAINT cases_updated_at_check CHECK (updated_at >= opened_at)
) STRICT, WITHOUT ROWID;

CREATE INDEX cases_by_state ON cases (state, id);
CREATE INDEX cases_by_region ON cases (region_code, id);
CREATE INDEX cases_by_region_and_state ON cases (region_code, state, id);

-- How many cases each year has: the next one's number.
CREATE TABLE case_years (
    year INTEGER NOT NULL CONSTRAINT case_years_year_key PRIMARY KEY,
    cases INTEGER NOT NULL CONSTRAINT case_years_cases_check CHECK (cases > 0)
) STRICT, WITHOUT ROWID;

PRAGMA user_version = 1;

-- A case may be about an issue instead of a question. An issue has one case at most.
ALTER TABLE cases ADD COLUMN issue_id TEXT
    CONSTRAINT cases_topic_check CHECK (issue_id IS NULL OR comment_id IS NULL);

CREATE UNIQUE INDEX cases_issue_id_key ON cases (issue_id);

PRAGMA user_version = 2;

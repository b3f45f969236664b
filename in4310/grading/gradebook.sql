CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE submission (
    who TEXT NOT NULL, attempt INTEGER NOT NULL, place TEXT NOT NULL, shown TEXT NOT NULL, identity TEXT NOT NULL,
    late INTEGER, graded INTEGER NOT NULL, PRIMARY KEY (who, attempt)
);
CREATE TABLE verdict (
    id INTEGER PRIMARY KEY AUTOINCREMENT, who TEXT NOT NULL, attempt INTEGER NOT NULL, key TEXT NOT NULL,
    status TEXT NOT NULL, error TEXT NOT NULL, results BLOB, seconds REAL NOT NULL, memory INTEGER NOT NULL,
    record TEXT NOT NULL, made_at TEXT NOT NULL, stale INTEGER NOT NULL DEFAULT 0
);
CREATE UNIQUE INDEX graded_once ON verdict (who, attempt, key) WHERE NOT stale;
CREATE TABLE override (
    id INTEGER PRIMARY KEY AUTOINCREMENT, who TEXT NOT NULL, requirement TEXT NOT NULL, points REAL,
    comment TEXT NOT NULL, author TEXT NOT NULL, made_at TEXT NOT NULL
);

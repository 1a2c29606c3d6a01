"""The schema as numbered migrations: each is applied once, in order, in the transaction that counts it.

A migration that was published is never changed; a change of the schema is the next number.
"""

__all__ = ["COUNTER", "MIGRATIONS"]

COUNTER = "CREATE TABLE IF NOT EXISTS migration (number {integer} NOT NULL)"

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        """CREATE TABLE setting (
            key TEXT PRIMARY KEY,
            value TEXT NOT NULL
        )""",
        # `version` is that of the change that last touched the row; a removed extension stays as a row with
        # `deleted` = 1, so that whoever asks for the changes since a version learns of the removal too.
        """CREATE TABLE extension (
            domain TEXT NOT NULL,
            number TEXT NOT NULL,
            name TEXT NOT NULL,
            ha1_md5 TEXT NOT NULL,
            ha1_sha256 TEXT NOT NULL,
            options TEXT NOT NULL,
            version {integer} NOT NULL,
            deleted {integer} NOT NULL,
            PRIMARY KEY (domain, number)
        )""",
        "CREATE INDEX extension_version ON extension (domain, version)",
        """CREATE TABLE binding (
            aor TEXT PRIMARY KEY,
            snapshot {blob} NOT NULL,
            expires {real} NOT NULL
        )""",
        """CREATE TABLE call (
            id TEXT PRIMARY KEY,
            host TEXT NOT NULL,
            answered {integer} NOT NULL,
            snapshot {blob} NOT NULL
        )""",
        """CREATE TABLE cdr (
            id {serial},
            call_id TEXT NOT NULL,
            leg TEXT NOT NULL,
            caller TEXT NOT NULL,
            display TEXT NOT NULL,
            dialled TEXT NOT NULL,
            reached TEXT NOT NULL,
            start {real} NOT NULL,
            ring {real},
            answer {real},
            "end" {real},
            duration {real} NOT NULL,
            release_side TEXT NOT NULL,
            sip_status {integer} NOT NULL,
            q850 {integer} NOT NULL,
            cause TEXT NOT NULL,
            codec TEXT NOT NULL,
            packets_rx {integer} NOT NULL,
            bytes_rx {integer} NOT NULL,
            lost_rx {integer} NOT NULL,
            jitter_rx {real} NOT NULL,
            packets_tx {integer} NOT NULL,
            bytes_tx {integer} NOT NULL,
            lost_tx {integer} NOT NULL,
            jitter_tx {real} NOT NULL,
            marks TEXT NOT NULL,
            UNIQUE (call_id, leg)
        )""",
        "CREATE INDEX cdr_start ON cdr (start)",
    ),
    (
        # By whom and when (unix seconds) the row was written.  A write that was kept back while the database was away
        # must not undo what another host wrote since; one's own come in order, whatever the clock does.
        "ALTER TABLE binding ADD COLUMN home TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE binding ADD COLUMN written {real} NOT NULL DEFAULT 0",
    ),
    (
        # Whose packets are dropped, from `made` to `until` (unix seconds).
        """CREATE TABLE ban (
            address TEXT PRIMARY KEY,
            until {real} NOT NULL,
            reason TEXT NOT NULL,
            made {real} NOT NULL
        )""",
    ),
    (
        # What the operator keeps besides extensions: plain values as JSON, under a kind and a key (a JSON list).
        # `version` and `deleted` as with extensions, from the same counter.
        """CREATE TABLE record (
            domain TEXT NOT NULL,
            kind TEXT NOT NULL,
            key TEXT NOT NULL,
            value TEXT NOT NULL,
            version {integer} NOT NULL,
            deleted {integer} NOT NULL,
            PRIMARY KEY (domain, kind, key)
        )""",
        "CREATE INDEX record_version ON record (domain, version)",
    ),
    (
        # The line or trunk ("line/NAME") by which the call came in, and by which it went out.
        "ALTER TABLE cdr ADD COLUMN came_by TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE cdr ADD COLUMN went_by TEXT NOT NULL DEFAULT ''",
    ),
)

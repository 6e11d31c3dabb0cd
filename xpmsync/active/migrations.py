"""The tables of Active, as steps that are applied once each; a step that has been released never changes.

The schema is read by other programs and by people: times are UTC `YYYY-MM-DDTHH:MM:SSZ`, identifiers are UUIDs in lower
case, not set is NULL. Knows no data.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:  # slow to load, and needed by a database that is not up to date alone
    from sqlite_utils import Database
    from sqlite_utils.migrations import Migrations

STEPS: Final[list[Callable[["Database"], None]]] = []
"""In the order in which they are applied; each is remembered by its name."""


def make_migrations() -> "Migrations":
    """The steps, as sqlite-utils applies them."""
    from sqlite_utils.migrations import Migrations  # noqa: PLC0415 - as above

    migrations = Migrations("xpmsync")
    for step in STEPS:
        migrations()(step)
    return migrations


def _execute(db: "Database", *statements: str) -> None:
    for statement in statements:
        db.execute(statement)


@STEPS.append
def create_active_records(db: "Database") -> None:
    """Offices, users, clients and client groups: the firm's own data."""
    _execute(
        db,
        """
CREATE TABLE offices (
  code TEXT NOT NULL PRIMARY KEY CHECK (code <> ''),
  name TEXT NOT NULL,
  default_partner_id TEXT REFERENCES users (id) -- takes the clients that have no partner in XPM
) STRICT
""",
        """
CREATE TABLE users (
  id TEXT NOT NULL PRIMARY KEY,
  first_name TEXT NOT NULL,
  last_name TEXT,
  email TEXT NOT NULL,
  email_key TEXT UNIQUE, -- the e-mail address whatever its case, kept by xpmsync
  role TEXT CHECK (role IN ('User', 'Admin', 'Owner')), -- the administrator's, like office and modules
  office_code TEXT REFERENCES offices (code),
  status TEXT NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'removed', 'deactivated')),
  xpm_staff_uuid TEXT UNIQUE
) STRICT
""",
        "CREATE UNIQUE INDEX users_email ON users (email COLLATE NOCASE)",
        """
CREATE TABLE user_modules (
  user_id TEXT NOT NULL REFERENCES users (id),
  module TEXT NOT NULL CHECK (module <> ''),
  PRIMARY KEY (user_id, module)
) STRICT, WITHOUT ROWID
""",
        """
CREATE TABLE clients (
  id TEXT NOT NULL PRIMARY KEY,
  legal_name TEXT NOT NULL,
  code TEXT CHECK (code <> ''),
  code_key TEXT UNIQUE, -- the code whatever its case, kept by xpmsync
  entity_type TEXT,
  abn TEXT, -- digits: 11 of an ABN, 13 of an NZBN
  individual_title TEXT,
  individual_first_name TEXT,
  individual_last_name TEXT,
  individual_salutation TEXT,
  email TEXT,
  telephone TEXT,
  fax TEXT,
  residential_address_line_1 TEXT,
  residential_address_line_2 TEXT,
  residential_address_line_3 TEXT,
  residential_address_suburb TEXT,
  residential_address_state TEXT,
  residential_address_post_code TEXT,
  postal_address_line_1 TEXT,
  postal_address_line_2 TEXT,
  postal_address_line_3 TEXT,
  postal_address_suburb TEXT,
  postal_address_state TEXT,
  postal_address_post_code TEXT,
  partner_id TEXT NOT NULL REFERENCES users (id),
  manager_id TEXT REFERENCES users (id),
  office_code TEXT NOT NULL REFERENCES offices (code), -- the administrator's after the creation
  status TEXT NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'archived', 'deleted', 'removed')),
  xpm_client_uuid TEXT UNIQUE
) STRICT
""",
        "CREATE UNIQUE INDEX clients_code ON clients (code COLLATE NOCASE)",
        "CREATE INDEX clients_partner ON clients (partner_id)",
        "CREATE INDEX clients_manager ON clients (manager_id)",
        """
CREATE TABLE client_groups (
  id TEXT NOT NULL PRIMARY KEY,
  name TEXT NOT NULL,
  xpm_group_uuid TEXT UNIQUE
) STRICT
""",
        """
CREATE TABLE client_group_members (
  client_id TEXT NOT NULL REFERENCES clients (id),
  client_group_id TEXT NOT NULL REFERENCES client_groups (id),
  PRIMARY KEY (client_id, client_group_id)
) STRICT, WITHOUT ROWID
""",
        "CREATE INDEX client_group_members_by_group ON client_group_members (client_group_id)",
        """
CREATE TABLE synced_values (
  record_id TEXT NOT NULL PRIMARY KEY, -- of a user or client
  written TEXT NOT NULL -- JSON: the values that syncs wrote; an empty value in XPM clears these alone
) STRICT, WITHOUT ROWID
""",
    )


@STEPS.append
def create_mirror(db: "Database") -> None:
    """What XPM says, as it says it: the supported elements alone, never a tax number or bank detail."""
    _execute(
        db,
        """
CREATE TABLE xpm_staff (
  uuid TEXT NOT NULL PRIMARY KEY,
  name TEXT,
  email TEXT,
  vanished_at TEXT -- when a full list first came without it
) STRICT, WITHOUT ROWID
""",
        """
CREATE TABLE xpm_clients (
  uuid TEXT NOT NULL PRIMARY KEY,
  is_archived TEXT,
  is_deleted TEXT,
  account_manager_uuid TEXT, -- the Partner of XPM's screens
  account_manager_name TEXT,
  job_manager_uuid TEXT,
  job_manager_name TEXT,
  name TEXT,
  first_name TEXT,
  last_name TEXT,
  title TEXT,
  email TEXT,
  phone TEXT,
  fax TEXT,
  client_code TEXT,
  address TEXT,
  city TEXT,
  region TEXT,
  post_code TEXT,
  postal_address TEXT,
  postal_city TEXT,
  postal_region TEXT,
  postal_post_code TEXT,
  business_number TEXT,
  business_structure TEXT,
  groups TEXT, -- JSON; NULL: XPM never told
  contacts TEXT, -- JSON: salutation and flags of each contact; NULL: XPM never told
  vanished_at TEXT -- when a full list first came without it
) STRICT, WITHOUT ROWID
""",
        """
CREATE TABLE xpm_groups (
  uuid TEXT NOT NULL PRIMARY KEY,
  name TEXT
) STRICT, WITHOUT ROWID
""",
    )


@STEPS.append
def create_history(db: "Database") -> None:
    """The runs, the error log, what changed, and who was told."""
    _execute(
        db,
        """
CREATE TABLE sync_runs (
  id INTEGER PRIMARY KEY,
  started_at TEXT NOT NULL,
  finished_at TEXT,
  tenant_id TEXT, -- of the practice
  mode TEXT NOT NULL CHECK (mode IN ('full', 'incremental')),
  status TEXT NOT NULL CHECK (status IN ('running', 'succeeded', 'failed', 'interrupted')),
  users_created INTEGER NOT NULL DEFAULT 0,
  users_updated INTEGER NOT NULL DEFAULT 0,
  users_unchanged INTEGER NOT NULL DEFAULT 0,
  users_skipped INTEGER NOT NULL DEFAULT 0,
  clients_created INTEGER NOT NULL DEFAULT 0,
  clients_updated INTEGER NOT NULL DEFAULT 0,
  clients_unchanged INTEGER NOT NULL DEFAULT 0,
  clients_skipped INTEGER NOT NULL DEFAULT 0,
  problems INTEGER NOT NULL DEFAULT 0,
  api_calls INTEGER NOT NULL DEFAULT 0,
  bytes_received INTEGER NOT NULL DEFAULT 0,
  day_calls_remaining INTEGER, -- of Xero's daily limit, after the run
  cursor_at TEXT, -- up to when, on Xero's own clock, everything has been told
  field_table TEXT, -- which supported fields the run read
  is_watched INTEGER NOT NULL DEFAULT 0, -- 1: a person was at the terminal
  suspicious TEXT, -- JSON: what the guard stopped the run for, by kind and number
  message TEXT,
  exit_code INTEGER
) STRICT
""",
        """
CREATE TABLE sync_errors (
  id INTEGER PRIMARY KEY,
  code TEXT NOT NULL,
  severity TEXT NOT NULL CHECK (severity IN ('error', 'warning')),
  entity TEXT NOT NULL CHECK (entity IN ('user', 'client', 'run')),
  xpm_uuid TEXT,
  name TEXT,
  field TEXT,
  message TEXT NOT NULL,
  suggestion TEXT NOT NULL,
  first_seen_at TEXT NOT NULL,
  last_seen_at TEXT NOT NULL,
  times_seen INTEGER NOT NULL DEFAULT 1,
  first_run_id INTEGER NOT NULL REFERENCES sync_runs (id),
  last_run_id INTEGER NOT NULL REFERENCES sync_runs (id),
  resolved_at TEXT
) STRICT
""",
        """
CREATE UNIQUE INDEX sync_errors_open ON sync_errors
  (code, entity, coalesce(xpm_uuid, ''), coalesce(field, '')) WHERE resolved_at IS NULL
""",
        """
CREATE TABLE changes (
  id INTEGER PRIMARY KEY,
  run_id INTEGER REFERENCES sync_runs (id), -- NULL: the administrator's
  actor TEXT NOT NULL,
  changed_at TEXT NOT NULL,
  entity TEXT NOT NULL CHECK (entity IN ('user', 'client', 'group', 'office')),
  entity_id TEXT NOT NULL,
  action TEXT NOT NULL CHECK (action IN ('created', 'updated', 'linked', 'status')),
  field TEXT,
  old_value TEXT,
  new_value TEXT
) STRICT
""",
        "CREATE INDEX changes_by_record ON changes (entity_id)",
        "CREATE INDEX changes_by_run ON changes (run_id)",
        """
CREATE TABLE notifications (
  id INTEGER PRIMARY KEY,
  recipient TEXT NOT NULL,
  subject TEXT NOT NULL,
  reserved_at TEXT NOT NULL,
  sent_at TEXT,
  status TEXT NOT NULL CHECK (status IN ('reserved', 'sent', 'released'))
) STRICT
""",
    )


@STEPS.append
def create_views(db: "Database") -> None:
    """The same data with names instead of identifiers, pleasant to read in any SQLite browser."""
    _execute(
        db,
        """
CREATE VIEW client_list AS
SELECT
  clients.code, clients.legal_name, clients.entity_type, clients.abn, clients.status,
  trim(partner.first_name || ' ' || coalesce(partner.last_name, '')) AS partner,
  trim(manager.first_name || ' ' || coalesce(manager.last_name, '')) AS manager,
  offices.name AS office,
  (
    SELECT group_concat(name, '; ') FROM (
      SELECT client_groups.name
      FROM client_group_members JOIN client_groups ON client_groups.id = client_group_members.client_group_id
      WHERE client_group_members.client_id = clients.id ORDER BY client_groups.name
    )
  ) AS groups,
  clients.email, clients.telephone,
  clients.residential_address_suburb AS suburb, clients.residential_address_state AS state
FROM clients
JOIN users AS partner ON partner.id = clients.partner_id
LEFT JOIN users AS manager ON manager.id = clients.manager_id
JOIN offices ON offices.code = clients.office_code
ORDER BY clients.legal_name
""",
        """
CREATE VIEW user_list AS
SELECT
  trim(users.first_name || ' ' || coalesce(users.last_name, '')) AS name, users.email, users.role,
  offices.name AS office,
  (
    SELECT group_concat(module, '; ') FROM (SELECT module FROM user_modules WHERE user_id = users.id ORDER BY module)
  ) AS modules,
  users.status,
  (SELECT count(*) FROM clients WHERE partner_id = users.id AND clients.status = 'active') AS clients_as_partner
FROM users LEFT JOIN offices ON offices.code = users.office_code
ORDER BY name
""",
        """
CREATE VIEW open_errors AS
SELECT severity, entity, name, message, suggestion, first_seen_at, last_seen_at, times_seen, code
FROM sync_errors WHERE resolved_at IS NULL
ORDER BY severity, entity, code, name
""",
        """
CREATE VIEW change_list AS
SELECT
  changes.id, changes.changed_at, changes.entity,
  coalesce(
    clients.legal_name, trim(users.first_name || ' ' || coalesce(users.last_name, '')),
    client_groups.name, offices.name
  ) AS name,
  changes.action, changes.field, changes.old_value, changes.new_value, changes.actor, changes.run_id
FROM changes
LEFT JOIN clients ON changes.entity = 'client' AND clients.id = changes.entity_id
LEFT JOIN users ON changes.entity = 'user' AND users.id = changes.entity_id
LEFT JOIN client_groups ON changes.entity = 'group' AND client_groups.id = changes.entity_id
LEFT JOIN offices ON changes.entity = 'office' AND offices.code = changes.entity_id
ORDER BY changes.id
""",
    )


@STEPS.append
def tell_of_causes(db: "Database") -> None:
    """What problems have in common."""
    _execute(
        db,
        # What is wrong with all records of one cause, to be read after their number; NULL where one text tells of one.
        "ALTER TABLE sync_errors ADD COLUMN cause TEXT",
        "ALTER TABLE sync_errors ADD COLUMN remedy TEXT",
    )


@STEPS.append
def let_outcomes_stand(db: "Database") -> None:
    """What the last derivation found, until something that it depends on is written, by whichever program."""
    _execute(
        db,
        """
CREATE TABLE standing_outcome (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  origin TEXT NOT NULL, -- the program and the setting that it is the outcome of
  outcome TEXT -- JSON: counts and problems; NULL while the derivation runs
) STRICT
""",
        *(
            f"CREATE TRIGGER {table}_{event.lower()} AFTER {event} ON {table} "
            "BEGIN DELETE FROM standing_outcome WHERE id = 1; END"
            for table in (
                *("offices", "users", "clients", "client_groups", "client_group_members", "synced_values"),
                *("xpm_staff", "xpm_clients", "xpm_groups"),
            )
            for event in ("INSERT", "UPDATE", "DELETE")
        ),
    )


@STEPS.append
def renew_views(db: "Database") -> None:
    """Runs and the whole error log to look at; names wherever a person looks; whichever views there were before."""
    _execute(
        db,
        "DROP VIEW IF EXISTS user_list",
        """
CREATE VIEW user_list AS
SELECT
  trim(users.first_name || ' ' || coalesce(users.last_name, '')) AS name, users.email, users.status,
  CASE WHEN users.status = 'active' THEN nullif(
    ltrim(
      CASE WHEN users.role IS NULL THEN ', a role' ELSE '' END
      || CASE WHEN users.office_code IS NULL THEN ', an office' ELSE '' END
      || CASE WHEN NOT EXISTS (SELECT 1 FROM user_modules WHERE user_id = users.id) THEN ', modules' ELSE '' END,
      ', '
    ), ''
  ) END AS still_needs,
  users.role, offices.name AS office,
  (
    SELECT group_concat(module, '; ') FROM (SELECT module FROM user_modules WHERE user_id = users.id ORDER BY module)
  ) AS modules,
  (SELECT count(*) FROM clients WHERE partner_id = users.id AND clients.status = 'active') AS clients_as_partner,
  (SELECT count(*) FROM clients WHERE manager_id = users.id AND clients.status = 'active') AS clients_as_manager
FROM users LEFT JOIN offices ON offices.code = users.office_code
ORDER BY name, users.email
""",
        "DROP VIEW IF EXISTS open_errors",
        """
CREATE VIEW open_errors AS
SELECT
  sync_errors.severity, sync_errors.entity, sync_errors.name, xpm_clients.client_code,
  sync_errors.message, sync_errors.suggestion,
  sync_errors.first_seen_at, sync_errors.last_seen_at, sync_errors.times_seen, sync_errors.code
FROM sync_errors
LEFT JOIN xpm_clients ON sync_errors.entity = 'client' AND xpm_clients.uuid = sync_errors.xpm_uuid
WHERE sync_errors.resolved_at IS NULL
ORDER BY sync_errors.severity, sync_errors.entity, sync_errors.code, sync_errors.name
""",
        "DROP VIEW IF EXISTS open_causes",
        """
CREATE VIEW open_causes AS
SELECT
  severity, entity, count(*) AS records,
  -- Who they are, as long as that is quickly read; open_errors has them all.
  CASE WHEN count(*) <= 3 THEN group_concat(name, '; ') END AS names,
  CASE count(*) WHEN 1 THEN min(message) ELSE coalesce(
    count(*) || CASE entity WHEN 'client' THEN ' clients ' ELSE ' staff members ' END || cause, message
  ) END AS cause,
  CASE count(*) WHEN 1 THEN min(suggestion) ELSE coalesce(remedy, suggestion) END AS remedy,
  min(first_seen_at) AS first_seen_at, max(last_seen_at) AS last_seen_at, code, min(id) AS first_error_id
FROM sync_errors
WHERE resolved_at IS NULL
GROUP BY severity, entity, code, lower(coalesce(sync_errors.cause, message)) -- it may quote a code or an address
ORDER BY severity, records DESC, code, cause
""",
        "DROP VIEW IF EXISTS error_list",
        """
CREATE VIEW error_list AS
SELECT
  sync_errors.id, sync_errors.severity, sync_errors.entity, sync_errors.name, xpm_clients.client_code,
  sync_errors.message, sync_errors.suggestion, sync_errors.first_seen_at, sync_errors.last_seen_at,
  sync_errors.times_seen, sync_errors.resolved_at, sync_errors.code
FROM sync_errors
LEFT JOIN xpm_clients ON sync_errors.entity = 'client' AND xpm_clients.uuid = sync_errors.xpm_uuid
ORDER BY sync_errors.id DESC
""",
        "DROP VIEW IF EXISTS run_list",
        """
CREATE VIEW run_list AS
SELECT
  id AS run, started_at, unixepoch(finished_at) - unixepoch(started_at) AS seconds, mode, status, message, problems,
  users_created, users_updated, users_skipped, clients_created, clients_updated, clients_skipped,
  api_calls, bytes_received, day_calls_remaining, exit_code
FROM sync_runs
ORDER BY id DESC
""",
        "DROP VIEW IF EXISTS change_list",
        """
CREATE VIEW change_list AS
SELECT
  changes.id, changes.changed_at, changes.entity,
  coalesce(
    clients.legal_name, trim(users.first_name || ' ' || coalesce(users.last_name, '')),
    client_groups.name, offices.name,
    -- A record that is gone, such as a user merged into another, keeps the name it was created with.
    (
      SELECT creation.new_value FROM changes AS creation
      WHERE creation.entity_id = changes.entity_id AND creation.action = 'created'
    )
  ) AS name,
  changes.action, changes.field,
  -- A user is told by name.
  coalesce(trim(old_user.first_name || ' ' || coalesce(old_user.last_name, '')), changes.old_value) AS old_value,
  coalesce(trim(new_user.first_name || ' ' || coalesce(new_user.last_name, '')), changes.new_value) AS new_value,
  changes.actor, changes.run_id
FROM changes
LEFT JOIN users AS old_user ON old_user.id = changes.old_value
LEFT JOIN users AS new_user ON new_user.id = changes.new_value
LEFT JOIN clients ON changes.entity = 'client' AND clients.id = changes.entity_id
LEFT JOIN users ON changes.entity = 'user' AND users.id = changes.entity_id
LEFT JOIN client_groups ON changes.entity = 'group' AND client_groups.id = changes.entity_id
LEFT JOIN offices ON changes.entity = 'office' AND offices.code = changes.entity_id
ORDER BY changes.id DESC
""",
    )


@STEPS.append
def remember_stops(db: "Database") -> None:
    """What syncs were stopped for, record by record, and the elements that XPM does not send."""
    _execute(
        db,
        """
CREATE TABLE stopped_changes (
  mode TEXT NOT NULL CHECK (mode IN ('full', 'incremental')),
  kind TEXT NOT NULL, -- what would be lost
  xpm_uuid TEXT NOT NULL, -- of the record that would lose it; empty where all records would
  first_run_id INTEGER NOT NULL REFERENCES sync_runs (id),
  last_run_id INTEGER NOT NULL REFERENCES sync_runs (id), -- with all stopped syncs of the mode in between
  PRIMARY KEY (mode, kind, xpm_uuid, first_run_id)
) STRICT, WITHOUT ROWID
""",
        """
CREATE TABLE elements_not_sent (
  mirror_table TEXT NOT NULL CHECK (mirror_table IN ('xpm_staff', 'xpm_clients')),
  element TEXT NOT NULL,
  run_id INTEGER NOT NULL, -- the first sync whose full list came without it
  is_accepted INTEGER NOT NULL DEFAULT 0, -- 1: somebody has said that this is right
  PRIMARY KEY (mirror_table, element)
) STRICT, WITHOUT ROWID
""",
    )


@STEPS.append
def drop_notifications(db: "Database") -> None:
    """Who was alerted is in a file of its own (`xpmsync.notify.alert_file`), which needs no database."""
    _execute(db, "DROP TABLE notifications")


@STEPS.append
def remember_former_staff(db: "Database") -> None:
    """Staff entries that XPM has replaced by others, and issues of offices in the error log."""
    _execute(
        db,
        """
CREATE TABLE former_staff (
  xpm_staff_uuid TEXT NOT NULL PRIMARY KEY, -- an entry of the staff list that was created again under another UUID
  user_id TEXT NOT NULL REFERENCES users (id) -- whose clients name it, as long as XPM does not list it
) STRICT, WITHOUT ROWID
""",
        "CREATE INDEX former_staff_by_user ON former_staff (user_id)",
        *(
            f"CREATE TRIGGER former_staff_{event.lower()} AFTER {event} ON former_staff "
            "BEGIN DELETE FROM standing_outcome WHERE id = 1; END"
            for event in ("INSERT", "UPDATE", "DELETE")
        ),
        "DROP VIEW open_errors",
        "DROP VIEW open_causes",
        "DROP VIEW error_list",
        """
CREATE TABLE new_sync_errors (
  id INTEGER PRIMARY KEY,
  code TEXT NOT NULL,
  severity TEXT NOT NULL CHECK (severity IN ('error', 'warning')),
  entity TEXT NOT NULL CHECK (entity IN ('user', 'client', 'office', 'run')),
  xpm_uuid TEXT,
  name TEXT,
  field TEXT,
  message TEXT NOT NULL,
  suggestion TEXT NOT NULL,
  first_seen_at TEXT NOT NULL,
  last_seen_at TEXT NOT NULL,
  times_seen INTEGER NOT NULL DEFAULT 1,
  first_run_id INTEGER NOT NULL REFERENCES sync_runs (id),
  last_run_id INTEGER NOT NULL REFERENCES sync_runs (id),
  resolved_at TEXT,
  cause TEXT, -- what is wrong with all records of one cause, to be read after their number; NULL for a single record
  remedy TEXT
) STRICT
""",
        "INSERT INTO new_sync_errors SELECT * FROM sync_errors",
        "DROP TABLE sync_errors",
        "ALTER TABLE new_sync_errors RENAME TO sync_errors",
        """
CREATE UNIQUE INDEX sync_errors_open ON sync_errors
  (code, entity, coalesce(xpm_uuid, ''), coalesce(field, '')) WHERE resolved_at IS NULL
""",
        """
CREATE VIEW open_errors AS
SELECT
  sync_errors.severity, sync_errors.entity, sync_errors.name, xpm_clients.client_code,
  sync_errors.message, sync_errors.suggestion,
  sync_errors.first_seen_at, sync_errors.last_seen_at, sync_errors.times_seen, sync_errors.code
FROM sync_errors
LEFT JOIN xpm_clients ON sync_errors.entity = 'client' AND xpm_clients.uuid = sync_errors.xpm_uuid
WHERE sync_errors.resolved_at IS NULL
ORDER BY sync_errors.severity, sync_errors.entity, sync_errors.code, sync_errors.name
""",
        """
CREATE VIEW open_causes AS
SELECT
  severity, entity, count(*) AS records,
  -- Who they are, as long as that is quickly read; open_errors has them all.
  CASE WHEN count(*) <= 3 THEN group_concat(name, '; ') END AS names,
  CASE count(*) WHEN 1 THEN min(message) ELSE coalesce(
    count(*) || CASE entity WHEN 'client' THEN ' clients ' WHEN 'office' THEN ' offices ' ELSE ' staff members ' END
    || cause, message
  ) END AS cause,
  CASE count(*) WHEN 1 THEN min(suggestion) ELSE coalesce(remedy, suggestion) END AS remedy,
  min(first_seen_at) AS first_seen_at, max(last_seen_at) AS last_seen_at, code, min(id) AS first_error_id
FROM sync_errors
WHERE resolved_at IS NULL
GROUP BY severity, entity, code, lower(coalesce(sync_errors.cause, message)) -- it may quote a code or an address
ORDER BY severity, records DESC, code, cause
""",
        """
CREATE VIEW error_list AS
SELECT
  sync_errors.id, sync_errors.severity, sync_errors.entity, sync_errors.name, xpm_clients.client_code,
  sync_errors.message, sync_errors.suggestion, sync_errors.first_seen_at, sync_errors.last_seen_at,
  sync_errors.times_seen, sync_errors.resolved_at, sync_errors.code
FROM sync_errors
LEFT JOIN xpm_clients ON sync_errors.entity = 'client' AND xpm_clients.uuid = sync_errors.xpm_uuid
ORDER BY sync_errors.id DESC
""",
    )


@STEPS.append
def show_what_leads_nowhere(db: "Database") -> None:
    """Clients whose partner or office another program has deleted, and users whose office counts as none."""
    _execute(
        db,
        "DROP VIEW IF EXISTS client_list",
        """
CREATE VIEW client_list AS
SELECT
  clients.code, clients.legal_name, clients.entity_type, clients.abn, clients.status,
  trim(partner.first_name || ' ' || coalesce(partner.last_name, '')) AS partner,
  trim(manager.first_name || ' ' || coalesce(manager.last_name, '')) AS manager,
  offices.name AS office,
  (
    SELECT group_concat(name, '; ') FROM (
      SELECT client_groups.name
      FROM client_group_members JOIN client_groups ON client_groups.id = client_group_members.client_group_id
      WHERE client_group_members.client_id = clients.id ORDER BY client_groups.name
    )
  ) AS groups,
  clients.email, clients.telephone,
  clients.residential_address_suburb AS suburb, clients.residential_address_state AS state
FROM clients
LEFT JOIN users AS partner ON partner.id = clients.partner_id
LEFT JOIN users AS manager ON manager.id = clients.manager_id
LEFT JOIN offices ON offices.code = clients.office_code
ORDER BY clients.legal_name
""",
        "DROP VIEW IF EXISTS user_list",
        """
CREATE VIEW user_list AS
SELECT
  trim(users.first_name || ' ' || coalesce(users.last_name, '')) AS name, users.email, users.status,
  CASE WHEN users.status = 'active' THEN nullif(
    ltrim(
      CASE WHEN users.role IS NULL THEN ', a role' ELSE '' END
      || CASE WHEN offices.code IS NULL THEN ', an office' ELSE '' END
      || CASE WHEN NOT EXISTS (SELECT 1 FROM user_modules WHERE user_id = users.id) THEN ', modules' ELSE '' END,
      ', '
    ), ''
  ) END AS still_needs,
  users.role, offices.name AS office,
  (
    SELECT group_concat(module, '; ') FROM (SELECT module FROM user_modules WHERE user_id = users.id ORDER BY module)
  ) AS modules,
  (SELECT count(*) FROM clients WHERE partner_id = users.id AND clients.status = 'active') AS clients_as_partner,
  (SELECT count(*) FROM clients WHERE manager_id = users.id AND clients.status = 'active') AS clients_as_manager
FROM users LEFT JOIN offices ON offices.code = users.office_code
ORDER BY name, users.email
""",
    )

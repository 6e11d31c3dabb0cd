"""The error log: one open row for each problem of each record, which counts how often it was seen and heals itself."""

import json
import sqlite3
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Final

from xpmsync.active.database import Database
from xpmsync.system.timestamps import to_text
from xpmsync.text import fold

SEARCHED: Final = ("name", "client_code", "message")


def save_issues(
    database: Database,
    issues: Iterable[Mapping[str, str | None]],
    *,
    run_id: int,
    now: datetime,
    resolve_others: bool,
    unjudged: Collection[str] = (),
) -> None:
    """Log the problems of a run: new, or seen again.

    With `resolve_others`, open ones that are gone are resolved, but for those in `unjudged`, of which the run could not
    tell: a code, or a code and a field with a slash between them. A problem is told apart by its code, entity, XPM
    record and field.
    """
    moment = to_text(now)
    database.connection.executemany(
        "INSERT INTO sync_errors (code, severity, entity, xpm_uuid, name, field, message, suggestion, cause, remedy, "
        "first_seen_at, last_seen_at, first_run_id, last_run_id) "
        "VALUES (:code, :severity, :entity, :xpm_uuid, :name, :field, :message, :suggestion, :cause, :remedy, "
        ":now, :now, :run, :run) "
        "ON CONFLICT (code, entity, coalesce(xpm_uuid, ''), coalesce(field, '')) WHERE resolved_at IS NULL "
        "DO UPDATE SET name = excluded.name, message = excluded.message, suggestion = excluded.suggestion, "
        "cause = excluded.cause, remedy = excluded.remedy, "
        "last_seen_at = excluded.last_seen_at, last_run_id = excluded.last_run_id, "
        # What a sync says twice is seen once.
        "times_seen = times_seen + (last_run_id <> excluded.last_run_id)",
        [{**issue, "now": moment, "run": run_id} for issue in issues],
    )
    if resolve_others:
        database.connection.execute(
            "UPDATE sync_errors SET resolved_at = ? WHERE resolved_at IS NULL AND last_run_id <> ? "
            "AND code NOT IN (SELECT value FROM json_each(?3)) "
            "AND code || coalesce('/' || field, '') NOT IN (SELECT value FROM json_each(?3))",
            (moment, run_id, json.dumps(list(unjudged))),
        )


def find_issues(
    database: Database,
    *,
    since: datetime | None = None,
    run_id: int | None = None,
    entity: str | None = None,
    codes: Collection[str] = (),
    severity: str | None = None,
    search: str | None = None,
    include_resolved: bool = False,
) -> list[sqlite3.Row]:
    """The rows of the log with the client code that XPM knows each by, errors before warnings, one kind together.

    Every condition narrows them; `search` to those whose name, client code or message contains a text. `since` finds
    what was open at any moment since then; without it, and without `run_id` or `include_resolved`, what is open now.
    """
    conditions: list[str] = ["true"]
    parameters: dict[str, object] = {}
    if since is not None:
        conditions.append("(resolved_at IS NULL OR resolved_at >= :since)")
        parameters["since"] = to_text(since)
    elif run_id is None and not include_resolved:
        conditions.append("resolved_at IS NULL")
    if run_id is not None:
        # A run that failed has judged no record: it met what it failed of.
        conditions.append(
            ":run BETWEEN first_run_id AND last_run_id AND (entity = 'run' OR NOT EXISTS "
            "(SELECT 1 FROM sync_runs WHERE id = :run AND status IN ('failed', 'interrupted')))"
        )
        parameters["run"] = run_id
    if codes:
        conditions.append("code IN (SELECT value FROM json_each(:codes))")
        parameters["codes"] = json.dumps(list(codes))
    for column, value in (("entity", entity), ("severity", severity)):
        if value is not None:
            conditions.append(f"{column} = :{column}")
            parameters[column] = value
    rows = database.connection.execute(
        "SELECT sync_errors.*, xpm_clients.client_code FROM sync_errors "
        "LEFT JOIN xpm_clients ON entity = 'client' AND xpm_clients.uuid = xpm_uuid "
        f"WHERE {' AND '.join(conditions)} ORDER BY severity, entity DESC, code, sync_errors.name, id",
        parameters,
    ).fetchall()
    if search is None:
        return rows
    return [row for row in rows if any(fold(search) in fold(row[column] or "") for column in SEARCHED)]


def load_causes(database: Database) -> list[sqlite3.Row]:
    """What is open, by cause: the rows of the view `open_causes`, errors first, those of most records first."""
    return database.connection.execute("SELECT * FROM open_causes").fetchall()


def load_names(database: Database, cause: sqlite3.Row, limit: int) -> list[str | None]:
    """The names of the first records that have a cause, which is a row of `open_causes`; None where one has no name."""
    rows = database.connection.execute(
        "SELECT other.name FROM sync_errors AS first JOIN sync_errors AS other USING (severity, entity, code) "
        "WHERE first.id = ? AND other.resolved_at IS NULL "
        "AND lower(coalesce(other.cause, other.message)) = lower(coalesce(first.cause, first.message)) "
        "ORDER BY other.name IS NULL, other.name, other.id LIMIT ?",
        (cause["first_error_id"], limit),
    )
    return [row["name"] for row in rows]

"""The runs: when each began and ended, what it did, and how it ended."""

import sqlite3
from collections.abc import Mapping
from datetime import datetime

from xpmsync.active.database import Database
from xpmsync.errors import InvalidRequest
from xpmsync.system.timestamps import from_stored, to_text


def fail_unfinished_run(
    database: Database, run_id: int | None, *, exit_code: int, message: str, failed_at: datetime
) -> None:
    """Write how a run has failed that could not write so itself, if it is there and still says `running`."""
    database.connection.execute(
        "UPDATE sync_runs SET status = 'failed', finished_at = ?, message = ?, exit_code = ? "
        "WHERE status = 'running' AND id = ?",
        (to_text(failed_at), message, exit_code, run_id),
    )


def start_run(database: Database, *, tenant_id: str | None, mode: str, is_watched: bool, now: datetime) -> int:
    """Write the row of a run that begins, and mark those that never finished; gives the run's id.

    Called under the run lock: a row that still says `running` belongs to a process that died.
    """
    database.connection.execute(
        "UPDATE sync_runs SET status = 'interrupted', message = 'The run was cut off; it changed nothing.' "
        "WHERE status = 'running'"
    )
    cursor = database.connection.execute(
        "INSERT INTO sync_runs (started_at, tenant_id, mode, status, is_watched) VALUES (?, ?, ?, 'running', ?)",
        (to_text(now), tenant_id, mode, is_watched),
    )
    assert cursor.lastrowid is not None  # noqa: S101 - an INSERT has one
    return cursor.lastrowid


def finish_run(database: Database, run_id: int, *, status: str, now: datetime, values: Mapping[str, object]) -> None:
    """Write how a run ended: its status, its counts, its message and its exit code."""
    row = {"status": status, "finished_at": to_text(now), **values}
    assignments = ", ".join(f"{column} = ?" for column in row)
    # What trips over its own feet after the data was written no longer changes how the run ended.
    database.connection.execute(
        f"UPDATE sync_runs SET {assignments} WHERE id = ? AND status = 'running'",
        (*row.values(), run_id),
    )


def load_run(database: Database, run_id: int) -> sqlite3.Row | None:
    """One run."""
    row: sqlite3.Row | None = database.connection.execute("SELECT * FROM sync_runs WHERE id = ?", (run_id,)).fetchone()
    return row


def find_run(database: Database, run_id: int) -> sqlite3.Row:
    """One run; raises InvalidRequest where there is none of this id."""
    run = load_run(database, run_id)
    if run is None:
        last = [f"The last one is {row['id']}." for row in load_last_runs(database, 1)]
        raise InvalidRequest(f"There is no run {run_id}.", *(last or ["No run has been made yet."]))
    return run


def load_last_runs(database: Database, limit: int) -> list[sqlite3.Row]:
    """The last runs, newest first."""
    return database.connection.execute("SELECT * FROM sync_runs ORDER BY id DESC LIMIT ?", (limit,)).fetchall()


def load_runs_since(database: Database, moment: datetime) -> list[sqlite3.Row]:
    """The runs that began at a moment or after it, oldest first."""
    return database.connection.execute(
        "SELECT * FROM sync_runs WHERE started_at >= ? ORDER BY id", (to_text(moment),)
    ).fetchall()


def load_last_success(database: Database, *, mode: str | None = None) -> sqlite3.Row | None:
    """The last run that succeeded, of one mode or of any."""
    row: sqlite3.Row | None = database.connection.execute(
        "SELECT * FROM sync_runs WHERE status = 'succeeded' AND mode = coalesce(?, mode) ORDER BY id DESC LIMIT 1",
        (mode,),
    ).fetchone()
    return row


def load_last_success_time(database: Database, now: datetime) -> datetime | None:
    """When a run succeeded last; by Xero's clock where this computer's was ahead, so that it is in the future now."""
    row = database.connection.execute(
        "SELECT CASE WHEN finished_at <= :now THEN finished_at ELSE cursor_at END AS moment FROM sync_runs "
        "WHERE status = 'succeeded' AND moment <= :now ORDER BY id DESC LIMIT 1",
        {"now": to_text(now)},
    ).fetchone()
    return from_stored(row["moment"]) if row else None


def load_first_run(database: Database) -> sqlite3.Row | None:
    """The first run there ever was."""
    row: sqlite3.Row | None = database.connection.execute("SELECT * FROM sync_runs ORDER BY id LIMIT 1").fetchone()
    return row


def load_last_failure(database: Database) -> sqlite3.Row | None:
    """The last run that failed with nobody watching, with the remedy that its error in the log has."""
    row: sqlite3.Row | None = database.connection.execute(
        "SELECT sync_runs.*, sync_errors.suggestion AS remedy FROM sync_runs "
        "LEFT JOIN sync_errors ON sync_errors.entity = 'run' AND sync_errors.severity = 'error' "
        # A later run that a person watched may have met the same, and be the last one there.
        "AND (sync_errors.last_run_id = sync_runs.id OR sync_errors.message = sync_runs.message "
        "AND sync_runs.id BETWEEN sync_errors.first_run_id AND sync_errors.last_run_id) "
        "WHERE sync_runs.status = 'failed' AND NOT sync_runs.is_watched ORDER BY sync_runs.id DESC LIMIT 1"
    ).fetchone()
    return row


def load_failures_since_success(database: Database) -> list[sqlite3.Row]:
    """The runs that failed since the last one that succeeded, oldest first; the last one with its entry in the log."""
    return database.connection.execute(
        "SELECT sync_runs.*, sync_errors.code, sync_errors.suggestion FROM sync_runs LEFT JOIN sync_errors "
        "ON sync_errors.entity = 'run' AND sync_errors.severity = 'error' AND sync_errors.last_run_id = sync_runs.id "
        "WHERE sync_runs.status = 'failed' "
        "AND sync_runs.id > coalesce((SELECT max(id) FROM sync_runs WHERE status = 'succeeded'), 0) "
        "ORDER BY sync_runs.id"
    ).fetchall()


def load_first_success_since_failure(database: Database) -> sqlite3.Row | None:
    """The first run that succeeded since the last one that failed: since when all is well."""
    row: sqlite3.Row | None = database.connection.execute(
        "SELECT * FROM sync_runs WHERE status = 'succeeded' "
        "AND id > coalesce((SELECT max(id) FROM sync_runs WHERE status = 'failed'), 0) ORDER BY id LIMIT 1"
    ).fetchone()
    return row


def load_unwatched_starts(database: Database, since: datetime) -> list[datetime]:
    """When the runs began that nobody watched, whatever became of them, oldest first."""
    return [from_stored(row["started_at"]) for row in load_runs_since(database, since) if not row["is_watched"]]


def load_last_failed_full(database: Database) -> sqlite3.Row | None:
    """The last full run, if it failed or was stopped since the last one that succeeded."""
    row: sqlite3.Row | None = database.connection.execute(
        "SELECT * FROM sync_runs WHERE mode = 'full' AND status IN ('succeeded', 'failed') ORDER BY id DESC LIMIT 1"
    ).fetchone()
    return row if row and row["status"] == "failed" else None


def load_practice(database: Database) -> str | None:
    """The tenant id of the practice whose data this is; None while there is none."""
    row = database.connection.execute(
        "SELECT tenant_id FROM sync_runs WHERE status = 'succeeded' AND tenant_id IS NOT NULL ORDER BY id DESC LIMIT 1"
    ).fetchone()
    return row["tenant_id"] if row else None


def load_settled_practice(database: Database, chosen_id: str | None) -> str | None:
    """The practice that this home belongs to: the one whose data it is, else, once it has users, the one chosen."""
    has_users = database.connection.execute("SELECT EXISTS (SELECT 1 FROM users)").fetchone()[0]
    return load_practice(database) or (chosen_id if has_users else None)

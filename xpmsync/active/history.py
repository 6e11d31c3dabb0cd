"""What changed, when, and by whom: appended to, never rewritten; rows go only when a person prunes or erases them."""

import json
import re
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from xpmsync.active import groups, mirror
from xpmsync.active.database import Database
from xpmsync.records import RULE, XPM
from xpmsync.system.timestamps import to_text

ERASED: Final = "(erased)"
_ACTIONS: Final = {"xpm_staff_uuid": "linked", "xpm_client_uuid": "linked", "status": "status"}
"""What a change of these columns is called; of any other it is `updated`."""


@dataclass(frozen=True, slots=True)
class ChangeRow:
    """One row of the history."""

    entity: str
    entity_id: str
    action: str
    field: str | None = None
    old_value: object = None
    new_value: object = None
    is_by_rule: bool = False
    """Of a change that a sync wrote: XPM does not say so, a rule has decided it."""


def make_changes(
    entity: str,
    entity_id: str,
    current: Mapping[str, object],
    values: Mapping[str, object],
    *,
    by_rule: Collection[str] = (),
) -> list[ChangeRow]:
    """A row for each of the `values`, which replace those of `current`; a rule decides links, and columns `by_rule`."""
    return [
        ChangeRow(
            entity,
            entity_id,
            (action := _ACTIONS.get(column, "updated")),
            column,
            current[column],
            value,
            is_by_rule=action == "linked" or column in by_rule,
        )
        for column, value in values.items()
    ]


def save_changes(
    database: Database, changes: Iterable[ChangeRow], *, run_id: int | None, actor: str, now: datetime
) -> None:
    """Append changes; `run_id` is None for those that no sync wrote. `actor` is XPM, or an account of this computer."""
    moment = to_text(now)
    database.connection.executemany(
        "INSERT INTO changes (run_id, actor, changed_at, entity, entity_id, action, field, old_value, new_value) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            (
                run_id,
                RULE if actor == XPM and row.is_by_rule else actor,
                moment,
                row.entity,
                row.entity_id,
                row.action,
                row.field,
                row.old_value,
                row.new_value,
            )
            for row in changes
        ),
    )


class ChangeLog:
    """The history while somebody adds to it: every change is written at once, however many there are."""

    def __init__(self, database: Database, *, run_id: int | None, actor: str, now: datetime) -> None:
        self._database = database
        self._run_id = run_id
        self._actor = actor
        self._now = now
        self.is_empty = True

    def extend(self, changes: Iterable[ChangeRow]) -> None:
        """Append changes."""
        rows = list(changes)
        save_changes(self._database, rows, run_id=self._run_id, actor=self._actor, now=self._now)
        self.is_empty = self.is_empty and not rows

    def append(self, change: ChangeRow) -> None:
        """Append one change."""
        self.extend([change])


def load_last_change_id(database: Database) -> int:
    """The id of the last row of the history; 0 where there is none."""
    return int(database.connection.execute("SELECT coalesce(max(id), 0) FROM changes").fetchone()[0])


def find_changes(
    database: Database,
    *,
    record_id: str | None = None,
    run_id: int | None = None,
    since: datetime | None = None,
    after_id: int | None = None,
) -> list[sqlite3.Row]:
    """The history, newest first, each row with the name of its record; each condition narrows it."""
    conditions = {
        "changes.entity_id = ?": record_id,
        "changes.run_id = ?": run_id,
        "changes.changed_at >= ?": since and to_text(since),
        "changes.id > ?": after_id,
    }
    told = {condition: value for condition, value in conditions.items() if value is not None}
    return database.connection.execute(
        "SELECT changes.*, change_list.name, clients.code AS client_code "
        "FROM changes JOIN change_list USING (id) LEFT JOIN clients ON clients.id = changes.entity_id "
        f"WHERE {' AND '.join(told) or 'true'} ORDER BY changes.id DESC",
        list(told.values()),
    ).fetchall()


def load_former_names(database: Database) -> dict[str, str]:
    """The names of the users who are no more, as they were merged into others."""
    return dict(
        database.connection.execute(
            "SELECT entity_id, old_value FROM changes WHERE entity = 'user' AND field = 'merged_into' ORDER BY id"
        ).fetchall()
    )


def count_changes_before(database: Database, moment: datetime) -> int:
    """How many changes were made before `moment`."""
    (count,) = database.connection.execute(
        "SELECT count(*) FROM changes WHERE changed_at < ?", (to_text(moment),)
    ).fetchone()
    return int(count)


def prune_changes(database: Database, moment: datetime) -> int:
    """Remove the changes that were made before `moment`; gives how many."""
    return database.connection.execute("DELETE FROM changes WHERE changed_at < ?", (to_text(moment),)).rowcount


@dataclass(frozen=True)
class Mention:
    """A text about other records in which a name occurs, and what is left of it without the name."""

    table: str
    row_id: int
    column: str
    text: str


@dataclass(frozen=True)
class Traces:
    """What is kept of a record beside the record itself."""

    record_ids: tuple[str, ...]
    """Its own id, and those of the users who were merged into it."""
    changes: int
    issues: tuple[int, ...]
    """Its own problems that are resolved, by id."""
    mentions: tuple[Mention, ...]
    open_issues: int
    """They tell of the record as it is, and are not traces of the past."""
    former_entries: tuple[str, ...]
    """What the mirror holds of the record under UUIDs that XPM gave it earlier, and that nobody has now."""
    entries_still_sent: tuple[str, ...]
    """Of those the ones that XPM still sends: the next full sync brings them back."""
    groups: tuple[str, ...]
    """The client groups that the record was in, and that nobody is in now, by XPM's UUID."""


_IS_TRACE: Final = (
    "entity_id IN (SELECT value FROM json_each(?)) "
    "AND NOT (action = 'linked' AND coalesce(old_value IN (SELECT value FROM json_each(?)), false))"
)
"""Of some records, but the link to an entry that comes back, which holds UUIDs alone: by it that is erased again."""


def find_traces(database: Database, record_id: str, *, xpm_uuid: str | None, names: Collection[str]) -> Traces:
    """What `changes`, `sync_errors` and `sync_runs` hold of a record that is, or was, known by `names`."""
    record_ids = (record_id, *find_merged(database, record_id))
    former = _find_former_uuids(database, record_ids)
    uuids = json.dumps([*former, *filter(None, (xpm_uuid,))])
    entries = mirror.find_entries(database, former)
    still_sent = tuple(row["uuid"] for row in entries if row["vanished_at"] is None)
    (changes,) = database.connection.execute(
        f"SELECT count(*) FROM changes WHERE {_IS_TRACE}", (json.dumps(record_ids), json.dumps(still_sent))
    ).fetchone()
    issues = database.connection.execute(
        "SELECT id, resolved_at FROM sync_errors WHERE xpm_uuid IN (SELECT value FROM json_each(?))", (uuids,)
    ).fetchall()
    return Traces(
        record_ids,
        changes,
        tuple(row["id"] for row in issues if row["resolved_at"]),
        tuple(_find_mentions(database, names, {row["id"] for row in issues})),
        sum(row["resolved_at"] is None for row in issues),
        tuple(row["uuid"] for row in entries),
        still_sent,
        tuple(_find_lost_groups(database, record_id, former)),
    )


def find_merged(database: Database, user_id: str) -> list[str]:
    """The users who were merged into this one, some by way of others."""
    rows = database.connection.execute(
        "WITH RECURSIVE merged (id) AS (VALUES (?) UNION "
        "SELECT entity_id FROM changes JOIN merged ON new_value = merged.id WHERE field = 'merged_into') "
        "SELECT id FROM merged WHERE id <> ?",
        (user_id, user_id),
    )
    return [row["id"] for row in rows]


def _find_former_uuids(database: Database, record_ids: Collection[str]) -> list[str]:
    """The XPM records that these were linked to, and that no other is linked to now."""
    rows = database.connection.execute(
        "SELECT old_value FROM changes WHERE entity_id IN (SELECT value FROM json_each(?)) "
        "AND action = 'linked' AND old_value IS NOT NULL "
        "EXCEPT SELECT xpm_client_uuid FROM clients EXCEPT SELECT xpm_staff_uuid FROM users",
        (json.dumps(record_ids),),
    )
    return [row["old_value"] for row in rows]


def _find_lost_groups(database: Database, record_id: str, former_uuids: Sequence[str]) -> list[str]:
    """The client groups that a record was in, by its history or its former entries, and that nobody is in now."""
    rows = database.connection.execute(
        "SELECT old_value, new_value FROM changes WHERE entity_id = ? AND field = 'groups'", (record_id,)
    )
    names = {name for row in rows for text in filter(None, tuple(row)) for name in text.split("; ")}
    return groups.find_empty_groups(database, names, besides=former_uuids)


def _find_mentions(database: Database, names: Collection[str], own: Collection[int]) -> Iterator[Mention]:
    longest_first = sorted(names, key=len, reverse=True)
    pattern = re.compile("|".join(rf"(?<!\w){re.escape(name)}(?!\w)" for name in longest_first))
    places = [("sync_errors", column, "resolved_at") for column in ("message", "suggestion", "cause", "remedy")]
    for table, column, ended in (*places, ("sync_runs", "message", "finished_at")):
        rows = database.connection.execute(
            f"SELECT id, {column} AS text FROM {table} WHERE {ended} IS NOT NULL AND {column} IS NOT NULL"
        )
        for row in rows:
            text = pattern.sub(ERASED, row["text"])
            if text != row["text"] and not (table == "sync_errors" and row["id"] in own):
                yield Mention(table, row["id"], column, text)


def erase_traces(database: Database, traces: Traces) -> None:
    """Remove what was found, from the file as well: SQLite would leave what is deleted in its free pages."""
    database.connection.execute("PRAGMA secure_delete = ON")
    database.connection.execute(
        f"DELETE FROM changes WHERE {_IS_TRACE}",
        (json.dumps(traces.record_ids), json.dumps(traces.entries_still_sent)),
    )
    database.connection.executemany("DELETE FROM sync_errors WHERE id = ?", [(row_id,) for row_id in traces.issues])
    mirror.delete_entries(database, traces.former_entries)
    groups.delete_groups(database, traces.groups)
    for mention in traces.mentions:
        database.connection.execute(
            f"UPDATE {mention.table} SET {mention.column} = ? WHERE id = ?", (mention.text, mention.row_id)
        )

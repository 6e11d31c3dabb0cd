"""The Admin Centre while it is open: one transaction, the changes for the history, and finding what a person names."""

import difflib
import shlex
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from xpmsync.active.clients import load_clients, load_outlines, repair_keys
from xpmsync.active.database import Database, open_database, open_read_only
from xpmsync.active.exclusive_lock import turn
from xpmsync.active.history import ChangeRow, make_changes, save_changes
from xpmsync.active.mirror import load_listed_staff
from xpmsync.active.offices import find_office, load_offices
from xpmsync.active.users import load_former_staff, load_users
from xpmsync.audit import name_account
from xpmsync.config import Config, change_config
from xpmsync.errors import AnotherSyncRunning, InvalidRequest
from xpmsync.home import Home
from xpmsync.notify.alert_file import AlertFile
from xpmsync.preflight import check_database_kept, check_readable
from xpmsync.records import User
from xpmsync.rules.fields import CLIENT_FIELDS, STAFF_FIELDS
from xpmsync.rules.staff import Directory, make_directory
from xpmsync.text import fold

WAIT_SECONDS: Final = 10.0
"""For a run in progress; most are over within this time."""
SHORT_ID_LENGTH: Final = 8
"""So many characters of its id name a client that has no code."""
MOST_SUGGESTIONS: Final = 3

LABELS: Final[dict[str, str]] = {
    "name": "Name",
    "default_partner_id": "Default partner",
    "role": "Role",
    "office_code": "Office",
    "modules": "Modules",
    "status": "Status",
    **{field.column: field.active_name for field in CLIENT_FIELDS},
}
"""What each column is called in front of people."""
USER_LABELS: Final = LABELS | {field.column: field.active_name for field in STAFF_FIELDS}


@dataclass(frozen=True)
class Edit:
    """One field that got another value, as people read it."""

    label: str
    old: str | None
    new: str | None


@dataclass(frozen=True)
class Outcome:
    """What was done, and what follows from it."""

    headline: str
    edits: tuple[Edit, ...] = ()
    remarks: tuple[str, ...] = ()
    next_command: str | None = None


class AdminSession:
    """The data of Active as it is now, and what was changed."""

    def __init__(self, database: Database, default_office: str | None, notified: str | None = None) -> None:
        self.database = database
        self.default_office = default_office
        self.notified = notified
        """The present address of the alert recipient."""
        self.settings: dict[str, object] = {}
        """What changes in config.toml, by its key."""
        self.users = load_users(database)
        self.users_by_id = {user.id: user for user in self.users}
        self.offices = load_offices(database)
        self.changes: list[ChangeRow] = []

    def note(
        self, entity: str, entity_id: str, current: Mapping[str, Any], values: Mapping[str, Any]
    ) -> tuple[Edit, ...]:
        """Remember for the history that `values` replace those of `current`; gives the edits for people to read."""
        self.changes.extend(make_changes(entity, entity_id, current, values))
        return self.describe_edits(current, values, USER_LABELS if entity == "user" else LABELS)

    def describe_edits(
        self, current: Mapping[str, Any], values: Mapping[str, Any], labels: Mapping[str, str] = LABELS
    ) -> tuple[Edit, ...]:
        """What `values` replace of `current`, as people read it."""
        return tuple(
            Edit(labels[column], self._render(column, current[column]), self._render(column, value))
            for column, value in values.items()
            if column in labels
        )

    def _render(self, column: str, value: str | None) -> str | None:
        if column.endswith("_id"):
            user = self.users_by_id.get(value or "")
            return user.name if user else None
        return value

    def load_directory(self) -> Directory:
        """Who is who among XPM's staff and the users."""
        return make_directory(load_listed_staff(self.database), self.users, load_former_staff(self.database))

    def find_office(self, code: str) -> sqlite3.Row:
        """The office with this code, whatever its case."""
        if office := find_office(self.database, code):
            return office
        near = find_near(
            code, ((office[key], describe_office(office)) for office in self.offices for key in ("code", "name"))
        )
        raise InvalidRequest(
            f"Active has no office with the code “{code}”.", near or "See which there are: xpmsync admin office list"
        )

    def find_user(self, email: str) -> User:
        """The user with this email address, whatever its case; of two who have it, the one who has it exactly so."""
        if found := [user for user in self.users if fold(user.email) == fold(email)]:
            return next((user for user in found if user.email == email), found[0])
        # By what stands before the @: all of a firm have the rest in common.
        near = find_near(
            email.partition("@")[0],
            ((key, describe_user(user)) for user in self.users for key in (user.email.partition("@")[0], user.name)),
        )
        raise InvalidRequest(
            f"Active has no user with the e-mail address “{email}”.",
            near or "See who there is: xpmsync admin user list",
        )

    def find_partner(self, email: str, *, current_id: str | None = None) -> User:
        """A user whom clients can be given to; the one who has them now, `current_id`, may keep them."""
        user = self.find_user(email)
        if user.status != "active" and user.id != current_id:
            way_out = (
                "this one is not on XPM's staff list."
                if user.status == "removed"
                else f"or make this one active again: xpmsync admin user activate {name_user(user)}"
            )
            raise InvalidRequest(
                f"{describe_user(user)} cannot be given clients: the user's status is “{user.status}”.",
                f"Choose another user; {way_out}",
            )
        return user

    def find_client(self, code: str) -> dict[str, Any]:
        """The client with this code, whatever its case, else the one whose id is, or begins with, this text."""
        outlines = load_outlines(self.database)
        found = [row for row in outlines if row["code"] == code]
        found = found or [row for row in outlines if row["code"] and fold(row["code"]) == fold(code)]
        if not found and len(code.strip()) >= SHORT_ID_LENGTH:
            found = [row for row in outlines if row["id"].startswith(fold(code))]
        if len(found) == 1:
            client_id = found[0]["id"]
            return load_clients(self.database, [client_id])[client_id]
        if found:
            raise InvalidRequest(f"The ids of several clients begin with {code}.", "Write more of the id.")
        near = find_near(
            code, ((key, describe_client(row)) for row in outlines for key in (row["code"], row["legal_name"]) if key)
        )
        raise InvalidRequest(
            f"Active has no client with the code or id “{code}”.",
            near or "Look for it by its name: xpmsync admin client list --search TEXT",
        )


@contextmanager
def read_session(home: Home) -> Iterator[AdminSession]:
    """The Admin Centre to look at; a sync in progress is no obstacle, and no database is made where there is none."""
    check_readable(home)
    with open_read_only(home.database_file) as database:
        yield AdminSession(database, default_office=None)


@contextmanager
def open_session(home: Home, config: Config, *, now: datetime) -> Iterator[AdminSession]:
    """The Admin Centre for the length of a ``with`` block; its changes are written at the end, all or none.

    Raises AnotherSyncRunning where a sync goes on for longer than one likes to wait.
    """
    busy = AnotherSyncRunning("A sync is in progress, so nothing was changed.", "Try again in a few minutes.")
    with turn(home.run_lock, busy, wait_seconds=WAIT_SECONDS):
        check_database_kept(home, config)
        with open_database(home.database_file) as database, database.transaction():
            repair_keys(database)
            recipient = AlertFile(home.alert_file).find_recipient(config.notify.email, load_users(database))
            session = AdminSession(database, config.sync.default_office_code, recipient.address if recipient else None)
            yield session
            save_changes(database, session.changes, run_id=None, actor=name_account(), now=now)
            # Before the commit: where the settings cannot be written, nothing is. And should the computer stop in
            # between, they name somebody who uses Active already, and the same command does the rest.
            if session.settings:
                change_config(home, session.settings)


def compare(current: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Those of the wanted values that differ."""
    return {column: value for column, value in wanted.items() if current[column] != value}


def describe_office(office: Mapping[str, Any] | sqlite3.Row) -> str:
    """An office as a sentence names it."""
    return f"{office['name']} ({office['code']})"


def describe_user(user: User) -> str:
    """A user as a sentence names them."""
    return f"{user.name} ({user.email})"


def describe_client(client: Mapping[str, Any] | sqlite3.Row) -> str:
    """A client as a sentence names it."""
    return f"{client['legal_name']} ({find_key(client)})"


def name_user(user: User) -> str:
    """A user as a command names them."""
    return shlex.quote(user.email)


def name_client(client: Mapping[str, Any] | sqlite3.Row) -> str:
    """A client as a command names it."""
    return shlex.quote(find_key(client))


def find_key(client: Mapping[str, Any] | sqlite3.Row) -> str:
    """What names this client and no other: its code, else the beginning of its id."""
    return str(client["code"] or client["id"][:SHORT_ID_LENGTH])


def count_clients(count: int) -> str:
    """A number of clients as a sentence tells it."""
    return "1 client" if count == 1 else f"{count:,} clients"


def nothing_to_change(described: str) -> Outcome:
    """What is said where nothing differs."""
    return Outcome(f"Nothing to change: {described} is like that already.")


def find_near(text: str, choices: Iterable[tuple[str, str]]) -> str | None:
    """A question that names what resembles `text`; `choices` are keys with what each stands for."""
    described = {fold(key): description for key, description in choices}
    keys = difflib.get_close_matches(fold(text), described, n=MOST_SUGGESTIONS)
    keys += [key for key in described if fold(text) in key] if text.strip() else []
    near = list(dict.fromkeys(described[key] for key in keys))[:MOST_SUGGESTIONS]
    return f"Did you mean {' or '.join(near)}?" if near else None

"""The history for people: whose it is, what changed in the words of Active's screens, and when it is let go of.

Finds the client or user whom a person names. Rows are only ever removed in two ways, both written down: all that are
older than a year at least (pruned), or those of one record (erased). Knows no terminal; the record itself, and what XPM
says of it, is not touched here.
"""

import itertools
import logging
import shlex
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from xpmsync.active import history
from xpmsync.active.clients import load_clients, load_outlines
from xpmsync.active.error_log import find_issues
from xpmsync.active.history import ChangeRow, Traces
from xpmsync.admin.outside import find_outside
from xpmsync.admin.session import (
    LABELS,
    SHORT_ID_LENGTH,
    AdminSession,
    Outcome,
    describe_client,
    describe_user,
    find_key,
    find_near,
)
from xpmsync.errors import InvalidRequest
from xpmsync.rules.fields import STAFF_FIELDS
from xpmsync.text import fold

log = logging.getLogger(__name__)

MOST_MATCHES: Final = 20
MOST_EXPLAINED: Final = 3
COLUMNS: Final = (
    "id",
    "changed_at",
    "run_id",
    "actor",
    "entity",
    "entity_id",
    "name",
    "client_code",
    "action",
    "field",
    "label",
    "old_value",
    "new_value",
    "old_text",
    "new_text",
)
"""What is told of each change: values as they are stored, and texts as people read them."""
OWN_LABELS: Final[Mapping[str, str]] = {
    "xpm_staff_uuid": "Link with XPM",
    "xpm_client_uuid": "Link with XPM",
    "former_staff": "Former entry in XPM",
    "history": "History",
    "merged_into": "Merged into",
    "merged_from": "Took over from",
}
STAFF_LABELS: Final[Mapping[str, str]] = {field.column: field.active_name for field in STAFF_FIELDS}


@dataclass(frozen=True)
class Subject:
    """A client or user whose history is asked for."""

    entity: str
    id: str
    name: str
    described: str
    key: str
    """What names this one and no other: the client code or e-mail address, else the beginning of the id."""
    email: str | None
    xpm_uuid: str | None

    def is_called(self, text: str) -> bool:
        """Whether `text` is this one's key, or its id or the beginning of it."""
        return text == fold(self.key) or (len(text) >= SHORT_ID_LENGTH and self.id.startswith(text))

    def is_named(self, text: str) -> bool:
        """Whether `text` is this one's whole name or e-mail address, which others may have too."""
        return text in (fold(self.name), fold(self.email or ""))

    def contains(self, text: str) -> bool:
        """Whether `text` is a part of what this one is known by."""
        return any(text in fold(known) for known in (self.name, self.key, self.email or ""))


def find_subjects(session: AdminSession, who: str, *, entity: str | None = None) -> list[Subject]:
    """Those whom `who` names: by code, e-mail address or id, else by the whole name, else by a part of it."""
    subjects = [subject for subject in _list_subjects(session) if entity in (None, subject.entity)]
    kinds = [entity] if entity else ["client", "user"]
    text = fold(who)
    for fits in (Subject.is_called, Subject.is_named, Subject.contains):
        found = [subject for subject in subjects if text and fits(subject, text)]
        if len(found) > MOST_MATCHES:
            raise InvalidRequest(
                f"{len(found):,} {' and '.join(f'{kind}s' for kind in kinds)} match “{who}”.",
                "Write more of the name, or the client code or e-mail address.",
            )
        if found:
            return sorted(found, key=lambda subject: (fold(subject.name), subject.key))
    remedy = suggest_others(session, who, kinds)
    if remedy is None:
        remedy = f"See which there are: {', '.join(f'xpmsync admin {kind} list' for kind in kinds)}"
    raise InvalidRequest(f"Active has no {' or '.join(kinds)} with the code, name or e-mail address “{who}”.", remedy)


def suggest_others(session: AdminSession, who: str, kinds: Collection[str]) -> str | None:
    """Where a client or user may be whom nobody in Active matches, or who may be meant instead."""
    outside = find_outside(session.database, who) if who.strip() and "client" in kinds else []
    if outside:
        more = f" See all of them: xpmsync admin client list --search {shlex.quote(who)}"
        explained = [each.explain() for each in outside[:MOST_EXPLAINED]]
        return " ".join(explained) + (more if len(outside) > MOST_EXPLAINED else "")
    if who.strip() and any(find_issues(session.database, entity=kind, search=who) for kind in kinds):
        return f"In XPM it may be one that could not be synced. See why: xpmsync errors --search {shlex.quote(who)}"
    subjects = [subject for subject in _list_subjects(session) if subject.entity in kinds]
    return find_near(
        who,
        ((key, subject.described) for subject in subjects for key in (subject.name, subject.key, subject.email) if key),
    )


def _list_subjects(session: AdminSession) -> Iterator[Subject]:
    for user in session.users:
        yield Subject("user", user.id, user.name, describe_user(user), user.email, user.email, user.xpm_staff_uuid)
    for user_id, name in history.load_former_names(session.database).items():
        key = user_id[:SHORT_ID_LENGTH]
        yield Subject("user", user_id, name, f"{name} ({key}), who was merged into another", key, None, None)
    clients = load_clients(session.database, [row["id"] for row in load_outlines(session.database)])
    for client in clients.values():
        yield Subject(
            "client",
            client["id"],
            client["legal_name"],
            describe_client(client),
            find_key(client),
            client["email"],
            client["xpm_client_uuid"],
        )


def list_changes(
    session: AdminSession, *, record_id: str | None = None, run_id: int | None = None, since: datetime | None = None
) -> list[dict[str, Any]]:
    """What changed, newest first; each condition narrows it."""
    names = history.load_former_names(session.database) | {user.id: user.name for user in session.users}
    changes = []
    for row in history.find_changes(session.database, record_id=record_id, run_id=run_id, since=since):
        change = dict(row)
        for side in ("old", "new"):
            value = change[f"{side}_value"]
            change[f"{side}_text"] = names.get(value, value)
        change["label"] = _find_label(change["entity"], change["field"])
        changes.append({column: change[column] for column in COLUMNS})
    return changes


def _find_label(entity: str, field: str | None) -> str:
    """What Active's screens call a field; a row without one is the creation of its record."""
    if field is None:
        return "Created"
    own = STAFF_LABELS if entity == "user" else {}
    return {**LABELS, **OWN_LABELS, **own}.get(field, field)


# Letting go of it.


def check_day(day: date, today: date) -> None:
    """Refuse a day that is less than a year ago: so long the history is kept in any case."""
    is_leap_day = (today.month, today.day) == (2, 29)
    latest = today.replace(year=today.year - 1, day=28 if is_leap_day else today.day)
    if day > latest:
        raise InvalidRequest(
            f"The history is kept for at least a year, and {day} is less than a year ago.",
            f"Name a day up to {latest}.",
        )


def prune(session: AdminSession, moment: datetime) -> int:
    """Remove all changes that were made before `moment`; gives how many."""
    count = history.prune_changes(session.database, moment)
    log.info("the history before %s was pruned: %d changes", moment.isoformat(), count)
    return count


def find_traces(session: AdminSession, subject: Subject) -> Traces:
    """What the history, the error log and the runs hold of a record beyond its present state."""
    names = _collect_names(session, subject)
    return history.find_traces(session.database, subject.id, xpm_uuid=subject.xpm_uuid, names=names)


def _collect_names(session: AdminSession, subject: Subject) -> set[str]:
    """Every name and, of a user, every e-mail address that the record has or had: what other records' problems say.

    Also those of the users who were merged into it.
    """
    former_names = history.load_former_names(session.database)
    names = {subject.name}
    held: dict[str | None, set[str]] = {}
    for record_id in (*history.find_merged(session.database, subject.id), subject.id):
        held = {}
        for row in history.find_changes(session.database, record_id=record_id):
            held.setdefault(row["field"], set()).update(filter(None, (row["old_value"], row["new_value"])))
        names |= held.get(None, set()) | held.get("legal_name", set())
        if record_id in former_names:
            names |= {former_names[record_id], *held.get("email", ())}
    if user := session.users_by_id.get(subject.id):
        firsts = {user.first_name, *held.get("first_name", ())}
        lasts = {user.last_name, *held.get("last_name", ())}
        names |= {f"{first} {last}" for first, last in itertools.product(firsts, lasts) if last}
        names |= {user.email, *held.get("email", ())}
    return names


def erase(session: AdminSession, subject: Subject) -> Outcome:
    """Erase what was found of a record by `find_traces`, and write down that it was."""
    history.erase_traces(session.database, find_traces(session, subject))
    session.changes.append(ChangeRow(subject.entity, subject.id, "updated", "history", new_value="erased"))
    log.info("the history of the %s %s was erased", subject.entity, subject.id)
    return Outcome(f"The history of {subject.described} is erased.")

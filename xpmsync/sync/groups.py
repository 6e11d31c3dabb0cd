"""Derives Active's client groups: made when a client is first in them, renamed when XPM renames them, never deleted."""

import uuid
from collections.abc import Iterable

from xpmsync.active import groups as active_groups
from xpmsync.active import mirror
from xpmsync.active.database import Database
from xpmsync.active.history import ChangeRow
from xpmsync.rules.reading import read_name
from xpmsync.sync.derivation import Derivation


class Groups:
    """The client groups of Active while clients are derived."""

    def __init__(self, database: Database, result: Derivation) -> None:
        self._database = database
        self._result = result
        told = mirror.load_group_names(database)
        self._told_names = {xpm_uuid: read_name(name) for xpm_uuid, name in told.items()}
        self._names: dict[str, str] = {}
        self._ids: dict[str, str] = {}
        for group_id, name, xpm_group_uuid in active_groups.load_groups(database):
            self._names[group_id] = name
            if xpm_group_uuid:
                self._ids[xpm_group_uuid] = group_id
                self._rename(group_id, self._told_names.get(xpm_group_uuid))

    def find(self, xpm_group_uuid: str) -> str | None:
        """The id of the group in Active, made now if need be; None for a group that has no name yet."""
        if xpm_group_uuid not in self._ids and (name := self._told_names.get(xpm_group_uuid)):
            group_id = str(uuid.uuid4())
            active_groups.insert_group(self._database, group_id, name, xpm_group_uuid)
            self._result.changes.append(ChangeRow("group", group_id, "created", new_value=name))
            self._ids[xpm_group_uuid], self._names[group_id] = group_id, name
        return self._ids.get(xpm_group_uuid)

    def describe(self, group_ids: Iterable[str]) -> str | None:
        """The names of groups as one text, as the history keeps a client's memberships."""
        return "; ".join(sorted(self._names[group_id] for group_id in group_ids)) or None

    def _rename(self, group_id: str, told_name: str | None) -> None:
        name = self._names[group_id]
        if told_name and told_name != name:
            active_groups.rename_group(self._database, group_id, told_name)
            self._result.changes.append(ChangeRow("group", group_id, "updated", "name", name, told_name))
            self._names[group_id] = told_name

"""Derives Active's clients, with their partner and groups, from every client that XPM ever told of."""

import uuid
from collections.abc import Mapping, Sequence
from typing import Any, Final

from xpmsync.active import clients as active_clients
from xpmsync.active import groups as active_groups
from xpmsync.active import mirror, offices, written
from xpmsync.active import users as active_users
from xpmsync.active.database import Database
from xpmsync.active.history import ChangeRow
from xpmsync.derive.groups import Groups
from xpmsync.derive.result import Derivation
from xpmsync.rules.clients import OUTLINE_COLUMNS, ClientPlan, ClientRecord, plan_clients, read_client
from xpmsync.rules.comparing import compare, compare_groups
from xpmsync.rules.problems import problem
from xpmsync.rules.staff import Directory, make_directory

BATCH_SIZE: Final = 500
"""Clients that are in memory at once."""


def derive_clients(database: Database, result: Derivation, default_office: str) -> None:
    """Create, change and link clients; those archived, deleted or gone in XPM keep their data and get the status."""
    users = active_users.load_users(database)
    directory = make_directory(mirror.load_listed_staff(database), users)
    records = [ClientRecord(*row) for row in active_clients.load_outlines(database)]
    default_partners = {office["code"]: office["default_partner_id"] for office in offices.load_offices(database)}
    outlines = mirror.iterate_clients(database, OUTLINE_COLUMNS)
    plan = plan_clients(outlines, records, directory, default_partners, default_office)
    result.problems.extend(plan.problems)
    result.clients.skipped = plan.skipped
    for user in users:
        if count := plan.former_partners.get(user.xpm_staff_uuid or ""):
            clients = "one client" if count == 1 else f"{count} clients"
            result.problems.append(problem("partner-no-longer-listed", user.xpm_staff_uuid, user.name, clients=clients))
    _update_statuses(database, result, plan, records)
    derivation = _ClientDerivation(database, result, plan, records, directory, default_office)
    synced = sorted(plan.settlement.records.keys() | plan.settlement.new)
    for start in range(0, len(synced), BATCH_SIZE):
        derivation.derive_batch(synced[start : start + BATCH_SIZE])


def _update_statuses(database: Database, result: Derivation, plan: ClientPlan, records: Sequence[ClientRecord]) -> None:
    taken_over = set(plan.settlement.records.values())
    for record in records:
        status = plan.statuses.get(record.xpm_client_uuid or "")
        if status is None or record.id in taken_over:
            continue
        if status == record.status:
            result.clients.unchanged += 1
        else:
            active_clients.update_client(database, record.id, {"status": status})
            result.changes.append(ChangeRow("client", record.id, "status", "status", record.status, status))
            result.clients.updated += 1


class _ClientDerivation:
    """The clients that are synced, batch by batch."""

    def __init__(
        self,
        database: Database,
        result: Derivation,
        plan: ClientPlan,
        records: Sequence[ClientRecord],
        directory: Directory,
        default_office: str,
    ) -> None:
        self._database = database
        self._result = result
        self._plan = plan
        self._directory = directory
        self._default_office = default_office
        self._groups = Groups(database, result)
        # A code that moves is let go of first, so that two clients can swap theirs; what each held is kept here.
        self._moving = {record.id: record.code for record in records if record.id in plan.settlement.moving}
        active_clients.release_codes(database, list(self._moving))

    def derive_batch(self, uuids: Sequence[str]) -> None:
        """Derive the clients with these XPM identifiers."""
        records = self._plan.settlement.records
        client_ids = [records[xpm_uuid] for xpm_uuid in uuids if xpm_uuid in records]
        current_rows = active_clients.load_clients(self._database, client_ids)
        memberships = active_groups.load_memberships(self._database, client_ids)
        created: dict[str, dict[str, object]] = {}
        joined: dict[str, frozenset[str]] = {}
        for row in mirror.load_clients(self._database, uuids):
            xpm_uuid = row["uuid"]
            reading = read_client(row, self._plan.partners[xpm_uuid], self._directory)
            self._result.problems.extend(reading.problems)
            told_groups = self._find_groups(reading.groups, xpm_uuid, str(reading.values["legal_name"]))
            if client_id := records.get(xpm_uuid):
                in_groups = memberships.get(client_id, frozenset())
                self._update(xpm_uuid, current_rows[client_id], in_groups, reading.values, told_groups)
            else:
                client_id = str(uuid.uuid4())
                created[client_id] = {
                    "id": client_id,
                    "office_code": self._default_office,
                    "xpm_client_uuid": xpm_uuid,
                    **reading.values,
                }
                joined[client_id] = told_groups or frozenset()
        self._insert(created, joined)

    def _find_groups(self, told: Mapping[str, str | None] | None, xpm_uuid: str, name: str) -> frozenset[str] | None:
        if told is None:
            return None
        found = [self._groups.find(group_uuid) for group_uuid in told]
        if None in found:
            self._result.problems.append(problem("group-without-name", xpm_uuid, name))
        return frozenset(group_id for group_id in found if group_id)

    def _insert(self, created: Mapping[str, dict[str, object]], joined: Mapping[str, frozenset[str]]) -> None:
        active_clients.insert_clients(self._database, list(created.values()))
        active_groups.add_memberships(
            self._database, [(client_id, group_id) for client_id, groups in joined.items() for group_id in groups]
        )
        own = ("id", "office_code", "xpm_client_uuid")
        written.save_written(
            self._database,
            {
                client_id: {column: value for column, value in row.items() if column not in own}
                | {"groups": sorted(joined[client_id])}
                for client_id, row in created.items()
            },
        )
        self._result.changes.extend(
            ChangeRow("client", client_id, "created", new_value=row["legal_name"]) for client_id, row in created.items()
        )
        self._result.clients.created += len(created)

    def _update(
        self,
        xpm_uuid: str,
        current: dict[str, Any],
        in_groups: frozenset[str],
        told: Mapping[str, object],
        told_groups: frozenset[str] | None,
    ) -> None:
        client_id = current["id"]
        if client_id in self._moving:
            current["code"] = self._moving[client_id]
        values: dict[str, object] = {}
        groups = in_groups if told_groups is None else told_groups
        if groups != in_groups or not told.items() <= current.items():
            earlier = written.load_written(self._database, client_id)
            written_groups = frozenset(earlier.get("groups", ()))
            values |= compare(current, told, earlier)
            groups = compare_groups(in_groups, groups, written_groups)
            remembered = earlier | values | {"groups": sorted((written_groups & groups) | (groups - in_groups))}
            written.save_written(self._database, {client_id: remembered})
        if current["xpm_client_uuid"] != xpm_uuid:
            values["xpm_client_uuid"] = xpm_uuid
        if current["status"] != "active":
            values["status"] = "active"
        if values:
            actions = {"xpm_client_uuid": "linked", "status": "status"}
            self._result.changes.extend(
                ChangeRow("client", client_id, actions.get(column, "updated"), column, current[column], value)
                for column, value in values.items()
            )
            active_clients.update_client(self._database, client_id, values)
        if groups != in_groups:
            names = self._groups.describe(in_groups), self._groups.describe(groups)
            self._result.changes.append(ChangeRow("client", client_id, "updated", "groups", *names))
            active_groups.add_memberships(self._database, [(client_id, group_id) for group_id in groups - in_groups])
            active_groups.remove_memberships(self._database, [(client_id, group_id) for group_id in in_groups - groups])
        if values or groups != in_groups:
            self._result.clients.updated += 1
        else:
            self._result.clients.unchanged += 1

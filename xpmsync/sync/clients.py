"""Derives Active's clients, with their partner and groups, from every client that XPM ever told of."""

import sqlite3
import uuid
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Final

from xpmsync.active import clients as active_clients
from xpmsync.active import groups as active_groups
from xpmsync.active import mirror, offices, synced_values
from xpmsync.active import users as active_users
from xpmsync.active.code_conflicts import find_contested
from xpmsync.active.database import Database
from xpmsync.active.history import ChangeRow, make_changes
from xpmsync.rules.clients import OUTLINE_COLUMNS, ClientPlan, ClientRecord, plan_clients, read_client
from xpmsync.rules.issues import issue
from xpmsync.rules.overwrite import compare, compare_groups
from xpmsync.rules.staff import make_directory
from xpmsync.sync.derivation import Derivation
from xpmsync.sync.groups import Groups

BATCH_SIZE: Final = 500
"""Clients that are in memory at once, unless more of them compete for codes."""


def derive_clients(database: Database, result: Derivation, default_office: str) -> None:
    """Create, change and link clients; those archived, deleted or gone in XPM keep their data and get the status.

    Those who compete for a code are matched together, and first; all others in batches, so that a practice of any size
    needs little memory.
    """
    derivation = _ClientDerivation(database, result, default_office)
    contested = find_contested(database)
    derivation.derive(sorted(contested.xpm_uuids), active_clients.load_outlines(database, ids=contested.record_ids))
    for batch in mirror.iterate_batches(database, BATCH_SIZE):
        uuids = [xpm_uuid for xpm_uuid in batch if xpm_uuid not in contested.xpm_uuids]
        derivation.derive(uuids, active_clients.load_outlines(database, xpm_uuids=uuids))
    derivation.warn_of_former_staff()
    result.issues.extend(
        issue("default-partner-not-active", None, row["name"], office=row["code"], partner=row["partner"])
        for row in offices.load_offices_without_active_partner(database)
    )


class _ClientDerivation:
    """Derives the clients, some after the others."""

    def __init__(self, database: Database, result: Derivation, default_office: str) -> None:
        self._database = database
        self._result = result
        self._default_office = default_office
        self._users = active_users.load_users(database)
        self._directory = make_directory(
            mirror.load_listed_staff(database), self._users, active_users.load_former_staff(database)
        )
        offices_ = offices.load_offices(database)
        self._default_partners = {office["code"]: office["default_partner_id"] for office in offices_}
        self._groups = Groups(database, result)
        self._former_partners: Counter[str] = Counter()
        self._chosen_partners: Counter[str] = Counter()
        self._former_managers: Counter[str] = Counter()

    def derive(self, uuids: Sequence[str], outlines: Iterable[sqlite3.Row]) -> None:
        """Derive the clients with these XPM identifiers; `outlines` are those of all records that concern them."""
        records = [ClientRecord(*row) for row in outlines]
        rows = mirror.load_clients(self._database, uuids, OUTLINE_COLUMNS)
        plan = plan_clients(rows, records, self._directory, self._default_partners, self._default_office)
        self._result.issues.extend(plan.issues)
        self._result.clients.skipped += plan.skipped
        self._former_partners.update(plan.former_partners)
        self._chosen_partners.update(plan.partners[xpm_uuid] for xpm_uuid in plan.chosen)
        # A code that moves is let go of first, so that two clients can swap theirs; what each held is kept here.
        self._moving = {
            record.id: record.code
            for record in records
            if record.id in plan.match_result.moving or plan.codes.get(record.id, record.code) != record.code
        }
        active_clients.release_codes(self._database, list(self._moving))
        synced = sorted(plan.match_result.records.keys() | plan.match_result.new)
        for start in range(0, len(synced), BATCH_SIZE):
            self._derive_batch(plan, synced[start : start + BATCH_SIZE])
        self._update_former(plan, records)

    def warn_of_former_staff(self) -> None:
        """Warn of those who have left, but are the partner or job manager of clients, by XPM or by hand."""
        names = {user.xpm_staff_uuid: user.name for user in self._users}
        for role, counts in (("partner", self._former_partners), ("manager", self._former_managers)):
            for staff_uuid in sorted(counts.keys() & names.keys()):
                clients = _count_clients(counts[staff_uuid])
                self._result.issues.append(
                    issue(f"{role}-no-longer-listed", staff_uuid, names[staff_uuid], clients=clients)
                )
        for user in self._users:
            if (count := self._chosen_partners[user.id]) and user.status != "active":
                self._result.issues.append(
                    issue(
                        "chosen-partner-not-active",
                        user.xpm_staff_uuid or user.id,  # the key of the log, for a user whom XPM never listed
                        user.name,
                        email=user.email,
                        clients=_count_clients(count),
                    )
                )
        names_by_id = {user.id: user.name for user in self._users}
        for staff_uuid in sorted((self._former_partners.keys() | self._former_managers.keys()) - names.keys()):
            name = names_by_id[self._directory.former[staff_uuid]]
            self._result.issues.append(issue("former-entry-still-named", staff_uuid, name))

    def _update_former(self, plan: ClientPlan, records: Sequence[ClientRecord]) -> None:
        """Give clients that are archived, deleted or gone their status, and the first two XPM's code if it is free."""
        taken_over = set(plan.match_result.records.values())
        for record in records:
            status = plan.statuses.get(record.xpm_client_uuid or "")
            if status is None or record.id in taken_over:
                continue
            current = {"status": record.status, "code": record.code}
            wanted = {"status": status, "code": plan.codes.get(record.id, record.code)}
            values = {column: value for column, value in wanted.items() if value != current[column]}
            if values:
                active_clients.update_client(self._database, record.id, values)
                self._result.changes.extend(make_changes("client", record.id, current, values))
                self._result.clients.updated += 1
            else:
                self._result.clients.unchanged += status != "removed"  # XPM has not sent it
            if record.id in plan.codes and (record.is_code_typed or wanted["code"] != record.code):
                earlier = synced_values.load_written(self._database, record.id)
                sent = plan.former_codes[record.xpm_client_uuid or ""]
                synced_values.save_written(self._database, {record.id: earlier | {"code": sent}})

    def _derive_batch(self, plan: ClientPlan, uuids: Sequence[str]) -> None:
        records = plan.match_result.records
        client_ids = [records[xpm_uuid] for xpm_uuid in uuids if xpm_uuid in records]
        current_rows = active_clients.load_clients(self._database, client_ids)
        memberships = active_groups.load_memberships(self._database, client_ids)
        sent = synced_values.load_all_written(self._database, client_ids)
        sending: dict[str, dict[str, object]] = {}
        created: dict[str, dict[str, object]] = {}
        joined: dict[str, frozenset[str]] = {}
        for row in mirror.load_clients(self._database, uuids):
            xpm_uuid = row["uuid"]
            reading = read_client(row, plan.partners[xpm_uuid], self._directory)
            self._result.issues.extend(reading.issues)
            if reading.former_manager:
                self._former_managers[reading.former_manager] += 1
            told_groups = self._find_groups(reading.groups, xpm_uuid, str(reading.values["legal_name"]))
            by_rule = () if row["account_manager_uuid"] or row["account_manager_name"] else ("partner_id",)
            if client_id := records.get(xpm_uuid):
                in_groups = memberships.get(client_id, frozenset())
                earlier = sent.get(client_id, {})
                if told_groups is not None and reading.has_groups_without_id:
                    told_groups |= in_groups.intersection(earlier.get("groups", ()))  # it may still send them
                values, record = reading.values, current_rows[client_id]
                self._update(xpm_uuid, record, in_groups, values, told_groups, earlier, by_rule)
                told = values | ({} if told_groups is None else {"groups": sorted(told_groups)})
                chosen = synced_values.CHOSEN if xpm_uuid in plan.chosen else {}
                sending[client_id] = synced_values.drop_empty({**earlier, **told, **chosen})
            else:
                client_id = str(uuid.uuid4())
                created[client_id] = {
                    "id": client_id,
                    "office_code": self._default_office,
                    "xpm_client_uuid": xpm_uuid,
                    **reading.values,
                }
                joined[client_id] = told_groups or frozenset()
        synced_values.save_written(
            self._database, {key: each for key, each in sending.items() if each != sent.get(key)}
        )
        self._insert(created, joined)

    def _find_groups(self, told: Mapping[str, str | None] | None, xpm_uuid: str, name: str) -> frozenset[str] | None:
        if told is None:
            return None
        found = [self._groups.find(group_uuid) for group_uuid in told]
        if None in found:
            self._result.issues.append(issue("group-without-name", xpm_uuid, name))
        return frozenset(group_id for group_id in found if group_id)

    def _insert(self, created: Mapping[str, dict[str, object]], joined: Mapping[str, frozenset[str]]) -> None:
        active_clients.insert_clients(self._database, list(created.values()))
        active_groups.add_memberships(
            self._database, [(client_id, group_id) for client_id, groups in joined.items() for group_id in groups]
        )
        own = ("id", "office_code", "xpm_client_uuid")
        synced_values.save_written(
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
        sent: Mapping[str, Any],
        by_rule: Collection[str],
    ) -> None:
        client_id = current["id"]
        if client_id in self._moving:
            current["code"] = self._moving[client_id]
        # Cheap test first: most clients are as they were.
        values = {} if told.items() <= current.items() else compare(current, told, sent)
        groups = in_groups
        if told_groups is not None:
            groups = compare_groups(in_groups, told_groups, frozenset(sent.get("groups", ())))
        if current["xpm_client_uuid"] != xpm_uuid:
            values["xpm_client_uuid"] = xpm_uuid
        if current["status"] != "active":
            values["status"] = "active"
        if values:
            self._result.changes.extend(make_changes("client", client_id, current, values, by_rule=by_rule))
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


def _count_clients(count: int) -> str:
    return "one client" if count == 1 else f"{count} clients"

"""A firm's database, and what XPM tells it hour after hour: real XML, real spool, real merge, real SQLite."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from html import escape
from pathlib import Path

import pytest

from xpmsync.active import mirror, runs
from xpmsync.active.database import Database, open_database
from xpmsync.active.error_log import save_issues
from xpmsync.active.history import ChangeLog
from xpmsync.active.offices import insert_office
from xpmsync.active.spool import Spool, open_spool
from xpmsync.rules.fields import CLIENT_SHAPE, GROUP_SHAPE, STAFF_SHAPE
from xpmsync.rules.issues import issue, list_unidentified
from xpmsync.sync.derive import Derivation, derive
from xpmsync.xpm.xml import parse_records

SHAPES = {"xpm_staff": STAFF_SHAPE, "xpm_groups": GROUP_SHAPE, "xpm_clients": CLIENT_SHAPE}
USER_COLUMNS = "first_name, last_name, email, role, office_code, status, xpm_staff_uuid"

# A record as XPM tells it: the XML itself, or its elements. A list is a container of elements that repeat.
Told = str | Mapping[str, object]


def render(element: str, content: object) -> str:
    if isinstance(content, Mapping):
        inside = "".join(render(*child) for child in content.items())
    elif isinstance(content, list):
        inside = "".join(render(*child) for item in content for child in item.items())
    else:
        inside = escape(str(content))
    return f"<{element}>{inside}</{element}>"


def render_list(path: str, records: Sequence[Told]) -> bytes:
    container, element = path.split("/")
    inside = "".join(each if isinstance(each, str) else render(element, each) for each in records)
    return f"<Response><Status>OK</Status><{container}>{inside}</{container}></Response>".encode()


class Firm:
    """The firm's database. Rows are told whole but for what is NULL; users go by their e-mail address."""

    def __init__(self, folder: Path, database: Database) -> None:
        self.folder = folder
        self.database = database
        self.now = datetime(2026, 11, 1, 9, tzinfo=UTC)
        self.staff: Sequence[Told] = ()
        self.run_id = 0

    def sync(
        self,
        clients: Sequence[Told] = (),
        *,
        staff: Sequence[Told] | None = None,
        groups: Sequence[Told] = (),
        is_full_list: bool = True,
    ) -> Derivation:
        """An hour later: XPM tells these clients, these groups, and this staff (without it, the same as before)."""
        self.now += timedelta(hours=1)
        self.staff = self.staff if staff is None else staff
        told = {"xpm_staff": self.staff, "xpm_groups": groups, "xpm_clients": clients}
        with self.database.transaction():
            self.run_id = runs.start_run(
                self.database, tenant_id="practice", mode="full", is_watched=False, now=self.now
            )
        with self._spooled(told) as spool, mirror.attached(self.database, spool), self.database.transaction():
            issues = []
            for table, entity, records in (("xpm_staff", "staff", "staff"), ("xpm_clients", "client", "clients")):
                if mirror.is_first_list_empty(self.database, table):
                    issues.append(issue("first-list-empty", None, None, records=records))
                issues += list_unidentified(entity, mirror.load_unidentified(self.database, table))
                is_full = is_full_list or table == "xpm_staff"
                mirror.merge_records(self.database, table, SHAPES[table], is_full_list=is_full, now=self.now)
            mirror.merge_groups(self.database)
            changes = ChangeLog(self.database, run_id=self.run_id, actor="sync", now=self.now)
            derivation = derive(self.database, "MAIN", changes)
            issues += derivation.issues
            save_issues(self.database, map(vars, issues), run_id=self.run_id, now=self.now, resolve_others=True)
            runs.finish_run(self.database, self.run_id, status="succeeded", now=self.now, values={})
        return derivation

    @contextmanager
    def _spooled(self, told: Mapping[str, Sequence[Told]]) -> Iterator[Spool]:
        with open_spool(self.folder / "spool.db", SHAPES, self.database) as spool:
            for table, records in told.items():
                xml = render_list(SHAPES[table].path, records)
                spool.sink(table)(parse_records([xml], SHAPES[table]))
            yield spool

    def rows(self, query: str, *parameters: object) -> list[dict[str, object]]:
        found = self.database.connection.execute(query, parameters)
        return [{column: row[column] for column in row.keys() if row[column] is not None} for row in found]  # noqa: SIM118 - a Row is no mapping

    def execute(self, statement: str, *parameters: object) -> None:
        """What the administrator does."""
        self.database.connection.execute(statement, parameters)

    def users(self) -> list[dict[str, object]]:
        return self.rows(f"SELECT {USER_COLUMNS} FROM users ORDER BY email")

    def clients(self) -> list[dict[str, object]]:
        """Every client; `partner` and `manager` are e-mail addresses, `groups` a list of names."""
        rows = self.rows(
            "SELECT *, (SELECT email FROM users WHERE id = partner_id) AS partner, "
            "(SELECT email FROM users WHERE id = manager_id) AS manager, "
            "(SELECT group_concat(name, '; ') FROM (SELECT name FROM client_groups JOIN client_group_members "
            "  ON client_group_id = client_groups.id WHERE client_id = clients.id ORDER BY name)) AS groups "
            "FROM clients ORDER BY xpm_client_uuid, legal_name"
        )
        hidden = ("id", "code_key", "partner_id", "manager_id")
        return [{column: value for column, value in row.items() if column not in hidden} for row in rows]

    def client_id(self, xpm_uuid: str) -> object:
        return self.rows("SELECT id FROM clients WHERE xpm_client_uuid = ?", xpm_uuid)[0]["id"]

    def user_id(self, email: str) -> object:
        return self.rows("SELECT id FROM users WHERE email = ?", email)[0]["id"]

    def changes(self) -> list[tuple[object, ...]]:
        """The last run's: entity, name, action, field, old, new."""
        emails = {row["id"]: row["email"] for row in self.rows("SELECT id, email FROM users")}
        rows = self.database.connection.execute(
            "SELECT changes.entity, name, changes.action, changes.field, changes.old_value, changes.new_value "
            "FROM changes JOIN change_list USING (id) WHERE changes.run_id = ? ORDER BY id",
            (self.run_id,),
        )
        return [(*row[:4], emails.get(row[4], row[4]), emails.get(row[5], row[5])) for row in rows]

    def issues(self) -> list[tuple[object, object]]:
        """The open ones of records: code and XPM record."""
        rows = self.database.connection.execute(
            "SELECT code, xpm_uuid FROM sync_errors WHERE resolved_at IS NULL AND entity <> 'run' "
            "ORDER BY code, xpm_uuid"
        )
        return [(row["code"], row["xpm_uuid"]) for row in rows]


@pytest.fixture
def firm(tmp_path):
    """A firm with one office, MAIN, and in XPM two staff: Ann Lee (s1) and Bob Ray (s2)."""
    with open_database(tmp_path / "active.db") as database:
        database.connection.execute("PRAGMA synchronous = OFF")
        insert_office(database, "MAIN", "Main Office")
        firm = Firm(tmp_path, database)
        firm.staff = (
            {"UUID": "s1", "Name": "Ann Lee", "Email": "ann@firm.example"},
            {"UUID": "s2", "Name": "Bob Ray", "Email": "bob@firm.example"},
        )
        yield firm

"""Matching some after the others comes to the same as matching all at once, whoever competes for which code."""

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xpmsync.active import mirror
from xpmsync.active.clients import load_outlines
from xpmsync.active.code_conflicts import Contested, find_contested
from xpmsync.active.database import open_database
from xpmsync.active.history import ChangeLog
from xpmsync.active.offices import insert_office
from xpmsync.active.users import load_users
from xpmsync.rules.clients import OUTLINE_COLUMNS, ClientRecord, plan_clients
from xpmsync.rules.staff import make_directory
from xpmsync.sync.derive import derive

NOW = datetime(2026, 11, 1, 9, tzinfo=UTC)
MATCHING = ("client-code-shared", "client-code-taken", "code-held-by-former-client", "abn-contradicts")
UUIDS = [f"c{number}" for number in range(8)]
CODES = st.sampled_from([None, "A", "a", "B", " b", "C", "D"])
TOLD = st.fixed_dictionaries(
    {
        "client_code": CODES,
        "name": st.sampled_from([None, "One", "Two"]),
        "is_archived": st.sampled_from([None, "No", "Yes"]),
        "vanished_at": st.sampled_from([None, None, None, "2026-10-01T00:00:00Z"]),
        "account_manager_uuid": st.sampled_from(["s1", "s1", "unknown"]),
    }
)
HELD = st.fixed_dictionaries({"code": CODES, "owner": st.sampled_from([None, *UUIDS]), "is_typed": st.booleans()})


def fill(database, told, held):
    execute = database.connection.execute
    insert_office(database, "MAIN", "Main")
    execute("INSERT INTO xpm_staff (uuid, name, email) VALUES ('s1', 'Ann Lee', 'ann@firm.example')")
    execute(
        "INSERT INTO users (id, first_name, last_name, email, xpm_staff_uuid) "
        "VALUES ('ann', 'Ann', 'Lee', 'ann@firm.example', 's1')"
    )
    for uuid, row in told.items():
        execute(
            f"INSERT INTO xpm_clients (uuid, {', '.join(row)}) VALUES (?, {', '.join('?' for _ in row)})",
            [uuid, *row.values()],
        )
    for number, row in enumerate(held):
        # A code or an owner that is another record's already is nobody's: the tables forbid it.
        execute(
            "INSERT OR IGNORE INTO clients (id, legal_name, code, office_code, partner_id, xpm_client_uuid) "
            "VALUES (?, 'One', trim(?), 'MAIN', 'ann', ?)",
            [f"held-{number}", row["code"], row["owner"]],
        )
        if not row["is_typed"]:
            execute(
                "INSERT INTO synced_values VALUES (?, json_object('code', trim(?)))", [f"held-{number}", row["code"]]
            )


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    with open_database(tmp_path_factory.mktemp("contested") / "active.db") as database:
        yield database


@settings(max_examples=300)
@given(told=st.dictionaries(st.sampled_from(UUIDS), TOLD), held=st.lists(HELD, max_size=6))
def test_everybody_gets_the_record_that_they_would_get_if_all_were_matched_at_once(database, told, held):
    with database.rehearsal():
        fill(database, told, held)
        directory = make_directory(mirror.load_listed_staff(database), load_users(database))
        records = [ClientRecord(*row) for row in load_outlines(database)]
        at_once = plan_clients(
            mirror.iterate_clients(database, OUTLINE_COLUMNS), records, directory, {"MAIN": None}, "MAIN"
        )
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("xpmsync.sync.clients.BATCH_SIZE", 1)
            result = derive(database, "MAIN", ChangeLog(database, run_id=None, actor="sync", now=NOW))
        owners = dict(database.connection.execute("SELECT xpm_client_uuid, id FROM clients").fetchall())
        statuses = dict(database.connection.execute("SELECT id, status FROM clients").fetchall())
        codes = dict(database.connection.execute("SELECT id, code FROM clients").fetchall())

    settled = at_once.match_result
    assert {uuid: owners[uuid] for uuid in settled.records} == dict(settled.records)
    assert settled.new <= owners.keys()
    assert not {owners[uuid] for uuid in settled.new} & {record.id for record in records}
    assert result.clients.created == len(settled.new)
    assert result.clients.skipped == at_once.skipped
    kept = {record.id: record.xpm_client_uuid for record in records} | {
        record_id: uuid for uuid, record_id in settled.records.items()
    }
    assert {key: statuses[key] for key in kept} == {
        key: at_once.statuses.get(uuid, "active") for key, uuid in kept.items()
    }
    assert {record_id: codes[record_id] for record_id in at_once.codes} == dict(at_once.codes)
    of_matching = [each for each in result.issues if each.code in MATCHING]
    assert sorted(map(repr, of_matching)) == sorted(repr(each) for each in at_once.issues if each.code in MATCHING)


def test_who_competes_with_nobody_is_not_found(database):
    with database.rehearsal():
        told = {"client_code": "A", "name": "One", "account_manager_uuid": "s1"}
        held = {"code": "A", "owner": "c1", "is_typed": False}
        fill(database, {"c1": told, "c2": told | {"client_code": None}, "c3": told | {"client_code": "B"}}, [held])
        assert find_contested(database) == Contested(frozenset(), frozenset())
        database.connection.execute("UPDATE xpm_clients SET client_code = ' b' WHERE uuid = 'c1'")
        assert find_contested(database) == Contested(frozenset({"c1", "c3"}), frozenset({"held-0"}))

"""What is merged into the mirror: told, not told, vanished and back again."""

import json
from datetime import UTC, datetime

import pytest

from xpmsync.active import mirror
from xpmsync.active.spool import open_spool
from xpmsync.records import ListShape, RecordShape

NOW = datetime(2026, 11, 1, 9, tzinfo=UTC)
CLIENT_SHAPE = RecordShape(
    "Clients/Client",
    {"UUID": "uuid", "Name": "name", "AccountManager/UUID": "account_manager_uuid"},
    (ListShape("Groups/Group", "groups", {"UUID": "uuid", "Name": "name"}),),
)
SHAPES = {"xpm_clients": CLIENT_SHAPE, "xpm_groups": RecordShape("Groups/Group", {"UUID": "uuid", "Name": "name"})}


@pytest.fixture
def merge(tmp_path, database):
    """Merge these clients and groups; gives how many rows were touched."""

    def merge(clients=(), groups=(), *, is_full_list=True):
        with open_spool(tmp_path / "spool.db", SHAPES, database) as spool:
            spool.sink("xpm_clients")(iter(clients))
            spool.sink("xpm_groups")(iter(groups))
            before = database.connection.total_changes
            with mirror.attached(database, spool), database.transaction():
                merge.unidentified = mirror.load_unidentified(database, "xpm_clients")
                merge.is_first_list_empty = mirror.is_first_list_empty(database, "xpm_clients")
                mirror.merge_records(database, "xpm_clients", CLIENT_SHAPE, is_full_list=is_full_list, now=NOW)
                mirror.merge_groups(database)
            return database.connection.total_changes - before

    return merge


@pytest.fixture
def clients(rows):
    def find():
        found = rows("SELECT uuid, name, account_manager_uuid, groups, vanished_at FROM xpm_clients ORDER BY uuid")
        return [tuple(row.values()) for row in found]

    return find


def test_identifiers_are_kept_in_one_case_without_white_space(merge, clients):
    merge([("C1", "One", "S1", None), (" c2\n", "Two", "\ts1 ", None), ("c3", "Three", " ", None)])
    assert clients() == [
        ("c1", "One", "s1", None, None),
        ("c2", "Two", "s1", None, None),
        ("c3", "Three", None, None, None),
    ]


def test_records_without_an_identifier_are_named_and_not_kept(merge, clients):
    merge([(None, "Nobody", None, None), (" ", "Blank", None, None), ("c1", "One", None, None)])
    assert merge.unidentified == ["Nobody", "Blank"]
    assert clients() == [("c1", "One", None, None, None)]


def test_a_record_told_twice_is_kept_as_told_last(merge, clients):
    merge([("c1", "One", None, None), ("C1", "Uno", None, None)])
    assert clients() == [("c1", "Uno", None, None, None)]


def test_the_same_list_again_touches_no_row(merge):
    told = [("c1", "One", "S1", '[{"uuid":"g1","name":"Farms"}]'), ("c2", None, None, None)]
    assert merge(told) == 3
    assert merge(told) == 0
    assert merge([told[0]], is_full_list=False) == 0


def test_an_absent_text_is_empty_and_an_absent_list_is_not_told(merge, clients):
    merge([("c1", "One", None, '[{"uuid":"g1","name":"Farms"}]')])
    merge([("c1", None, None, None)])
    assert clients() == [("c1", None, None, '[{"uuid":"g1","name":"Farms"}]', None)]
    merge([("c1", None, None, "[]")])
    assert clients() == [("c1", None, None, "[]", None)]


def test_what_a_full_list_leaves_out_has_vanished_until_it_is_told_again(merge, clients):
    merge([("c1", "One", None, None), ("c2", "Two", None, None)])
    merge([("c2", "Two", None, None)], is_full_list=False)
    assert [client[4] for client in clients()] == [None, None]
    merge([("C2", "Two", None, None)])
    assert [client[4] for client in clients()] == ["2026-11-01T09:00:00Z", None]
    merge([("c1", "One", None, None)], is_full_list=False)
    assert [client[4] for client in clients()] == [None, None]


@pytest.mark.parametrize("told", [[], [("c1", "One", None, None)]], ids=["empty", "not empty"])
def test_an_empty_list_is_odd_only_where_nothing_was_ever_told(merge, told):
    merge(told)
    assert merge.is_first_list_empty is not bool(told)
    merge([])
    assert merge.is_first_list_empty is not bool(told)


def test_groups_come_from_the_clients_and_names_from_the_list_before_them(merge, rows):
    brought = json.dumps([{"uuid": "G1", "name": "Farms"}, {"uuid": "g2", "name": "Old"}, {"uuid": None, "name": "No"}])
    merge([("c1", "One", None, brought)], [("g2", "New"), ("g3", "Third"), (None, "No")])
    assert rows("SELECT * FROM xpm_groups ORDER BY uuid") == [
        {"uuid": "g1", "name": "Farms"},
        {"uuid": "g2", "name": "New"},
        {"uuid": "g3", "name": "Third"},
    ]

import re
from datetime import UTC, datetime

import pytest

from xpmsync.errors import PermanentError, TransientError
from xpmsync.records import ListShape, RecordShape
from xpmsync.xpm.api import PracticeManager, delete_connection, fetch_connections
from xpmsync.xpm.xml import ErrorReported

STAFF = RecordShape("StaffList/Staff", {"UUID": "uuid", "Name": "name", "Email": "email"})
GROUPS = RecordShape("Groups/Group", {"UUID": "uuid", "Name": "name"})
CLIENTS = RecordShape(
    "Clients/Client",
    {"UUID": "uuid", "Name": "name", "AccountManager/UUID": "partner_uuid", "BusinessNumber": "number"},
    (
        ListShape("Groups/Group", "groups", {"UUID": "uuid"}),
        ListShape("Contacts/Contact", "contacts", {"UUID": "uuid"}),
    ),
)


@pytest.fixture
def practice(office):
    return PracticeManager(office.open_gateway(), office.sandbox.tenant_id)


def collect(fetch, *arguments, **options):
    """What a fetch hands on, starting over whenever it does."""
    taken = []

    def take(records):
        taken[:] = records

    fetch(*arguments, take, **options)
    return taken


def test_connections_are_told_with_names_and_without(office):
    office.sandbox.add_practice(office.sandbox.practice, "A Company", "ORGANISATION")
    gateway = office.open_gateway()
    named = fetch_connections(gateway)
    assert {(each.tenant_type, each.tenant_name) for each in named} == {
        ("PRACTICEMANAGER", office.sandbox.practice.name),
        ("ORGANISATION", "A Company"),
    }
    office.sandbox.set_switches(tenant_name_null=True)
    assert {each.tenant_name for each in fetch_connections(gateway)} == {None}


def test_no_connection_is_no_error(office):
    office.sandbox.set_switches(user_may_connect=False)
    assert fetch_connections(office.open_gateway()) == []


def test_one_connection_is_ended_and_the_others_stay(office):
    office.sandbox.add_practice(office.sandbox.practice, "Another One")
    gateway = office.open_gateway()
    first, second = fetch_connections(gateway)
    delete_connection(gateway, *first.ids)
    assert fetch_connections(gateway) == [second]
    with pytest.raises(PermanentError):
        delete_connection(gateway, second.tenant_id)


def test_staff_clients_and_groups_are_fetched_whole(office, practice):
    world = office.sandbox.practice
    assert {record[0] for record in collect(practice.fetch_staff, STAFF)} == set(world.staff)
    assert {record[0] for record in collect(practice.fetch_clients, CLIENTS)} == set(world.clients)
    assert {record[0] for record in collect(practice.fetch_groups, GROUPS)} == set(world.groups)
    assert practice.gateway.api_calls == 3


def test_clients_modified_since_a_moment_are_asked_for_in_utc(office, practice):
    since = datetime.fromisoformat("2026-03-01T10:00:00+11:00")
    collect(practice.fetch_clients, CLIENTS, modified_since=since)
    assert office.sandbox.requests[-1].query == "detailed=true&modifiedsince=2026-02-28T23%3A00%3A00"


def test_one_client_comes_in_the_shape_of_the_list(practice):
    for record in collect(practice.fetch_clients, CLIENTS)[:3]:
        assert practice.fetch_client(record[0], CLIENTS) == record


def test_a_client_that_xero_does_not_know_is_none(practice, requests_mock):
    unknown = "00000000-0000-4000-8000-000000000000"
    requests_mock.real_http = True
    assert practice.fetch_client(unknown, CLIENTS) is None
    for text in (
        '{"Title": "Not Found", "Status": 404}',
        '{"status": "404"}',
        "<Response><Status>ERROR</Status></Response>",
        '\ufeff<?xml version="1.0"?>\n<Response api-method="Get"/>',
    ):
        requests_mock.get(re.compile(unknown), status_code=404, text=text)
        assert practice.fetch_client(unknown, CLIENTS) is None


@pytest.mark.parametrize("text", ["", "<html>Not found</html>", '{"error": "no route"}', "[404]", "<Responses/>"])
def test_a_404_that_is_not_xeros_own_says_nothing_of_a_client(practice, requests_mock, text):
    unknown = "00000000-0000-4000-8000-000000000000"
    requests_mock.real_http = True
    requests_mock.get(re.compile(unknown), status_code=404, text=text)
    with pytest.raises(PermanentError, match="Xero knows nothing"):
        practice.fetch_client(unknown, CLIENTS)


def test_another_error_is_not_taken_for_an_unknown_client(office, practice):
    with office.sandbox.faults.active("status-error"), pytest.raises(ErrorReported, match="an error of its own"):
        practice.fetch_client("00000000-0000-4000-8000-000000000000", CLIENTS)


@pytest.mark.parametrize("fault", ["cut", "cut-without-length", "cut-chunked", "truncated-xml", "error-503"])
def test_a_list_that_was_cut_is_fetched_again_from_its_start(office, practice, fault):
    whole = collect(practice.fetch_clients, CLIENTS)
    starts = []

    def take(records):
        starts.append(0)
        for _ in records:
            starts[-1] += 1

    absent = set()
    with office.sandbox.faults.active(fault, times=2), office.sandbox.faults.active("no-tax-block", after=2):
        practice.fetch_clients(CLIENTS, take, absent=absent)
    assert starts[-1] == len(whole)
    assert absent == {"BusinessNumber"}  # from the last answer, whatever came in those that were cut
    assert office.naps == [1, 3]


@pytest.mark.parametrize("fault", ["cut", "cut-without-length", "cut-chunked", "truncated-xml"])
def test_a_list_that_is_always_cut_is_passing_trouble(office, practice, fault):
    with office.sandbox.faults.active(fault), pytest.raises(TransientError):
        collect(practice.fetch_clients, CLIENTS)


@pytest.mark.parametrize(
    "fault",
    ["status-error", "malformed-xml", "wrong-encoding", "control-character", "external-entity", "billion-laughs"],
)
def test_an_answer_that_nobody_can_read_is_refused(office, practice, fault):
    with office.sandbox.faults.active(fault), pytest.raises(PermanentError):
        collect(practice.fetch_clients, CLIENTS)
    assert office.naps == []


def test_a_token_that_dies_in_the_middle_of_a_run_is_renewed(office, practice):
    with office.sandbox.faults.active("token-expired", after=1):
        collect(practice.fetch_staff, STAFF)
        assert len(collect(practice.fetch_clients, CLIENTS)) == 60


def test_the_limits_are_counted_as_xero_tells_them(practice):
    collect(practice.fetch_staff, STAFF)
    collect(practice.fetch_groups, GROUPS)
    assert practice.gateway.day_calls_remaining == 4998
    assert practice.gateway.first_answer_at.tzinfo is UTC

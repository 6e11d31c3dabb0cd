"""What the safety limits stop, what a person accepts by the number of a sync, and elements that XPM does not send."""

import re
from contextlib import ExitStack
from uuid import UUID

import pytest

from xpmsync.cli import run
from xpmsync.config import change_config
from xpmsync.errors import InvalidRequest, PermanentError, SuspiciousChange
from xpmsync.sandbox import Practice
from xpmsync.sandbox.mailbox import Mailbox

DATA_TABLES = ("users", "clients", "client_groups", "client_group_members", "changes", "xpm_staff", "xpm_clients")
FILLED = {
    "title": "Dr",
    "first_name": "Zoe",
    "last_name": "Kaur",
    "email": "zoe@example.com",
    "phone": "02 5550 0000",
    "business_structure": "Company",
}
"""What a fresh client of the sandbox lacks, and Phone."""
SALUTATION = "individual_salutation"


def snapshot(firm):
    """The rows that no stopped sync touches, as another program reads them."""
    return {table: firm.rows(f"SELECT * FROM {table} ORDER BY 1, 2") for table in DATA_TABLES}


def make_practice(clients=60, staff=3, **values):
    """A practice in which XPM sends every element."""
    practice = Practice()
    team = [practice.add_staff(f"{name} Lee", f"{name}@example.com") for name in ("Ann", "Bob", "Cat", "Dee")[:staff]]
    for number in range(clients):
        details = {**FILLED, "client_code": f"C{number}", "account_manager": team[0], "job_manager": team[0], **values}
        practice.add_client(f"Client {number:02}", **details)
    return practice


@pytest.fixture
def open_firm(make_firm):
    """Makes a firm of a practice, at a Xero that tells an hourly sync of everything."""

    def open_firm(practice):
        firm = make_firm(practice)
        told = ("modifiedsince_archived", "modifiedsince_deleted")
        touching = ("contact_touches_client", "group_membership_touches_client")
        firm.sandbox.set_switches(limit_minute=1_000, **dict.fromkeys((*told, *touching), True))
        return firm

    return open_firm


def match(firm):
    """Sync until an hourly sync is not told of these clients again."""
    firm.sync()
    firm.sandbox.clock.advance(3_600)
    assert firm.sync().warnings == 0
    return firm


@pytest.fixture
def firm(open_firm):
    return match(open_firm(make_practice()))


def find(firm, first, last):
    """The identifiers of some clients, by the order in which they were added."""
    return [*firm.practice.clients][first:last]


def archive(firm, uuids):
    for uuid in uuids:
        firm.practice.archive_client(uuid)


def edit(firm, uuids, **values):
    for uuid in uuids:
        firm.practice.edit_client(uuid, **values)


def stop(firm, **options):
    """A sync that is stopped; gives its number and what it says."""
    with pytest.raises(SuspiciousChange) as caught:
        firm.sync(**options)
    (row,) = firm.rows("SELECT id FROM sync_runs ORDER BY id DESC LIMIT 1")
    return row["id"], caught.value


def list_open(firm):
    return firm.rows("SELECT code, field, suggestion FROM sync_errors WHERE resolved_at IS NULL ORDER BY id")


# What is stopped.


@pytest.mark.parametrize(
    ("edits", "happened"),
    [
        ({"is_archived": True}, "60 of 60 clients are archived or deleted."),
        ({"is_deleted": True}, "60 of 60 clients are archived or deleted."),
        ({"phone": ""}, "“Phone” is suddenly empty on 60 of 60 clients."),
        ({"phone": None}, "“Phone” is suddenly empty on 60 of 60 clients."),
        ({"account_manager": ("", "")}, "“Partner” is suddenly empty on 60 of 60 clients."),
    ],
)
def test_limits_hold_in_incremental_syncs_which_write_nothing_until_it_is_accepted(firm, edits, happened):
    edit(firm, find(firm, 0, 60), **edits)
    before, past = snapshot(firm), firm.rows("SELECT cursor_at FROM sync_runs WHERE status = 'succeeded'")

    number, error = stop(firm)

    assert error.happened == f"The safety limits stopped the sync: {happened}"
    (row,) = firm.rows("SELECT mode, status, exit_code, cursor_at FROM sync_runs WHERE id = ?", number)
    assert row == {"mode": "incremental", "status": "failed", "exit_code": 8, "cursor_at": None}
    assert snapshot(firm) == before
    assert firm.rows("SELECT cursor_at FROM sync_runs WHERE status = 'succeeded'") == past
    summary = firm.sync(accept=number)
    assert (summary.mode, summary.accepted) == ("incremental", (happened,))
    assert snapshot(firm) != before
    assert firm.rows("SELECT * FROM stopped_changes") == []
    assert "suspicious-change" not in [entry["code"] for entry in list_open(firm)]


def test_the_limits_are_shares_of_the_live_clients_of_the_mirror_and_not_of_an_answer(open_firm):
    firm = open_firm(make_practice(clients=120))
    archive(firm, find(firm, 100, 120))
    firm.sync()
    firm.sandbox.clock.advance(3_600)
    archive(firm, find(firm, 0, 10))  # ten of 100 live ones: a tenth, and not more
    assert firm.sync().clients.updated == 10
    archive(firm, find(firm, 10, 20))  # ten of 90
    assert "10 of 90 clients are archived or deleted." in stop(firm)[1].happened
    firm.practice.restore_client(find(firm, 10, 11)[0])  # nine are below the floor, whatever their share
    assert firm.sync().clients.updated == 9


def test_clients_that_an_incremental_answer_does_not_name_are_not_missing(firm):
    for uuid in find(firm, 0, 60):
        firm.practice.vanish_client(uuid)
    assert firm.sync().mode == "incremental"
    assert "60 of 60 clients are missing." in stop(firm, full=True)[1].happened


@pytest.mark.parametrize(
    ("fault", "options", "happened"),
    [
        ("empty-list", {"path": "client.api"}, "278 of 278 clients are missing."),
        ("empty-list", {"path": "staff.api"}, "12 of 12 staff are missing."),
        ("thin-list", {"path": "client.api", "keep": 200}, "clients are missing."),
    ],
)
def test_a_full_list_that_shrinks_stops_the_sync_until_a_person_accepts_it(make_firm, fault, options, happened):
    firm = make_firm(Practice.generate(clients=300, staff=12, seed=7))
    firm.sync()
    before = snapshot(firm)
    with firm.sandbox.faults.active(fault, **options):
        number, error = stop(firm, full=True)
        assert happened in error.happened
        assert snapshot(firm) == before
        assert firm.sync(accept=number).mode == "full"
    assert snapshot(firm) != before


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize(
    ("edits", "label", "table", "column"),
    [
        ({"contacts": [{"salutation": "", "is_primary": "Yes"}]}, "Contact Salutation", "clients", SALUTATION),
        ({"contacts": [{"salutation": "Sam", "is_primary": "No"}]}, "Contact Salutation", "clients", SALUTATION),
        ({"contacts": []}, "Contact Salutation", "clients", SALUTATION),
        ({"business_number": "n/a"}, "Business Number", "clients", "abn"),
        ({"job_manager": (str(UUID(int=1)), "Sid Stranger")}, "Job Manager", "clients", "manager_id"),
        ({"address": "1 Quay St"}, "Address 2", "clients", "residential_address_line_2"),
        ({"groups": ["nameless"]}, "Group", "client_group_members", "client_group_id"),
    ],
)
def test_values_that_active_would_lose_count_as_emptied_whatever_xpm_sends_instead(
    open_firm, capfd, full, edits, label, table, column
):
    contacts = [{"salutation": "Sam", "is_primary": "Yes"}]
    values = {"business_number": "51 824 753 556", "address": "1 Quay St\nSydney", "groups": ["Farms"]}
    firm = match(open_firm(make_practice(contacts=contacts, **values)))
    with ExitStack() as stack:
        if edits.get("groups"):
            stack.enter_context(firm.sandbox.faults.active("empty-list", path="clientgroup.api"))
            edits = {"groups": [firm.practice.add_group("")]}
        edit(firm, find(firm, 0, 60), **edits)
        before = snapshot(firm)

        number, error = stop(firm, full=full)

        assert error.happened == f"The safety limits stopped the sync: “{label}” is suddenly empty on 60 of 60 clients."
        assert error.names.startswith("Among the 60: Client ")
        assert snapshot(firm) == before
        assert run(["sync", "--dry-run", *(["--full"] if full else [])]) == 8
        assert f"“{label}” is suddenly empty on 60 of 60 clients." in " ".join(capfd.readouterr().err.split())
        assert snapshot(firm) == before
        count = f"SELECT count({column}) AS number FROM {table}"
        assert firm.rows(count) == [{"number": 60}]
        assert firm.sync(accept=number).accepted == (f"“{label}” is suddenly empty on 60 of 60 clients.",)
        assert firm.rows(count) == [{"number": 0}]
        assert "suspicious-change" not in [entry["code"] for entry in list_open(firm)]


def test_of_the_values_that_active_would_lose_one_more_than_accepted_stops_the_sync_again(firm):
    edit(firm, find(firm, 0, 30), business_number="51 824 753 556")
    firm.sync()
    edit(firm, find(firm, 0, 12), business_number="n/a")
    first, _ = stop(firm)
    edit(firm, find(firm, 12, 13), business_number="")

    second, error = stop(firm, accept=first)

    assert "“Business Number” is suddenly empty on 13 of 60 clients, 1 more than accepted." in error.happened
    assert error.names == "Namely: Client 12."
    assert firm.sync(accept=second).clients.updated == 13
    edit(firm, find(firm, 13, 22), business_number="n/a")  # nine are below the floor
    assert firm.sync().clients.updated == 9


def test_a_client_that_returns_without_a_value_was_not_live_and_does_not_count(firm):
    archive(firm, find(firm, 0, 12))
    firm.sync(accept=stop(firm)[0])
    edit(firm, find(firm, 0, 12), business_structure="")
    for uuid in find(firm, 0, 12):
        firm.practice.restore_client(uuid)
    assert firm.sync().clients.updated == 12
    assert firm.rows("SELECT count(*) AS number FROM clients WHERE entity_type IS NULL") == [{"number": 12}]


def test_archived_clients_that_lose_their_codes_do_not_count(firm):
    archived = find(firm, 0, 12)
    archive(firm, archived)
    firm.sync(accept=stop(firm)[0])
    edit(firm, archived, client_code="")
    assert firm.sync(full=True).clients.updated == 12
    assert firm.rows("SELECT count(*) AS number FROM clients WHERE code IS NULL") == [{"number": 12}]


def test_an_emptied_field_has_the_name_that_it_has_in_xpm(firm):
    edit(firm, find(firm, 0, 60), first_name="Ann", last_name="Lee", address="1 Quay St")
    firm.sync()
    edit(firm, find(firm, 0, 60), first_name="", last_name="", address="")
    _, error = stop(firm, full=True)
    assert re.findall("“(.+?)” is suddenly empty", error.happened) == ["Last Name", "First Name", "Address 1"]


def test_the_names_of_those_affected_are_told_apart_kind_by_kind(make_firm):
    practice = make_practice(clients=0)
    for number in range(12):
        practice.add_client(f"Kaur, Zoe {number:02}", account_manager=next(iter(practice.staff)))
    firm = make_firm(practice)
    firm.sync()
    with (
        firm.sandbox.faults.active("empty-list", path="client.api"),
        firm.sandbox.faults.active("empty-list", path="staff.api"),
    ):
        _, error = stop(firm, full=True)
    names, others = error.names.split(". ")
    assert sorted(names.removeprefix("Namely: ").split("; ")) == ["Ann Lee", "Bob Lee", "Cat Lee"]
    assert re.fullmatch(r"Among the 12: Kaur, Zoe \d\d; Kaur, Zoe \d\d; Kaur, Zoe \d\d; …", others)


def test_a_staff_member_whom_matching_relinks_is_not_missing(make_firm):
    firm = make_firm(make_practice(staff=1))
    firm.sync()
    ann = next(iter(firm.practice.staff))

    fresh = firm.practice.recreate_staff(ann)
    firm.sync()

    assert firm.rows("SELECT first_name, status, xpm_staff_uuid FROM users") == [
        {"first_name": "Ann", "status": "active", "xpm_staff_uuid": fresh}
    ]
    another = firm.practice.recreate_staff(fresh)
    firm.practice.edit_staff(another, name="Someone Else")  # with the same address
    assert "1 of 1 staff are missing." in stop(firm)[1].happened


# What is accepted.


def test_a_sync_accepts_what_the_named_one_was_stopped_for_and_nothing_else(firm):
    with firm.sandbox.faults.active("empty-list", path="client.api"):
        missing, _ = stop(firm, full=True)
    archive(firm, find(firm, 0, 15))
    archived, error = stop(firm, full=True)
    assert "15 of 60 clients are archived or deleted." in error.happened

    with firm.sandbox.faults.active("empty-list", path="client.api"):
        again, error = stop(firm, accept=archived)
        assert "60 of 60 clients are missing." in error.happened
        assert "60 of 60 clients are missing." in stop(firm, full=True)[1].happened
    assert (firm.rows("SELECT DISTINCT status FROM clients"), missing < archived < again) == (
        [{"status": "active"}],
        True,
    )
    assert firm.sync(accept=archived).clients.updated == 15


def test_one_record_more_of_an_accepted_kind_stops_the_sync_again(firm):
    archive(firm, find(firm, 0, 12))
    first, _ = stop(firm)
    archive(firm, find(firm, 12, 13))

    second, error = stop(firm, accept=first)

    assert "13 of 60 clients are archived or deleted, 1 more than accepted." in error.happened
    assert error.names == "Namely: Client 12."
    assert f"xpmsync sync --accept {second}." in error.remedy
    assert firm.sync(accept=second).clients.updated == 13


def test_one_record_instead_of_another_is_more_than_was_accepted_though_the_limits_would_let_it_pass(firm):
    archive(firm, find(firm, 0, 12))
    number, _ = stop(firm)
    for uuid in find(firm, 0, 6):
        firm.practice.restore_client(uuid)
    archive(firm, find(firm, 20, 21))
    assert "7 of 60 clients are archived or deleted, 1 more than accepted." in stop(firm, accept=number)[1].happened
    assert firm.sync().clients.updated == 7


def test_fewer_records_than_accepted_pass_and_so_do_other_kinds_within_the_limits(firm):
    archive(firm, find(firm, 0, 12))
    number, _ = stop(firm)
    firm.practice.restore_client(find(firm, 0, 1)[0])
    edit(firm, find(firm, 30, 39), phone="")
    assert firm.sync(accept=number).clients.updated == 20


def test_another_kind_beyond_the_limits_stops_the_sync_and_the_new_number_accepts_both(firm):
    archive(firm, find(firm, 0, 12))
    first, _ = stop(firm)
    edit(firm, find(firm, 30, 42), phone="")

    second, error = stop(firm, accept=first)

    assert error.happened == (
        "The safety limits stopped the sync: 12 of 60 clients are archived or deleted (accepted already). "
        "“Phone” is suddenly empty on 12 of 60 clients."
    )
    edit(firm, find(firm, 42, 54), business_number="51 824 753 556")
    firm.sync(accept=second)
    edit(firm, find(firm, 42, 54), business_number="n/a", phone="")
    third, _ = stop(firm)
    fourth, error = stop(firm, accept=third)  # what XPM sends is compared first
    assert error.happened == (
        "The safety limits stopped the sync: “Phone” is suddenly empty on 12 of 48 clients (accepted already). "
        "“Business Number” is suddenly empty on 12 of 48 clients."
    )
    assert firm.sync(accept=fourth).clients.updated == 12


def test_an_older_number_accepts_its_own_records_and_messages_have_the_latest(firm):
    archive(firm, find(firm, 0, 12))
    first, _ = stop(firm)
    archive(firm, find(firm, 12, 13))
    second, _ = stop(firm)
    firm.practice.restore_client(find(firm, 12, 13)[0])
    third, _ = stop(firm)
    (entry,) = list_open(firm)
    assert f"xpmsync sync --accept {third}." in entry["suggestion"]
    firm.practice.archive_client(find(firm, 12, 13)[0])
    stop(firm, accept=first)
    assert firm.sync(accept=second).clients.updated == 13


def test_records_that_stop_every_hour_are_kept_once(firm):
    archive(firm, find(firm, 0, 12))
    numbers = [stop(firm)[0] for _ in range(5)]
    assert firm.rows("SELECT count(*) AS rows, first_run_id, last_run_id FROM stopped_changes GROUP BY 2, 3") == [
        {"rows": 12, "first_run_id": numbers[0], "last_run_id": numbers[-1]}
    ]
    assert firm.sync(accept=numbers[2]).clients.updated == 12


def test_what_stopped_a_full_sync_waits_for_a_full_one_while_incremental_ones_succeed(firm):
    with firm.sandbox.faults.active("empty-list", path="client.api"):
        full, _ = stop(firm, full=True)
    with firm.sandbox.faults.active("empty-list", path="staff.api"):
        hourly, _ = stop(firm)
    assert [entry["field"] for entry in list_open(firm)] == ["full", "incremental"]
    firm.sync()  # every sync sees all the staff
    (entry,) = list_open(firm)
    assert f"xpmsync sync --accept {full}." in entry["suggestion"]
    with pytest.raises(InvalidRequest, match="a later sync has settled that"):
        firm.sync(accept=hourly)
    with firm.sandbox.faults.active("empty-list", path="staff.api"):
        hourly, _ = stop(firm)
    firm.sync(full=True)  # it was a glitch, and a full sync settles everything
    assert list_open(firm) == []
    for number in (full, hourly):
        with pytest.raises(InvalidRequest, match="a later sync has settled that"):
            firm.sync(accept=number)


def test_a_number_that_cannot_be_accepted_and_the_former_option_end_with_2_and_the_right_command(firm, capfd):
    def refuse(*options):
        capfd.readouterr()
        assert run(["sync", *options]) == 2
        return " ".join(capfd.readouterr().err.split())

    assert "No sync is waiting to be accepted." in refuse("--accept", "1")
    archive(firm, find(firm, 0, 60))
    number, _ = stop(firm)
    runs = firm.rows("SELECT count(*) AS runs FROM sync_runs")
    for options, said in (
        (["--accept", "1"], "Sync 1 was not stopped by the safety limits."),
        (["--accept", "99"], "There is no sync 99."),
        (["--accept", "99", "--dry-run"], "There is no sync 99."),
        (["--accept-removals"], "a sync is accepted by its number"),
        (["--accept-removals", "--dry-run"], "a sync is accepted by its number"),
    ):
        assert f"To accept sync {number}, run: xpmsync sync --accept {number}" in (error := refuse(*options)), options
        assert said in error
    assert f"xpmsync sync --accept {number}" in refuse("--accept", str(number), "--full")
    assert "must be a whole number" in refuse("--accept", "all")
    assert firm.rows("SELECT count(*) AS runs FROM sync_runs") == runs


def test_a_refused_accept_never_offers_to_clear_an_element_that_xpm_does_not_send(firm, capfd):
    edit(firm, find(firm, 0, 60), phone=None)
    warned = firm.sync(full=True).run_id
    archive(firm, find(firm, 0, 12))
    number, _ = stop(firm)
    firm.sync(accept=number)
    for options in (["--accept", str(number)], ["--accept", "99"], ["--accept-removals"]):
        capfd.readouterr()
        assert run(["sync", *options]) == 2
        error = " ".join(capfd.readouterr().err.split())
        assert "No sync is waiting to be accepted." in error
        assert f"--accept {warned}" not in error


def test_a_dry_run_accepts_a_number_too_and_settles_nothing(firm, capfd):
    archive(firm, find(firm, 0, 60))
    number, _ = stop(firm)
    before = snapshot(firm), firm.rows("SELECT * FROM stopped_changes")
    assert run(["sync", "--accept", str(number), "--dry-run"]) == 0
    assert "archived" in capfd.readouterr().out
    assert run(["sync", "--dry-run"]) == 8
    assert "run: xpmsync sync. It is stopped too, and prints the command" in " ".join(capfd.readouterr().err.split())
    assert (snapshot(firm), firm.rows("SELECT * FROM stopped_changes")) == before


def test_a_person_reads_what_was_accepted_or_that_there_was_nothing(firm, type_ahead, capsys):
    archive(firm, find(firm, 0, 60))
    number, _ = stop(firm)
    type_ahead()
    assert run(["sync", "--accept", str(number)]) == 0
    assert "60 of 60 clients are archived or deleted." in " ".join(capsys.readouterr().out.split())
    with firm.sandbox.faults.active("empty-list", path="staff.api"):
        number, _ = stop(firm)
    assert run(["sync", "--accept", str(number)]) == 0
    assert "There was nothing to accept." in capsys.readouterr().out
    assert run(["sync"]) == 0
    assert "ccept" not in capsys.readouterr().out


def test_every_message_about_a_stop_has_the_command_with_its_number(firm, capfd):
    archive(firm, find(firm, 0, 60))
    with Mailbox() as mailbox:
        change_config(
            firm.home,
            {
                "notify.email": "ann@example.com",
                "smtp.host": "127.0.0.1",
                "smtp.port": mailbox.port,
                "smtp.security": "none",
                "smtp.from": "sync@example.com",
            },
        )
        assert run(["sync"]) == 8
        said = capfd.readouterr().err
        assert run(["sync"]) == 8  # an hour later
        (message,) = mailbox.messages
    first, second = (row["id"] for row in firm.rows("SELECT id FROM sync_runs WHERE exit_code = 8 ORDER BY id"))
    commands = [f"xpmsync sync --accept {number}" for number in (first, second)]
    assert f"run: {commands[0]}." in " ".join(said.split())
    letter = message.get_content().splitlines()
    assert f"     {commands[0]}" in letter
    assert f"     {commands[0]} --dry-run" in letter
    capfd.readouterr()
    for command in ("errors", "errors --code suspicious-change", "status", "report -", "report - --names"):
        assert run(command.split()) == 0
        assert commands[1] in " ".join(capfd.readouterr().out.split()), command
    assert run(["errors", "--explain", "suspicious-change"]) == 0
    explained = " ".join(capfd.readouterr().out.split())
    assert "xpmsync sync --accept N" in explained
    assert "When a full sync passes" in explained


# Elements that XPM does not send.


def list_warnings(firm):
    rows = firm.rows("SELECT code, message, suggestion FROM sync_errors WHERE resolved_at IS NULL AND entity = 'run'")
    return {row["code"]: (row["message"], row["suggestion"]) for row in rows}


def test_an_element_that_no_record_of_a_full_list_has_clears_nothing_and_other_changes_are_taken(firm):
    edit(firm, find(firm, 0, 60), phone=None, fax="02 5550 1111")
    edit(firm, find(firm, 0, 1), title="Prof")

    summary = firm.sync(full=True)

    assert (summary.clients.updated, summary.warnings) == (60, 1)
    assert firm.rows("SELECT DISTINCT telephone, fax FROM clients") == [
        {"telephone": "02 5550 0000", "fax": "02 5550 1111"}
    ]
    assert firm.rows("SELECT individual_title FROM clients WHERE code = 'C0'") == [{"individual_title": "Prof"}]
    message, suggestion = list_warnings(firm)["elements-no-longer-sent"]
    assert "Phone of clients" in message
    assert f"xpmsync sync --accept {summary.run_id}" in suggestion


def test_another_element_in_place_of_the_client_code_stops_a_first_sync(make_firm):
    practice = make_practice(clients=0)
    for number in range(30):
        code = f"<ClientReferenceCode>C{number}</ClientReferenceCode>"
        practice.add_client(f"Client {number}", account_manager=next(iter(practice.staff)), extra=code)
    firm = make_firm(practice)
    _, error = stop(firm)
    assert error.happened == "The safety limits stopped the sync: XPM sends no ClientCode for its 30 clients."
    assert firm.rows("SELECT 1 FROM clients") == firm.rows("SELECT 1 FROM users") == []


def test_accepting_clears_the_values_of_an_element_that_is_not_sent_and_ends_the_warning(firm):
    edit(firm, find(firm, 0, 60), phone=None)
    number = firm.sync(full=True).run_id

    for _ in range(2):
        firm.sandbox.clock.advance(3_600)
        firm.sync(full=True)  # the number stays the same as long as nothing is sent
    assert f"--accept {number}" in list_warnings(firm)["elements-no-longer-sent"][1]
    summary = firm.sync(accept=number)

    assert (summary.mode, summary.accepted) == ("full", ("XPM does not send Phone of clients.",))
    assert firm.rows("SELECT DISTINCT telephone FROM clients") == [{"telephone": None}]
    assert list_warnings(firm) == {}
    firm.sync(full=True)
    assert list_warnings(firm) == {}
    with pytest.raises(InvalidRequest):
        firm.sync(accept=number)


def test_lists_that_are_not_sent_stay_and_are_emptied_when_that_is_accepted(make_firm):
    contacts = [{"salutation": "Zoe", "is_primary": "Yes"}]
    firm = make_firm(make_practice(clients=20, contacts=contacts, groups=["Farms"]))
    firm.sync()
    edit(firm, find(firm, 0, 20), contacts=None, groups=None)
    number = firm.sync(full=True).run_id
    assert "Contacts, Groups of clients" in list_warnings(firm)["elements-no-longer-sent"][0]
    assert len(firm.rows("SELECT * FROM client_group_members")) == 20
    firm.sync(accept=number)
    assert firm.rows("SELECT * FROM client_group_members") == []
    assert firm.rows("SELECT DISTINCT individual_salutation FROM clients") == [{"individual_salutation": None}]
    assert firm.sync(full=True).clients.updated == 0


@pytest.mark.parametrize("element", ["Salutation", "IsPrimary"])
def test_contacts_without_an_element_that_a_salutation_needs_keep_the_salutation(open_firm, element):
    complete = {"salutation": "Sam", "is_primary": "Yes"}
    firm = match(open_firm(make_practice(contacts=[complete])))
    keyword = {"Salutation": "salutation", "IsPrimary": "is_primary"}[element]
    edit(firm, find(firm, 0, 60), contacts=[complete | {keyword: None}])
    edit(firm, find(firm, 0, 1), contacts=[])  # is sent, and says that there is none
    number = firm.sync(full=True).run_id
    count = "SELECT count(individual_salutation) AS number FROM clients"
    assert firm.rows(count) == [{"number": 59}]
    warning = f"XPM no longer sends these elements: Contacts/Contact/{element} of clients."
    assert list_warnings(firm)["elements-no-longer-sent"][0].startswith(warning)
    edit(firm, find(firm, 1, 2), phone="1")
    firm.sync()  # an incremental answer clears nothing either
    assert firm.rows(count) == [{"number": 59}]
    assert firm.sync(accept=number).accepted == (f"XPM does not send Contacts/Contact/{element} of clients.",)
    assert firm.rows(count) == [{"number": 0}]
    assert list_warnings(firm) == {}
    assert firm.sync(full=True).clients.updated == 0
    edit(firm, find(firm, 0, 60), contacts=[complete])
    firm.sync(full=True)
    assert firm.rows(count) == [{"number": 60}]


def test_groups_without_any_identifier_keep_the_members(open_firm):
    firm = match(open_firm(make_practice(groups=["Farms"])))
    for client in firm.practice.clients.values():
        client.elements["Groups"] = [{"Name": "Farms"}]
        client.rendered = None
    firm.sync(full=True)
    assert firm.rows("SELECT count(*) AS number FROM client_group_members") == [{"number": 60}]
    assert "Groups/Group/UUID of clients" in list_warnings(firm)["elements-no-longer-sent"][0]


def test_a_warning_of_elements_says_what_else_its_command_accepts_and_only_that(firm):
    edit(firm, find(firm, 0, 60), phone=None, title="")
    first = firm.sync(accept=stop(firm, full=True)[0]).run_id  # Phone has values, and Title has none any more
    edit(firm, find(firm, 0, 60), title=None)
    second = firm.sync(full=True).run_id

    warnings = list_warnings(firm)

    also = ". That also accepts elements-no-longer-sent (Phone of clients)"
    assert warnings["elements-never-sent"][1].endswith(f"xpmsync sync --accept {second}{also}")
    assert warnings["elements-no-longer-sent"][1].endswith(f"xpmsync sync --accept {first}")
    firm.sync(accept=first)
    assert list_warnings(firm)["elements-never-sent"][1].endswith(f"xpmsync sync --accept {second}")


def test_what_the_last_full_list_came_without_is_not_cleared_by_an_incremental_answer_either(firm):
    edit(firm, find(firm, 0, 60), phone=None)
    firm.sync(full=True)
    firm.sandbox.clock.advance(3_600)
    edit(firm, find(firm, 0, 1), fax="02 5550 1111")
    firm.sync()
    assert firm.rows("SELECT telephone, fax FROM clients WHERE code = 'C0'") == [
        {"telephone": "02 5550 0000", "fax": "02 5550 1111"}
    ]
    edit(firm, find(firm, 0, 1), phone="02 5550 2222")  # it is sent again
    edit(firm, find(firm, 1, 2), fax="02 5550 3333")  # and not for this one, which so has none
    firm.sync()
    assert firm.rows("SELECT telephone FROM clients WHERE code < 'C11' ORDER BY code") == [
        {"telephone": "02 5550 2222"},
        {"telephone": None},
        {"telephone": "02 5550 0000"},
    ]
    assert list_warnings(firm) == {}


def test_all_elements_that_were_never_sent_are_one_warning_which_accepting_hides(make_firm):
    practice = make_practice(clients=3, title=None, fax=None)
    for uuid in practice.staff:
        practice.edit_staff(uuid, email="")  # is sent
    firm = make_firm(practice)
    number = firm.sync().run_id
    message, suggestion = list_warnings(firm).pop("elements-never-sent")
    assert message == "XPM sends none of these elements: Fax, Title of clients."
    assert f"--accept {number}" in suggestion
    firm.sync()
    assert firm.sync(accept=number).warnings == 0
    edit(firm, find(firm, 0, 1), title="Dr")
    firm.sync()
    assert firm.rows("SELECT count(*) AS clients FROM clients WHERE individual_title = 'Dr'") == [{"clients": 0}]
    assert firm.rows("SELECT count(*) AS clients FROM xpm_clients WHERE title = 'Dr'") == [{"clients": 1}]
    edit(firm, find(firm, 0, 1), title=None)
    firm.sync(full=True)
    assert list_warnings(firm)["elements-no-longer-sent"][0].startswith("XPM no longer sends these elements: Title")


@pytest.mark.parametrize(
    ("clients", "staff", "values", "missing"),
    [
        (20, 3, {"client_code": None}, "XPM sends no ClientCode for its 20 clients."),
        (20, 3, {"account_manager": None}, "XPM sends no AccountManager for its 20 clients."),
        (20, 3, {"name": None}, "XPM sends no Name for its 20 clients."),
        (19, 3, {"client_code": None, "account_manager": None}, None),
        (20, 3, {"client_code": "", "account_manager": ("", "")}, None),
        (1, 3, {"email": None}, "XPM sends no Email for its 3 staff."),
        (1, 2, {"email": None}, None),
        (1, 3, {"email": ""}, None),
    ],
)
def test_a_first_sync_is_stopped_where_an_element_that_matching_needs_is_not_sent(
    make_firm, clients, staff, values, missing
):
    practice = make_practice(clients, staff)
    for uuid in practice.staff if "email" in values else ():
        practice.edit_staff(uuid, **values)
    for uuid in practice.clients if "email" not in values else ():
        practice.edit_client(uuid, **values)
    firm = make_firm(practice)
    if missing is None:
        firm.sync()
        assert firm.sync(full=True).mode == "full"
        return
    number, error = stop(firm)
    assert missing in error.happened
    assert snapshot(firm) == {table: [] for table in DATA_TABLES}
    assert stop(firm)[1].happened == error.happened
    assert firm.sync(accept=number).accepted == (missing,)
    assert firm.sync(full=True).mode == "full"
    assert list_warnings(firm) == {}


@pytest.mark.parametrize("kind", ["staff", "clients"])
@pytest.mark.parametrize("is_first", [True, False])
def test_a_full_list_without_any_identifier_ends_the_sync_with_7(make_firm, kind, is_first):
    firm = make_firm(make_practice())
    if not is_first:
        firm.sync()
    before = snapshot(firm)
    for record in getattr(firm.practice, kind).values():
        record.uuid = ""
    for client in firm.practice.clients.values():
        client.rendered = None
    with pytest.raises(PermanentError) as caught:
        firm.sync(full=True)
    assert (caught.value.exit_code, caught.value.happened) == (
        7,
        f"XPM's list of {kind} has no UUID in it, by which records are told apart.",
    )
    assert snapshot(firm) == before

"""Clients that XPM has and Active has not: they are counted and found, and the numbers add up to what XPM sent."""

import json

import pytest

from xpmsync.cli import run
from xpmsync.sandbox import Practice


@pytest.fixture
def firm(make_firm):
    """Of nine clients, three come to Active, two have an error, two are archived, one is deleted, one has no UUID."""
    practice = Practice()
    ann = practice.add_staff("Ann Lee", "ann@example.com")
    for name in ("Acme", "Beta", "Cedar"):
        practice.add_client(name, client_code=name.upper(), account_manager=ann)
    practice.add_client("No Partner", client_code="NOP001")
    practice.add_client("", client_code="NONAME", account_manager=ann)
    for name, code in (("Old Smith", "OLD001"), ("Older Smith", None)):
        practice.archive_client(practice.add_client(name, client_code=code, account_manager=ann))
    practice.delete_client(practice.add_client("Duplicate", client_code="DUP001", account_manager=ann))
    practice.clients[practice.add_client("Without ID", account_manager=ann)].uuid = ""
    return make_firm(practice)


@pytest.fixture
def type_line(capsys):
    """Types a command; gives what it printed, its lines joined."""

    def call(line, *, exit_code=0):
        assert run(line.split()) == exit_code
        printed = capsys.readouterr()
        return " ".join((printed.out + printed.err).split())

    return call


def test_what_is_not_copied_is_counted_wherever_the_sync_is_summed_up(firm, type_line, type_ahead):
    type_ahead()
    in_xpm = "In XPM 9 clients: 3 in Active, 3 with errors, 2 archived, 1 deleted"
    assert in_xpm in type_line("sync --dry-run")
    out = type_line("sync")
    assert "Clients 3 created, 3 skipped" in out
    assert in_xpm in out
    in_mirror = in_xpm.replace("9 clients", "8 clients").replace("3 with", "2 with")
    assert in_mirror in type_line("status")
    page = firm.home.data_folder / "page.html"
    type_line(f"report {page}")
    assert in_mirror.replace("In XPM", "In XPM:") in page.read_text()


@pytest.mark.parametrize("full", [True, False])
def test_the_numbers_add_up_hour_after_hour(firm, full):
    acme, beta, *_ = firm.practice.clients
    for change in (
        lambda: None,
        lambda: firm.practice.archive_client(beta),
        lambda: firm.practice.edit_client(acme, phone="1"),
        lambda: firm.practice.vanish_client(acme),
        lambda: None,
    ):
        change()
        summary = firm.sync(full=full)
        counts, in_xpm = summary.clients, summary.xpm_clients
        removed = firm.rows(
            "SELECT count(*) AS n FROM changes WHERE run_id = ? AND new_value = 'removed'", summary.run_id
        )[0]["n"]
        sent = sum(vars(in_xpm).values())
        counted = counts.created + counts.updated + counts.unchanged + counts.skipped - removed
        assert sent == counted + in_xpm.archived + in_xpm.deleted
        if summary.mode == "full":
            assert sent == len(firm.practice.clients)


@pytest.mark.usefixtures("firm")
def test_programs_get_the_numbers_too(type_line):
    numbers = {"in_active": 3, "with_error": 3, "archived": 2, "deleted": 1}
    assert json.loads(type_line("sync --dry-run --json"))["xpm_clients"] == numbers
    assert json.loads(type_line("sync --json"))["xpm_clients"] == numbers
    assert json.loads(type_line("status --json"))["xpm_clients"] == numbers | {"with_error": 2}


@pytest.mark.parametrize(
    ("who", "what"),
    [
        ("OLD001", "XPM has Old Smith (OLD001): archived in XPM, so not copied."),
        ("Older", "XPM has Older Smith: archived in XPM, so not copied. If Active should have it, restore it in XPM"),
        ("DUP001", "XPM has Duplicate (DUP001): deleted in XPM, so not copied."),
        ("NOP001", "XPM has No Partner (NOP001), but an error keeps it out of Active."),
    ],
)
def test_whoever_looks_for_one_is_told_why_it_is_not_in_active(firm, type_line, who, what):
    firm.sync()
    assert what in type_line(f"admin client show {who}", exit_code=2)
    assert what in type_line(f"history {who}", exit_code=2)
    in_list = type_line(f"admin client list --search {who}")
    assert "No client of Active is like that. In XPM alone: 1 client" in in_list
    assert what.partition(" (")[0].partition(":")[0].removeprefix("XPM has ") in in_list
    in_log = type_line(f"errors --search {who}")
    assert (what in in_log) or "partner-missing" in in_log


def test_the_list_has_them_by_status_and_says_how_many_there_are(firm, type_line):
    firm.sync()
    listed = type_line("admin client list --status archived")
    assert "In XPM alone: 2 clients" in listed
    assert "OLD001 Old Smith archived in XPM, so not copied" in listed
    assert "Duplicate" not in listed
    everything = type_line("admin client list")
    assert "XPM has or had 5 clients more." in everything
    assert "xpmsync admin client list --status archived" in everything
    assert "In XPM alone" not in type_line("admin client list --partner ann@example.com")


def test_one_that_vanished_before_it_came_is_no_longer_in_xpm(firm, type_line):
    firm.sync()
    (old,) = (uuid for uuid, each in firm.practice.clients.items() if each.name == "Old Smith")
    firm.practice.vanish_client(old)
    firm.sync(full=True)
    assert "XPM had Old Smith (OLD001). It is no longer there, and not in Active." in type_line(
        "admin client show OLD001", exit_code=2
    )

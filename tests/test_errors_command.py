import csv
import io
import json
import os
import pty
import re
import select
import shutil
import subprocess
import sys
import termios
import time
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from xpmsync.active.database import open_database
from xpmsync.active.error_log import save_issues
from xpmsync.active.runs import start_run
from xpmsync.cli import run
from xpmsync.cli.formatting import parse_since
from xpmsync.errors import ENDINGS
from xpmsync.rules.issues import CATALOGUE, Issue, issue

NOW = datetime.now(UTC).replace(microsecond=0)
MISSING = issue("partner-missing", "c1", "Smith & Sons Pty Ltd", office="SYD")
ALSO_MISSING = issue("partner-missing", "c2", "Whānau Trust", office="SYD")
ONE_WORD = issue("staff-name-one-word", "s1", "Madonna")
FAILURE = Issue("xero-refused", "error", "run", None, None, None, "Xero says no.", "Run: xpmsync connect")


@pytest.fixture(autouse=True)
def utc(home, set_zone):  # noqa: ARG001 - the environment points to it
    set_zone("UTC")


@pytest.fixture
def record(record):
    """Writes what one run met, some hours ago."""
    return partial(record, now=NOW)


@pytest.fixture
def show(capsys):
    """Runs the command, and gives what it printed."""

    def call(*arguments, exit_code=0):
        assert run(["errors", *arguments]) == exit_code
        printed = capsys.readouterr()
        wide = [line for line in printed.out.splitlines() if len(line) > 80 and not line.startswith("    ")]
        is_for_people = not {"--json", "--csv"} & set(arguments)
        assert not is_for_people or all(line.lstrip().startswith("xpmsync ") for line in wide)
        return printed.out if exit_code == 0 else printed.err

    return call


def test_before_the_first_run_there_is_nothing_and_no_database_is_made(show, home):
    said = " ".join(show().split())
    assert said == f"No run has been made yet in {home.data_folder}. How it is there: xpmsync status"
    assert json.loads(show("--json")) == []
    assert not home.database_file.exists()


def test_a_healthy_sync_gets_a_calm_line(show, record):
    record()
    assert show() == "No open problems.\n"
    assert show("--since", "24h") == "Nothing in the log matches.\n"


def test_each_issue_says_which_record_since_when_how_often_and_what_to_do(show, record):
    record(ONE_WORD, hours_ago=2)
    record(ONE_WORD)
    since = (NOW - timedelta(hours=2)).astimezone().strftime("%Y-%m-%d %H:%M")
    assert show() == (
        "Warning: staff-name-one-word\n"
        "  Madonna\n"
        "    The name in XPM is one word: it is taken as the first name, and the last\n"
        "    name is left empty.\n"
        "    To do: In XPM, Business > Settings > Staff, enter the full name of Madonna.\n"
        f"    since {since}, seen 2 times\n"
        "\n"
        "1 thing to do for 1 record: 1 warning\n"
        "The whole story of one kind: xpmsync errors --explain staff-name-one-word\n"
    )


def missing(number, office="SYD"):
    return issue("partner-missing", f"c{number}", f"Client {number:02}", office=office)


def test_records_with_one_cause_stand_together_with_what_to_do_about_all_of_them(show, record):
    record(MISSING, ALSO_MISSING, ONE_WORD)
    since = NOW.strftime("%Y-%m-%d %H:%M")
    assert show().startswith(
        "Error: partner-missing\n"
        "  2 clients have no partner in XPM, and the office SYD has no default partner.\n"
        "  To do: In XPM, Clients, open each of them, and under Edit choose a partner; or\n"
        "  give the office a default partner:\n"
        "    xpmsync admin office set SYD --default-partner EMAIL\n"
        f"  since {since}, seen once\n"
        "    Smith & Sons Pty Ltd\n"
        "    Whānau Trust\n"
        "\n"
        "Warning: staff-name-one-word\n"
    )
    assert "\n2 things to do for 3 records: 2 errors, 1 warning\n" in show()


def test_of_many_records_the_first_are_shown_and_a_command_shows_the_others_narrowed_as_before(show, record):
    record(*map(missing, range(38)))
    text = show()
    assert "  38 clients have no partner in XPM" in text
    assert "    Client 09\n    and 28 more: xpmsync errors --code partner-missing\n" in text
    assert "Client 10" not in text
    assert "Client 37\n" in show("--code", "partner-missing")
    assert "Client 37\n" in show("--code", "partner-missing", "--search", "client 3")
    narrowed = show("--since", "2026-01-01", "--run", "1", "--search", "client ", "--all")
    command = "--code partner-missing --since 2026-01-01T00:00:00Z --run 1 --search 'client ' --all"
    assert f"    and 28 more:\n      xpmsync errors {command}\n" in narrowed


def test_each_office_without_a_default_partner_is_a_cause_of_its_own_and_the_biggest_comes_first(show, record):
    nobody = issue("staff-without-email", "s2", "Tui")
    record(missing(1, "AKL"), *(missing(number) for number in range(2, 6)), nobody, ONE_WORD)
    text = show()
    assert text.index("4 clients") < text.index("Client 01") < text.index("Tui") < text.index("Madonna")
    assert "4 things to do for 7 records: 6 errors, 1 warning" in text


def test_records_that_share_an_address_stand_together_in_whatever_case_each_has_it(show, record):
    shared = lambda uuid, name, **facts: issue("staff-email-shared", uuid, name, **facts)  # noqa: E731 - short
    record(shared("s1", "Ann", email="A@X.NZ", others="Bob"), shared("s2", "Bob", email="a@x.nz", others="Ann"))
    assert "2 staff members share the e-mail address" in show()
    assert "1 thing to do for 2 records: 2 errors" in show()


def former(number):
    facts = {"code": f"OLD{number:03}", "holder": f"Holder {number}", "others": ""}
    return issue("code-held-by-former-client", f"uuid-{number}", f"Client {number}", move="", **facts)


def test_a_record_with_a_command_of_its_own_shows_it_where_few_are_or_where_its_code_is_asked_for(show, record):
    record(*map(former, range(3)))
    assert "xpmsync admin client link OLD002 --xpm-client uuid-2" in " ".join(show().split())
    record(*map(former, range(4)))
    text = " ".join(show().split())
    assert "4 clients have a client code that belongs to a client of Active" in text
    assert "To do: Decide for each" in text
    assert "--xpm-client uuid-2" not in text
    assert "Each of them in full: xpmsync errors --code code-held-by-former-client" in text
    narrowed = " ".join(show("--code", "code-held-by-former-client").split())
    assert all(f"link OLD00{number} --xpm-client uuid-{number}" in narrowed for number in range(4))
    assert "Decide for each" not in narrowed


def test_records_without_a_name_still_say_which_they_are(show, record):
    labels = ["with the code SMI001", "with the identifier c2"]
    nameless = [issue("client-without-name", f"c{place}", None, label=label) for place, label in enumerate(labels)]
    record(nameless[0])
    assert "  A client without a name (c0)\n" in show()
    record(*nameless)
    text = show()
    assert text.startswith("Error: client-without-name\n  2 clients have neither a name nor")
    assert all(f"find the client {label} and enter its name" in text for label in labels)


def test_records_of_one_cause_say_when_each_of_them_began(show, record):
    record(MISSING, hours_ago=30)
    record(MISSING, ALSO_MISSING)
    text = show()
    assert text.count("since ") == 2
    assert "    Smith & Sons Pty Ltd\n      since " in text


def test_what_is_resolved_stands_apart_and_has_nothing_to_do(show, record):
    record(MISSING, ALSO_MISSING, hours_ago=3)
    record(MISSING, ALSO_MISSING, missing(3), hours_ago=2)
    record(MISSING)
    text = show("--all")
    assert text.startswith("Error: partner-missing\n  Smith & Sons Pty Ltd\n")
    assert "Error: partner-missing (resolved)\n  2 clients have no partner" in text
    assert text.count("To do: ") == 1
    assert "1 thing to do for 1 record: 1 error, 2 resolved" in text
    record()
    assert "Nothing of this is open any more: 3 resolved" in show("--all")


def test_rows_from_before_there_were_causes_stand_together_by_their_words(show, record, home):
    record(MISSING, ALSO_MISSING)
    with open_database(home.database_file) as database:
        database.connection.execute("UPDATE sync_errors SET cause = NULL, remedy = NULL")
    text = show()
    assert text.count("This client has no partner in XPM") == 1
    assert text.count("To do: ") == 1


def test_the_trouble_of_a_run_comes_before_that_of_records(show, record):
    record(MISSING, ALSO_MISSING, FAILURE)
    text = show()
    assert text.startswith("Error: xero-refused\n  The sync as a whole\n    Xero says no.\n")
    assert ", seen once; clears when a sync gets past this point\n" in text
    assert "2 things to do for 2 records: 3 errors" in text


def test_the_client_code_stands_beside_the_name(show, record, home):
    record(MISSING)
    with open_database(home.database_file) as database:
        database.connection.execute("INSERT INTO xpm_clients (uuid, client_code) VALUES ('c1', 'SMI001')")
    assert "  Smith & Sons Pty Ltd (SMI001)\n" in show()
    assert json.loads(show("--json"))[0]["client_code"] == "SMI001"


@pytest.mark.parametrize("since", ["tomorrow", "24", "-1h", "2026-13-01", "99999d", "٣d", ""])
def test_a_since_that_is_no_time_is_a_clear_usage_error(show, since):
    assert "must be such as 90m, 24h, 7d, today, 2026-11-01 or" in show("--since", since, exit_code=2)


@pytest.mark.parametrize("since", ["2999-01-01", "2999-01-01T10:00Z"])
def test_a_since_in_the_future_is_a_clear_usage_error(show, since):
    assert f"must not be in the future, as {since} is" in show("--since", since, exit_code=2)


# In Sydney the clock went from 2 to 3 on 4 October 2026, and in Auckland on 27 September; both went back in April.
MEANT = {
    ("Australia/Sydney", "2026-10-04T12:00Z"): {
        "90m": "2026-10-04T10:30Z",
        "24h": "2026-10-03T12:00Z",
        "1d": "2026-10-03T13:00Z",
        "2w": "2026-09-20T13:00Z",
        "today": "2026-10-03T14:00Z",
    },
    ("Australia/Sydney", "2026-10-05T12:00Z"): {"today": "2026-10-04T13:00Z", "yesterday": "2026-10-03T14:00Z"},
    ("Australia/Sydney", "2026-12-01T00:00Z"): {
        "2026-11-01": "2026-10-31T13:00Z",
        "2026-07-01": "2026-06-30T14:00Z",
        "2026-11-01 14:30": "2026-11-01T03:30Z",
        "2026-11-01T14:30": "2026-11-01T03:30Z",
        "2026-11-01T14:30Z": "2026-11-01T14:30Z",
        "2026-11-01 14:30+13:00": "2026-11-01T01:30Z",
        "2026-04-05 02:30": "2026-04-04T15:30Z",  # half past two comes twice: the earlier one finds more
    },
    ("Pacific/Auckland", "2026-09-27T10:00Z"): {"1d": "2026-09-26T11:00Z", "today": "2026-09-26T12:00Z"},
    ("Pacific/Auckland", "2026-09-28T10:00Z"): {"today": "2026-09-27T11:00Z"},
    ("Pacific/Auckland", "2026-04-05T11:30Z"): {"yesterday": "2026-04-03T11:00Z"},
}


@pytest.mark.parametrize(("zone", "now"), MEANT)
def test_a_time_is_meant_by_the_clock_on_the_wall(set_zone, zone, now):
    set_zone(zone)
    for text, expected in MEANT[zone, now].items():
        assert parse_since(text, datetime.fromisoformat(now)) == datetime.fromisoformat(expected), text


def test_since_takes_words_and_times_however_they_are_typed(show, record):
    record(MISSING, hours_ago=1)
    record()
    for since in ("90m", " 2H ", "1d", (NOW - timedelta(hours=2)).strftime("%Y-%m-%dt%H:%Mz"), "Yesterday"):
        assert "partner-missing" in show("--since", since)


def test_of_what_the_sync_as_a_whole_met_the_latest_comes_first(show, home):
    codes = ("xero-refused", "keyring-trouble", "database-trouble")
    with open_database(home.database_file) as database:
        for code in codes:
            run_id = start_run(database, tenant_id=None, mode="full", is_watched=False, now=NOW)
            met = Issue(code, "error", "run", None, None, None, f"What {code} is.", "Mend it.")
            save_issues(database, [vars(met)], run_id=run_id, now=NOW, resolve_others=False)
    assert re.findall("Error: (.+)", show()) == [*reversed(codes)]


def test_a_run_that_never_was_is_refused(show, record):
    assert "There is no run 3.\nNo run has been made yet.\n" in show("--run", "3", exit_code=2)
    record(MISSING)
    record()
    assert "There is no run 3.\nThe last one is 2.\n" in show("--run", "3", exit_code=2)
    assert show("--run", "2") == "Nothing in the log matches.\n"


def test_the_log_is_narrowed_by_run_entity_and_code(show, record):
    record(MISSING, hours_ago=2)
    record(ONE_WORD)
    names = lambda *arguments: [row["name"] for row in json.loads(show("--json", *arguments))]  # noqa: E731 - short
    assert names() == ["Madonna"]
    assert names("--run", "1") == ["Smith & Sons Pty Ltd"]
    assert names("--all") == ["Smith & Sons Pty Ltd", "Madonna"]
    assert names("--all", "--entity", "user") == ["Madonna"]
    assert names("--all", "--code", "partner-missing") == ["Smith & Sons Pty Ltd"]
    assert names("--all", "--code", "partner-missing", "--code", "staff-name-one-word", "--search", "mad") == [
        "Madonna"
    ]
    assert names("--all", "--severity", "error") == ["Smith & Sons Pty Ltd"]
    assert names("--severity", "error") == []
    assert names("--since", "3h", "--run", "1", "--entity", "client", "--search", "SONS") == ["Smith & Sons Pty Ltd"]


def test_a_record_is_found_by_a_part_of_its_name_or_client_code_in_any_case_and_script(show, record, home):
    record(MISSING, ALSO_MISSING, issue("client-without-name", "c3", None, label="with the code SMI001"))
    with open_database(home.database_file) as database:
        database.connection.execute("INSERT INTO xpm_clients (uuid, client_code) VALUES ('c3', 'SMI001')")
    search = lambda text: [row["xpm_uuid"] for row in json.loads(show("--json", "--search", text))]  # noqa: E731 - short
    assert search("WHĀNAU") == ["c2"]
    assert search("smi") == ["c3", "c1"]
    assert search("smi001") == ["c3"]
    assert search("%") == []


SHAPE = (
    "id,severity,code,entity,name,client_code,field,message,suggestion,first_seen_at,last_seen_at,times_seen,"
    "first_run_id,last_run_id,resolved_at,xpm_uuid,cause,remedy"
)


@pytest.mark.parametrize("options", [(), ("--all",), ("--code", "partner-missing"), ("--since", "1h"), ("--run", "1")])
def test_json_and_csv_always_have_the_same_columns_in_the_same_order(show, record, options):
    record(ALSO_MISSING, MISSING)
    rows = json.loads(show("--json", *options))
    assert [",".join(row) for row in rows] == [SHAPE, SHAPE]
    header, *lines = show("--csv", *options).splitlines()
    assert header == f"\ufeff{SHAPE}"
    assert [next(csv.reader([line]))[4] for line in lines] == [row["name"] for row in rows]


def test_json_is_an_empty_list_and_csv_its_header_where_there_is_nothing(show, record):
    for write in (lambda: None, record):
        write()
        assert show("--json") == "[]\n"
        assert show("--csv") == f"\ufeff{SHAPE}\r\n"


def test_json_tells_what_the_log_holds(show, record):
    record(ALSO_MISSING)
    (row,) = json.loads(show("--json"))
    assert (row["code"], row["severity"], row["entity"], row["name"]) == (
        "partner-missing",
        "error",
        "client",
        "Whānau Trust",
    )
    assert (row["times_seen"], row["first_run_id"], row["resolved_at"]) == (1, 1, None)
    assert row["first_seen_at"] == NOW.strftime("%Y-%m-%dT%H:%M:%SZ")
    assert row["cause"] == "have no partner in XPM, and the office SYD has no default partner"
    assert "xpmsync admin office set SYD" in row["remedy"]


@pytest.mark.parametrize(
    ("name", "cell"),
    [
        ('=HYPERLINK("http://evil.example")', '\'=HYPERLINK("http://evil.example")'),
        ("+61 2 1234", "'+61 2 1234"),
        ("-1", "'-1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("  =1+1", "'  =1+1"),
        ("\t=1+1", "' =1+1"),
        ("\r\n=1+1", "'  =1+1"),
        ("\u00a0\u200b\ufeff=1+1", "'\u00a0\u200b\ufeff=1+1"),
        ("\uff1d1+1", "'\uff1d1+1"),
        ("\uff20SUM(A1)", "'\uff20SUM(A1)"),
        ("\tx", " x"),
        ("Smith, Ann", "Smith, Ann"),
        ("A=B", "A=B"),
        ("", ""),
    ],
)
def test_no_cell_of_the_csv_is_one_that_a_spreadsheet_would_calculate(show, record, name, cell):
    record(issue("staff-name-one-word", "s1", name))
    (row,) = csv.DictReader(io.StringIO(show("--csv"), newline=""))
    assert row["name"] == cell


def test_json_and_csv_at_once_is_a_usage_error(show):
    assert "one of --json and --csv" in show("--json", "--csv", exit_code=2)


@pytest.mark.parametrize("options", [(), ("--json",), ("--csv",)])
def test_nothing_that_a_name_holds_is_obeyed_by_the_terminal(show, record, options):
    name = "A\x1b]0;owned\x07B\x9b31m\u202eC\rD [bold]E[/bold] :smile: \ud7ff\x00F"
    record(issue("staff-name-one-word", "s1", name))
    text = show(*options)
    assert not any(character in text.replace("\r\n", "") for character in "\x1b\x07\x9b\u202e\r\x00")
    assert "[bold]E[/bold] :smile:" in text


def test_a_terminal_without_utf_8_gets_its_own_letters_and_no_crash(record, monkeypatch):
    record(ALSO_MISSING)
    raw = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(raw, encoding="ascii"))
    assert run(["errors"]) == 0
    assert b"Wh?nau Trust" in raw.getvalue()


@pytest.mark.parametrize("code", [*CATALOGUE, *ENDINGS])
def test_every_code_has_its_whole_story(show, code):
    text = show("--explain", code)
    headings = [line for line in text.splitlines()[1:] if line and not line.startswith(" ")]
    assert text.startswith(f"{code}: ")
    assert headings == ["What it is", "Meanwhile", "What to do", "How it goes away", "Open now"]
    assert text.endswith("\nOpen now\n  None.\n")
    assert "{" not in text


def test_the_story_says_how_many_are_open_and_since_when(show, record):
    record(MISSING, FAILURE, hours_ago=3)
    record(MISSING, ALSO_MISSING, FAILURE)
    since = (NOW - timedelta(hours=3)).strftime("%Y-%m-%d %H:%M")
    text = show("--explain", "partner-missing")
    assert text.startswith("partner-missing: error of a client\n")
    assert f"  2 clients, the oldest since {since}. See them:\n    xpmsync errors --code partner-missing\n" in text
    text = show("--explain", "xero-refused")
    assert text.startswith("xero-refused: ends a run, with the exit code 7\n")
    assert f"  Yes, since {since}. See it: xpmsync errors --code xero-refused\n" in text


@pytest.mark.parametrize("options", [("--since", "7d"), ("--json",), ("--csv",), ("--all",), ("--code", "bug")])
def test_a_story_is_told_alone(show, options):
    assert "--explain stands alone" in show("--explain", "partner-missing", *options, exit_code=2)


def test_a_partner_without_an_address_is_one_thing_to_do_for_all_of_their_clients(show, record):
    tui = {"partner": "Tui Henare", "partner_uuid": "s7"}
    record(*(issue("partner-without-email", f"c{number}", f"Kauri {number}", **tui) for number in range(38)))
    text = " ".join(show().split())
    assert text.startswith(
        "Error: partner-without-email 38 clients name the partner Tui Henare, who has no usable e-mail address in XPM. "
        "To do: In XPM, Business > Settings > Staff, enter the e-mail address of Tui Henare; or, if a user of Active "
        "is meant, run: xpmsync admin user link EMAIL --xpm-staff s7 "
    )
    assert "1 thing to do for 38 records: 38 errors" in text


# The pager.


def test_a_log_in_a_pipe_is_never_paged(record, show, monkeypatch):
    record(*map(missing, range(38)))
    monkeypatch.setenv("PAGER", "sed s/^/|/")
    assert "|" not in show("--code", "partner-missing")


@pytest.mark.parametrize("pager", ["true", "/nowhere/pager"])
def test_a_pager_that_is_left_early_or_does_not_exist_is_no_failure(record, type_ahead, capfd, monkeypatch, pager):
    record(*map(missing, range(38)))
    monkeypatch.setenv("PAGER", pager)
    type_ahead()
    assert run(["errors", "--code", "partner-missing"]) == 0
    printed = capfd.readouterr()
    assert printed.err == ""
    assert ("Client 37" in printed.out) == (pager != "true")


# A session takes the first terminal that it opens for its own: the one that Ctrl-C reaches it from.
IN_SESSION = (
    "import os, sys; os.open(os.ttyname(0), os.O_RDWR); os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"
)


@pytest.fixture
def show_on_terminal(home):
    """Runs the command on a terminal of 24 lines, and gives what appears there.

    Each of the keys is pressed when nothing more appears.
    """

    def call(*arguments, keys=(), **environment):
        control, terminal = pty.openpty()
        termios.tcsetwinsize(terminal, (24, 80))
        before = termios.tcgetattr(terminal)
        unset = {name: value for name, value in os.environ.items() if name not in ("LESS", "PAGER", "NO_COLOR")}
        process = subprocess.Popen(
            [sys.executable, "-c", IN_SESSION, "-m", "xpmsync", "errors", *arguments],
            env={**unset, "TERM": "xterm", "XPMSYNC_HOME": str(home.config_folder), **environment},
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
            start_new_session=True,
        )
        seen, keys = b"", list(keys)
        give_up_at = time.monotonic() + 60
        while process.poll() is None and time.monotonic() < give_up_at:
            if select.select([control], [], [], 0.7)[0]:
                seen += os.read(control, 65536)
            elif seen and keys:
                os.write(control, keys.pop(0))
        while select.select([control], [], [], 0)[0]:
            seen += os.read(control, 65536)
        assert process.wait(0) == 0
        assert termios.tcgetattr(terminal) == before
        os.close(terminal)
        os.close(control)
        return seen.decode().replace("\r\n", "\n")

    return call


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("less"), reason="less is not installed")
@pytest.mark.parametrize("keys", [[b"q"], [b"\x03", b"q"], [b" ", b" ", b"\x03", b"q"]])
def test_less_shows_colours_and_leaves_the_terminal_as_it_was(show_on_terminal, record, keys):
    record(*map(missing, range(38)))
    text = show_on_terminal("--code", "partner-missing", keys=keys)
    assert "\x1b[1;31mError: partner-missing" in text
    assert "ESC" not in text
    assert "\x1b[?1049h" not in text  # the text stays on the screen when less has gone
    assert ("Client 37" in text) == (len(keys) > 2)


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("less"), reason="less is not installed")
def test_less_keeps_the_options_that_a_person_has_chosen(show_on_terminal, record):
    record(*map(missing, range(38)))
    assert "\x1b[?1049h" in show_on_terminal("--code", "partner-missing", keys=[b"q"], LESS="-R")
    assert "\x1b[1;31m" not in show_on_terminal("--code", "partner-missing", keys=[b"q"], NO_COLOR="1")

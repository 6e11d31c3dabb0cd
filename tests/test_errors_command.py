import csv
import io
import json
from datetime import UTC, datetime, timedelta

import pytest

from xpmsync.active.database import open_database
from xpmsync.active.error_log import save_problems
from xpmsync.active.runs import finish_run, start_run
from xpmsync.cli import run
from xpmsync.home import find_home
from xpmsync.rules.problems import Problem, problem

NOW = datetime.now(UTC).replace(microsecond=0)
MISSING = problem("partner-missing", "c1", "Smith & Sons Pty Ltd", office="SYD")
ALSO_MISSING = problem("partner-missing", "c2", "Whānau Trust", office="SYD")
ONE_WORD = problem("staff-name-one-word", "s1", "Madonna")


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("XPMSYNC_HOME", str(tmp_path))
    monkeypatch.setenv("TZ", "UTC")
    return find_home({"XPMSYNC_HOME": str(tmp_path)})


@pytest.fixture
def record(home):
    """Writes what one run met, some hours ago."""

    def write(*problems, hours_ago=0):
        moment = NOW - timedelta(hours=hours_ago)
        with open_database(home.database_file) as database:
            run_id = start_run(database, tenant_id=None, mode="full", is_watched=False, now=moment)
            save_problems(database, map(vars, problems), run_id=run_id, now=moment, resolve_others=True)
            finish_run(database, run_id, status="succeeded", now=moment, values={})

    return write


@pytest.fixture
def show(capsys):
    """Runs the command, and gives what it printed."""

    def call(*arguments, exit_code=0):
        assert run(["errors", *arguments]) == exit_code
        printed = capsys.readouterr()
        assert max(map(len, printed.out.splitlines()), default=0) <= 80 or "--json" in arguments or "--csv" in arguments
        return printed.out if exit_code == 0 else printed.err

    return call


def test_before_the_first_run_there_is_nothing_and_no_database_is_made(show, home):
    assert show() == "No open problems.\n"
    assert json.loads(show("--json")) == []
    assert not home.database_file.exists()


def test_a_healthy_sync_gets_a_calm_line(show, record):
    record()
    assert show() == "No open problems.\n"
    assert show("--since", "24h") == "Nothing in the log matches.\n"


def test_each_problem_says_which_record_since_when_how_often_and_what_to_do(show, record):
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
        "0 errors, 1 warning\n"
    )


def test_records_with_one_problem_stand_together_and_what_they_share_is_said_once(show, record):
    record(MISSING, ALSO_MISSING, ONE_WORD)
    text = show()
    assert text.startswith("Error: partner-missing (2)\n")
    assert text.count("no partner in XPM") == 1
    assert text.index("Smith & Sons Pty Ltd\n") < text.index("Whānau Trust\n") < text.index("Warning:")
    assert text.count("To do: ") == 3
    assert text.endswith("\n2 errors, 1 warning\n")


def test_the_client_code_stands_beside_the_name(show, record, home):
    record(MISSING)
    with open_database(home.database_file) as database:
        database.connection.execute("INSERT INTO xpm_clients (uuid, client_code) VALUES ('c1', 'SMI001')")
    assert "  Smith & Sons Pty Ltd (SMI001)\n" in show()
    assert json.loads(show("--json"))[0]["client_code"] == "SMI001"


def test_a_record_without_a_name_and_the_run_itself_are_named_too(show, record):
    failure = Problem("xero-refused", "error", "run", None, None, None, "Xero says no.", "Run: xpmsync connect")
    record(problem("client-without-name", "c1", None, label="with the code SMI001"), failure)
    text = show()
    assert "  A client without a name\n" in text
    assert "  The sync as a whole\n" in text


def test_since_finds_what_was_open_at_any_moment_since_then(show, record):
    record(MISSING, hours_ago=100)
    record(ONE_WORD, hours_ago=30)
    record(hours_ago=20)
    assert "No open problems." in show()
    assert "resolved" in show("--since", "25h")
    assert "partner-missing" not in show("--since", "25h")
    assert "partner-missing" in show("--since", "2d")
    assert "partner-missing" in show("--since", "1w")
    assert "partner-missing" in show("--since", (NOW - timedelta(days=3)).strftime("%Y-%m-%d"))


@pytest.mark.parametrize("since", ["tomorrow", "24", "-1h", "2026-13-01", ""])
def test_a_since_that_is_no_time_is_a_clear_usage_error(show, since):
    assert "must be such as 90m, 24h, 7d, today" in show("--since", since, exit_code=2)


def test_the_log_is_narrowed_by_run_entity_and_code(show, record):
    record(MISSING, hours_ago=2)
    record(ONE_WORD)
    names = lambda *arguments: [row["name"] for row in json.loads(show("--json", *arguments))]  # noqa: E731 - short
    assert names() == ["Madonna"]
    assert names("--run", "1") == ["Smith & Sons Pty Ltd"]
    assert names("--all") == ["Smith & Sons Pty Ltd", "Madonna"]
    assert names("--all", "--entity", "user") == ["Madonna"]
    assert names("--all", "--code", "partner-missing") == ["Smith & Sons Pty Ltd"]


def test_json_is_one_document_with_the_columns_of_the_log(show, record):
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


def test_csv_has_one_line_a_problem_and_no_cell_that_a_spreadsheet_would_calculate(show, record):
    names = ['=HYPERLINK("http://evil.example")', "+61 2 1234", "-1", "@SUM(A1)", "\tx", "\rx", "Smith, Ann"]
    record(*(problem("staff-name-one-word", f"s{number}", name) for number, name in enumerate(names)))
    rows = list(csv.DictReader(io.StringIO(show("--csv"), newline="")))
    assert {row["name"] for row in rows} == {
        '\'=HYPERLINK("http://evil.example")',
        "'+61 2 1234",
        "'-1",
        "'@SUM(A1)",
        " x",
        "Smith, Ann",
    }


def test_json_and_csv_at_once_is_a_usage_error(show):
    assert "one of --json and --csv" in show("--json", "--csv", exit_code=2)


@pytest.mark.parametrize("options", [(), ("--json",), ("--csv",)])
def test_nothing_that_a_name_holds_is_obeyed_by_the_terminal(show, record, options):
    name = "A\x1b]0;owned\x07B\x9b31m\u202eC\rD [bold]E[/bold] :smile: \ud7ff\x00F"
    record(problem("staff-name-one-word", "s1", name))
    text = show(*options)
    assert not any(character in text.replace("\r\n", "") for character in "\x1b\x07\x9b\u202e\r\x00")
    assert "[bold]E[/bold] :smile:" in text


def test_a_terminal_without_utf_8_gets_its_own_letters_and_no_crash(record, monkeypatch):
    record(ALSO_MISSING)
    raw = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(raw, encoding="ascii"))
    assert run(["errors"]) == 0
    assert b"Wh?nau Trust" in raw.getvalue()

import json
import re
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from xpmsync.cli import run
from xpmsync.config import change_config
from xpmsync.errors import PermanentError
from xpmsync.rules.schedule import next_full_at
from xpmsync.sandbox import Practice

pytestmark = pytest.mark.usefixtures("crontab")

NOW = datetime.now(UTC).replace(microsecond=0)
UTC_TIME = "%Y-%m-%dT%H:%M:%SZ"
TENANT = "3f2a9c1e-0d5b-4a7e-9b1f-6c8d2e4f0a11"


@pytest.fixture
def home(home, monkeypatch):
    """A home on a machine whose keyring is shut."""
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.fail.Keyring")
    return home


@pytest.fixture
def record(home, record):
    """Writes one run, some hours ago."""
    home.config_file.touch()
    return partial(record, now=NOW)


@pytest.fixture
def firm(make_firm):
    return make_firm(Practice.generate(clients=30, staff=5, seed=7))


@pytest.fixture
def schedule(crontab):
    """Has cron start the runs of a home."""

    def call(home):
        crontab.write_text(f"XPMSYNC_HOME={home.config_folder}\n17 * * * * /opt/xpmsync sync\n")

    return call


@pytest.fixture
def show(capsys):
    """Runs the command; gives its lines, without the blanks around them, or its document."""

    def call(*arguments):
        assert run(["status", *arguments]) == 0
        printed = capsys.readouterr()
        assert printed.err == ""
        if arguments:
            return json.loads(printed.out)
        assert max(map(len, printed.out.splitlines())) <= 80
        return [" ".join(line.split()) for line in printed.out.splitlines() if line.strip()]

    return call


def wall(moment):
    return moment.astimezone().strftime("%Y-%m-%d %H:%M")


def test_a_new_home_is_calm_and_names_the_first_command(show, home):
    lines = show()
    rest = lines.index("Sync Xero Practice Manager")
    assert "".join(lines[1:rest]) == f"Folder {home.data_folder}"
    assert [lines[0], *lines[rest:]] == [
        "Not set up yet: it is not connected to Xero Practice Manager.",
        "Sync Xero Practice Manager",
        "Connected to nothing yet; run: xpmsync connect",
        "Last success none yet",
        "Next run no line of the crontab starts it",
        "Next full run the first run",
        "Open problems 0 errors, 0 warnings",
        "Xero's limit unknown",
        "To do Connect xpmsync to Xero Practice Manager.",
        "xpmsync connect",
    ]
    assert not home.database_file.exists()


def test_the_connection_the_runs_and_what_is_open_are_shown_without_a_call_to_xero(show, firm):
    summary = firm.sync()
    firm.sync()
    asked = len(firm.sandbox.requests)
    lines = show()
    assert lines[0] == "Working: the last run succeeded just now."
    assert any(line.startswith("Connected to Test, since 2") for line in lines)
    assert any(line.startswith("By the Xero user ") for line in lines)
    assert f"Open problems {summary.errors} errors, {summary.warnings} warnings" in " ".join(lines).replace(
        "1 warning ", "1 warnings "
    )
    assert any(line.startswith("Xero's limit 4,9") and line.endswith("calls left today") for line in lines)
    created = summary.users.created + summary.clients.created
    assert lines[-2].endswith(f"incremental succeeded 0 0 {summary.errors + summary.warnings}")
    assert lines[-1].endswith(f"full succeeded {created} 0 {summary.errors + summary.warnings}")
    assert len(firm.sandbox.requests) == asked


def test_the_error_of_the_sync_as_a_whole_is_told_apart_from_those_that_keep_records_from_being_synced(show, firm):
    summary = firm.sync()
    with firm.sandbox.faults.active("user-revoked"), pytest.raises(PermanentError):
        firm.sync()
    text = " ".join(show())
    assert f"Open problems {summary.errors + 1} errors (1 of the sync as a whole)" in text
    assert f"{summary.errors} errors keep records from being synced." in text
    # Nothing that needs a person is left out where all comes together.
    commands = [need["command"] for need in show("--json")["needs"]]
    assert len(commands) == 5
    assert set(commands) <= set(show())


def test_after_the_sign_in_was_forgotten_the_first_thing_to_do_is_to_connect(show, make_firm, capsys):
    firm = make_firm(Practice.generate(clients=3, staff=2, seed=7))
    firm.sync()
    assert show("--json")["needs"][0]["command"] != "xpmsync connect"
    assert run(["disconnect", "--yes"]) == 0
    capsys.readouterr()
    lines = show()
    assert lines[0] == "Not connected to Xero: the last run succeeded just now."
    assert "Connected to nothing; run: xpmsync connect" in lines
    assert "To do Somebody must sign in to Xero." in lines
    assert not any(line.startswith("Working") for line in lines)
    assert [need["command"] for need in show("--json")["needs"]].count("xpmsync connect") == 1
    assert run(["sync"]) == 4
    capsys.readouterr()
    assert [need["command"] for need in show("--json")["needs"]].count("xpmsync connect") == 1


def test_after_somebody_has_signed_in_again_what_is_left_to_do_is_a_run(show, make_firm, capsys, schedule):
    firm = make_firm(Practice.generate(clients=3, staff=2, seed=7))
    firm.sync()
    assert [run(["disconnect", "--yes"]), run(["sync"])] == [0, 4]
    firm.write("UPDATE sync_runs SET finished_at = ? WHERE status = 'failed'", f"{NOW - timedelta(hours=1):{UTC_TIME}}")
    capsys.readouterr()
    lines = show()
    place = lines.index("To do Somebody must sign in to Xero again.")
    assert lines[place + 1 : place + 4] == ["xpmsync connect", "Then make a run.", "xpmsync sync"]
    firm.connect()
    schedule(firm.home)
    lines = show()
    assert lines[0].startswith("Disrupted since ")
    (place,) = [number for number, line in enumerate(lines) if line.startswith("To do Somebody has signed in since: ")]
    assert re.search(r"make a run, or wait for the one at \d\d:17. xpmsync sync ", " ".join(lines[place:]))
    assert "xpmsync connect" not in lines
    firm.sync()
    assert "xpmsync sync" not in show()


def test_a_keyring_that_is_shut_hides_the_sign_in_and_nothing_else(show, home, record):
    change_config(home, {"sync.tenant_id": TENANT, "xero.client_id": "ABC"})
    record(hours_ago=2, clients_created=3)
    lines = show()
    assert any(line.startswith("Connected to unknown: ") for line in lines)
    assert f"Practice id {TENANT}" in lines
    assert f"Last success {wall(NOW - timedelta(hours=2))}, 2 hours ago" in lines
    assert show("--json")["connection"]["state"] == "unknown"


def test_the_last_runs_stand_newest_first_and_say_why_the_last_one_failed(show, record):
    record(hours_ago=30, clients_created=12_345, clients_updated=1_234, users_created=40, problems=17)
    for hours_ago in (5, 4, 3):
        record(hours_ago=hours_ago, mode="incremental", clients_updated=1_234, users_updated=1, problems=5)
    record(hours_ago=2, status="interrupted", mode="incremental")
    record(hours_ago=1, status="failed", mode="incremental", message="Xero cannot be reached.", exit_code=6)
    lines = show()
    numbers = [line.split()[0] for line in lines if line[0].isdigit()]
    assert numbers == ["6", "5", "4"]
    assert lines[-1].split()[0] == "4"
    assert lines[0] == f"Disrupted since {wall(NOW - timedelta(hours=1))}: Xero cannot be reached."
    next_full = wall(next_full_at(NOW - timedelta(hours=30), "", 24))
    assert f"Next full run the first after {next_full}" in lines


def test_json_has_stable_keys_and_utc_times(show, record):
    record(hours_ago=1, day_calls_remaining=4_990)
    document = show("--json")
    assert list(document) == [
        "sync",
        "tenant_id",
        "connection",
        "last_success_at",
        "next_full_run_at",
        "open_errors",
        "open_warnings",
        "day_calls_remaining",
        "runs",
        "state",
        "since",
        "reason",
        "is_scheduled",
        "next_run_at",
        "needs",
        "users",
        "waiting_users",
        "clients",
        "open_run_errors",
        "xpm_clients",
        "home",
    ]
    assert document["day_calls_remaining"] == 4_990
    next_full = next_full_at(NOW - timedelta(hours=1), "", 24)
    assert document["next_full_run_at"] == next_full.strftime(UTC_TIME)
    assert document["runs"][0]["status"] == "succeeded"
    assert (document["state"], document["since"]) == ("working", document["last_success_at"])
    assert document["needs"][0] == {"what": "Connect xpmsync to Xero Practice Manager.", "command": "xpmsync connect"}


def test_the_usual_case_fits_one_screen(firm, capsys, schedule):
    schedule(firm.home)
    for _ in range(6):
        firm.sync(is_watched=False)
    assert run(["status"]) == 0
    assert len(capsys.readouterr().out.splitlines()) < 24


def test_what_needs_a_person_comes_with_the_command_to_type(show, firm, schedule):
    schedule(firm.home)
    firm.sync(is_watched=False)
    document = show("--json")
    assert [need["command"] for need in document["needs"]] == [
        "xpmsync errors",
        "xpmsync admin user list --waiting",
    ]
    lines = show()
    place = lines.index(f"{document['waiting_users']} users cannot use Active yet.")
    assert lines[place + 1] == "xpmsync admin user list --waiting"


def test_an_office_whose_default_partner_is_not_active_needs_another(show, firm, schedule):
    schedule(firm.home)
    firm.write("INSERT INTO users (id, first_name, email, status) VALUES ('u', 'Gone', 'gone@example.com', 'removed')")
    firm.write("UPDATE offices SET default_partner_id = 'u'")
    firm.sync(is_watched=False)
    need = {
        "what": "The default partner of the office MAIN is not an active user: choose another.",
        "command": "xpmsync admin office set MAIN --default-partner EMAIL",
    }
    assert need in show("--json")["needs"]


def test_a_renewal_that_was_cut_off_is_shown(show, make_firm):
    firm = make_firm(Practice())
    (key,) = firm.sandbox.keychain.passwords
    stored = json.loads(firm.sandbox.keychain.passwords[key])
    firm.sandbox.keychain.passwords[key] = json.dumps(stored | {"intent_at": "2026-11-01T14:07:00Z"})
    assert any(line.startswith("Sign-in its renewal was cut off at 2026-11-0") for line in show())

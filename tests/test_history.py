import csv
import io
import json
import re
from datetime import datetime, timedelta

import pytest

from xpmsync.active.database import open_database
from xpmsync.active.error_log import save_issues
from xpmsync.active.history import ChangeRow, save_changes
from xpmsync.active.runs import finish_run, start_run
from xpmsync.admin import history as admin_history
from xpmsync.admin import session as admin_session
from xpmsync.audit import name_account
from xpmsync.cli import run
from xpmsync.cli.commands import history as history_command
from xpmsync.errors import InvalidRequest
from xpmsync.rules.issues import Issue, issue
from xpmsync.sandbox import Practice
from xpmsync.system.lock import hold

TODAY = datetime.now().astimezone()
OLD = TODAY - timedelta(days=800)


@pytest.fixture
def firm(make_firm):
    """A practice with Ann and Bob, whose client Acme has changed, and Beta, which nobody has touched."""
    practice = Practice()
    ann = practice.add_staff("Ann Lee", "ann@example.com")
    bob = practice.add_staff("Bob Low", "bob@example.com")
    firm = make_firm(practice)
    acme = practice.add_client("Acme Pty Ltd", client_code="ACM001", account_manager=ann, email="old@acme.example")
    practice.add_client("Beta Pty Ltd", client_code="BET001", account_manager=bob, email="both@example.com")
    firm.sync()
    practice.edit_client(acme, name="Acme Holdings Pty Ltd", email="new@acme.example", account_manager=bob)
    firm.sync()
    return firm


@pytest.fixture
def show(firm, capsys):  # noqa: ARG001 - there is one to look into
    """Runs a command; gives the lines it printed, trimmed, or what it said on standard error."""

    def call(*arguments, command=("history",), exit_code=0):
        assert run([*command, *arguments]) == exit_code
        printed = capsys.readouterr()
        if exit_code:
            return printed.err
        assert printed.err == ""
        if "--json" in arguments or "--csv" in arguments:
            return printed.out
        assert max(map(len, printed.out.splitlines()), default=0) <= 80
        return [line.rstrip() for line in printed.out.splitlines() if line.strip()]

    return call


@pytest.fixture
def admin(show):
    return lambda *arguments, **options: show(*arguments, command=("admin", "history"), **options)


def wall(moment):
    return moment.astimezone().strftime("%Y-%m-%d %H:%M")


def ended(firm, run_id):
    (row,) = firm.rows("SELECT finished_at FROM sync_runs WHERE id = ?", run_id)
    return wall(datetime.fromisoformat(row["finished_at"]))


def record_id(firm, code):
    (row,) = firm.rows("SELECT id FROM clients WHERE code = ?", code)
    return row["id"]


def write_change(firm, moment, *rows, actor="ann"):
    with open_database(firm.home.database_file) as database:
        save_changes(database, rows, run_id=None, actor=actor, now=moment)


# Looking.


def test_a_clients_history_names_the_fields_as_active_does_and_shows_people_instead_of_ids(show, firm):
    assert show("ACM001") == [
        f"{ended(firm, 2)}, in XPM, seen by sync 2",
        "  Client Acme Holdings Pty Ltd (ACM001)",
        "    Legal Name               Acme Pty Ltd → Acme Holdings Pty Ltd",
        "    Contact Details – Email  old@acme.example → new@acme.example",
        "    Partner                  Ann Lee → Bob Low",
        f"{ended(firm, 1)}, in XPM, seen by sync 1",
        "  Client Acme Holdings Pty Ltd (ACM001)",
        "    Created  Acme Pty Ltd",
        "4 changes",
    ]


def test_a_users_history_has_the_users_own_names_for_fields(show, firm, capsys):
    assert run(["admin", "user", "set", "ann@example.com", "--role", "Owner"]) == 0
    ann = next(uuid for uuid, each in firm.practice.staff.items() if each.elements["Name"] == "Ann Lee")
    firm.practice.edit_staff(ann, name="Ann Lee-Low", email="ann.low@example.com")
    firm.sync()
    capsys.readouterr()
    lines = show("ann lee-low")
    assert lines[1:4] == [
        "  User Ann Lee-Low",
        "    Last Name  Lee → Lee-Low",
        "    Email      ann@example.com → ann.low@example.com",
    ]
    assert lines[4].endswith(f", by {name_account()}")
    assert lines[6] == "    Role  not set → Owner"


def test_an_office_is_named_and_its_default_partner_too(show, capsys):
    assert run(["admin", "office", "set", "MAIN", "--default-partner", "bob@example.com"]) == 0
    capsys.readouterr()
    assert show("--since", "1h")[1:3] == ["  Office Main Office", "    Default partner  not set → Bob Low"]


def test_one_run_is_shown_with_everything_it_changed(show, firm):
    lines = show("--run", "1")
    assert lines == [
        f"{ended(firm, 1)}, in XPM, seen by sync 1",
        "  Client Acme Holdings Pty Ltd (ACM001)",
        "    Created  Acme Pty Ltd",
        "  Client Beta Pty Ltd (BET001): created",
        "  User Ann Lee: created",
        "  User Bob Low: created",
        "4 changes",
    ]


def test_a_run_that_changed_nothing_says_why(show, firm):
    assert show("--run", "99", exit_code=2) == "There is no run 99.\nThe last one is 2.\n"
    assert show("--run", "99", "--json", exit_code=2) == "There is no run 99.\nThe last one is 2.\n"
    firm.sync()
    assert show("--run", "3") == ["Nothing in the history matches."]
    for status, how in (("failed", "failed"), ("interrupted", "was cut off")):
        firm.write("UPDATE sync_runs SET status = ? WHERE id = 3", status)
        assert show("--run", "3") == [f"Run 3 {how} and changed nothing."]
        assert show("ACM001", "--run", "3", "--json") == "[]\n"


def test_a_change_says_whether_somebody_in_xpm_a_rule_or_an_account_here_has_made_it(show, firm):
    (acme,) = (uuid for uuid, client in firm.practice.clients.items() if client.elements["ClientCode"] == "ACM001")
    assert run(["admin", "office", "set", "MAIN", "--default-partner", "ann@example.com"]) == 0
    firm.practice.edit_client(acme, account_manager=None, fax="123")
    firm.sync()
    text = "\n".join(show("--since", "1h"))
    for origin, change in (
        (f"by {name_account()}", "Default partner"),
        ("by sync 3", "Partner"),
        ("in XPM, seen by sync 3", "Contact Details – Fax"),
    ):
        events = re.split(r"^\d{4}-.*?, ", text, flags=re.MULTILINE)
        (event,) = [event for event in events if f"\n    {change}  " in event and event.startswith(f"{origin}\n")]
        assert len(event.splitlines()) == 3


def test_since_takes_what_the_error_log_takes(show, firm):
    write_change(firm, OLD, ChangeRow("client", record_id(firm, "BET001"), "updated", "fax", None, "123"))
    assert len(show("BET001", "--since", "24h")) < len(show("BET001"))
    assert "    Contact Details – Fax  not set → 123" in show("BET001", "--since", "2020-01-01")
    assert "must be such as 90m, 24h, 7d, today" in show("--since", "soon", exit_code=2)


def test_a_client_is_found_by_code_name_address_or_a_part(show):
    for who in ("ACM001", "acm001", "Acme Holdings Pty Ltd", "acme hold", "new@acme.example", "acme.ex"):
        assert show(who)[1] == "  Client Acme Holdings Pty Ltd (ACM001)"


def test_a_client_without_a_code_is_found_by_its_id(show, firm):
    client_id = record_id(firm, "BET001")
    firm.write("UPDATE clients SET code = NULL, code_key = NULL WHERE id = ?", client_id)
    assert show(client_id[:8]) == show("Beta")


def test_an_exact_match_wins_over_a_part(show, firm):
    bob = next(uuid for uuid, each in firm.practice.staff.items() if each.elements["Name"] == "Bob Low")
    firm.practice.add_client("Acme", client_code="ACM002", account_manager=bob)
    firm.sync()
    assert show("acme")[1] == "  Client Acme (ACM002): created"


def test_several_matches_are_listed_to_choose_from(show):
    assert show("pty ltd", exit_code=2).endswith(
        "Error: Several match “pty ltd”. Write the code, id or e-mail address of one:\n"
        "  ACM001  Acme Holdings Pty Ltd (client)\n"
        "  BET001  Beta Pty Ltd (client)\n"
    )


def test_on_a_terminal_one_of_several_is_chosen_by_its_number(show, type_ahead):
    type_ahead(2)
    assert "  Client Beta Pty Ltd (BET001): created" in show("pty ltd")


@pytest.mark.parametrize("answer", ["0", "3", "x", "-1", "1.5", "²"])
def test_another_answer_than_the_numbers_is_told_which_there_are(show, type_ahead, answer):
    type_ahead(answer, " 2 ")
    lines = show("pty ltd")
    assert "Error: It must be a number from 1 to 2." in " ".join(lines)
    assert "  Client Beta Pty Ltd (BET001): created" in lines


def test_too_many_matches_are_counted_instead(show, monkeypatch):
    monkeypatch.setattr(admin_history, "MOST_MATCHES", 1)
    assert show("pty ltd", exit_code=2).startswith("2 clients and users match “pty ltd”.\nWrite more of the name")


def test_nobody_found_says_how_to_look(show):
    for who in ("nobody", "", " "):
        assert "See which there are: xpmsync admin client list" in show(who, exit_code=2)


def test_a_long_history_ends_early_on_a_screen_and_never_for_programs(show, monkeypatch):
    monkeypatch.setattr(history_command, "MOST_CHANGES", 2)
    text = " ".join(show())
    assert "The latest 2 of 7 changes." in text
    assert len(json.loads(show("--json"))) == 7


def test_json_has_the_values_as_stored_and_as_people_read_them(show, firm):
    rows = json.loads(show("ACM001", "--json"))
    assert [row["id"] for row in rows] == sorted((row["id"] for row in rows), reverse=True)
    row = next(row for row in rows if row["field"] == "partner_id")
    (ann,) = firm.rows("SELECT id FROM users WHERE email = 'ann@example.com'")
    assert list(row) == list(admin_history.COLUMNS)
    assert (row["run_id"], row["actor"], row["entity"], row["name"]) == (2, "XPM", "client", "Acme Holdings Pty Ltd")
    assert (row["label"], row["old_value"], row["old_text"], row["new_text"]) == (
        "Partner",
        ann["id"],
        "Ann Lee",
        "Bob Low",
    )


def test_csv_has_one_line_a_change(show):
    rows = list(csv.DictReader(io.StringIO(show("ACM001", "--csv"), newline="")))
    assert [row["label"] for row in rows] == ["Partner", "Contact Details – Email", "Legal Name", "Created"]
    assert "one of --json and --csv" in show("--json", "--csv", exit_code=2)


def test_nothing_that_a_value_holds_is_obeyed_by_the_terminal(show, firm):
    hostile = "A\x1b[31m\u202e [bold]B[/bold]"
    write_change(firm, TODAY, ChangeRow("client", record_id(firm, "ACM001"), "updated", "fax", hostile, None))
    for options in ((), ("--json",), ("--csv",)):
        text = "\n".join(show("ACM001", *options)) if not options else show("ACM001", *options)
        assert not any(character in text for character in "\x1b\u202e")
        assert "[bold]B[/bold]" in text


def test_before_the_first_run_there_is_no_history_and_no_database_is_made(show, tmp_path, monkeypatch):
    empty = tmp_path / "empty"
    monkeypatch.setenv("XPMSYNC_HOME", str(empty))
    assert "".join(" ".join(show()).split()).startswith(f"Norunhasbeenmadeyetin{empty}.")
    assert json.loads(show("--json")) == []
    assert "Active has no client or user" in show("Ann", exit_code=2)
    assert "No run has been made yet." in show("--run", "1", exit_code=2)
    assert not (empty / "active.db").exists()


def test_whoever_could_not_be_synced_is_looked_for_in_the_error_log(firm, show):
    nobody = ("99999999-9999-4999-8999-999999999999", "Zoe")
    firm.practice.add_client("Gamma & Sons", client_code="GAM001", account_manager=nobody)
    firm.sync()
    for who in ("gam001", "gamma & sons"):
        said = show(who, exit_code=2)
        assert f"Active has no client or user with the code, name or e-mail address “{who}”." in said
        assert "XPM has Gamma & Sons (GAM001), but an error keeps it out of Active." in said
    assert "xpmsync errors --search GAM001" in said
    (row,) = json.loads(show("--search", "gamma & sons", "--json", command=("errors",)))
    assert row["name"] == "Gamma & Sons"


# Pruning.


@pytest.fixture
def day(firm):
    """The day after something of Acme's was changed, years ago."""
    write_change(firm, OLD, ChangeRow("client", record_id(firm, "ACM001"), "updated", "fax", None, "123"))
    return (OLD + timedelta(days=1)).date()


def test_pruning_removes_what_is_older_than_the_day_and_notes_it_in_the_log(admin, show, firm, day):
    write_change(firm, OLD, ChangeRow("client", record_id(firm, "ACM001"), "updated", "fax", "an old number", None))
    assert admin("prune", "--before", str(day), "--yes") == [
        f"Of the history, 2 changes from before {day} would be removed.",
        "2 changes removed.",
    ]
    assert show("ACM001")[-1] == "4 changes"
    log = firm.home.log_file.read_text()
    assert f"the history before {day}T00:00:00" in log
    assert "was pruned: 2 changes" in log
    assert "an old number" not in log
    assert admin("prune", "--before", str(day), "--yes") == [f"The history has no changes from before {day}."]


def test_a_year_of_history_is_always_kept(admin, firm):
    assert firm.home.database_file.exists()
    a_year_ago = TODAY.date() - timedelta(days=366)
    assert "less than a year ago" in admin("prune", "--before", str(a_year_ago + timedelta(days=3)), exit_code=2)
    assert admin("prune", "--before", str(a_year_ago)) == [f"The history has no changes from before {a_year_ago}."]
    assert "must be a day such as" in admin("prune", "--before", "yesterday", exit_code=2)


@pytest.mark.parametrize(
    ("day", "today", "latest"),
    [
        ("2025-11-22", "2026-11-22", None),
        ("2025-11-23", "2026-11-22", "2025-11-22"),
        ("2024-02-29", "2025-02-28", "2024-02-28"),
        ("2024-02-29", "2025-03-01", None),
        ("2023-02-28", "2024-02-29", None),
        ("2023-03-01", "2024-02-29", "2023-02-28"),
    ],
)
def test_a_year_is_a_year_by_the_calendar(day, today, latest):
    day, today = (datetime.fromisoformat(text).date() for text in (day, today))
    remedy = None
    try:
        admin_history.check_day(day, today)
    except InvalidRequest as error:
        remedy = error.remedy
    assert remedy == (latest and f"Name a day up to {latest}.")


def test_a_script_has_to_say_yes(admin, show, day):
    before = show("--json")
    assert "say --yes" in admin("prune", "--before", str(day), exit_code=2)
    assert "say --yes" in admin("erase", "ACM001", exit_code=2)
    assert show("--json") == before


def test_on_a_terminal_it_asks_and_takes_no_for_an_answer(admin, show, day, type_ahead):
    before = show("--json")
    type_ahead("no", "")
    assert admin("prune", "--before", str(day))[-1] == "Remove them? [y/N]: Nothing was removed."
    assert admin("erase", "ACM001")[-1] == "Erase it? It does not come back. [y/N]: Nothing was erased."
    assert show("--json") == before
    type_ahead("yes")
    assert admin("prune", "--before", str(day))[-1] == "Remove them? [y/N]: 1 change removed."


# Erasing.


@pytest.fixture
def noted(firm):
    """What the error log and the runs say of Acme, of others that name it, and of Acme again."""
    (acme,) = firm.rows("SELECT xpm_client_uuid AS uuid FROM clients WHERE code = 'ACM001'")
    solved = issue("client-email-unusual", acme["uuid"], "Acme Pty Ltd", email="old@acme.example")
    shared = issue("client-code-shared", "other", "Gamma", code="ACM001", others="Acme Pty Ltd (ACM001)")
    unlike = issue("client-code-shared", "another", "Delta", code="X", others="Acme Pty Ltdx")
    message = "10 of 20 clients are gone: Acme Pty Ltd, Beta Pty Ltd"
    stopped = Issue("suspicious-change", "error", "run", None, None, None, message, "Look into XPM.")
    still_open = issue("business-number-unreadable", acme["uuid"], "Acme Holdings Pty Ltd", number="12")
    with open_database(firm.home.database_file) as database:
        for issues in ((solved, shared, unlike, stopped), (still_open,)):
            run_id = start_run(database, tenant_id=None, mode="full", is_watched=False, now=TODAY)
            save_issues(database, map(vars, issues), run_id=run_id, now=TODAY, resolve_others=True)
            finish_run(database, run_id, status="failed", now=TODAY, values={"message": issues[-1].message})
    return firm


@pytest.mark.usefixtures("noted")
def test_erasing_says_exactly_what_goes_and_what_stays(admin, show):
    assert admin("erase", "ACM001", "--yes") == [
        "The history of the client Acme Holdings Pty Ltd (ACM001):",
        "Erased   4 changes in the history",
        "         1 resolved problem in the error log",
        "         the name in 3 texts about others and about runs",
        "Remains  the record itself as it is now, with what XPM says of it",
        "         1 open problem, and the note that its history was erased",
        "The history of Acme Holdings Pty Ltd (ACM001) is erased.",
    ]
    lines = show("ACM001")
    assert lines[0].endswith(f", by {name_account()}")
    assert lines[1:] == ["  Client Acme Holdings Pty Ltd (ACM001)", "    History  erased", "1 change"]


def test_of_what_was_erased_nothing_is_left_in_the_file_or_the_log_and_the_issues_of_others_stay(admin, noted):
    assert any(b"old@acme.example" in path.read_bytes() for path in noted.home.data_folder.glob("active.db*"))
    admin("erase", "ACM001", "--yes")
    for path in (*noted.home.data_folder.glob("active.db*"), noted.home.log_file):
        for text in (b"old@acme.example", b"Acme Pty Ltd,", b"Acme Pty Ltd ("):
            assert text not in path.read_bytes()
    assert "the history of the client" in noted.home.log_file.read_text()
    rows = noted.rows("SELECT message FROM sync_errors WHERE code IN ('client-code-shared', 'suspicious-change')")
    assert [row["message"] for row in rows] == [
        "The client code ACM001 is shared with (erased) (ACM001) in XPM.",
        "The client code X is shared with Acme Pty Ltdx in XPM.",
        "10 of 20 clients are gone: (erased), Beta Pty Ltd",
    ]
    assert noted.rows("SELECT * FROM sync_errors WHERE code = 'client-email-unusual'") == []


def test_erasing_leaves_the_record_and_others_alone_and_the_next_run_writes_nothing(admin, show, noted):
    tables = ("clients", "users", "synced_values", "xpm_clients", "xpm_staff")
    before = {table: noted.rows(f"SELECT * FROM {table}") for table in tables}
    beta = show("BET001")
    admin("erase", "ACM001", "--yes")
    assert {table: noted.rows(f"SELECT * FROM {table}") for table in tables} == before
    assert show("BET001") == beta
    summary = noted.sync()
    assert (summary.clients.updated, summary.clients.created) == (0, 0)


def test_a_users_former_names_and_addresses_are_erased_too(admin, noted):
    (bob,) = noted.rows("SELECT id FROM users WHERE email = 'bob@example.com'")
    with open_database(noted.home.database_file) as database:
        rows = [
            ChangeRow("user", bob["id"], "updated", "last_name", "Smith", "Low"),
            ChangeRow("user", bob["id"], "updated", "email", "smith@example.com", "bob@example.com"),
            ChangeRow("user", bob["id"], "linked", "xpm_staff_uuid", "former-staff", "s2"),
        ]
        save_changes(database, rows, run_id=None, actor="sync", now=TODAY)
        own = issue("staff-name-one-word", "former-staff", "Bob")
        partner = issue("partner-without-email", "c9", "Gamma", partner="Bob Smith", partner_uuid="s9")
        for issues in ((own, partner), ()):
            run_id = start_run(database, tenant_id=None, mode="full", is_watched=False, now=TODAY)
            save_issues(database, map(vars, issues), run_id=run_id, now=TODAY, resolve_others=True)
            finish_run(database, run_id, status="succeeded", now=TODAY, values={})
    admin("erase", "bob@example.com", "--yes")
    assert noted.rows("SELECT * FROM sync_errors WHERE xpm_uuid = 'former-staff'") == []
    (row,) = noted.rows("SELECT message, suggestion FROM sync_errors WHERE xpm_uuid = 'c9'")
    assert row["message"].startswith("The partner (erased) has no usable e-mail address")
    assert "Bob" not in row["suggestion"]


@pytest.fixture
def relinked(firm):
    """Acme and Bob were entered into XPM again, Acme under another name; their former entries are archived and gone."""
    practice = firm.practice
    (acme,) = (uuid for uuid, client in practice.clients.items() if client.elements["ClientCode"] == "ACM001")
    (bob,) = (uuid for uuid, each in practice.staff.items() if each.name == "Bob Low")
    practice.edit_client(acme, business_number="51824753556", groups=[practice.add_group("Ngata Family")])
    practice.edit_client(acme, address="1 Former Road")
    firm.sync(full=True)
    fresh = practice.recreate_client(acme, former="archived")
    practice.edit_client(fresh, name="Ngata Family Trust", address="2 Fresh Road", groups=[])
    new_bob = practice.recreate_staff(bob)
    for uuid in practice.clients:
        practice.edit_client(uuid, account_manager=new_bob)
    firm.sync(full=True)
    assert len(firm.rows("SELECT * FROM xpm_clients")) == len(firm.rows("SELECT * FROM clients")) + 1
    return firm


def test_what_xpm_sent_under_an_earlier_id_is_erased_and_what_it_still_sends_is_said_to_come_back(admin, relinked):
    lines = admin("erase", "ACM001", "--yes")
    for line in (
        "         what XPM sent under 1 earlier ID",
        "         1 client group that nobody is in any more",
        "Returns  what XPM still sends under 1 earlier ID: at the next full sync",
    ):
        assert line in lines, lines
    for path in relinked.home.data_folder.glob("active.db*"):
        assert b"Former Road" not in path.read_bytes()
    assert len(relinked.rows("SELECT * FROM xpm_clients")) == len(relinked.rows("SELECT * FROM clients"))
    for table in ("client_groups", "xpm_groups", "changes WHERE entity = 'group'"):
        assert relinked.rows(f"SELECT * FROM {table}") == []
    before = relinked.rows("SELECT * FROM clients")
    assert relinked.sync(full=True).errors == 0
    assert relinked.rows("SELECT * FROM clients") == before
    assert relinked.rows("SELECT count(*) AS n FROM xpm_clients WHERE address = '1 Former Road'") == [{"n": 1}]

    assert "         what XPM sent under 1 earlier ID" in admin("erase", "ACM001", "--yes")
    assert len(relinked.rows("SELECT * FROM xpm_clients")) == len(relinked.rows("SELECT * FROM clients"))


def test_former_entries_of_staff_are_erased_and_do_not_come_back(admin, relinked):
    lines = admin("erase", "bob@example.com", "--yes")
    assert "         what XPM sent under 1 earlier ID" in lines
    assert not [line for line in lines if line.startswith("Returns")]
    assert len(relinked.rows("SELECT * FROM xpm_staff WHERE name = 'Bob Low'")) == 1
    relinked.sync(full=True)
    assert len(relinked.rows("SELECT * FROM xpm_staff WHERE name = 'Bob Low'")) == 1


def test_nothing_is_erased_while_a_run_is_in_progress(admin, firm, monkeypatch):
    monkeypatch.setattr(admin_session, "WAIT_SECONDS", 0.1)
    with hold(firm.home.run_lock):
        assert "A sync is in progress, so nothing was changed." in admin("erase", "ACM001", "--yes", exit_code=10)


def test_users_who_were_merged_into_another_are_erased_with_that_one(admin, noted, capsys):
    for name in ("Zed", "Yan"):
        add = ("user", "add", f"{name.lower()}@example.com", "--first-name", name, "--last-name", "Quux")
        assert run(["admin", *add]) == 0
    noted.sync()
    partner = issue("partner-without-email", "c9", "Gamma", partner="Zed Quux", partner_uuid="s9")
    with open_database(noted.home.database_file) as database:
        for issues in ((partner,), ()):
            run_id = start_run(database, tenant_id=None, mode="full", is_watched=False, now=TODAY)
            save_issues(database, map(vars, issues), run_id=run_id, now=TODAY, resolve_others=True)
            finish_run(database, run_id, status="succeeded", now=TODAY, values={})
    for duplicate, survivor in (("zed", "yan"), ("yan", "bob")):
        merge = ("user", "merge", f"{duplicate}@example.com", "--into", f"{survivor}@example.com", "--yes")
        assert run(["admin", *merge]) == 0
    capsys.readouterr()
    assert any(b"Zed Quux" in path.read_bytes() for path in noted.home.data_folder.glob("active.db*"))
    admin("erase", "bob@example.com", "--yes")
    for path in noted.home.data_folder.glob("active.db*"):
        for text in (b"Zed", b"Yan", b"zed@example.com"):
            assert text not in path.read_bytes()
    assert noted.rows("SELECT first_name, email FROM users ORDER BY email") == [
        {"first_name": "Ann", "email": "ann@example.com"},
        {"first_name": "Bob", "email": "bob@example.com"},
    ]

import json
import os
import pwd
import sqlite3
import stat
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest

from xpmsync import doctor
from xpmsync.cli import run
from xpmsync.config import change_config
from xpmsync.doctor import CHECKS, Verdict, examine, find_exit_code
from xpmsync.sandbox import Practice
from xpmsync.sandbox.mailbox import Mailbox
from xpmsync.system.clock import Clock
from xpmsync.system.lock import hold

XERO = ("Permissions", "Practice", "Clock", "Xero's limit")
SCOPES = ("offline_access", "practicemanager.staff.read", "practicemanager.client.read", "accounting.contacts")


@pytest.fixture
def firm(make_firm, tmp_path, monkeypatch):
    """A firm where all is well: it has synced, mail can be sent, and cron has its lines."""
    practice = Practice()
    ann = practice.add_staff("Ann Lee", "ann@example.com")
    practice.add_client("Acme Pty Ltd", client_code="ACM001", account_manager=ann)
    firm = make_firm(practice)
    firm.sync(is_watched=False)
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, text in (("crontab", f"cat '{tmp_path}/crontab'"), ("xpmsync", "exit 1")):
        (programs / name).write_text(f"#!/bin/sh\n{text}\n")
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    monkeypatch.delenv("COLUMNS", raising=False)
    monkeypatch.setattr(doctor, "is_encrypted", lambda _: True)  # whatever disk the tests run on
    (tmp_path / "crontab").write_text(
        "# A comment about xpmsync sync\n"
        f'HOME = "{tmp_path}"\n'
        f"XPMSYNC_HOME={firm.home.data_folder}\n"
        f"PATH={programs}:/usr/bin:/bin\n"
        "PYTHON_KEYRING_BACKEND=xpmsync.sandbox.keyring.SandboxKeyring\n"
        f"XPMSYNC_SANDBOX_KEYRING={firm.sandbox.url}\n"
        f"17 * * * * {programs}/xpmsync sync\n"
        "LATER=too late\n"
        f"*/10 * * * * {programs}/xpmsync notify\n"
    )
    with Mailbox() as mailbox:
        settings = {"host": "127.0.0.1", "port": mailbox.port, "security": "none", "from": "sync@example.com"}
        change_config(
            firm.home, {f"smtp.{key}": value for key, value in settings.items()} | {"notify.email": "ann@example.com"}
        )
        yield firm
        assert mailbox.messages == []


def edit_crontab(firm, old, new):
    path = firm.home.data_folder.parent / "crontab"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def read_sign_in(firm):
    (stored,) = firm.sandbox.keychain.passwords.values()
    return json.loads(stored)


@pytest.fixture
def look(firm):
    """Makes the checks; gives those that are not as they should be, and the exit code."""

    def call(**clock):
        findings = list(examine(firm.home, os.environ, Clock(**{"sleep": lambda _: None, **clock})))
        assert [finding.check for finding in findings] == list(CHECKS)
        usual = {"Keyring choice"}
        bad = {each.check: each for each in findings if each.verdict is not Verdict.GOOD and each.check not in usual}
        return bad, find_exit_code(findings)

    return call


@pytest.fixture
def fails(look):
    """That one check fails, with what it says, its exit code, and those that cannot be made because of it."""

    def call(check, found, remedy, exit_code, *not_checked, **clock):
        bad, ended_with = look(**clock)
        finding = bad.pop(check)
        assert finding.verdict is Verdict.FAILED
        assert found in finding.found
        assert remedy in finding.remedy
        assert (finding.exit_code, ended_with) == (exit_code, exit_code)
        assert {name for name, each in bad.items() if each.verdict is Verdict.NOT_CHECKED} == set(not_checked)
        assert {each.verdict for each in bad.values()} <= {Verdict.NOT_CHECKED}

    return call


@pytest.fixture
def warns(look):
    """That one check warns, and nothing else is wrong."""

    def call(check, found, remedy, **clock):
        bad, exit_code = look(**clock)
        assert exit_code == 0
        assert list(bad) == [check]
        assert bad[check].verdict is Verdict.WARNING
        assert found in bad[check].found
        assert remedy in bad[check].remedy

    return call


def test_where_all_is_well_every_check_says_so_on_a_calm_screen(firm, capsys):
    firm.sandbox.requests.clear()
    assert run(["doctor"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    assert [line.split()[0] for line in lines if line[:1].strip() and line[:2] != "Of"] == [
        "warning" if name == "Keyring choice" else "ok" for name in CHECKS
    ]
    assert lines[-1] == "Of 18 checks: 1 with a warning."
    assert [request.path.rpartition("/")[2] for request in firm.sandbox.requests] == ["token", "list"]
    assert len(firm.sandbox.keychain.passwords) == 1


def test_no_secret_is_on_the_screen_or_in_the_log(firm, capsys):
    secrets = {read_sign_in(firm)["refresh_token"]}
    assert run(["doctor"]) == 0
    secrets |= {read_sign_in(firm)["refresh_token"], "eyJ"}  # how an access token begins
    printed = capsys.readouterr()
    assert len(secrets) == 3
    assert not any(secret in printed.out + printed.err + firm.home.log_file.read_text() for secret in secrets)


def test_json_has_every_check_and_the_exit_code(firm, capsys):
    firm.home.database_file.write_bytes(b"no database")
    assert run(["doctor", "--json"]) == 9
    document = json.loads(capsys.readouterr().out)
    assert document["exit_code"] == 9
    assert [each["check"] for each in document["checks"]] == list(CHECKS)
    assert list(document["checks"][0]) == ["check", "verdict", "found", "remedy", "exit_code"]
    assert {each["verdict"] for each in document["checks"]} == {"ok", "warning", "failed", "not checked"}


def test_remedies_stand_beneath_and_the_first_failure_decides_the_exit_code(firm, capsys):
    change_config(firm.home, {"sync.tenant_id": None})
    with firm.sandbox.faults.active("keyring-missing"):
        assert run(["doctor"]) == 5
    text = " ".join(capsys.readouterr().out.split())
    assert "failed Set-up The settings have no sync.tenant_id yet. To do: Run: xpmsync connect failed Keyring" in text
    assert "not checked Sign-in needs “Keyring” first" in text
    assert text.endswith("Of 18 checks: 2 failed, 1 with a warning, 6 not made.")


# Settings, home, lock, disk, database.


def test_settings_with_mistakes_fail_and_whatever_needs_them_is_not_checked(firm, fails):
    firm.home.config_file.write_text("[sync]\nnmae = 1\n")
    rest = ("Set-up", "Keyring", "Sign-in", "Renewal", *XERO, "E-mail")
    fails("Settings", "sync.nmae: there is no such key", "explained by: xpmsync configure --explain", 5, *rest)


def test_somebody_elses_home_fails(look, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    bad, exit_code = look()
    assert exit_code == 5
    assert "belongs to another user" in bad["Home"].found
    assert "without sudo" in bad["Home"].remedy
    assert bad["Database"].verdict is bad["Keyring"].verdict is Verdict.NOT_CHECKED


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_that_a_run_with_sudo_left_fails(firm, look):
    os.chown(firm.home.sign_in_lock, 1, 1)
    bad, exit_code = look()
    assert exit_code == 5
    assert bad["Home"].found == f"{firm.home.sign_in_lock} belongs to another user."
    assert bad["Home"].remedy == f"Run: sudo chown 0 {firm.home.sign_in_lock}"


def test_files_that_others_can_open_are_a_warning(firm, warns):
    for name, mode in (("active.db", 0o644), ("config.toml", 0o620)):
        path = firm.home.data_folder / name
        usual = stat.S_IMODE(path.stat().st_mode)
        path.chmod(mode)
        warns("Home", f"others on this computer can open {path}", f"Run: chmod go= {path}")
        path.chmod(usual)


def test_a_page_that_was_opened_to_others_is_no_warning(firm, look):
    change_config(firm.home, {"report.file": str(firm.home.data_folder / "page.html")})
    firm.sync(is_watched=False)
    for page in (firm.home.data_folder / "page.html", firm.home.report_file):
        page.touch()
        page.chmod(0o644)
    assert look() == ({}, 0)


def test_several_mistakes_in_the_settings_stand_one_beneath_the_other(firm, capsys):
    firm.home.config_file.write_text("[sync]\nnmae = 1\n[smtp]\nprot = 2\n")
    run(["doctor"])
    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    assert "smtp.host: is needed to send mail" in lines
    assert "smtp.from: is needed to send mail" in lines


def test_a_file_that_cannot_be_used_at_all_fails_like_the_rest(firm, look):
    firm.home.home_id_file.unlink()
    firm.home.home_id_file.mkdir()
    bad, exit_code = look()
    assert exit_code == 5
    assert bad["Keyring"].found.startswith(f"{firm.home.home_id_file} cannot be used: it is a folder")


@pytest.mark.slow
def test_doctors_at_once_do_not_disturb_each_other(look):
    with ThreadPoolExecutor(3) as pool:
        assert list(pool.map(lambda _: look(), range(6))) == [({}, 0)] * 6


def test_what_a_killed_command_left_in_the_keyring_is_removed_by_the_next(firm):
    def list_probes():
        names = [name for _, name in firm.sandbox.keychain.passwords]
        return [name for name in names if "probe" in name] + list(firm.home.data_folder.glob("*probe*"))

    with (
        firm.sandbox.faults.active("keyring-hangs", after=1),  # it has stored its value, and reads it back
        subprocess.Popen([sys.executable, "-m", "xpmsync", "keyring"]) as process,
    ):
        while len(list_probes()) < 2:
            assert process.poll() is None
            time.sleep(0.01)
        process.kill()
    assert len(list_probes()) == 2
    assert run(["keyring"]) == 0
    assert list_probes() == []


def test_a_run_in_progress_is_a_warning(firm, warns):
    with hold(firm.home.run_lock):
        warns("Run lock", "a run is in progress", "Wait until it has ended")


def test_a_full_disk_fails(fails, monkeypatch):
    monkeypatch.setattr(doctor, "NEEDED_BYTES", 10**18)
    fails("Disk", "MB left", "Make room on it", 9)


@pytest.mark.parametrize(
    ("encrypted", "verdict", "found"),
    [
        (True, Verdict.GOOD, "the disk beneath the data is encrypted"),
        (False, Verdict.WARNING, "no encryption is seen beneath the data"),
        (None, Verdict.NOT_CHECKED, "this computer does not tell whether its disk is encrypted"),
    ],
)
def test_the_disk_s_encryption_is_told_where_it_can_be_told(firm, monkeypatch, encrypted, verdict, found):
    monkeypatch.setattr(doctor, "is_encrypted", lambda _: encrypted)
    (finding,) = (each for each in examine(firm.home, os.environ) if each.check == "Encryption")
    assert (finding.verdict, finding.found) == (verdict, found)
    assert bool(finding.remedy) is (verdict is Verdict.WARNING)


def test_a_damaged_database_fails(firm, fails):
    with closing(sqlite3.connect(firm.home.database_file)) as database:
        (page_size,) = database.execute("PRAGMA page_size").fetchone()
        (page,) = database.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'xpm_clients'").fetchone()
    with firm.home.database_file.open("r+b") as file:
        file.seek((page - 1) * page_size)
        file.write(b"\xff" * page_size)
    fails("Database", "database", "Restore it from your last backup", 9, "Set-up", "Last success")


def test_a_database_that_is_not_there_yet_is_no_failure_of_its_own(firm, look):
    firm.home.database_file.unlink()
    change_config(firm.home, {"sync.default_office_code": None})
    bad, exit_code = look()
    assert (exit_code, set(bad)) == (5, {"Set-up", "Last success"})
    assert bad["Set-up"].remedy == "Run: xpmsync configure"
    assert bad["Last success"].found == "no run has succeeded yet"
    assert not firm.home.database_file.exists()


def test_a_database_that_is_gone_from_a_sync_that_was_set_up_fails(firm, fails):
    firm.home.database_file.unlink()
    fails("Database", "The database is gone", "xpmsync restore FILE", 9, "Set-up", "Last success")
    assert not firm.home.database_file.exists()


def test_settings_that_are_gone_from_a_home_with_a_database_fail(firm, look):
    firm.home.config_file.unlink()
    bad, exit_code = look()
    assert exit_code == 5
    assert bad["Settings"].verdict is Verdict.FAILED
    assert bad["Settings"].found.startswith(f"There is no config.toml in {firm.home.config_folder}")


def test_what_fails_before_the_log_is_open_is_a_line_of_the_screen_and_nothing_on_standard_error(firm):
    firm.home.config_file.unlink()
    command = [sys.executable, "-m", "xpmsync", "doctor"]
    done = subprocess.run(command, check=False, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert done.returncode == 5
    assert "There is no config.toml" in done.stdout
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("name", "value", "check", "found", "remedy", "exit_code"),
    [
        ("sync.default_office_code", None, "Set-up", "no sync.default_office_code yet", "xpmsync configure", 5),
        ("sync.default_office_code", "NOWHERE", "Set-up", "The default office NOWHERE (", "xpmsync configure", 5),
        ("xero.scopes", SCOPES, "Permissions", "not granted: accounting.contacts.", "xpmsync connect", 4),
        ("smtp.port", 1, "E-mail", "cannot be reached on port 1", "Check host, port and security", 6),
        ("smtp.username", "ann", "E-mail", "password of the mail server is not known", "xpmsync configure", 5),
    ],
)
def test_a_setting_that_does_not_fit_fails(firm, fails, name, value, check, found, remedy, exit_code):
    change_config(firm.home, {name: value})
    fails(check, found, remedy, exit_code)


def test_a_default_partner_who_is_not_active_is_a_warning(firm, warns):
    firm.write("INSERT INTO users (id, first_name, email, status) VALUES ('u', 'Gone', 'gone@example.com', 'removed')")
    firm.write("UPDATE offices SET default_partner_id = 'u'")
    found = "the default partner of the office MAIN, Gone (gone@example.com), is not an active user"
    warns("Set-up", found, "xpmsync admin office set MAIN --default-partner EMAIL")


def test_another_practice_than_the_one_whose_data_is_there_fails(firm, look):
    change_config(firm.home, {"sync.tenant_id": "3f2a9c1e-0d5b-4a7e-9b1f-6c8d2e4f0a11"})
    bad, exit_code = look()
    assert exit_code == 5
    assert "not the one whose data" in bad["Set-up"].found
    assert "another XPMSYNC_HOME" in bad["Set-up"].remedy


# Keyring, sign-in, Xero.


@pytest.mark.parametrize(
    ("fault", "check", "found", "remedy", "exit_code", "not_checked"),
    [
        ("keyring-missing", "Keyring", "There is no keyring", "keyring", 4, ("Sign-in", "Renewal", *XERO)),
        ("keyring-locked", "Keyring", "The keyring is locked", "keyring", 4, ("Sign-in", "Renewal", *XERO)),
        ("keyring-full", "Keyring", "did not take", "keyring", 4, ("Sign-in", "Renewal", *XERO)),
        ("keyring-forgets", "Keyring", "did not keep", "keyring", 4, ("Sign-in", "Renewal", *XERO)),
        ("invalid-grant", "Renewal", "Xero no longer accepts this sign-in", "xpmsync connect", 4, XERO),
        ("invalid-client", "Renewal", "client id or client secret", "Compare client_id", 5, XERO),
        ("invalid-scope", "Renewal", "the way xpmsync signs in", "report it", 7, XERO),
        ("user-revoked", "Practice", "Xero refuses access", "third-party add-ons", 7, ("Clock", "Xero's limit")),
    ],
)
def test_a_keyring_or_xero_that_does_not_do_its_part_fails(
    firm, fails, fault, check, found, remedy, exit_code, not_checked
):
    with firm.sandbox.faults.active(fault):
        fails(check, found, remedy, exit_code, *not_checked)


def test_a_keyring_that_the_environment_chooses_is_a_warning(firm):
    finding = next(each for each in examine(firm.home, os.environ) if each.check == "Keyring choice")
    assert finding.verdict is Verdict.WARNING
    assert finding.found == "PYTHON_KEYRING_BACKEND overrides it: xpmsync.sandbox.keyring.SandboxKeyring"
    assert "remove it" in finding.remedy
    environment = {name: value for name, value in os.environ.items() if name != "PYTHON_KEYRING_BACKEND"}
    finding = next(each for each in examine(firm.home, environment) if each.check == "Keyring choice")
    assert finding.verdict is Verdict.GOOD


def test_no_sign_in_fails(firm, fails):
    firm.sandbox.keychain.passwords.clear()
    fails("Sign-in", "not connected", "xpmsync connect", 4, "Renewal", *XERO)


def test_a_sign_in_that_has_not_been_used_for_long_is_a_warning(firm, warns):
    moment = datetime.now(UTC) - timedelta(days=46)
    aged = read_sign_in(firm) | {"refreshed_at": moment.strftime("%Y-%m-%dT%H:%M:%SZ")}
    firm.sandbox.keychain.passwords = dict.fromkeys(firm.sandbox.keychain.passwords, json.dumps(aged))
    warns("Sign-in", f"last renewed {moment.astimezone():%Y-%m-%d %H:%M}", "after 60 days without use")


def test_trouble_at_xero_fails_after_three_calls_at_the_most(firm, look):
    firm.sandbox.requests.clear()
    naps = []
    with firm.sandbox.faults.active("error-503", path="/practicemanager/"):
        bad, exit_code = look(sleep=naps.append, monotonic=lambda: sum(naps))
    assert exit_code == 6
    assert "status 503" in bad["Practice"].found
    assert "status.xero.com" in bad["Practice"].remedy
    assert sum("practicemanager" in request.path for request in firm.sandbox.requests) == 3


def test_a_wrong_clock_is_a_warning(firm, warns):
    for minutes, skew in (
        (12, "12 minutes behind"),
        (168, "3 hours behind"),
        (-300, "2 hours ahead of"),
        (-57_360, "40 days ahead of"),
    ):
        firm.sandbox.clock.advance(minutes * 60)
        warns("Clock", f"this computer's clock is {skew} Xero's", "timedatectl set-ntp true")


def test_little_left_of_xeros_limit_is_a_warning(warns, monkeypatch):
    monkeypatch.setattr(doctor, "RESERVED_CALLS", 5_000)
    warns("Xero's limit", "calls are left today", "another program")


# Mail, cron, the runs.


def test_an_address_to_notify_that_is_missing_or_that_no_active_user_has_is_a_warning(firm, look, warns):
    change_config(firm.home, {"notify.email": "ANN@example.com"})
    assert look() == ({}, 0)
    change_config(firm.home, {"notify.email": "nobody@example.com.au"})
    warns("E-mail", "nobody@example.com.au is not an active user of Active", "xpmsync configure")
    change_config(firm.home, {"notify.email": None})
    warns("E-mail", "nobody gets an email", "xpmsync configure")


def test_a_crontab_that_does_not_do_its_work_is_a_warning(firm, warns):
    for old, new, found, remedy in (
        ("xpmsync notify", "true", "has no line for xpmsync notify", "xpmsync configure --crontab install"),
        ("xpmsync ", "true ", "no line for xpmsync sync and none for xpmsync notify", "configure --crontab install"),
        ("17 * * * * ", "17 * * * * /nowhere", "would not find the program /nowhere", "Write its whole path"),
        ("XPMSYNC_HOME=", "#XPMSYNC_HOME=", "another data folder", "xpmsync configure --crontab install"),
    ):
        edit_crontab(firm, old, new)
        warns("Crontab", found, remedy)
        edit_crontab(firm, new, old)


def test_a_machine_without_a_crontab_program_is_a_warning(firm, warns, monkeypatch):
    monkeypatch.setenv("PATH", str(firm.home.data_folder))
    warns("Crontab", "cannot be read", "xpmsync configure")


def test_runs_that_come_without_cron_are_no_warning(firm, look, warns, monkeypatch):
    edit_crontab(firm, "xpmsync ", "true ")
    warns("Crontab", "no line for xpmsync sync", "if systemd starts them")  # one run without a terminal is no timer
    write = "INSERT INTO sync_runs (started_at, finished_at, mode, status) SELECT {0}, {0}, mode, status FROM sync_runs"
    for hours in (2, 1, 0):
        firm.write(write.format(f"strftime('%Y-%m-%dT%H:%M:%SZ', 'now', '-{hours} hours')") + " WHERE id = 1")
    assert look() == ({}, 0)
    monkeypatch.setenv("PATH", str(firm.home.data_folder))
    assert look() == ({}, 0)


def test_a_last_success_too_long_ago_is_a_warning(firm, warns):
    firm.write("UPDATE sync_runs SET started_at = '2026-01-01T10:00:00Z', finished_at = '2026-01-01T10:00:00Z'")
    warns("Last success", "No run has succeeded for", "xpmsync doctor --cron")


def test_a_sign_in_that_was_made_since_needs_no_other_one(firm, look):
    moment = "strftime('%Y-%m-%dT%H:%M:%SZ', 'now', '{}')"
    firm.write(
        "INSERT INTO sync_runs (started_at, finished_at, mode, status, message, exit_code) "
        f"SELECT {moment.format('+1 minute')}, {moment.format('+1 minute')}, mode, 'failed', 'No sign-in.', 4 "
        "FROM sync_runs WHERE id = 1"
    )
    later = {"now": lambda: datetime.now(UTC) + timedelta(minutes=2)}
    bad, _ = look(**later)
    assert bad["Last success"].found.endswith(". A later run failed: No sign-in.")
    assert "signed in since" not in bad["Last success"].remedy
    firm.write(f"UPDATE sync_runs SET finished_at = {moment.format('-1 minute')} WHERE id > 1")
    firm.write(f"UPDATE sync_runs SET finished_at = {moment.format('-2 minutes')} WHERE id = 1")
    bad, _ = look(**later)
    assert bad["Last success"].remedy == "Somebody has signed in since. Run: xpmsync sync"


# As cron runs it.


def test_as_cron_nothing_is_tried_where_no_line_works_in_the_home_that_is_meant(firm, capfd):
    edit_crontab(firm, "XPMSYNC_HOME=", "#XPMSYNC_HOME=")
    assert run(["doctor", "--cron"]) == 5
    out, err = capfd.readouterr()
    assert out == ""
    assert f"No line of the crontab works in {firm.home.data_folder}, which your XPMSYNC_HOME names." in err
    assert "xpmsync configure --crontab install" in err


@pytest.mark.parametrize("folder", ["", "/nowhere"])
def test_as_cron_nothing_is_tried_where_its_folder_is_missing(firm, capfd, folder):
    edit_crontab(firm, f'HOME = "{firm.home.data_folder.parent}"', f'HOME = "{folder}"')
    assert run(["doctor", "--cron"]) == 5
    out, err = capfd.readouterr()
    assert out == ""
    assert f"the folder that HOME names, and “{folder}” is none." in err
    assert "Correct HOME in the crontab, or remove it there: crontab -e" in err


@pytest.mark.usefixtures("firm")
def test_as_cron_nothing_is_tried_for_a_user_whom_cron_does_not_know(capfd, monkeypatch):
    monkeypatch.setattr(pwd, "getpwuid", {}.__getitem__)
    assert run(["doctor", "--cron"]) == 5
    assert f"does not know the user that runs xpmsync (number {os.geteuid()})." in capfd.readouterr().err
    assert run(["doctor"]) == 0


@pytest.mark.usefixtures("firm")
def test_as_cron_all_is_well_when_the_crontab_says_where_things_are(capfd, monkeypatch):
    monkeypatch.delenv("XPMSYNC_HOME")
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "nothing.of.Yours")
    assert run(["doctor", "--cron"]) == 0
    lines = capfd.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[0].startswith("As cron would run it; the crontab sets HOME, XPMSYNC_HOME, PATH,")
    # The disk is the one that the tests run on, whatever that is.
    assert lines[-1] in {
        f"Of 18 checks: {rest}." for rest in ("1 with a warning", "2 with a warning", "1 with a warning, 1 not made")
    }


def test_as_cron_the_exit_code_and_the_json_are_those_of_the_checks(firm, capfd):
    edit_crontab(
        firm,
        "PYTHON_KEYRING_BACKEND=xpmsync.sandbox.keyring.SandboxKeyring",
        "PYTHON_KEYRING_BACKEND=keyring.backends.fail.Keyring",
    )
    assert run(["doctor", "--cron", "--json"]) == 4
    document = json.loads(capfd.readouterr().out)
    assert next(each for each in document["checks"] if each["check"] == "Keyring")["verdict"] == "failed"

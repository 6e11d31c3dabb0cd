"""The standard streams of a command: closed, full, or with nobody who reads on."""

import json
import shlex
import subprocess
import sys

import pytest

from xpmsync.sandbox import Practice

PROGRAM = shlex.join([sys.executable, "-m", "xpmsync"])


@pytest.fixture
def firm(make_firm):
    firm = make_firm(Practice.generate(clients=20, staff=4, seed=7))
    firm.sync()
    return firm


def run_in_shell(command):
    """A command with redirections; gives its exit code and what it says on standard error."""
    process = subprocess.run(
        ["/bin/bash", "-c", command.replace("xpmsync", PROGRAM, 1)], check=False, capture_output=True, text=True
    )
    return process.returncode, process.stderr


@pytest.mark.parametrize("streams", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_sync_runs_whatever_streams_are_closed(firm, streams):
    firm.practice.edit_client(next(iter(firm.practice.clients)), phone="(02) 5550 1234")
    exit_code, _ = run_in_shell(f"xpmsync sync --full --json {streams}")
    assert exit_code == 0
    assert firm.rows("SELECT status FROM sync_runs WHERE id = 2") == [{"status": "succeeded"}]
    assert firm.rows("PRAGMA integrity_check") == [{"integrity_check": "ok"}]


def test_a_sync_whose_output_cannot_be_written_says_so_and_what_it_did(firm):
    firm.practice.add_client("New", client_code="NEW1", account_manager=next(iter(firm.practice.staff)))
    exit_code, said = run_in_shell("xpmsync sync --json > /dev/full")
    assert exit_code == 1
    assert "Sync 2 succeeded: 0 users created, 0 users updated, 1 client created, 0 clients updated." in said
    assert "The output could not be written: No space left on device." in said
    assert firm.rows("SELECT count(*) AS number FROM clients WHERE code = 'NEW1'") == [{"number": 1}]
    (audit,) = firm.home.data_folder.glob("audit-*")
    assert json.loads(audit.read_text().splitlines()[-1])["exit_code"] == 1


@pytest.mark.usefixtures("firm")
def test_what_a_command_changed_is_changed_though_its_output_cannot_be_written():
    exit_code, said = run_in_shell("xpmsync admin office add AKL --name Auckland > /dev/full")
    assert exit_code == 1
    assert said.startswith("The output could not be written: No space left on device.\nThe command itself has done")
    assert run_in_shell("xpmsync admin office list | grep -q AKL")[0] == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    "command",
    [
        *("--help", "--version", "admin user --help", "status", "status --json", "errors", "errors --json"),
        *("errors --csv", "errors --explain partner-missing", "history", "history --csv", "report -", "doctor"),
        *("keyring", "admin office list", "admin user list", "admin client list", "configure --explain"),
        *("configure --crontab print", "completion bash", "sync --json", "sync --dry-run", "notify --dry-run"),
    ],
)
@pytest.mark.usefixtures("firm")
def test_that_nobody_reads_on_is_no_failure(command):
    assert run_in_shell(f"xpmsync {command} | true; exit ${{PIPESTATUS[0]}}") == (0, "")

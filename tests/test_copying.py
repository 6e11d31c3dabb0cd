"""A command that somebody shall type stands on a line of its own, whole, wherever the text takes several lines."""

import io

import pytest

from xpmsync.cli.console import open_console, print_advice
from xpmsync.cli.formatting import wrap, wrap_advice

LONG = "In XPM, Clients > Rimu Earthmoving Pty Ltd > Edit, choose a partner who is on the staff; or, if a user is meant"
COMMAND = "xpmsync admin user link EMAIL --xpm-staff '3f2a9c1e-0d5b-4a7e-9b1f-6c8d2e4f0a11; v. 2'"


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def show(capsys, monkeypatch):
    """What is printed, and what a refusal says: the same lines."""
    monkeypatch.setenv("COLUMNS", "80")

    def show(text):
        print_advice(open_console(), text)
        printed = capsys.readouterr().out.splitlines()
        assert wrap_advice(text, Terminal()).splitlines() == printed
        return printed

    return show


def test_what_fits_on_a_line_stays_there(show):
    assert show("Run: xpmsync connect") == ["Run: xpmsync connect"]


@pytest.mark.parametrize("end", ["", ".", "; if not, wait.", ". If not, wait."])
def test_a_command_is_never_broken_and_nothing_stands_beside_it(show, end):
    lines = show(f"{LONG}, run: {COMMAND}{end}")
    assert lines[2:] == [f"  {COMMAND}", *(["If not, wait."] if "wait" in end else [])]
    assert " ".join(lines[:2]) == f"{LONG}, run:"


@pytest.mark.parametrize(
    "command",
    [
        "chmod go= /srv/smith/active.db '/srv/smith & co (old)/xpmsync.log'",
        "sudo chown 1000 /srv/smith/active.db",
        "DBUS_SESSION_BUS_ADDRESS=unix:path=/run/user/1000/bus",
        "XPMSYNC_HOME=/srv/smith xpmsync restore FILE",
    ],
)
def test_what_is_typed_beside_xpmsync_stands_alone_as_well(show, command):
    assert show(f"{LONG} (or, to be sure: {command}).")[2:] == [f"  {command}"]


def test_several_commands_stand_on_lines_of_their_own(show):
    lines = show(f"{LONG}: xpmsync keyring. Try it as cron would: xpmsync doctor --cron")
    assert lines[2:] == ["  xpmsync keyring", "Try it as cron would:", "  xpmsync doctor --cron"]


def test_a_program_gets_the_text_as_it_is():
    assert wrap_advice(f"{LONG}, run: {COMMAND}", io.StringIO()) == f"{LONG}, run: {COMMAND}"


def test_a_command_on_a_line_of_its_own_is_never_broken(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    command = "    head -c 32 /dev/urandom | base64 | sudo tee /etc/xpmsync/keyring.key > /dev/null"
    assert command in wrap(f"Make it with this command, and then go on as before:\n\n{command}", Terminal()).split("\n")

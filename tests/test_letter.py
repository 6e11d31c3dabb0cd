"""The letter about a disrupted sync, as its reader reads it, perhaps aloud at the phone."""

import json
import os
import pwd
import re
import socket
import sqlite3
import subprocess
import sys
from base64 import b64decode
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.header import decode_header, make_header
from pathlib import Path

import pytest
import requests

from xpmsync.active.database import RESTORE, explain_trouble, open_database
from xpmsync.active.runs import finish_run, start_run
from xpmsync.cli import run
from xpmsync.config import change_config, require
from xpmsync.credentials.store import OWN_REMEDY, find_remedy
from xpmsync.errors import PermanentError, SuspiciousChange, XpmsyncError
from xpmsync.home import find_home
from xpmsync.notify.health import SILENCE_REMEDY, Trouble, find_trouble
from xpmsync.notify.message import Place, render_letter, render_subject
from xpmsync.notify.situation import find_place, load_health
from xpmsync.sandbox import Practice
from xpmsync.sandbox.mailbox import Mailbox
from xpmsync.xpm.responses import explain, make_trouble

NOW = datetime(2026, 11, 1, 14, 7, tzinfo=UTC)
HOUR = timedelta(hours=1)
PLACE = Place("server1", "xpm", "/home/xpm/.local/share/xpmsync/xpmsync.log")
ELSEWHERE = Place("server1", "xpm", "/srv/smith & co/xpmsync.log", "/srv/smith & co")


def describe_forbidden():
    answer = requests.Response()
    answer.status_code = 403
    return explain(answer, {"title": "Forbidden"}, NOW).remedy


def describe_missing_setting():
    with pytest.raises(XpmsyncError) as caught:
        require(None, "sync.default_office_code")
    return caught.value.remedy


REMEDIES = [
    (1, "Send the log to the people who make xpmsync; the next run tries again."),
    (4, "Run: xpmsync connect. Any user of the practice who may connect third-party add-ons can do it."),
    (4, f"{OWN_REMEDY}\nXero accepts the earlier sign-in until 14:30; later, run: xpmsync connect"),
    (4, find_remedy({}, platform="linux", user_id=os.getuid() + 1)),
    (4, f"{find_remedy({}, platform='linux', user_id=0)} (Whoever wants it nevertheless sets X to its name.)"),
    (5, describe_missing_setting()),
    (5, "Compare client_id, then run: xpmsync connect (with a client secret: xpmsync connect --client-secret-stdin)"),
    (6, make_trouble("").remedy),
    (7, describe_forbidden()),
    (8, "Look into XPM."),
    (9, RESTORE),
    (9, explain_trouble(Path("/srv/active.db"), sqlite3.OperationalError("disk full")).remedy),
    (None, SILENCE_REMEDY),
]


def make_trouble_of(exit_code, remedy, happened="It happened."):
    return Trouble(exit_code, happened, remedy, NOW - 3 * HOUR, NOW - 2 * HOUR)


@pytest.mark.parametrize(("exit_code", "remedy"), REMEDIES)
def test_every_letter_fits_72_columns_and_has_each_command_alone_on_its_line(exit_code, remedy):
    letter = render_letter("Smith & Co", make_trouble_of(exit_code, remedy), ELSEWHERE)
    lines = letter.splitlines()
    commands = [line for line in lines if re.match(r" {5}(xpmsync|sudo|export|fuser|DBUS)", line)]
    assert "     export XPMSYNC_HOME='/srv/smith & co'" in commands
    assert "     xpmsync status" in commands
    prose = [line for line in lines if line not in commands]
    assert max(map(len, prose)) <= 72
    assert not re.search(r"xpmsync (connect|sync|errors|doctor|keyring|configure|status)", " ".join(prose))
    assert not any(line.rstrip().endswith((";", ")", "(", ".")) for line in commands)
    assert all(lines[lines.index(command) - 1] == "" for command in commands)


def test_a_letter_is_read_like_one():
    trouble = make_trouble_of(
        4, "Run: xpmsync connect. Any user of the practice can do it.", "Xero no longer accepts it."
    )
    since, success = (f"{moment.astimezone():%-d %B %Y, %H:%M %Z}" for moment in (NOW - 2 * HOUR, NOW - 3 * HOUR))
    letter = render_letter("Smith & Co", trouble, PLACE)
    assert " ".join(letter.split()) == (
        "Hello, The sync “Smith & Co” has stopped and waits for a person. Xero no longer accepts it. "
        f"It first failed on {since}. Active still holds the data of the last run that succeeded, which ended on "
        f"{success}. What has been changed in XPM since then is not in Active yet, but nothing is lost. "
        "Here is what to do. Commands are typed in a terminal on the computer server1, by the user xpm. "
        "1. Run: xpmsync connect Any user of the practice can do it. "
        "2. Then see that the sync works again: xpmsync sync "
        "To see more, at any time: xpmsync status "
        "If somebody helps you: the details are in the log, /home/xpm/.local/share/xpmsync/xpmsync.log. "
        "The sync goes on trying by itself, every hour; once a run succeeds, it brings all that is missing, and the "
        "e-mails end. Until then you get one at most once in 24 hours. xpmsync"
    )


def test_one_step_has_no_number_and_a_remedy_that_is_a_run_needs_no_other():
    letter = render_letter("Smith & Co", make_trouble_of(9, RESTORE), PLACE)
    assert "xpmsync sync --full" in letter
    assert letter.count("xpmsync sync") == 1
    assert "1. " not in letter


def test_mistakes_in_the_settings_stand_one_beneath_the_other():
    happened = "config.toml has 2 mistakes:\n  sync.nmae: there is no such key\n  smtp.port: must be a number"
    letter = render_letter("Smith & Co", make_trouble_of(5, "Correct it.", happened), PLACE)
    assert "\n  sync.nmae: there is no such key\n" in letter
    assert "\n  smtp.port: must be a number\n" in letter


def test_a_sync_that_never_succeeded_has_no_data_to_speak_of():
    letter = render_letter("Smith & Co", Trouble(7, "Xero says no.", "Ask.", None, NOW), PLACE)
    assert "No run has succeeded yet" in letter
    assert "still holds" not in letter


def test_nothing_in_a_letter_or_its_subject_is_obeyed_by_a_terminal():
    trouble = make_trouble_of(7, "Do\x1b[2J this: xpmsync sy\x1bnc", "It\x07 happened\u2028.")
    for text in (render_letter("A\x1b[31m", trouble, PLACE), render_subject("A\x1b[31m", trouble)):
        assert all(line.isprintable() for line in text.split("\n"))


# The headers.

NAMES = [
    "=?utf-8?q?A=0D=0ABcc:_x@example.org=0D=0AX:?=",
    "Firm\r\nBcc: x@example.org\u2028X: y",
    "=?utf-8?b?DQpCY2M6IHhAZXhhbXBsZS5vcmcNClg6?=",
    "Tāmaki 🧾 Partners, " * 20,
    "Plain & long, " * 100,
    "Smith & Co",
    "",
]


def find_pythons():
    """Every Python on this machine that is supported. Those before 3.11.10 and 3.12.5 have CPython issue 121650."""
    folders = [Path("/usr/bin"), Path("/usr/local/bin"), *Path.home().glob(".pyenv/versions/*/bin")]
    folders += Path.home().glob(".local/share/uv/python/*/bin")
    found = {Path(sys.executable).resolve(): sys.executable}
    for path in (each for folder in folders for each in folder.glob("python3.[0-9]*")):
        if re.fullmatch(r"python3\.1[1-9]", path.name):
            found.setdefault(path.resolve(), str(path))
    return [*found.values()]


@pytest.mark.parametrize("python", find_pythons())
def test_whatever_a_sync_is_called_its_emails_have_the_headers_that_were_meant(python):
    script = """
import base64, datetime, json, sys
from xpmsync.notify.message import Message
now = datetime.datetime.now(datetime.timezone.utc)
emails = [Message("sync@firm.example", "ann@firm.example", name, name, now).encode() for name in json.load(sys.stdin)]
print(json.dumps([base64.b64encode(email).decode() for email in emails]))
"""
    root = Path(__file__).parents[1]
    # Nothing but the package itself, which this Python need not have installed.
    process = subprocess.run(
        [python, "-c", script], input=json.dumps(NAMES), cwd=root, check=True, capture_output=True, text=True
    )
    headers = "From To Subject Date Message-ID Auto-Submitted MIME-Version Content-Type Content-Transfer-Encoding"
    for name, encoded in zip(NAMES, json.loads(process.stdout), strict=True):
        content = b64decode(encoded)
        assert content.isascii()
        assert max(map(len, content.split(b"\r\n"))) <= 78
        assert content.replace(b"\r\n", b"").count(b"\n") == 0
        for how in (policy.default, policy.compat32):
            assert message_from_bytes(content, policy=how).keys() == headers.split()
        message = message_from_bytes(content)
        assert str(make_header(decode_header(message["Subject"]))) == " ".join(name.split())
        assert message.get_payload(decode=True).decode().split() == name.split()


def test_a_header_in_disguise_reaches_no_mail_server(make_firm, capfd):
    firm = make_firm(Practice())
    with Mailbox() as mailbox:
        settings = {"host": "127.0.0.1", "port": mailbox.port, "security": "none", "from": "sync@firm.example"}
        change_config(firm.home, {f"smtp.{key}": value for key, value in settings.items()})
        change_config(firm.home, {"notify.email": "ann@firm.example", "sync.name": NAMES[0]})
        assert run(["notify", "--test"]) == 0
    (message,) = mailbox.messages
    assert "Bcc" not in message
    assert "X" not in message
    assert NAMES[0] in capfd.readouterr().out + message.get_content()


# What the letter is told.


def test_the_first_failure_is_the_first_one_since_the_last_success(tmp_path):
    ends = [("failed", 0), ("succeeded", 1), ("failed", 2), ("interrupted", 3), ("failed", 4)]
    with open_database(tmp_path / "active.db") as database:
        for status, hour in ends:
            moment = NOW + hour * HOUR
            run_id = start_run(database, tenant_id=None, mode="full", is_watched=False, now=moment)
            finish_run(database, run_id, status=status, now=moment, values={"exit_code": 6, "message": ""})
        health = load_health(database, NOW + 4 * HOUR)
    assert health.first_failure_at == NOW + 2 * HOUR
    assert health.last_failure.failed_at == NOW + 4 * HOUR


def test_the_place_names_computer_owner_and_a_home_that_is_not_the_usual_one(tmp_path):
    place = find_place(find_home({"XPMSYNC_HOME": str(tmp_path)}))
    assert place == Place(
        socket.gethostname(), pwd.getpwuid(os.geteuid()).pw_name, str(tmp_path / "xpmsync.log"), str(tmp_path)
    )
    assert find_place(find_home({})).folder is None


CLIENTS = 60
NAME = "Zebulon Quartermaine"


@pytest.mark.parametrize(
    ("fault", "options", "error"),
    [
        ("empty-list", {"path": "client.api"}, SuspiciousChange),
        ("empty-list", {"path": "staff.api"}, SuspiciousChange),
        ("status-error", {"path": "client.api"}, PermanentError),
        ("user-revoked", {}, PermanentError),
    ],
)
def test_no_name_of_the_practice_gets_into_a_letter(make_firm, capfd, fault, options, error):
    practice = Practice()
    practice.name = f"{NAME} Accountants"
    ann = practice.add_staff(f"{NAME} Staff", "zebulon@quartermaine.example")
    for number in range(CLIENTS):
        practice.add_client(f"{NAME} {number}", account_manager=ann, client_code=f"C{number}")
    firm = make_firm(practice)
    firm.sync()
    with firm.sandbox.faults.active(fault, **options), pytest.raises(error) as caught:
        firm.sync(full=True, is_watched=False)
    capfd.readouterr()
    (trouble,) = firm.rows("SELECT message FROM sync_runs WHERE status = 'failed'")
    assert NAME not in trouble["message"]
    letter = write_letter(firm)
    assert NAME not in letter
    assert "zebulon" not in letter.lower()
    if error is SuspiciousChange:
        assert NAME in caught.value.in_full  # on the screen, where the person needs them
        assert run(["errors"]) == 0
        assert NAME in " ".join(capfd.readouterr().out.split())


def write_letter(firm):
    """What the watchman would send."""
    with open_database(firm.home.database_file) as database:
        now = datetime.now(UTC) + timedelta(seconds=5)
        trouble = find_trouble(load_health(database, now), now)
    return f"{render_subject('Smith & Co', trouble)}\n{render_letter('Smith & Co', trouble, find_place(firm.home))}"

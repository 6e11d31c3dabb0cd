"""A firm's first week, told in one piece: what people and cron type, and what they are told."""

import json
import shlex
from contextlib import ExitStack

import pytest

from xpmsync.cli import run
from xpmsync.sandbox import App, Practice, Sandbox
from xpmsync.sandbox.mailbox import Mailbox

ANN, BOB = "ann@firm.example", "bob@firm.example"
WRONG_ABN, ABN = "51824753557", "51824753556"


class Week:
    """The firm's computer, the practice in XPM, and the mailbox of the one who is told."""

    def __init__(self, home, sandbox, mailbox, capfd):
        self.home = home
        self.sandbox = sandbox
        self.mails = mailbox.messages
        self._capfd = capfd

    def run(self, line, *, exit_code=0):
        """Type a command; gives what it prints."""
        ended_with = run(shlex.split(line))
        printed = self._capfd.readouterr()
        assert ended_with == exit_code, printed
        return printed.out + printed.err

    def read(self, command):
        """What a command prints for programs."""
        return json.loads(self.run(f"{command} --json"))

    def cron(self):
        """The hourly run, and what is still open after it: the codes of the problems, with how many there are."""
        assert self.run("sync") == ""
        codes = [row["code"] for row in self.read("errors")]
        return {code: codes.count(code) for code in codes}


@pytest.fixture
def week(tmp_path, free_port, monkeypatch, capfd, allow_access, no_umask):  # noqa: ARG001 - the browser, and files that are open to everybody
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    with ExitStack() as stack:
        sandbox = stack.enter_context(Sandbox(Practice("Kōwhai Partners"), apps=[App(redirect_ports=(free_port,))]))
        mailbox = stack.enter_context(Mailbox())
        monkeypatch.setenv("XPMSYNC_HOME", str(home))
        monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "xpmsync.sandbox.keyring.SandboxKeyring")
        monkeypatch.setenv("XPMSYNC_SANDBOX_KEYRING", sandbox.url)
        (home / "config.toml").write_text(
            f"""\
[xero]
client_id = "sandbox-app"
redirect_uri = "http://localhost:{free_port}/callback"
login_url = "{sandbox.url}/identity"
identity_url = "{sandbox.url}"
api_url = "{sandbox.url}"

[smtp]
host = "127.0.0.1"
port = {mailbox.port}
security = "none"
from = "xpmsync@firm.example"
"""
        )
        yield Week(home, sandbox, mailbox, capfd)


def test_a_firm_s_first_week(week):  # noqa: PLR0915 - a story is told in one piece
    xpm = week.sandbox.practice
    ann, bob = xpm.add_staff("Ann Lee", ANN), xpm.add_staff("Bob Ray", BOB)
    cat = xpm.add_staff("Cat Orr", "")
    dan = xpm.add_staff("Dan", "dan@firm.example")
    gone = ("99999999-9999-4999-8999-999999999999", "Zoe Gone")
    for number in range(12):
        xpm.add_client(f"Orr Farms {number}", client_code=f"ORR{number:03}", account_manager=cat)
    early = xpm.add_client(
        "Early Bird Pty Ltd", client_code="EARLY", account_manager=ann, business_number=ABN, groups=["Growers"]
    )
    nameless = xpm.add_client("", client_code="NONAME", account_manager=ann)
    left = [xpm.add_client(f"Left {number}", client_code=f"LEFT{number}", account_manager=gone) for number in (1, 2)]
    twins = [xpm.add_client(name, client_code="TWIN", account_manager=ann) for name in ("Twin One", "Twin Two")]
    typo = xpm.add_client("Typo Trust", client_code="TYPO", account_manager=bob, business_number=WRONG_ABN)
    xpm.add_client("Orphan Ltd", client_code="ORPHAN")

    # Monday: the partners and two early clients are set up by hand; one of them with a slip in its ABN.
    week.run("admin office add MEL --name Melbourne")
    week.run(f"admin user add --first-name Ann --last-name Lee --email {ANN} --role Owner --office MEL --module Jobs")
    week.run("connect")
    week.run(f"configure --sync-name Firm --office MEL --default-partner {ANN} --notify {ANN} --later")
    week.run("admin client add --code early --abn 53004085616 --legal-name 'Early Bird'")
    week.run(f"admin client add --code OURS --partner {ANN} --legal-name 'Not in XPM'")
    week.run("admin office set MEL --no-default-partner")

    # A look at what would happen changes nothing.
    preview = week.read("sync --dry-run")
    assert preview["users"]["unchanged"] == 3
    assert {each["code"] for each in preview["problems"]} >= {"partner-without-email", "abn-contradicts"}
    assert week.read("errors") == []
    assert [each["code"] for each in week.read("admin client list")] == ["early", "OURS"]

    # Tuesday: the first run, and what it could not do.
    assert week.cron() == {
        "staff-without-email": 1,
        "staff-name-one-word": 1,
        "partner-without-email": 12,
        "abn-contradicts": 1,
        "client-without-name": 1,
        "partner-not-listed": 2,
        "client-code-shared": 2,
        "partner-missing": 1,
        "business-number-check-digit": 1,
        "elements-never-sent": 1,
    }
    week.run("sync --accept 1")  # the firm uses none of those elements
    screen = week.run("errors")
    assert "12 clients name the partner Cat Orr, who has no usable e-mail address in XPM." in " ".join(screen.split())
    assert week.read("admin user list --waiting") != []

    # They are put right one kind after the other, in XPM and in Active, and each clears itself within the hour.
    xpm.edit_staff(cat, email="cat@firm.example")
    open_now = week.cron()
    assert not {"staff-without-email", "partner-without-email"} & open_now.keys()

    week.run(f"admin client set EARLY --abn {ABN}")
    assert "abn-contradicts" not in week.cron()
    found = week.read("admin client show early")
    assert (found["legal_name"], found["xpm_client_uuid"], found["groups"]) == (
        "Early Bird Pty Ltd",
        early,
        ["Growers"],
    )

    week.run("admin user add --first-name Zoe --last-name Gone --email zoe@firm.example")
    week.run(f"admin user link zoe@firm.example --xpm-staff {gone[0]}")
    assert set(week.cron()) == {
        *("staff-name-one-word", "client-without-name", "client-code-shared", "partner-missing"),
        *("business-number-check-digit", "partner-no-longer-listed"),
    }
    for uuid in left:
        xpm.edit_client(uuid, account_manager=bob)
    assert "partner-no-longer-listed" not in week.cron()

    week.run(f"admin office set MEL --default-partner {BOB}")
    assert "partner-missing" not in week.cron()
    xpm.edit_client(nameless, first_name="Nia", last_name="Name")
    xpm.edit_client(twins[1], client_code="TWIN2")
    assert week.cron() == {"staff-name-one-word": 1, "business-number-check-digit": 1}
    xpm.edit_staff(dan, name="Dan Fox")
    xpm.edit_client(typo, business_number=ABN)
    assert week.cron() == {}
    assert "No open problems." in week.run("errors")
    assert len(week.read("admin client list")) == 12 + 8 + 1

    # Thursday: the new users get access.
    waiting = [each["email"] for each in week.read("admin user list --waiting")]
    assert sorted(waiting) == [BOB, "cat@firm.example", "dan@firm.example"]
    week.run(f"admin user set --role User --office MEL --module Jobs --module Reports {' '.join(waiting)}")
    assert week.read("admin user list --waiting") == []
    assert week.cron() == {}
    assert {each["role"] for each in week.read("admin user list") if each["email"] in waiting} == {"User"}

    # Friday: Xero lets the firm down for two hours. The data stays, one e-mail goes out, and the third run mends it.
    before = week.read("admin client list")
    with week.sandbox.faults.active("user-revoked"):
        for _ in range(2):
            assert "Active still holds the data of" in week.run("sync", exit_code=7)
        assert "Disrupted since" in week.run("status").splitlines()[0]
    assert week.read("admin client list") == before
    (mail,) = week.mails
    assert mail["To"] == ANN
    assert "Orr Farms" not in mail.as_string()
    xpm.edit_client(early, phone="03 9999 0000")
    assert week.cron() == {}
    assert week.run("status").startswith("Working")
    assert "03 9999 0000" in week.run("admin client show EARLY")
    assert "03 9999 0000" in week.run("history EARLY")
    assert len(week.mails) == 1

    # All this time nobody else on the computer could read a word.
    kept = [path for path in week.home.rglob("*") if path != week.home / "config.toml"]
    assert {path.name for path in kept} >= {"active.db", "xpmsync.log", "home-id"}
    assert [path for path in kept if path.stat().st_mode & 0o077] == []

"""Every fault of the sandbox at every request of a run and of `connect`, in the first, middle and last part of it."""

import re
import threading
from datetime import timedelta
from functools import partial

import pytest
from matrix import CONNECT, MATRIX, list_cases, makes_sense
from stage import INCREMENTAL, PATHS, HurriedClock, Stage, open_stage

from xpmsync.cli import run
from xpmsync.config import change_config
from xpmsync.credentials.store import opened
from xpmsync.errors import XpmsyncError
from xpmsync.sandbox import FAULTS, App, Practice, Sandbox, Switches
from xpmsync.sandbox.mailbox import Mailbox
from xpmsync.sync.fetch import RUN_SECONDS

pytestmark = pytest.mark.slow

UNLIMITED = Switches(limit_minute=1_000_000, limit_day=1_000_000, limit_app_minute=1_000_000)
HISTORY = {"changes", "sync_errors", "standing_outcome"}


@pytest.fixture(scope="module")
def stage(furnish, find_free_port, tmp_path_factory):
    folder = tmp_path_factory.mktemp("faults")
    port = find_free_port()
    apps = [App(redirect_ports=(8742, port))]
    with (
        pytest.MonkeyPatch.context() as monkeypatch,
        Mailbox() as mailbox,
        Sandbox(Practice.generate(clients=30, staff=12, seed=7), apps=apps, switches=UNLIMITED) as sandbox,
    ):
        sandbox.practice.add_staff("Ann Lee", "ann@example.com")
        monkeypatch.setattr("xpmsync.xpm.client.CHUNK_BYTES", 1_024)  # so that every list has many
        monkeypatch.setattr("xpmsync.sync.run.opened", partial(opened, patience_seconds=0.3))
        firm = furnish(sandbox, folder / "home", monkeypatch)
        change_config(
            firm.home,
            {
                "notify.email": "ann@example.com",
                "smtp.host": "127.0.0.1",
                "smtp.port": mailbox.port,
                "smtp.security": "none",
                "smtp.from": "sync@example.com",
                "xero.redirect_uri": f"http://localhost:{port}/callback",
            },
        )
        yield open_stage(firm, mailbox, folder / "saved.db")


@pytest.fixture(scope="module")
def before(stage):
    stage.restore()
    return stage.exact()


@pytest.fixture(scope="module")
def undisturbed(stage):
    """What a run without a fault leaves, by whether it was a full one; it has every request that a run can have."""
    left = {}
    asked = set()
    for full in (True, False):
        stage.restore()
        stage.sync(full=full)
        left[full] = stage.data()
        asked |= {request for request in PATHS if stage.count(request)}
    assert asked >= PATHS.keys() - {"keyring", *CONNECT}
    return left


def matches(text, expected):
    """Whether a text is the expected one, in which “…” stands for anything, and N for the number of a sync."""
    parts = re.split("…|(?<=--accept )N", expected)
    return re.fullmatch(".+".join(map(re.escape, parts)), text) is not None


def name(case):
    return "-".join(filter(None, (case.request, case.fault, case.place)))


def test_the_matrix_has_every_fault_at_every_request_once():
    pairs = [(fault, request) for fault in FAULTS for request in PATHS if makes_sense(fault, request)]
    cases = [(case.fault, case.request, case.place) for case in list_cases()]
    assert len(cases) == len(set(cases))
    assert {(fault, request) for fault, request, _ in cases} == set(pairs)
    assert all(row.places for row in MATRIX)


@pytest.mark.parametrize("case", [case for case in list_cases() if case.request not in CONNECT], ids=name)
def test_a_run_that_meets_a_fault(stage: Stage, before, undisturbed, case):
    full = case.request not in INCREMENTAL
    hurried = HurriedClock()
    started = hurried.monotonic()
    ended = None
    stage.restore()
    with stage.firm.sandbox.faults.active(case.fault, path=PATHS[case.request], **case.options):
        try:
            stage.sync(full=full, clock=hurried.clock())
        except XpmsyncError as error:
            ended = error
    wait_for_what_was_given_up()
    assert hurried.monotonic() - started < RUN_SECONDS
    assert stage.count("token" if case.request == "keyring" else case.request) == case.tries
    if ended is None:
        assert case.outcome.exit_code == 0
        assert stage.mailbox.messages == []
        check_what_a_success_left(stage, undisturbed, case, full=full)
        return
    assert ended.exit_code == case.outcome.exit_code
    assert matches(ended.in_full, case.outcome.happened)
    assert ended.meaning.startswith("Active still holds the data of")
    assert case.request == "keyring" or matches(ended.remedy, case.outcome.remedy)
    assert stage.exact() == before
    assert len(stage.mailbox.messages) == (case.outcome.email == "at once")
    if case.outcome.email == "after three hours":
        assert stage.tell_after(timedelta(hours=2, minutes=50)) == 0
        assert stage.tell_after(timedelta(hours=3, minutes=10)) == 1
    stage.sync(full=full)
    assert stage.data() == undisturbed[full]


def wait_for_what_was_given_up():
    """A keyring that has hung does late what it was asked; elsewhere the process has ended by then."""
    for thread in threading.enumerate():
        if thread.name == "xpmsync-call":
            thread.join(timeout=10)


def check_what_a_success_left(stage, undisturbed, case, *, full):
    if case.outcome.left == "as without the fault":
        assert stage.data() == undisturbed[full]
        return
    if case.outcome.left == "all but one client":
        emails = "SELECT email FROM clients WHERE email LIKE 'new-%' ORDER BY email"
        assert len(stage.firm.rows(emails)) == 3
    stage.sync(full=True)  # within a day
    healed = stage.data()
    for table in healed.keys() - HISTORY:
        assert healed[table] == undisturbed[True][table]


@pytest.mark.usefixtures("allow_access")
@pytest.mark.parametrize("case", [case for case in list_cases() if case.request in CONNECT], ids=name)
def test_a_person_who_connects_meets_a_fault(stage: Stage, before, case, capfd):
    hurried = HurriedClock()
    stage.restore()
    keyring = dict(stage.firm.sandbox.keychain.passwords)
    with stage.firm.sandbox.faults.active(case.fault, path=PATHS[case.request], **case.options):
        assert run(["connect"], clock=hurried.clock()) == case.outcome.exit_code
    assert stage.count(case.request) == case.tries
    assert stage.exact() == before
    assert stage.mailbox.messages == []
    if case.outcome.exit_code:
        assert matches(capfd.readouterr().err.splitlines()[0], case.outcome.happened)
        assert stage.firm.sandbox.keychain.passwords == keyring

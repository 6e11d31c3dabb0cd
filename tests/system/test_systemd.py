"""The units of docs/systemd, as far as they can be tried where systemd does not run: it finds no fault with them."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

UNITS = Path(__file__).parent.parent.parent / "docs" / "systemd"
SERVICES = sorted(path.name for path in UNITS.glob("*.service"))
PROGRAM = "/opt/xpmsync/bin/xpmsync"
LARGEST_EXPOSURE = 20
"""Of a hundred; systemd calls that OK."""


@pytest.fixture
def analyze(require_program):
    """Ask systemd about units; gives the exit code and all that it says."""
    program = require_program("systemd-analyze")

    def analyze(*arguments):
        done = subprocess.run([program, *arguments], capture_output=True, check=False, text=True)
        return done.returncode, done.stdout + done.stderr

    return analyze


@pytest.fixture
def units(tmp_path):
    """The units, with a program that is on every machine in place of ours."""
    for path in UNITS.iterdir():
        text = path.read_text("utf-8")
        (tmp_path / path.name).write_text(text.replace(PROGRAM, shutil.which("true")), "utf-8")
    return tmp_path


def test_systemd_understands_every_line(units, analyze):
    assert analyze("verify", "--man=no", *map(str, units.iterdir())) == (0, "")


def test_systemd_would_complain_of_a_line_that_it_does_not_understand(units, analyze):
    (units / "xpmsync-sync.service").write_text("[Service]\nExecStart=/bin/true\nProtectHomes=yes\n")
    assert "ProtectHomes" in analyze("verify", "--man=no", str(units / "xpmsync-sync.service"))[1]


@pytest.mark.parametrize("service", SERVICES)
def test_systemd_finds_little_that_a_service_could_do_beyond_its_work(units, analyze, service):
    exit_code, said = analyze(
        "security", "--offline=yes", "--no-pager", f"--threshold={LARGEST_EXPOSURE}", str(units / service)
    )
    assert exit_code == 0, said


@pytest.mark.parametrize("command", ["sync", "notify"])
def test_every_service_has_its_timer_and_runs_its_command_like_the_crontab(command):
    service = (UNITS / f"xpmsync-{command}.service").read_text("utf-8")
    assert f"ExecStart={PROGRAM} {command}\n" in service
    assert f"/PATH/TO/xpmsync {command}" in (UNITS.parent.parent / "crontab.example").read_text("utf-8")
    timer = (UNITS / f"xpmsync-{command}.timer").read_text("utf-8")
    assert "Persistent=yes" in timer
    assert SERVICES == ["xpmsync-notify.service", "xpmsync-sync.service"]


def test_both_services_are_locked_in_alike():
    texts = [(UNITS / service).read_text("utf-8") for service in SERVICES]
    locks = [
        re.findall(r"^(?:Protect|Private|Restrict|ReadWrite|NoNew|System|Capability|UMask).*$", text, re.MULTILINE)
        for text in texts
    ]
    assert locks[0] == locks[1]
    assert len(locks[0]) > 15


def test_the_times_are_what_they_say(analyze):
    exit_code, said = analyze("calendar", "hourly", "*:0/10")
    assert exit_code == 0
    assert "*-*-* *:00:00" in said
    assert "*-*-* *:00/10:00" in said

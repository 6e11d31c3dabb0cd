"""The walk through xpmsync in docs/sandbox.md is walked as it is written there, in its two terminals.

Only the ports are others, so that tests can run side by side, and with them the redirect address.
"""

import os
import re
import subprocess
import sys
import time
from contextlib import contextmanager

import pytest
from reading import find_blocks

pytestmark = pytest.mark.slow

SANDBOX, REDIRECT, MAILBOX = "8743", "8742", "2525"
PATIENCE_SECONDS = 30
PROMISED = """\
Connected to “Kahikatea & Wattle Accountants”
Alert recipient  imogen.cooper@example.com.au
An email is on its way
Working: the last run succeeded
“no email yet” is not one e-mail address.
"Name":"Tui Henare","Email":"tui.henare@example.co.nz"
User Tui Henare: created
staff-email-unusable (resolved)
"name":"user-revoked"
exit code 7
exit code 7
Disrupted since
[]
Working: the last run succeeded"""


@pytest.fixture
def ports(find_free_port):
    """A free port for each that the document names."""
    return {name: str(find_free_port()) for name in (SANDBOX, REDIRECT, MAILBOX)}


@pytest.fixture
def environment(tmp_path):
    """A person's own, where xpmsync is installed as the README has it."""
    (tmp_path / "xpmsync").symlink_to(sys.prefix)
    programs = tmp_path / ".local" / "bin"
    programs.mkdir(parents=True)
    (programs / "xpmsync").symlink_to(tmp_path / "xpmsync" / "bin" / "xpmsync")
    return {"HOME": str(tmp_path), "PATH": f"{programs}:{os.environ['PATH']}", "NO_PROXY": "*"}


@contextmanager
def first_terminal(command, environment, file):
    """Run the sandbox; gives what reads what is printed there, once it holds certain words."""

    def read(*words):
        ends_at = time.monotonic() + PATIENCE_SECONDS
        while not all(word in (text := file.read_text()) for word in words):
            assert time.monotonic() < ends_at, text
            time.sleep(0.05)
        return text

    with file.open("w") as screen:
        process = subprocess.Popen(["/bin/sh", "-c", f"exec {command}"], env=environment, stdout=screen, stderr=screen)
    with process:
        try:
            yield read
        finally:
            process.terminate()


def test_whoever_walks_through_xpmsync_with_the_sandbox_sees_what_is_promised(
    tmp_path, ports, environment, require_program
):
    require_program("curl")
    blocks = [block.text for block in find_blocks() if block.document == "docs/sandbox.md" and block.language == "sh"]
    first, *others = [re.sub("|".join(ports), lambda found: ports[found[0]], block) for block in blocks]
    sandbox = f"{first.strip()} --port {ports[SANDBOX]} --redirect-port {ports[REDIRECT]}"
    redirect = f'redirect_uri = "http://localhost:{ports[REDIRECT]}/callback"'
    second = tmp_path / "second-terminal"
    second.write_text("".join(others).replace("login_url", f"{redirect}\nlogin_url"))
    with first_terminal(sandbox, environment, tmp_path / "first-terminal") as read:
        settings = re.search(r"\[xero\]\n(.+\n)+", read("/sandbox\n"))[0]
        process = subprocess.run(
            ["/bin/sh", "-e", second],
            env=environment,
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
        )
        mailed = read("a test of the e-mail about the sync", "the sync stopped because Xero refuses it")
    assert process.returncode == 0, process.stdout
    assert re.search(".*".join(map(re.escape, PROMISED.splitlines())), process.stdout, re.DOTALL), process.stdout
    assert mailed.count("Subject: ") == 2
    assert settings in "".join(others)
    assert '"error"' not in process.stdout

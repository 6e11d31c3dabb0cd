"""Every command line of the documents is run, or it is said why not.

The README is followed word by word, in order, with the stand-in in Xero's place, and the guide for operators after it.
Only what is a person's is put in its place: the button in the browser, the answers to questions.
"""

import json
import os
import re
import shlex
import subprocess
import sys
import threading
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlencode

import pytest
from firms import make_environment, point_at
from reading import find_blocks
from renew import ROOT

from xpmsync.home import find_home
from xpmsync.monitoring.crontab import parse_crontab
from xpmsync.sandbox import App, Practice, Sandbox
from xpmsync.sandbox.mailbox import Mailbox

pytestmark = pytest.mark.slow

RUN_ELSEWHERE = {
    "docs/sandbox.md": "tests/documentation/test_walk.py",
    "docs/server.md": "tests/system/test_cron.py",
}
"""Documents whose command lines are a story of their own, and the test that tells it."""

BY_CI = ".ci/run runs it"
TESTS = "tests do not run tests; .ci/run runs the quick ones, measured, and then the slow ones"
INSTALLS = "asks a package registry; .ci/run does the same in folders of its own"
CHANGES = "changes the checkout"
SYSTEMD = "needs a machine that systemd runs; tests/system/test_systemd.py lets systemd read the units"
NOT_RUN = {
    "python3 -m venv .venv": INSTALLS,
    ".venv/bin/pip install --quiet --requirement requirements-dev.lock": INSTALLS,
    ".venv/bin/pip install --quiet --no-deps --no-build-isolation --editable .": INSTALLS,
    ". .venv/bin/activate": "nothing is there without the lines before",
    "ruff format .": BY_CI,
    "ruff check .": BY_CI,
    "mypy": BY_CI,
    "lint-imports": BY_CI,
    "codespell": BY_CI,
    "pytest -n auto": TESTS,
    "pytest -n auto --cov": TESTS,
    "pytest -n auto --all": TESTS,
    "pip install mutmut==3.8.1": "asks a package registry",
    "CI=true mutmut run": "takes hours",
    "mutmut results": "nothing is there without the line before",
    "python tests/versions/story.py": CHANGES,
    "python tests/documentation/renew.py": CHANGES,
    "python tests/benchmarks": "takes a quarter of an hour; .ci/run runs it with few clients",
    "python tests/benchmarks --clients 200 --larger 300 --runs 1 --rivals upsert_all --into /tmp/benchmarks": (
        ".ci/run runs it with one more"
    ),
    "litestream restore -o /srv/xpmsync/fern-partners/active.db s3://BUCKET/xpmsync/fern-partners/active.db": (
        "another program's"
    ),
    "pytest -n auto tests/screens --snapshot-update": CHANGES,
    "git tag v0.1.0": CHANGES,
    ".ci/run": "it runs these tests",
    "python3 -m venv ~/build-xpmsync": INSTALLS,
    "~/build-xpmsync/bin/pip install --quiet --requirement requirements.lock": INSTALLS,
    "~/build-xpmsync/bin/pip wheel --quiet --no-deps --no-build-isolation --wheel-dir dist .": INSTALLS,
    "sudo useradd --system --create-home --home-dir /var/lib/xpmsync --shell /usr/sbin/nologin xpmsync": SYSTEMD,
    "sudo chmod 700 /var/lib/xpmsync": SYSTEMD,
    "sudo install -d -m 755 /etc/xpmsync": SYSTEMD,
    "sudo install -m 640 -g xpmsync /dev/null /etc/xpmsync/keyring.key": SYSTEMD,
    "sudo -u xpmsync -H /opt/xpmsync/bin/xpmsync keyring setup --key-file /etc/xpmsync/keyring.key": SYSTEMD,
    "sudo -u xpmsync -H /opt/xpmsync/bin/xpmsync connect --no-browser": SYSTEMD,
    "sudo -u xpmsync -H /opt/xpmsync/bin/xpmsync configure": SYSTEMD,
    "sudo cp docs/systemd/xpmsync-* /etc/systemd/system/": SYSTEMD,
    "sudo systemctl daemon-reload": SYSTEMD,
    "sudo systemctl enable --now xpmsync-sync.timer xpmsync-notify.timer": SYSTEMD,
    "head -c 32 /dev/urandom | base64 | sudo tee /etc/xpmsync/keyring.key > /dev/null": SYSTEMD,
}

ANN = "ann@example.com"
CLIENT = "ABC123"


class Computer:
    """The firm's computer, with a shell, a browser, a crontab, and the stand-in in Xero's place."""

    def __init__(self, folder, sandbox, mailbox, callback_port):
        self.folder = folder
        self.mailbox = mailbox
        self.crontab = folder / "crontab"
        self.printed = {}
        environment = make_environment(folder / "home", sandbox.url)
        redirect = {"xero.redirect_uri": f"http://localhost:{callback_port}/callback"}
        point_at(find_home(environment), sandbox.url, redirect)
        keyring = "".join(f"{name}={value}\n" for name, value in environment.items() if "KEYRING" in name)
        self.crontab.write_text(keyring)
        self._environment = {
            **environment,
            "HOME": str(folder),
            "PATH": f"{folder / 'bin'}:{Path(sys.executable).parent}:{os.environ['PATH']}",
            "BROWSER": f"{shlex.quote(sys.executable)} -m xpmsync.sandbox.browser %s",
        }
        crontab = shlex.quote(str(self.crontab))
        self._write_program("crontab", f"case $1 in -l) cat {crontab} ;; -) cat > {crontab} ;; esac")

    def follow(self, command):
        """Do what a document says; gives what is printed."""
        process = subprocess.run(
            ["/bin/sh", "-euc", self._answer(command)],
            env=self._environment,
            cwd=ROOT,
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
        )
        assert process.returncode == 0, f"{command}\n{process.stdout}"
        self.printed[command] = process.stdout
        return process.stdout

    def _answer(self, command):
        """A command with what a person would say to its questions."""
        if command == "xpmsync configure":
            office = f"--sync-name Firm --office SYD --office-name Sydney --default-partner {ANN} --notify {ANN}"
            mail = f"--smtp-host 127.0.0.1 --smtp-port {self.mailbox.port} --smtp-security none --smtp-from {ANN}"
            return f"{command} {office} {mail} --later"
        return f"{command} --yes" if command.startswith("xpmsync restore") else command

    def _write_program(self, name, text):
        path = self.folder / "bin" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)


@pytest.fixture
def computer(tmp_path, free_port):
    practice = Practice("Firm")
    partner = practice.add_staff("Ann Lee", ANN)
    practice.add_staff("Bob Ray", "bob@example.com")
    practice.add_client("Acme Pty Ltd", client_code=CLIENT, account_manager=partner)
    practice.add_client(
        "Nobody's Ltd", client_code="NOB1", account_manager=("99999999-9999-4999-8999-999999999999", "Zoe")
    )
    with ExitStack() as stack:
        sandbox = stack.enter_context(Sandbox(practice, apps=[App(redirect_ports=(free_port,))]))
        mailbox = stack.enter_context(Mailbox())
        yield Computer(tmp_path, sandbox, mailbox, free_port)


def list_commands():
    """Every command line that has to be run here, in the order of the documents."""
    order = {"README.md": 0, "docs/operating.md": 1}
    blocks = [block for block in find_blocks() if block.language == "sh" and not block.has_mark]
    blocks.sort(key=lambda block: order.get(block.document, len(order)))
    return [command for block in blocks if block.document not in RUN_ELSEWHERE for command in block.commands]


def test_whoever_follows_the_documents_arrives(computer):
    for command in list_commands():
        if command not in NOT_RUN:
            computer.follow(command)
    assert "Syncs start every hour" in computer.printed["xpmsync configure"]
    assert [message["To"] for message in computer.mailbox.messages] == [ANN]
    assert "Nobody's Ltd" in computer.printed["xpmsync errors"]
    assert parse_crontab(computer.crontab.read_text()).runs("sync")
    assert parse_crontab(computer.crontab.read_text()).runs("notify")
    assert "succeeded" in computer.printed["xpmsync status"]


def test_what_is_not_run_stands_in_the_documents_still():
    assert [command for command in NOT_RUN if command not in list_commands()] == []


def test_where_a_documents_commands_are_run_it_is_named():
    for document, test in RUN_ELSEWHERE.items():
        assert any(block.document == document and block.language == "sh" for block in find_blocks())
        assert Path(document).name in (ROOT / test).read_text("utf-8")


def test_ci_runs_the_readmes_marked_commands():
    marks = re.findall(r"<!-- command: (\w+) -->", (ROOT / "README.md").read_text("utf-8"))
    assert marks == ["demo", "tests", "install"]
    assert "for name in demo tests; do" in (ROOT / ".ci" / "run").read_text("utf-8")
    assert ".ci/readme-command install" in (ROOT / ".ci" / "walk").read_text("utf-8")


def test_what_ci_is_said_to_run_it_runs():
    steps = (ROOT / ".ci" / "run").read_text("utf-8")
    for command in (command for command, reason in NOT_RUN.items() if reason == BY_CI):
        words = command.split()
        assert f'bin/{words[0]}" {words[1] if words[0] == "ruff" else ""}'.rstrip() in steps


def test_a_block_is_of_a_kind_that_is_looked_at():
    kinds = {(block.document, block.language) for block in find_blocks()}
    own = {("docs/sandbox.md", "console"), ("docs/sandbox.md", "python"), ("docs/architecture.md", "mermaid")}
    own |= {("docs/scaling.md", "ini"), ("docs/scaling.md", "yaml")}  # tests/test_scaling.py
    assert {(document, kind) for document, kind in kinds if kind != "sh"} == own


# docs/sandbox.md: a stand-in that runs, curl, and a program.


@pytest.fixture
def sandbox_blocks():
    return [block for block in find_blocks() if block.document == "docs/sandbox.md"]


def test_the_sandbox_is_started_and_steered_as_its_document_says(sandbox_blocks, free_port, require_program):
    require_program("curl")
    start, *orders = [command for block in sandbox_blocks if block.language == "console" for command in block.commands]
    arguments = shlex.split(start.replace("xpmsync", f"{sys.executable} -m xpmsync"))
    with subprocess.Popen(
        [*arguments, "--port", str(free_port)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        try:
            said = ""
            while str(free_port) not in said:
                said = process.stdout.readline()
                assert said, "the sandbox has ended"
            threading.Thread(target=process.stdout.read, daemon=True).start()
            for order in orders:
                identifier = "UUID"
                if identifier in order:
                    identifier = json.loads(ask(f"curl localhost:{free_port}/sandbox/clients"))[0]["UUID"]
                ask(order.replace("8743", str(free_port)).replace("UUID", identifier))
        finally:
            process.terminate()


def ask(order):
    command = order.replace("curl ", "curl --fail --noproxy '*' --silent --show-error ")
    process = subprocess.run(["/bin/sh", "-euc", command], check=False, capture_output=True, text=True, timeout=60)
    assert process.returncode == 0, order + process.stderr + process.stdout
    return process.stdout


def test_the_small_client_in_the_sandboxs_document_gets_the_clients(sandbox_blocks, capsys):
    client, _ = [block.text for block in sandbox_blocks if block.language == "python"]
    with Sandbox(Practice.generate(60, 22, 7)) as sandbox:
        exec(client.replace("http://127.0.0.1:8743", sandbox.url), {})  # noqa: S102 - it is ours
        assert f": {len(sandbox.practice.clients)} clients, " in capsys.readouterr().out


def test_the_program_in_the_sandboxs_document_does_what_it_says(sandbox_blocks):
    _, program = [block.text for block in sandbox_blocks if block.language == "python"]
    question = urlencode(
        {
            "response_type": "code",
            "client_id": "sandbox-app",
            "redirect_uri": "http://localhost:50123/callback",
            "scope": "offline_access practicemanager.staff.read practicemanager.client.read",
            "state": "s" * 30,
            "code_challenge": "c" * 43,
            "code_challenge_method": "S256",
        }
    )
    names = {}
    exec(program.replace("?…", f"?{question}"), names)  # noqa: S102 - it is ours
    assert "code=" in names["redirect"]
    assert names["sandbox"].practice.client(names["client"])

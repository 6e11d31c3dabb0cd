# ruff: noqa: S113 - the sandbox is in this process; a test that waits for it shall be seen to wait
import json
import os
import re
import shlex
import signal
import smtplib
import socket
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import requests

from xpmsync.cli import run

CHECKOUT = Path(__file__).parent.parent.parent


def start(*options: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "xpmsync", "sandbox", *options]
    environment = os.environ | {"PYTHONPATH": str(CHECKOUT), "PYTHONUNBUFFERED": "1"}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, env=environment, text=True, **pipes)


def test_it_serves_until_ctrl_c_and_prints_what_a_person_needs(free_port):
    with start(
        "--port", str(free_port), "--clients", "3", "--staff", "2", "--switch", "gzip=false", "--secret", "s"
    ) as server:
        lines = []
        for line in server.stdout:
            lines.append(line)
            if line.rstrip().endswith("/sandbox"):
                break
        printed = "".join(lines)
        url = f"http://127.0.0.1:{free_port}"
        state = requests.get(f"{url}/sandbox/state").json()
        server.send_signal(signal.SIGINT)
        rest, errors = server.communicate(timeout=10)
    assert (state["clients"], state["staff"], state["switches"]["gzip"]) == (3, 2, False)
    settings = tomllib.loads(re.search(r"\[xero\](\n\w.*)+", printed)[0])["xero"]
    assert settings == {
        "client_id": "sandbox-app",
        "login_url": f"{url}/identity",
        "identity_url": url,
        "api_url": url,
    }
    assert "client secret" in printed
    assert (server.returncode, rest.strip(), errors) == (0, "", "")


@pytest.mark.slow
def test_after_a_restart_with_the_same_numbers_the_same_home_connects_and_syncs_again(find_free_port, tmp_path):
    port, callback = str(find_free_port()), str(find_free_port())
    url = f"http://127.0.0.1:{port}"
    (tmp_path / "config.toml").write_text(
        f"""[xero]
client_id = "sandbox-app"
redirect_uri = "http://localhost:{callback}/callback"
login_url = "{url}/identity"
identity_url = "{url}"
api_url = "{url}"
[sync]
default_office_code = "SYD"
"""
    )
    environment = os.environ | {
        "XPMSYNC_HOME": str(tmp_path),
        "PYTHON_KEYRING_BACKEND": "xpmsync.sandbox.keyring.SandboxKeyring",
        "XPMSYNC_SANDBOX_KEYRING": url,
        "BROWSER": f"{shlex.quote(sys.executable)} -m xpmsync.sandbox.browser %s",
    }

    def xpmsync(*arguments):
        command = [sys.executable, "-m", "xpmsync", *arguments]
        process = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)
        assert process.returncode == 0, process.stdout + process.stderr
        return process.stdout

    for commands in (
        (["connect"], ["admin", "office", "add", "SYD", "--name", "Sydney"], ["sync"]),
        (["connect"], ["sync", "--full", "--json"]),
    ):
        options = ("--port", port, "--redirect-port", callback, "--clients", "20", "--staff", "6")
        with start(*options) as server:
            assert url in server.stdout.readline()
            said = [xpmsync(*command) for command in commands]
            server.send_signal(signal.SIGINT)
            server.communicate(timeout=10)
    assert json.loads(said[-1])["clients"]["created"] == 0


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--switch", "gzip"), "--switch takes NAME=VALUE, not “gzip”."),
        (("--switch", "gzippp=true"), "Did you mean “gzip”?"),
        (("--clients", "-1"), "Invalid value for “--clients”"),
    ],
)
def test_wrong_options_end_with_2_and_a_hint(capsys, options, words):
    assert run(["sandbox", *options]) == 2
    assert words in capsys.readouterr().err


def test_with_a_mailbox_it_prints_the_emails_that_arrive_and_nothing_that_a_terminal_obeys(find_free_port):
    mail_port = find_free_port()
    with start("--port", str(find_free_port()), "--clients", "0", "--mailbox", str(mail_port)) as server:
        while str(mail_port) not in server.stdout.readline():
            pass
        with smtplib.SMTP("127.0.0.1", mail_port) as client:
            client.sendmail(
                "a@x.example", "b@x.example", "To: b@x.example\r\nSubject: It\x1b[2J\r\n\r\nA\x1b[2J text\r\n"
            )
        server.send_signal(signal.SIGINT)
        rest, errors = server.communicate(timeout=10)
    assert (server.returncode, errors) == (0, "")
    assert "To: b@x.example\nSubject: It\N{REPLACEMENT CHARACTER}[2J\n\nA\N{REPLACEMENT CHARACTER}[2J text\n" in rest


def test_a_port_in_use_ends_with_2_and_says_so(free_port, capsys):
    with socket.create_server(("127.0.0.1", free_port)):
        assert run(["sandbox", "--port", str(free_port), "--clients", "0"]) == 2
    assert f"Port {free_port} cannot be used" in capsys.readouterr().err

"""Commands start at once because none loads what it has no use for: each in a process of its own."""

import runpy
import subprocess
import sys

import pytest

from xpmsync import __version__
from xpmsync.sandbox import Practice, Sandbox

NETWORK = {"requests", "urllib3", "requests_oauthlib", "oauthlib", "lxml", "smtplib"}
KEYRING = {"keyring", "secretstorage", "jeepney"}
RARELY_NEEDED = {
    *{"sqlite_utils", "tomlkit", "platformdirs", "lxml.html"},
    *{"stdnum", "cronsim", "secretstorage", "jeepney"},
}
"""For migrations, settings, a home that no variable names, pages, new numbers, a crontab, and other keyrings."""


@pytest.fixture(scope="module")
def firm(furnish, tmp_path_factory):
    """A firm that has synced, and whose next run finds nothing new."""
    with Sandbox(Practice.generate(clients=10, staff=4, seed=1)) as sandbox, pytest.MonkeyPatch.context() as patch:
        firm = furnish(sandbox, tmp_path_factory.mktemp("start"), patch)
        firm.sync()
        firm.sync()
        yield firm


def load(*arguments):
    """The modules that a command loads."""
    command = [sys.executable, "-X", "importtime", "-m", "xpmsync", *arguments]
    process = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    lines = [line for line in process.stderr.splitlines() if line.startswith("import time:")]
    return {line.rpartition("|")[2].strip() for line in lines}


@pytest.mark.parametrize(
    ("command", "needed", "unneeded"),
    [
        ("--help", {"click"}, NETWORK | KEYRING | RARELY_NEEDED | {"rich", "sqlite3", "logging", "json"}),
        ("errors", {"rich", "sqlite3"}, NETWORK | KEYRING | RARELY_NEEDED),
        ("history", {"rich", "sqlite3"}, NETWORK | KEYRING | RARELY_NEEDED),
        ("status", {"rich", "sqlite3", "keyring"}, NETWORK | RARELY_NEEDED),
        ("notify", {"sqlite3"}, NETWORK - {"smtplib"} | KEYRING | RARELY_NEEDED | {"rich"}),
        ("sync", {"requests", "lxml", "keyring"}, RARELY_NEEDED | {"rich", "xpmsync.rules.clients"}),
    ],
)
@pytest.mark.usefixtures("firm")
def test_a_command_loads_nothing_that_it_has_no_use_for(command, needed, unneeded):
    loaded = load(command)

    assert needed <= loaded
    assert loaded & unneeded == set()


def test_the_package_is_run_like_the_command(monkeypatch, capfd):
    monkeypatch.setattr(sys, "argv", ["xpmsync", "--version"])
    with pytest.raises(SystemExit) as caught:
        runpy.run_module("xpmsync", run_name="__main__")
    assert caught.value.code == 0
    assert capfd.readouterr().out == f"xpmsync {__version__}\n"
    runpy.run_module("xpmsync.__main__")  # whoever imports it runs nothing

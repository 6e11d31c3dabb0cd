"""A firm to measure: a home that is connected as a person would connect it, and answers that wait for nobody.

`connected` is a home with the sandbox as its Xero. `prepared` is one whose Xero serves the sandbox's answers from
files, so that nobody's rendering is measured.
"""

import contextlib
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests
from prepared_xero import name_answer

from xpmsync.config import XeroSettings
from xpmsync.sandbox.browser import press
from xpmsync.xpm.oauth import IdentityClient

HERE = Path(__file__).parent
XPMSYNC = [sys.executable, "-m", "xpmsync"]
QUESTIONS = (
    "staff.api/list",
    "clientgroup.api/list",
    "client.api/list?detailed=true",
    "client.api/list?detailed=true&modifiedsince=2099-01-01T00:00:00",
)


@dataclass(frozen=True)
class Firm:
    """A connected home in which no sync has run yet, and the address of its Xero."""

    home: Path
    url: str
    clients: int

    def begin(self) -> None:
        """Put the database back to where no sync has run."""
        for path in self.home.glob("active.db*"):
            path.unlink()
        shutil.copy(self.home / "empty.db", self.home / "active.db")


@contextmanager
def connected(clients: int) -> Iterator[Firm]:
    """A firm with the sandbox as its Xero."""
    with empty_home() as home, sandbox(home, clients) as url:
        yield Firm(home, url, clients)


@contextmanager
def prepared(clients: int) -> Iterator[Firm]:
    """A firm whose Xero serves prepared answers."""
    with empty_home() as home, tempfile.TemporaryDirectory() as folder:
        with sandbox(home, clients) as url:
            collect(url, Path(folder))
        with closing(sqlite3.connect(home / "active.db")) as database:
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        shutil.copy(home / "active.db", home / "empty.db")
        with serving([sys.executable, str(HERE / "prepared_xero.py")], folder=folder) as prepared_url:
            settings = home / "config.toml"
            settings.write_text(settings.read_text().replace(url, prepared_url))
            yield Firm(home, prepared_url, clients)


@contextmanager
def empty_home() -> Iterator[Path]:
    """A home to which the environment points."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # what is installed is compiled once, not at every start
        os.environ |= {
            "XPMSYNC_HOME": folder,
            "PYTHONPATH": str(HERE),
            "PYTHON_KEYRING_BACKEND": "file_keyring.FileKeyring",
            "BROWSER": f"{sys.executable} -m xpmsync.sandbox.browser %s &",
        }
        yield Path(folder)


@contextmanager
def sandbox(home: Path, clients: int) -> Iterator[str]:
    """The sandbox, to which the home has been connected; gives its address."""
    with serving([*XPMSYNC, "sandbox", "--clients", str(clients), "--switch", "limit_minute=100000"]) as url:
        set_up(home, url)
        yield url


@contextmanager
def serving(command: Sequence[str], folder: str | None = None) -> Iterator[str]:
    """A server on a free port; gives its address once it answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
    place = [port, folder] if folder else ["--port", port]
    url = f"http://127.0.0.1:{port}"
    with subprocess.Popen([*command, *place], stdout=subprocess.DEVNULL) as process:
        try:
            wait_until_it_answers(f"{url}/staff.api/list" if folder else f"{url}/sandbox")
            yield url
        finally:
            process.terminate()


def wait_until_it_answers(address: str) -> None:
    """Until the server has made its practice, or has started."""
    for _ in range(6000):
        with contextlib.suppress(requests.ConnectionError):
            requests.get(address, timeout=60)
            return
        time.sleep(0.1)
    sys.exit("The server never answered.")


def set_up(home: Path, url: str) -> None:
    """Connect and configure as a person would, with the program that presses the button."""
    (home / "config.toml").write_text(
        f'[xero]\nclient_id = "sandbox-app"\nlogin_url = "{url}/identity"\nidentity_url = "{url}"\napi_url = "{url}"\n'
    )
    subprocess.run([*XPMSYNC, "connect"], check=True, stdout=subprocess.DEVNULL)
    partner = requests.get(f"{url}/sandbox/staff", timeout=30).json()[1]["Email"]
    subprocess.run(
        [*XPMSYNC, "configure", "--office", "MAIN", "--office-name", "Main", "--later"]
        + ["--default-partner", partner, "--notify", partner],
        check=True,
        stdout=subprocess.DEVNULL,
    )


def collect(url: str, folder: Path) -> None:
    """Keep what the sandbox answers to each question of a sync."""
    settings = XeroSettings(client_id="sandbox-app", login_url=f"{url}/identity", identity_url=url, api_url=url)
    consent = IdentityClient(settings).ask_for_consent()
    token = consent.redeem(press(consent.address).partition("code=")[2].partition("&")[0]).access_token
    headers = {"Authorization": f"Bearer {token}"}
    headers["xero-tenant-id"] = requests.get(f"{url}/connections", headers=headers, timeout=10).json()[0]["tenantId"]
    for question in QUESTIONS:
        address = f"{url}/practicemanager/3.1/{question}"
        with requests.get(address, headers=headers, timeout=600, stream=True) as answer:
            answer.raise_for_status()
            with (folder / name_answer(address)).open("wb") as file:
                for chunk in answer.iter_content(1024 * 1024):
                    file.write(chunk)

"""A firm of the tests: a home that is connected to a sandbox, as `connect` and `configure` leave it."""

import os
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from xpmsync.active.database import open_database
from xpmsync.active.offices import insert_office
from xpmsync.config import change_config, read_config
from xpmsync.credentials.store import open_vault
from xpmsync.home import Home, find_home, load_home_id, prepare_home
from xpmsync.sandbox import Practice, Sandbox
from xpmsync.sandbox.browser import press
from xpmsync.sync.run import Summary, run_sync
from xpmsync.xpm.oauth import IdentityClient
from xpmsync.xpm.tokens import open_tokens


class SilentReport:
    """What a run has to say, kept."""

    def __init__(self) -> None:
        self.remarks: list[str] = []

    def begin(self, stage: str) -> None:
        pass

    def count(self, records: int) -> None:
        pass

    def remark(self, text: str) -> None:
        self.remarks.append(text)


@dataclass(frozen=True)
class Firm:
    """A home with its sandbox."""

    home: Home
    sandbox: Sandbox

    @property
    def practice(self) -> Practice:
        return self.sandbox.practice

    def connect(self) -> None:
        """Sign in through the real flow, as `xpmsync connect` does."""
        sign_in(self.home)

    def sync(self, *, is_watched: bool = True, **options: Any) -> Summary:
        """Run one sync in this process."""
        options.setdefault("report", SilentReport())
        return run_sync(self.home, read_config(self.home), is_watched=is_watched, **options)

    def rows(self, query: str, *parameters: object) -> list[dict[str, Any]]:
        """What the database holds, as another program reads it."""
        with closing(sqlite3.connect(self.home.database_file)) as connection:
            connection.row_factory = sqlite3.Row
            return [dict(row) for row in connection.execute(query, parameters)]

    def write(self, statement: str, *parameters: object, has_foreign_keys: bool = True) -> None:
        """What another program, or the administrator, writes; with foreign keys switched off, as SQLite has them."""
        with closing(sqlite3.connect(self.home.database_file)) as connection, connection:
            connection.execute(f"PRAGMA foreign_keys = {'ON' if has_foreign_keys else 'OFF'}")
            connection.execute(statement, parameters)


def make_environment(folder: Path, url: str) -> dict[str, str]:
    """What points a command to a home in a folder, and to the keyring of the sandbox at an address."""
    return {
        "XPMSYNC_HOME": str(folder),
        "PYTHON_KEYRING_BACKEND": "xpmsync.sandbox.keyring.SandboxKeyring",
        "XPMSYNC_SANDBOX_KEYRING": url,
    }


def point_at(home: Home, url: str, settings: Mapping[str, object] | None = None) -> None:
    """Let a home take the sandbox at an address for Xero, and have other settings."""
    prepare_home(home)
    xero = {"client_id": "sandbox-app", "login_url": f"{url}/identity", "identity_url": url, "api_url": url}
    change_config(home, {f"xero.{key}": value for key, value in xero.items()} | dict(settings or {}))


def add_office(home: Home) -> None:
    """Make the database, with the office MAIN in it."""
    with open_database(home.database_file) as database, database.transaction():
        insert_office(database, "MAIN", "Main Office")


def sign_in(home: Home) -> None:
    """Connect a home through the real flow, as `xpmsync connect` does."""
    config = read_config(home)
    vault = open_vault(load_home_id(home), config.keyring)
    consent = IdentityClient(config.xero, None).ask_for_consent()
    answer = parse_qs(urlsplit(press(consent.address)).query)
    assert answer["state"] == [consent.state]
    open_tokens(home, config, vault).save_sign_in(consent.redeem(answer["code"][0]), practice_name="Test")


def furnish(sandbox: Sandbox) -> Firm:
    """A firm whose home is where the environment points to."""
    home = find_home(os.environ)
    point_at(home, sandbox.url, {"sync.tenant_id": sandbox.tenant_id, "sync.default_office_code": "MAIN"})
    add_office(home)
    sign_in(home)
    return Firm(home, sandbox)

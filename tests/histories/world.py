"""A firm, its practice at Xero and the time between them, for one history: everything real but the passing of time."""

import itertools
import random
import sqlite3
import tempfile
import uuid
from collections.abc import Callable, Mapping
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import parse_qs, urlsplit
from xml.etree import ElementTree as ET

import pytest
from firms import Firm, SilentReport, add_office, make_environment
from model import DEFAULT_OFFICE, Answers, Elements, Limits, Model

from xpmsync.admin.session import AdminSession, open_session
from xpmsync.config import Config, GuardSettings, SyncSettings, XeroSettings
from xpmsync.credentials.store import open_vault
from xpmsync.errors import InvalidRequest
from xpmsync.home import Home, load_home_id, prepare_home
from xpmsync.sandbox import Practice, Sandbox, Switches
from xpmsync.sandbox.api import answer_call
from xpmsync.sandbox.browser import press
from xpmsync.sandbox.clock import Clock as SandboxClock
from xpmsync.sync.run import Preview, Summary, preview_sync, run_sync
from xpmsync.system.clock import Clock
from xpmsync.xpm.oauth import IdentityClient
from xpmsync.xpm.tokens import Tokens, open_tokens

START = datetime(2026, 11, 2, 9, tzinfo=UTC)
PLENTY = 10**6
MOST_RIVALS = 2
"""Clients that an incremental sync asks for one by one; where there are more, it becomes a full one."""
DATA_TABLES = {
    "offices": ("code",),
    "users": ("id",),
    "user_modules": ("user_id", "module"),
    "clients": ("id",),
    "client_groups": ("id",),
    "client_group_members": ("client_id", "client_group_id"),
    "synced_values": ("record_id",),
    "changes": ("id",),
    "xpm_staff": ("uuid",),
    "xpm_clients": ("uuid",),
    "xpm_groups": ("uuid",),
}
RUN_TABLES = {"sync_runs": ("id",), "sync_errors": ("id",)}

Row = dict[str, Any]
Snapshot = dict[str, dict[Any, Row]]
"""Table to primary key to row."""


Records = dict[str, Elements]
Spoil = Callable[[str, Records], Records]
"""What becomes of a list's records on their way, by the call that asked for them."""


class Killed(BaseException):
    """The process dies here."""


class StoppedClock(SandboxClock):
    """Xero's clock; it moves when it is told to, so that a history that failed can be played again."""

    def __init__(self) -> None:
        super().__init__()
        self.moment = START.timestamp()

    def now(self) -> float:
        return self.moment

    def advance(self, seconds: float) -> None:
        self.moment += seconds


class Report(SilentReport):
    """What a run has to say; `step` is called at each of its stages."""

    def __init__(self, step: Callable[[], None] = lambda: None) -> None:
        super().__init__()
        self._step = step

    def begin(self, stage: str) -> None:
        del stage
        self._step()


class World:
    """One firm with one practice; both begin empty."""

    def __init__(self, switches: dict[str, Any], limits: Limits) -> None:
        self._patch = pytest.MonkeyPatch()
        identifiers = random.Random(0)  # noqa: S311 - the same in every history, so that it can be played again
        # Otherwise a history would need more clients than it has.
        self._patch.setattr("xpmsync.sync.fetch.MOST_RIVALS", MOST_RIVALS)
        self._patch.setattr(uuid, "uuid4", lambda: uuid.UUID(int=identifiers.getrandbits(128), version=4))
        self._folder = tempfile.TemporaryDirectory(prefix="history-")
        self.xero_clock = StoppedClock()
        limitless = {"limit_minute": PLENTY, "limit_day": PLENTY, "refresh_token_seconds": PLENTY * 1000}
        self.sandbox = Sandbox(Practice(), clock=self.xero_clock, switches=Switches(**switches, **limitless)).start()
        for name, value in make_environment(self._folder.name, self.sandbox.url).items():
            self._patch.setenv(name, value)
        self.skew = timedelta()
        self.home = Home(Path(self._folder.name), Path(self._folder.name))
        url = self.sandbox.url
        self.config = Config(
            xero=XeroSettings(client_id="sandbox-app", login_url=f"{url}/identity", identity_url=url, api_url=url),
            sync=SyncSettings(tenant_id=self.sandbox.tenant_id, default_office_code=DEFAULT_OFFICE),
            guard=GuardSettings(
                lost_clients_percent=limits.clients_percent,
                lost_clients_at_least=limits.clients_at_least,
                lost_staff_percent=limits.staff_percent,
                lost_staff_at_least=limits.staff_at_least,
                emptied_field_percent=limits.field_percent,
                emptied_field_at_least=limits.field_at_least,
            ),
        )
        prepare_home(self.home)
        add_office(self.home)
        self._connect()

    def close(self) -> None:
        self.sandbox.stop()
        self._folder.cleanup()
        self._patch.undo()

    @property
    def practice(self) -> Practice:
        return self.sandbox.practice

    def now(self) -> datetime:
        """The time on the firm's computer, which need not be Xero's."""
        return datetime.fromtimestamp(self.xero_clock.now(), UTC) + self.skew

    # The tool.

    def sync(self, *, step: Callable[[], None] = lambda: None, **options: Any) -> Summary:
        """One run; `step` is called wherever it takes the time or begins a stage."""

        def now() -> datetime:
            step()
            return self.now()

        clock = Clock(now=now, sleep=lambda _: None)
        return run_sync(self.home, self.config, report=Report(step), is_watched=True, clock=clock, **options)

    def preview(self, **options: Any) -> Preview:
        clock = Clock(now=self.now, sleep=lambda _: None)
        return preview_sync(self.home, self.config, report=Report(), clock=clock, **options)

    def finish_refresh(self) -> None:
        """What the watchman does every ten minutes for a sign-in that a crash left half renewed."""
        self._open_tokens().finish_pending()

    def administer(self, work: Callable[[AdminSession], object]) -> bool:
        """Whether the Admin Centre did what the administrator asked for."""
        try:
            with open_session(self.home, self.config, now=self.now()) as session:
                work(session)
        except InvalidRequest:
            return False
        return True

    def _connect(self) -> None:
        consent = IdentityClient(self.config.xero, None).ask_for_consent()
        answer = parse_qs(urlsplit(press(consent.address)).query)
        self._open_tokens().save_sign_in(consent.redeem(answer["code"][0]), practice_name="Test")

    def _open_tokens(self) -> Tokens:
        vault = open_vault(load_home_id(self.home), self.config.keyring)
        return open_tokens(self.home, self.config, vault, now=self.now)

    # What Xero answers, read by another reader than the tool's.

    def ask(self, model: Model, *, modified_since: float | None, spoil: Spoil, knows_rivals: bool) -> Answers:
        """What Xero tells a run that asks now: everything, or what was modified since a moment.

        It `knows_rivals` where a call for one client is answered by Practice Manager itself.
        """
        query = {"detailed": "true"}
        if modified_since is not None:
            query["modifiedsince"] = f"{datetime.fromtimestamp(modified_since, UTC):%Y-%m-%dT%H:%M:%S}"
        staff = spoil("staff.api/list", self._ask("staff.api/list", "StaffList/Staff"))
        groups = spoil("clientgroup.api/list", self._ask("clientgroup.api/list", "Groups/Group"))
        clients = spoil("client.api/list", self._ask("client.api/list", "Clients/Client", query))
        gone = []
        rivals = model.find_stale_code_holders(clients) if modified_since is not None else []
        if len(rivals) > MOST_RIVALS:
            return self.ask(model, modified_since=None, spoil=spoil, knows_rivals=knows_rivals)
        for rival in rivals if knows_rivals else ():
            answer = self._ask(f"client.api/get/{rival}", "Client")
            clients |= answer
            gone += [] if answer else [rival]
        names = {uuid: group["Name"] for uuid, group in groups.items()}
        return Answers(staff, names, clients, is_full=modified_since is None, gone=gone)

    def _ask(self, call: str, path: str, query: Mapping[str, str] = MappingProxyType({})) -> dict[str, Elements]:
        document = answer_call(self.practice, self.sandbox.switches, call, query, self.sandbox.url)
        assert document is not None
        records = ET.fromstring(document.content()).findall(path)  # noqa: S314 - the sandbox's own words
        return {str(record.findtext("UUID")): _to_elements(record) for record in records}

    # The database.

    def load(self, tables: dict[str, tuple[str, ...]] = DATA_TABLES) -> Snapshot:
        """Every row, as another program reads it."""
        with closing(sqlite3.connect(self.home.database_file)) as connection:
            connection.row_factory = sqlite3.Row
            return {
                table: {
                    tuple(row[column] for column in key): dict(row)
                    for row in connection.execute(f"SELECT * FROM {table}")
                }
                for table, key in tables.items()
            }

    def rows(self, query: str, *parameters: object) -> list[Row]:
        return Firm(self.home, self.sandbox).rows(query, *parameters)

    def type_in(self, statement: str, *parameters: object, has_foreign_keys: bool = True) -> None:
        """What the administrator types into the database with another program."""
        Firm(self.home, self.sandbox).write(statement, *parameters, has_foreign_keys=has_foreign_keys)


def as_it_is(call: str, told: Records) -> Records:
    """Nothing is left out."""
    del call
    return told


def dying_after(steps: int) -> Callable[[], None]:
    """A step that kills the run when so many have passed."""
    count = itertools.count(1)

    def step() -> None:
        if next(count) > steps:
            raise Killed

    return step


def _to_elements(record: ET.Element) -> Elements:
    values: Elements = {}
    for element in record:
        if element.tag in ("Contacts", "Groups"):
            values[element.tag] = [{part.tag: part.text for part in item} for item in element]
        elif len(element):
            values[element.tag] = {part.tag: part.text for part in element}
        else:
            values[element.tag] = element.text or None
    return values

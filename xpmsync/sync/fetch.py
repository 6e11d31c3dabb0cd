"""Fetches what a run needs of a practice into a spool. Judges nothing, and writes nothing into the firm's data."""

import logging
from collections.abc import Callable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from xpmsync.active import mirror
from xpmsync.active.database import Database
from xpmsync.active.spool import Spool, open_spool
from xpmsync.config import Config
from xpmsync.errors import PermanentError, SignInNeeded, TransientError
from xpmsync.home import Home
from xpmsync.records import Record, RecordShape
from xpmsync.rules.fields import CLIENT_SHAPE, GROUP_SHAPE, STAFF_SHAPE
from xpmsync.rules.schedule import find_modified_since
from xpmsync.system.clock import Clock, Report
from xpmsync.xpm.api import PracticeManager
from xpmsync.xpm.client import ApiClient, opened_gateway
from xpmsync.xpm.responses import ID, redact
from xpmsync.xpm.tokens import Tokens

log = logging.getLogger(__name__)

SHAPES: Final[Mapping[str, RecordShape]] = {
    "xpm_staff": STAFF_SHAPE,
    "xpm_groups": GROUP_SHAPE,
    "xpm_clients": CLIENT_SHAPE,
}
RUN_SECONDS: Final = 50 * 60
"""A run ends within this time whatever happens: the next hour's run must find the lock free."""
FETCH_SECONDS: Final = RUN_SECONDS - 15 * 60
"""The rest is for the writing, and before it for a renewal of the sign-in that begins in the last moment: it may wait
5 minutes for the lock, ask five times, a minute each, pause twice, and meet a slow keyring."""
RESERVED_CALLS: Final = 100
"""Of Xero's daily limit: below it a run does only what it must."""
MOST_RIVALS: Final = 10
"""Clients that are asked for one by one in a sync; more of them cost more calls than the full list."""


@dataclass
class Traffic:
    """What was asked of Xero and what came back, in calls and bytes; kept up to date also when fetching fails."""

    api_calls: int = 0
    bytes_received: int = 0
    day_calls_remaining: int | None = None


@dataclass(frozen=True)
class Fetched:
    """What came beside the lists, which are in the spool."""

    is_full: bool
    """Everything was fetched, not what was modified."""
    first_answer_at: datetime | None
    """Xero's own time at the first answer about the practice."""
    vanished: tuple[str, ...]
    """Clients that were asked for by their identifier, and that Xero no longer knows."""
    absent: Mapping[str, AbstractSet[str]]
    """By the table of a list: the elements that no record has. Of an empty list, all."""


@contextmanager
def fetched_practice(
    home: Home,
    config: Config,
    tokens: Tokens,
    database: Database,
    *,
    tenant_id: str,
    cursor: datetime | None,
    traffic: Traffic,
    report: Report,
    clock: Clock,
) -> Iterator[Fetched]:
    """Fetch the staff, the client groups, and the clients: all of them, or those modified since the `cursor`.

    All of them also where too many conflicts of codes would need a call each. Everything is there, and the spool
    attached to the database, for the length of the ``with`` block.
    """
    with (
        opened_gateway(config.xero.api_url, tokens, FETCH_SECONDS, clock) as gateway,
        open_spool(home.spool_file, SHAPES, database) as spool,
    ):
        practice = PracticeManager(gateway, tenant_id)
        try:
            report.begin("Signing in at Xero")
            tokens.access_token()
            absent = _fetch_lists(practice, spool, cursor, report)
            with mirror.attached(database, spool):
                rivals = mirror.find_stale_code_holders(database) if cursor and _has_calls(gateway) else []
            if is_full := cursor is None or len(rivals) > MOST_RIVALS:
                vanished: tuple[str, ...] = ()
                if rivals:
                    log.info("all clients are fetched, as %d hold the code of a modified one", len(rivals))
                    absent["xpm_clients"] = _fetch_clients(practice, spool, None, report)
            else:
                vanished = tuple(_fetch_rivals(practice, spool, rivals, absent["xpm_clients"]))
        finally:
            traffic.api_calls = gateway.api_calls
            traffic.bytes_received = gateway.bytes_received
            traffic.day_calls_remaining = gateway.day_calls_remaining
        with mirror.attached(database, spool):
            yield Fetched(is_full, gateway.first_answer_at, vanished, absent)


@contextmanager
def fetched_staff(
    home: Home, config: Config, tokens: Tokens, database: Database, *, tenant_id: str, seconds: float, clock: Clock
) -> Iterator[Mapping[str, AbstractSet[str]]]:
    """Fetch the staff alone, within so many `seconds`; the spool is attached for the length of the ``with`` block.

    Gives the elements that no record has, as `Fetched` does.
    """
    with (
        opened_gateway(config.xero.api_url, tokens, seconds, clock) as gateway,
        open_spool(home.spool_file, SHAPES, database) as spool,
    ):
        absent: set[str] = set()
        PracticeManager(gateway, tenant_id).fetch_staff(STAFF_SHAPE, spool.sink("xpm_staff"), absent=absent)
        with mirror.attached(database, spool):
            yield {"xpm_staff": absent, "xpm_clients": CLIENT_SHAPE.elements.keys()}


def _fetch_lists(
    practice: PracticeManager, spool: Spool, cursor: datetime | None, report: Report
) -> dict[str, set[str]]:
    """Fetch the lists into the spool; gives, by table, the elements that no record of a list has."""
    absent: dict[str, set[str]] = {"xpm_staff": set()}
    report.begin("Fetching the staff")
    practice.fetch_staff(STAFF_SHAPE, _counted(spool, "xpm_staff", report), absent=absent["xpm_staff"])
    if _has_calls(practice.gateway):  # otherwise a group's new name waits
        report.begin("Fetching the client groups")
        practice.fetch_groups(GROUP_SHAPE, _counted(spool, "xpm_groups", report))
    absent["xpm_clients"] = _fetch_clients(practice, spool, cursor, report)
    return absent


def _fetch_clients(practice: PracticeManager, spool: Spool, cursor: datetime | None, report: Report) -> set[str]:
    """Fetch all clients into the spool, or the modified ones; gives the elements that none of them has."""
    absent: set[str] = set()
    report.begin("Fetching the clients")
    modified_since = find_modified_since(cursor) if cursor else None
    take = _counted(spool, "xpm_clients", report)
    practice.fetch_clients(CLIENT_SHAPE, take, modified_since=modified_since, absent=absent)
    return absent


def _counted(spool: Spool, table: str, report: Report) -> Callable[[Iterator[Record]], None]:
    """What takes the records of a list into the spool, and reports how many there are."""
    take = spool.sink(table)
    return lambda records: take(_count(records, report))


def _has_calls(gateway: ApiClient) -> bool:
    return gateway.day_calls_remaining is None or gateway.day_calls_remaining >= RESERVED_CALLS


def _fetch_rivals(practice: PracticeManager, spool: Spool, rivals: list[str], absent: set[str]) -> Iterator[str]:
    """Ask for the clients that seem to hold the code of a client just told, and were not told themselves.

    One of them may have been archived, merged or deleted without a trace among the modified (said by users of other
    products); its own word decides before two clients are called duplicates. Gives those that Xero says it does not
    know, and takes the elements that the others have out of `absent`.
    """
    for uuid in rivals:
        lacking: set[str] = set()
        try:
            record = practice.fetch_client(uuid, CLIENT_SHAPE, absent=lacking)
        except (PermanentError, TransientError, SignInNeeded) as error:  # the lists are there; the conflict is an error
            log.warning("the client %s could not be asked for: %s", redact(uuid, ID), error.for_log)
            return
        if record:
            spool.add("xpm_clients", record)
            absent &= lacking
        else:
            yield uuid


def _count(records: Iterator[Record], report: Report) -> Iterator[Record]:
    for number, record in enumerate(records, start=1):
        if number % 100 == 0:
            report.count(number)
        yield record

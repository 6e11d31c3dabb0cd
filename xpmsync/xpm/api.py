"""What xpmsync asks of Xero: the connections of the person who signed in, and a practice's staff, clients and groups.

Responsible for addresses and parameters. A list is handed on while it arrives: `take` is called anew for every try,
with the records of one answer from its start, and whoever takes starts over; so two answers never mix. A set that is
handed in as `absent` holds, after that, the elements that no record of the answer has. Knows nothing of what a record
means.
"""

import json
import logging
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import quote

from xpmsync.config import check_uuid
from xpmsync.errors import PermanentError
from xpmsync.records import Record, RecordShape
from xpmsync.xpm.client import ApiClient, Call
from xpmsync.xpm.responses import NotFound, make_trouble
from xpmsync.xpm.xml import ErrorReported, parse_records

PRACTICE_MANAGER: Final = "PRACTICEMANAGER"
"""The type of tenant that is a practice in Practice Manager. (One in Xero HQ is a `PRACTICE`.)"""
BASE: Final = "practicemanager/3.1"
UNKNOWN_CLIENT: Final = re.compile(r"\binvalid\b.*\bidentifier\b|\bnot found\b|\bdoes not exist\b", re.IGNORECASE)
"""How Practice Manager may word that it knows no client of an id (unknown; another error must not be taken for it)."""

STAFF_IDS: Final = RecordShape("StaffList/Staff", {"UUID": "uuid"})

LARGEST_LIST_BYTES: Final = 4_000_000
"""A connection has some 300."""
LONGEST_NAME: Final = 300

log = logging.getLogger(__name__)

Sink = Callable[[Iterator[Record]], None]


@dataclass(frozen=True)
class Connection:
    """One tenant that the user has connected to the app."""

    tenant_id: str
    tenant_type: str
    tenant_name: str | None
    """None in Xero's own example of a practice, a text elsewhere."""
    ids: tuple[str, ...]
    """What it is deleted by: usually one; several where Xero lists the tenant more than once."""


def fetch_connections(gateway: ApiClient) -> list[Connection]:
    """The tenants that the user has connected to the app, of whatever type. Entries that name no tenant are skipped."""
    try:
        entries = gateway.fetch(Call("connections", "application/json"), _parse_json)
    except (ValueError, RecursionError):
        entries = None
    if not isinstance(entries, list):
        raise PermanentError(
            "Xero's list of connections cannot be read.",
            "If the next runs say the same, remove api_url from config.toml if it is there.",
        )
    tenants: dict[tuple[str, str], list[dict[str, Any]]] = {}
    skipped = 0
    for entry in entries:
        if isinstance(entry, dict) and (tenant_id := _read_id(entry.get("tenantId"))):
            tenants.setdefault((tenant_id, _read_text(entry.get("tenantType")) or ""), []).append(entry)
        else:
            skipped += 1
    if skipped:
        log.warning("entries of the list of connections that name no tenant, and are skipped: %d", skipped)
    return [
        Connection(
            tenant_id,
            tenant_type,
            tenant_name=next(
                (name[:LONGEST_NAME] for entry in same if (name := _read_text(entry.get("tenantName")))), None
            ),
            ids=tuple(dict.fromkeys(filter(None, (_read_id(entry.get("id")) for entry in same)))),
        )
        for (tenant_id, tenant_type), same in tenants.items()
    ]


def delete_connection(gateway: ApiClient, connection_id: str) -> None:
    """End one connection; the user's others to the app stay."""
    gateway.fetch(Call(f"connections/{connection_id}", "application/json", method="DELETE"), b"".join)


@dataclass(frozen=True)
class PracticeManager:
    """Practice Manager, as one practice's records are asked for."""

    gateway: ApiClient
    tenant_id: str

    def fetch_staff(self, shape: RecordShape, take: Sink, *, absent: set[str] | None = None) -> None:
        """The whole staff list."""
        self._fetch("staff.api/list", shape, take, absent=absent)

    def count_staff(self) -> int:
        """How many staff are listed: one real question, which proves that the practice can be read."""
        count = 0

        def take(records: Iterator[Record]) -> None:
            nonlocal count
            count = sum(1 for _ in records)

        self.fetch_staff(STAFF_IDS, take)
        return count

    def fetch_clients(
        self,
        shape: RecordShape,
        take: Sink,
        *,
        modified_since: datetime | None = None,
        absent: set[str] | None = None,
    ) -> None:
        """All clients with contacts and groups, archived and deleted ones too; or those modified since a moment."""
        # Detailed always: the plain list has no groups, the paged one neither contacts nor archived clients.
        parameters = {"detailed": "true"}
        if modified_since is not None:
            parameters["modifiedsince"] = f"{modified_since.astimezone(UTC):%Y-%m-%dT%H:%M:%S}"
        self._fetch("client.api/list", shape, take, parameters, absent)

    def fetch_groups(self, shape: RecordShape, take: Sink) -> None:
        """All client groups, without their members."""
        self._fetch("clientgroup.api/list", shape, take)

    def fetch_client(self, uuid: str, shape: RecordShape, *, absent: set[str] | None = None) -> Record | None:
        """One client in the shape of the list, or None where Xero knows none of this id."""
        single = replace(shape, path=shape.path.rpartition("/")[2])
        found: list[Record] = []

        def take(records: Iterator[Record]) -> None:
            found[:] = records

        try:
            self._fetch(f"client.api/get/{quote(uuid, safe='')}", single, take, absent=absent)
        except NotFound:
            return None
        except ErrorReported as error:
            if UNKNOWN_CLIENT.search(error.description):
                return None
            raise
        return found[0] if found else None

    def _fetch(
        self,
        path: str,
        shape: RecordShape,
        take: Sink,
        parameters: dict[str, str] | None = None,
        absent: set[str] | None = None,
    ) -> None:
        call = Call(f"{BASE}/{path}", "application/xml", parameters or {}, self.tenant_id)

        def read(chunks: Iterator[bytes]) -> None:
            if absent is not None:
                absent.update(shape.elements, (part.path for part in shape.lists))
            take(parse_records(chunks, shape, absent))

        self.gateway.fetch(call, read)


def _parse_json(chunks: Iterator[bytes]) -> Any:
    """The JSON of an answer; one that is cut without a word is passing trouble, as a cut line is."""
    body = _read_whole(chunks)
    try:
        return json.loads(body)
    except ValueError:
        raise make_trouble("Xero's list of connections arrived damaged.") from None


def _read_whole(chunks: Iterator[bytes]) -> bytes:
    """An answer that is a short list; raises ValueError where it is not."""
    body = b""
    for chunk in chunks:
        body += chunk
        if len(body) > LARGEST_LIST_BYTES:
            raise ValueError
    return body


def _read_id(value: object) -> str | None:
    """A UUID; None for anything else, as IDs become a part of addresses and headers."""
    try:
        return check_uuid(value)
    except ValueError:
        return None


def _read_text(value: object) -> str | None:
    return value if isinstance(value, str) else None

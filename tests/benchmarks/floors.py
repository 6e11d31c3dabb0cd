"""What any program must do for the same result, each as a process of its own; prints how many clients it saw.

    python floors.py compare|insert URL DATABASE
    python floors.py calls URL LIBRARIES

`compare` takes the clients from the socket through lxml's pull parser to rows, and compares a hash of each with the one
that DATABASE keeps. `insert` does the same with an empty DATABASE and inserts rows as large as xpmsync's into tables
with its columns and indexes. `calls` imports the libraries that an hourly run imports (their names, with spaces
between them), and makes its calls.
"""

import hashlib
import json
import sqlite3
import sys
import uuid
from collections.abc import Iterator
from contextlib import closing, suppress
from importlib import import_module

import requests
from lxml.etree import XMLPullParser

TEXTS = (
    *("UUID", "Name", "FirstName", "LastName", "Title", "Email", "Phone", "Fax", "ClientCode", "Address", "City"),
    *("Region", "PostCode", "PostalAddress", "PostalCity", "PostalRegion", "PostalPostCode", "BusinessNumber"),
    *("BusinessStructure", "IsArchived", "IsDeleted"),
)
STAFF = ("AccountManager", "JobManager")
LISTS = {"Contacts": ("Salutation", "IsPrimary", "IsDeleted"), "Groups": ("UUID", "Name")}
COLUMNS = (*TEXTS, *(f"{name}{part}" for name in STAFF for part in ("UUID", "Name")), *LISTS)
BATCH = 500
HEADERS = {"Authorization": "Bearer prepared", "xero-tenant-id": "prepared"}


def read_rows(url: str) -> Iterator[tuple[str | None, ...]]:
    """Each client's supported elements, while the answer arrives."""
    address = f"{url}/practicemanager/3.1/client.api/list?detailed=true"
    with requests.get(address, headers=HEADERS, stream=True, timeout=300) as answer:
        parser = XMLPullParser(("end",), tag="Client")
        for chunk in answer.iter_content(256 * 1024):
            parser.feed(chunk)
            for _, element in parser.read_events():
                yield read_row(element)
                element.clear()
                container = element.getparent()
                while element.getprevious() is not None:
                    del container[0]
        parser.close()


def read_row(element) -> tuple[str | None, ...]:
    values = dict.fromkeys(COLUMNS)
    for child in element:
        tag = child.tag
        if tag in LISTS:
            keys = LISTS[tag]
            values[tag] = json.dumps([{each.tag: each.text for each in item if each.tag in keys} for item in child])
        elif tag in STAFF:
            for part in child:
                values[tag + part.tag] = part.text
        elif tag in values:
            values[tag] = child.text
    return tuple(values.values())


def digest(row: tuple[str | None, ...]) -> bytes:
    return hashlib.blake2b("\x1f".join(value or "" for value in row).encode(), digest_size=16).digest()


def compare(url: str, connection: sqlite3.Connection) -> int:
    connection.execute("CREATE TABLE IF NOT EXISTS hashes (uuid TEXT PRIMARY KEY, hash BLOB) WITHOUT ROWID")
    known = dict(connection.execute("SELECT * FROM hashes"))
    seen, changed = 0, []
    for row in read_rows(url):
        seen += 1
        if known.get(row[0]) != digest(row):
            changed.append((row[0], digest(row)))
    with connection:
        connection.executemany("INSERT OR REPLACE INTO hashes VALUES (?, ?)", changed)
    return seen


def insert(url: str, connection: sqlite3.Connection) -> int:
    """The mirror, the clients with their indexes, what was written into them, their groups, and the history."""
    connection.execute("PRAGMA journal_mode = WAL")
    texts = ", ".join(f"{column} TEXT" for column in COLUMNS)
    for statement in (
        f"CREATE TABLE mirror ({texts}, PRIMARY KEY (UUID)) WITHOUT ROWID",
        f"CREATE TABLE clients (id TEXT PRIMARY KEY, {texts}, code_key TEXT UNIQUE)",
        "CREATE UNIQUE INDEX by_code ON clients (ClientCode COLLATE NOCASE)",
        "CREATE UNIQUE INDEX by_uuid ON clients (UUID)",
        "CREATE INDEX by_partner ON clients (AccountManagerUUID)",
        "CREATE INDEX by_manager ON clients (JobManagerUUID)",
        "CREATE TABLE written (id TEXT PRIMARY KEY, json TEXT) WITHOUT ROWID",
        'CREATE TABLE members (id TEXT, "group" TEXT, PRIMARY KEY (id, "group")) WITHOUT ROWID',
        'CREATE INDEX by_group ON members ("group")',
        "CREATE TABLE changes (id INTEGER PRIMARY KEY, at TEXT, entity TEXT, entity_id TEXT, name TEXT)",
        "CREATE INDEX by_record ON changes (entity_id)",
    ):
        connection.execute(statement)
    seen, batch = 0, []
    with connection:
        for row in read_rows(url):
            seen += 1
            batch.append(row)
            if len(batch) == BATCH:
                insert_batch(connection, batch)
                batch = []
        insert_batch(connection, batch)
    return seen


def insert_batch(connection: sqlite3.Connection, rows: list[tuple[str | None, ...]]) -> None:
    places = ", ".join("?" for _ in COLUMNS)
    code, groups = COLUMNS.index("ClientCode"), COLUMNS.index("Groups")
    ids = [str(uuid.uuid4()) for _ in rows]
    # As the rules of both programs have it, a code that is there already is not given twice.
    connection.executemany(f"INSERT INTO mirror VALUES ({places})", rows)
    connection.executemany(
        f"INSERT OR IGNORE INTO clients VALUES (?, {places}, ?)",
        [(key, *row, row[code] and row[code].casefold()) for key, row in zip(ids, rows, strict=True)],
    )
    connection.executemany(
        "INSERT INTO written VALUES (?, ?)",
        [
            (key, json.dumps({name: value for name, value in zip(COLUMNS, row, strict=True) if value}))
            for key, row in zip(ids, rows, strict=True)
        ],
    )
    connection.executemany(
        "INSERT OR IGNORE INTO members VALUES (?, ?)",
        [
            (key, group["UUID"])
            for key, row in zip(ids, rows, strict=True)
            if row[groups]
            for group in json.loads(row[groups])
        ],
    )
    connection.executemany(
        "INSERT INTO changes (at, entity, entity_id, name) VALUES ('2026-11-01T00:00:00Z', 'client', ?, ?)",
        [(key, row[1]) for key, row in zip(ids, rows, strict=True)],
    )


def calls(url: str, libraries: str) -> int:
    """The refresh and the three lists, with two writes into the keyring that are read back."""
    for library in libraries.split():
        with suppress(ImportError):
            import_module(library)
    import keyring  # noqa: PLC0415 - the other floors need none

    for name in ("intent", "sign-in"):
        keyring.set_password("benchmark", name, "x")
        keyring.get_password("benchmark", name)
    session = requests.Session()
    session.post(f"{url}/connect/token", data={"refresh_token": "x"}, timeout=10).json()
    since = "client.api/list?detailed=true&modifiedsince=2026-11-01T00:00:00"
    for path in ("staff.api/list", "clientgroup.api/list", since):
        answer = session.get(f"{url}/practicemanager/3.1/{path}", headers=HEADERS, timeout=10)
        parser = XMLPullParser(("end",))
        parser.feed(answer.content)
        parser.close()
    return 0


def main() -> None:
    job, url, place = sys.argv[1:]
    if job == "calls":
        print(calls(url, libraries=place))
        return
    with closing(sqlite3.connect(place)) as connection:
        print({"compare": compare, "insert": insert}[job](url, connection))


if __name__ == "__main__":
    main()

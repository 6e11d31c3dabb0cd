"""What must hold whatever is thrown: each is a function of what hypothesis draws, for CI and for the long campaign."""

import csv
import io
import json
import re
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from typing import Any, Final
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

from arsenal import (
    addresses,
    bent_answers,
    bent_documents,
    command_lines,
    settings_texts,
    token_bodies,
    xml_texts,
)
from hostile_world import CALLS, World, recorded, say
from hypothesis import strategies as st
from lxml import etree
from rich.cells import cell_len
from servers import head, wrap

from xpmsync.cli.formatting import clean
from xpmsync.config import Config, change_config, read_config
from xpmsync.errors import ConfigurationError, PermanentError, TransientError, XpmsyncError
from xpmsync.home import Home
from xpmsync.rules.fields import CLIENT_SHAPE, GROUP_SHAPE, STAFF_SHAPE
from xpmsync.xpm.callback import ERRORS, UNKNOWN_ERROR, Reply, read_reply
from xpmsync.xpm.oauth import Grant, IdentityClient, InvalidGrant
from xpmsync.xpm.xml import parse_records

REFUSALS: Final = {6, 7, 8}
"""Passing trouble, refused, or stopped by the guard: what an answer that is not believed ends with."""
EXIT_CODES: Final = {0, 2, 3, 4, 5, 6, 7, 8, 9, 10, 130}
"""All that are documented but 1, which is a fault."""
SHAPES: Final = {"staff.api/list": STAFF_SHAPE, "clientgroup.api/list": GROUP_SHAPE, "client.api/list": CLIENT_SHAPE}
WIDTH: Final = 80


def sources(world: World) -> dict[str, list[bytes]]:
    """The right answers that are bent: the sandbox's, and those recorded at Xero."""
    recordings = {"staff.api/list": "staff-list", "client.api/list": "client-list-detailed"}
    return {call: [world.right[call], *([recorded(recordings[call])] if call in recordings else [])] for call in CALLS}


def check_parsing(world: World, draw: Callable[..., Any]) -> None:
    """A document gives its records, or an error of ours; what another parser does not take is not taken."""
    call = draw(st.sampled_from(CALLS))
    document = draw(bent_documents(draw(st.sampled_from(sources(world)[call]))))
    size = draw(st.integers(1, 5000))
    chunks = [document[start : start + size] for start in range(0, len(document), size)]
    shape = SHAPES[call]
    try:
        records = list(parse_records(chunks, shape))
    except (TransientError, PermanentError):
        return
    assert all(len(record) == len(shape.columns) for record in records)
    assert all(value is None or isinstance(value, str) for record in records for value in record)
    check_identities(document, call, [record[shape.columns.index("uuid")] for record in records])


def check_identities(document: bytes, call: str, identities: list[str | None]) -> None:
    """That a document which was believed is one for another parser too, with the same records in it."""
    try:
        root = ET.fromstring(document, ET.XMLParser(encoding="utf-8"))  # noqa: S314 - without a document type
    except ET.ParseError:  # expat does not know the letters that the fifth edition of XML allows in names
        root = etree.fromstring(document, etree.XMLParser(encoding="utf-8", resolve_entities=False))
    path = "/".join(f"{{*}}{name}" for name in SHAPES[call].path.split("/"))
    assert len(root.findall(path)) == len(identities)


def check_run(world: World, draw: Callable[..., Any]) -> None:
    """A run believes all of what it is told or nothing: it succeeds, or ends as documented and leaves Active alone."""
    world.restore()
    before = world.load()
    for call in draw(st.lists(st.sampled_from(CALLS), min_size=1, max_size=2, unique=True)):
        world.server.answers[call] = draw(bent_answers(draw(st.sampled_from(sources(world)[call]))))
    is_full = draw(st.booleans())
    try:
        world.sync(full=is_full)
    except XpmsyncError as error:
        assert error.exit_code in REFUSALS, repr(error)
        assert world.load() == before
        check_error(error)
    else:
        run = world.rows("SELECT * FROM sync_runs ORDER BY id DESC LIMIT 1")[0]
        assert run["status"] == "succeeded"
        after = world.load()
        world.sync(full=is_full)
        assert world.load() == after, "the same answers again have changed something"
    check_database(world)


def check_error(error: XpmsyncError) -> None:
    """That what is told of an error fits on a screen and into an e-mail."""
    for text in (error.happened, error.remedy):
        assert len(text) < 1000, text
        assert clean(text) == text.replace("\n", " "), text


def check_database(world: World) -> None:
    with closing(sqlite3.connect(world.home.database_file)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []


# Values.

STAFF_FIELDS: Final = ("Name", "Email")
CLIENT_FIELDS: Final = tuple(
    path for path in CLIENT_SHAPE.values if "/" not in path and path not in ("UUID", "IsDeleted")
)
TABLES: Final[Mapping[str, tuple[str, ...]]] = {
    "errors": ("errors", "--all"),
    "history": ("history",),
    "clients": ("admin", "client", "list"),
    "users": ("admin", "user", "list"),
    "offices": ("admin", "office", "list"),
}


def render(tag: str, values: Mapping[str, str]) -> str:
    inner = "".join(f"<{name}>{escape(text, {chr(13): '&#13;'})}</{name}>" for name, text in values.items())
    return f"<{tag}>{inner}</{tag}>"


def check_values(world: World, draw: Callable[..., Any]) -> None:
    """Any text in any supported field goes through a sync, and every command that shows it shows it harmlessly."""
    world.restore()
    text = xml_texts()
    uuids = [f"00000000-0000-4000-8000-00000000000{number}" for number in range(5)]
    staff = [{"UUID": uuid, **{name: draw(text) for name in STAFF_FIELDS}} for uuid in uuids[:2]]
    staff.append({"UUID": uuids[2], "Name": "Ann Good", "Email": "ann@example.com"})
    identity = st.sampled_from(uuids) | text
    clients = []
    for uuid in [*uuids[3:], draw(text)]:
        values = {"UUID": uuid, **{name: draw(text) for name in draw(st.sets(st.sampled_from(CLIENT_FIELDS)))}}
        extra = (
            render("AccountManager", {"UUID": draw(identity), "Name": draw(text)}),
            render("JobManager", {"UUID": draw(identity), "Name": draw(text)}),
            f"<Groups>{render('Group', {'UUID': draw(identity), 'Name': draw(text)})}</Groups>",
            f"<Contacts>{render('Contact', {'Salutation': draw(text), 'IsPrimary': 'Yes'})}</Contacts>",
        )
        clients.append(render("Client", values).replace("</Client>", "".join(extra) + "</Client>"))
    groups = render("Group", {"UUID": draw(identity), "Name": draw(text)})
    world.server.answers = {
        "staff.api/list": head() + wrap("".join(render("Staff", each) for each in staff), "StaffList"),
        "clientgroup.api/list": head() + wrap(groups, "Groups"),
        "client.api/list": head() + wrap("".join(clients)),
    }
    preview = say("sync", "--dry-run", "--full", "--json")
    check_output(preview, {0, 8})
    json.loads(preview[1])
    check_output(say("sync", "--dry-run", "--full"), {0, 8}, is_table=True)
    shown = say("sync", "--full", "--json")
    check_output(shown, {0, 8})
    if shown[0]:
        shown = say("sync", "--accept", str(world.rows("SELECT max(id) AS id FROM sync_runs")[0]["id"]), "--json")
        check_output(shown, {0})
    check_database(world)
    check_output(say("status"), {0}, is_table=True)
    json.loads(say("status", "--json")[1])
    for name, command in TABLES.items():
        check_output(say(*command), {0}, is_table=True)
        as_json = say(*command, "--json")
        check_output(as_json, {0})
        rows = json.loads(as_json[1])
        assert isinstance(rows, list)
        if name in ("errors", "history"):
            as_csv = say(*command, "--csv")
            check_output(as_csv, {0})
            check_csv(as_csv[1], rows)
    kept = {row["new_value"] for row in world.rows("SELECT new_value FROM changes") if row["new_value"]}
    told = {row["new_value"] for row in json.loads(say("history", "--json")[1]) if row["new_value"]}
    assert kept == told


def check_output(said: tuple[int, str, str], exit_codes: set[int], *, is_table: bool = False) -> None:
    """That a command ended well, and that no terminal obeys or breaks on what it printed."""
    exit_code, output, errors = said
    assert exit_code in exit_codes, (exit_code, errors[-2000:])
    assert "Traceback" not in errors
    lines = output.replace("\r\n", "\n").split("\n")
    for line in [*lines, *errors.split("\n")]:
        assert clean(line) == re.sub("[\u2028\u2029]", " ", line), ascii(line)
    # A command stays whole, to be copied.
    shown = [line for line in lines if not line.lstrip().startswith("xpmsync ")]
    assert not is_table or max(map(cell_len, shown)) <= WIDTH, ascii(max(shown, key=cell_len))


def check_csv(text: str, rows: list[dict[str, Any]]) -> None:
    """That a spreadsheet has the same rows, no text of which it calculates."""
    read = list(csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline="")))
    assert len(read) == len(rows) + 1
    for cells, row in zip(read[1:], rows, strict=True):
        for column, cell in zip(read[0], cells, strict=True):
            value = row[column]
            if isinstance(value, str):
                assert cell in (clean(value), f"'{clean(value)}")
                assert not cell.startswith(("=", "+", "-", "@"))


# Settings, command lines, the sign-in.


def check_settings(home: Home, draw: Callable[..., Any]) -> None:
    """Whatever stands in config.toml is settings, or mistakes that are named; a change of one key keeps to that."""
    home.data_folder.mkdir(exist_ok=True)
    text = draw(settings_texts())
    home.config_file.write_bytes(text.encode("utf-8", "surrogatepass"))
    for use in (lambda: read_config(home), lambda: change_config(home, {"sync.name": "Ours"}) or read_config(home)):
        try:
            assert isinstance(use(), Config)
        except ConfigurationError as error:
            said = f"{error.happened}\n{error.remedy}"
            assert len(said) < 50_000


def check_command_line(world: World, draw: Callable[..., Any]) -> None:
    """Whatever is typed, a command ends with an exit code that is documented, and never with a fault."""
    line = draw(command_lines())
    exit_code, output, errors = world.say_in_spare_home(*line)
    assert exit_code in EXIT_CODES, (line, exit_code, errors[-2000:])
    assert "Traceback" not in output + errors
    for text in (*output.split("\n"), *errors.split("\n")):
        assert not any(character in text for character in "\x1b\x07\x9b\u202e"), ascii(text)


def check_token_answer(world: World, draw: Callable[..., Any]) -> None:
    """Whatever the token endpoint says is a grant that can be used and kept, or an error of ours."""
    body = draw(token_bodies())
    status = draw(st.sampled_from(["200 OK", "200 OK", "200 OK", "400 No", "401 No", "500 No"]))
    kind = draw(st.sampled_from(["application/json", "text/html", "application/json; charset=utf-16", ""]))
    world.server.answers = {"/connect/token": head(status, kind=kind) + body}
    settings = read_config(world.home).xero
    client = IdentityClient(type(settings)(client_id="x", identity_url=world.server.url))
    try:
        grant = client.refresh("refresh-token")
    except InvalidGrant:
        return
    except (TransientError, PermanentError, ConfigurationError) as error:
        check_error(error)
        return
    assert isinstance(grant, Grant)
    assert grant.access_token.isascii() and grant.access_token.isprintable()  # noqa: PT018 - one condition
    assert isinstance(grant.refresh_token, str)
    assert 0 < grant.lifetime_seconds <= 24 * 3600
    assert all(isinstance(scope, str) for scope in grant.scopes)


def check_pasted_address(_world: World, draw: Callable[..., Any]) -> None:
    """Whatever is pasted is a reply of this sign-in, or is not."""
    address = draw(addresses())
    reply = read_reply(address, "S")
    assert reply is None or isinstance(reply, Reply)
    if reply:
        assert "state=S" in address
        assert reply.error is None or reply.error in {*ERRORS, UNKNOWN_ERROR}
    if draw(st.integers(0, 20)) == 0 and "\n" not in address:
        check_output(say("connect", "--no-browser", typed=f"{address}\n"), {4, 5, 6, 7})

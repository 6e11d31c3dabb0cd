"""The commands that are killed: how each home is prepared, what is typed, what follows. Knows nothing of killing."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import sqlite_utils
from firms import point_at

from xpmsync.active.migrations import make_migrations
from xpmsync.audit import name_account
from xpmsync.config import change_config, read_config
from xpmsync.credentials.refresh_marker import find_mark
from xpmsync.sandbox import Practice
from xpmsync.sandbox.browser import press
from xpmsync.xpm.oauth import IdentityClient

PARTNER = "ann.perera@firm.example"
SUCCESSOR = "bo.tane@firm.example"
DUPLICATE = "ann.perera@home.example"
"""A user who was set up by hand, and is who PARTNER is."""
STAFF_UUID, CLIENT_UUID = "5b3c1f60-7a39-4c1d-8f3e-2d0a6b9c4e11", "8e0f2b74-19c6-4d52-a3b7-6c5d4e3f2a10"
"""Of PARTNER, and of a client of theirs, in XPM."""
MAIL_PASSWORD = "Kowhai&Rimu/27"
CONFIGURE = (
    *("configure", "--sync-name", "Wattle", "--office", "SYD", "--office-name", "Sydney", "--later"),
    *("--default-partner", PARTNER, "--notify", PARTNER, "--smtp-host", "127.0.0.1", "--smtp-security", "none"),
    *("--smtp-port", "{mail_port}", "--smtp-from", "sync@firm.example"),
)


@dataclass(frozen=True)
class Scene:
    """One command in one situation."""

    name: str
    command: tuple[str, ...]
    prepare: Callable[[Any], None]
    """Makes the home, once."""
    converse: Callable[[Any], None] = lambda _command: None
    """Types into the command what it waits for."""
    arrange: Callable[[Any], None] = lambda _stage: None
    """Done to every fresh copy of the home."""
    follow: tuple[str, ...] = ()
    """What runs after the kill; the command itself where nothing is named."""
    in_between: tuple[str, ...] = ()
    """Beginnings of the rows that come last, where a command writes in two steps; the first is of use alone."""
    sends_mail: bool = False
    settings_come_first: bool = False
    """The settings are written before the database is, and are right with the database as it was, too."""
    ends_sign_in: bool = False

    @property
    def following(self) -> tuple[str, ...]:
        return self.follow or self.command


def make_practice() -> Practice:
    """Small, with a bit of everything that hurts."""
    practice = Practice.generate(clients=30, staff=8, seed=7)
    practice.add_staff("Ann Perera", PARTNER, uuid=STAFF_UUID)
    practice.add_client("Kōwhai Joinery", uuid=CLIENT_UUID, client_code="KOWHAI", account_manager=STAFF_UUID)
    return practice


def allow_access(command: Any) -> None:
    """Open the address that `connect --no-browser` prints, press the button, and paste where that leads."""
    address = command.stdout.readline().strip()
    if address:  # else it is dead by now
        command.stdin.write(f"{press(address)}\n")


# How the homes are prepared.


def write_addresses(stage):
    point_at(stage.home, stage.sandbox.url, {"sync.full_every_hours": 168})


def connect(stage):
    write_addresses(stage)
    assert stage.perform(("connect", "--no-browser"), allow_access) == 0


def configure(stage):
    connect(stage)
    stage.run(CONFIGURE)


def sync(stage):
    configure(stage)
    stage.run(("sync",))


def sync_and_change(stage):
    """After the first run everything in the practice that a run may meet changes."""
    sync(stage)
    practice = stage.sandbox.practice
    clients = list(practice.clients)
    for number, uuid in enumerate(clients[:5]):
        practice.edit_client(uuid, city=f"Place {number}", fax="+61 2 5550 0000", account_manager=STAFF_UUID)
    practice.edit_client(clients[5], groups=["A new group", "Another"])
    practice.archive_client(clients[6])
    practice.delete_client(clients[7])
    practice.vanish_client(clients[8])
    for number in range(3):
        practice.add_client(f"New client {number}", client_code=f"NEW{number}", account_manager=STAFF_UUID)
    practice.edit_staff(STAFF_UUID, name="Ann Perera-Ngata")
    practice.add_staff("Tui Moana", "tui.moana@firm.example")
    practice.rename_group(next(iter(practice.groups)), "A group renamed")


def lose_the_right(stage):
    sync_and_change(stage)
    change_config(stage.home, {"notify.cc": ["help@it.example"]})
    stage.sandbox.faults.start("user-revoked")


def lose_the_database(stage):
    """So an alert has the alert file alone."""
    sync_and_change(stage)
    for path in stage.home.data_folder.glob("active.db*"):
        path.unlink()


def fail_unheard(stage):
    """The last run failed, and there was no mail server to tell it to."""
    lose_the_right(stage)
    port = read_config(stage.home).smtp.port
    change_config(stage.home, {"smtp.port": 1})
    stage.run(("sync",), 7)
    change_config(stage.home, {"smtp.port": port})


def go_back_a_version(stage):
    """A database as an earlier version of xpmsync made it, with an office."""
    configure(stage)
    for path in stage.home.data_folder.glob("active.db*"):
        path.unlink()
    with closing(sqlite3.connect(stage.home.database_file)) as connection:
        stage.home.database_file.chmod(0o600)
        make_migrations().apply(sqlite_utils.Database(connection), stop_before="tell_of_causes")
        connection.execute("INSERT INTO offices (code, name) VALUES ('SYD', 'Sydney')")
        connection.commit()


def add_by_hand(stage, first_name, last_name, email):
    stage.run(("admin", "user", "add", "--first-name", first_name, "--last-name", last_name, "--email", email))


def add_successor(stage):
    """Somebody who can take over from the default partner, who is the one to notify, too."""
    sync(stage)
    add_by_hand(stage, "Bo", "Tane", SUCCESSOR)


def add_duplicate(stage):
    """A user who holds everything that another user can take over."""
    sync(stage)
    add_by_hand(stage, "Ann", "Perera", DUPLICATE)
    work = ("--role", "Admin", "--office", "SYD", "--module", "Tax", "--module", "Jobs")
    stage.run(("admin", "user", "set", DUPLICATE, *work))
    stage.run(("admin", "client", "add", "--legal-name", "Māra Orchards", "--code", "MARA1", "--partner", DUPLICATE))
    stage.run(("configure", "--default-partner", DUPLICATE, "--notify", DUPLICATE, "--later"))


def link_to_the_wrong_client(stage):
    """XPM's client is linked to one of Active that it is not."""
    sync(stage)
    stage.run(("admin", "client", "add", "--legal-name", "Māra Orchards", "--code", "MARA1"))


def connect_anew(stage):
    """What was killed may have ended the connection already."""
    assert stage.perform(("connect", "--no-browser"), allow_access) == 0


def cut_a_renewal(stage):
    """A sync died when Xero had renewed the sign-in, and the answer was on its way."""
    sign_in = stage.read_sign_in()
    IdentityClient(read_config(stage.home).xero, None).refresh(sign_in["refresh_token"])
    stage.write_sign_in(sign_in | {"intent_at": sign_in["refreshed_at"]})
    find_mark(stage.home.sign_in_lock).touch(mode=0o600)


SCENES = (
    Scene("connect, the first time", ("connect", "--no-browser"), write_addresses, converse=allow_access),
    Scene("connect again", ("connect", "--no-browser"), sync, converse=allow_access, follow=("sync",)),
    Scene(
        "configure",
        (*CONFIGURE, "--smtp-username", "sync", "--smtp-password-stdin"),
        connect,
        converse=lambda command: command.stdin.write(f"{MAIL_PASSWORD}\n"),
        in_between=("offices", f"changes: actor={name_account()} · changed_at=(new) · entity=office"),
    ),
    Scene("sync, the first run", ("sync",), configure),
    Scene("sync, incremental", ("sync",), sync_and_change),
    Scene("sync --full", ("sync", "--full"), sync_and_change),
    Scene("sync that fails and tells", ("sync",), lose_the_right, sends_mail=True),
    Scene("sync whose database is gone", ("sync",), lose_the_database, sends_mail=True),
    Scene("sync after an upgrade", ("sync",), go_back_a_version),
    Scene("sync --dry-run after an upgrade", ("sync", "--dry-run"), go_back_a_version),
    Scene(
        "admin user set",
        ("admin", "user", "set", PARTNER, "--role", "Admin", "--office", "SYD", "--module", "Tax", "--module", "Jobs"),
        sync,
    ),
    Scene(
        "admin client add",
        ("admin", "client", "add", "--legal-name", "Māra Orchards", "--code", "MARA1", "--partner", PARTNER),
        sync,
    ),
    Scene(
        "admin user merge",
        ("admin", "user", "merge", DUPLICATE, "--into", PARTNER, "--yes"),
        add_duplicate,
        settings_come_first=True,
    ),
    Scene(
        "admin user deactivate --replace-by",
        ("admin", "user", "deactivate", PARTNER, "--replace-by", SUCCESSOR, "--yes"),
        add_successor,
        settings_come_first=True,
    ),
    Scene(
        "admin user link --move",
        ("admin", "user", "link", SUCCESSOR, "--xpm-staff", STAFF_UUID, "--move"),
        add_successor,
    ),
    Scene(
        "admin client link --move",
        ("admin", "client", "link", "MARA1", "--xpm-client", CLIENT_UUID, "--move"),
        link_to_the_wrong_client,
    ),
    Scene("admin office add", ("admin", "office", "add", "AKL", "--name", "Auckland"), sync),
    Scene(
        "admin office set",
        ("admin", "office", "set", "SYD", "--name", "Sydney CBD", "--default-partner", SUCCESSOR, "--yes"),
        add_successor,
    ),
    Scene("disconnect", ("disconnect", "--yes"), sync, arrange=connect_anew, ends_sign_in=True),
    Scene("notify, an e-mail is due", ("notify",), fail_unheard, sends_mail=True),
    Scene("notify, a renewal was cut", ("notify",), sync, arrange=cut_a_renewal),
)

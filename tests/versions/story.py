"""The small practice that stands in the kept databases, and what happened in it.

A new step of the schema comes with a database that has been through it, for the steps after it to be tried on:

    python tests/versions/story.py
"""

import argparse
import os
import shlex
import sqlite3
import sys
import tempfile
from contextlib import closing
from pathlib import Path

import pytest

from xpmsync.active.migrations import STEPS
from xpmsync.cli import run
from xpmsync.sandbox import Practice, Sandbox

TENANT = "00000000-0000-4000-8000-000000000001"
ANN, TUI, BO, NOBODY = (f"00000000-0000-4000-8000-00000000010{number}" for number in range(4))
CLIENTS = tuple(f"00000000-0000-4000-8000-00000000020{number}" for number in range(7))


def make_practice():
    """Staff and clients, some of them in trouble, as they were before the first run."""
    practice = Practice("Fern & Co")
    practice.add_staff("Ann Perera", "ann@fern.example", uuid=ANN)
    practice.add_staff("Tui Moana", "tui@fern.example", uuid=TUI)
    practice.add_staff("Bo Lee", "bo@fern.example", uuid=BO)
    practice.add_staff("No Mail", "", uuid=NOBODY)
    practice.add_client(
        "Acmer Pty Ltd",
        uuid=CLIENTS[0],
        client_code="ACM1",
        account_manager=ANN,
        job_manager=TUI,
        address="Level 32\n   188 Quay Street",
        city="Auckland",
        post_code="1010",
        business_number="51824753556",
        contacts=[{"name": "Samantha", "salutation": "Sam", "is_primary": True}],
    )
    daughters = {"client_code": "KOW1", "account_manager": TUI, "email": "office@kowhai.example"}
    practice.add_client("Kōwhai & Daughters", uuid=CLIENTS[1], **daughters)
    practice.add_client("Rimu Holdings", uuid=CLIENTS[2], client_code="RIM1", account_manager=ANN, fax="09 555 0000")
    practice.add_client("No Partner", uuid=CLIENTS[3], client_code="NOP1")
    practice.add_client("Whose Partner Has No Mail", uuid=CLIENTS[4], client_code="WHO1", account_manager=NOBODY)
    practice.add_client("One of two", uuid=CLIENTS[5], client_code="TWO1", account_manager=ANN)
    practice.add_client("Other of two", uuid=CLIENTS[6], client_code="two1", account_manager=ANN)
    practice.add_group("The Acmers", uuid="00000000-0000-4000-8000-000000000301")
    practice.edit_client(CLIENTS[0], groups=["The Acmers"])
    return practice


def live(firm):
    """A first run, the administrator's work, a run that fails, and one that succeeds."""
    firm.sync()
    firm.practice.edit_client(CLIENTS[0], phone="(02) 5550 1234")
    firm.practice.archive_client(CLIENTS[2])
    for command in (
        "admin user set ann@fern.example --role Admin --office MAIN --module Tax",
        "admin client add --legal-name 'By Hand Ltd' --code HAND1 --partner tui@fern.example",
    ):
        assert run(shlex.split(command)) == 0
    with firm.sandbox.faults.active("user-revoked"), pytest.raises(Exception, match="Xero refuses access"):
        firm.sync(is_watched=False)
    firm.sandbox.clock.advance(3600)
    firm.sync()
    firm.write("UPDATE sync_runs SET tenant_id = ?", TENANT)


def dump(file):
    """The whole database as SQL, with the number of its version."""
    with closing(sqlite3.connect(file)) as connection:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        statements = list(connection.iterdump())
    assert statements.pop() == "COMMIT;"
    return "\n".join((*statements, f"PRAGMA user_version = {version};", "COMMIT;", ""))


def main():
    """Keep a database of this version, in the file that has the number of its steps."""
    argparse.ArgumentParser(prog="python tests/versions/story.py", description=main.__doc__).parse_args()
    file = Path(__file__).with_name(f"{len(STEPS)}.sql")
    if file.exists():
        sys.exit(
            f"{file} is there already. If its last step, {STEPS[-1].__name__}, is not on main yet and has changed,"
            " delete the file and say this again. A step that stands on main never changes."
        )
    sys.path.append(str(Path(__file__).parents[1]))
    from firms import furnish, make_environment  # noqa: PLC0415 - the tests' own, found from here

    with tempfile.TemporaryDirectory() as folder, Sandbox(make_practice()) as sandbox:
        os.environ.update(make_environment(folder, sandbox.url))
        firm = furnish(sandbox)
        live(firm)
        file.write_text(dump(firm.home.database_file), "utf-8")
    print(f"Kept {file}. Commit it together with the step.")  # noqa: T201 - a command line


if __name__ == "__main__":
    main()

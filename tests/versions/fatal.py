"""Opens a database, and dies at a statement: what the forks run that are killed in the middle of an upgrade."""

import os
import signal
import sqlite3
from pathlib import Path

from xpmsync.active.database import open_database


def open_and_die(arguments):
    """The file, and how many statements go well."""
    path, left = Path(arguments[0]), int(arguments[1])

    class Fatal(sqlite3.Connection):
        def execute(self, statement, *parameters):
            nonlocal left
            left -= 1
            if left < 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return super().execute(statement, *parameters)

    connect = sqlite3.connect
    sqlite3.connect = lambda *given, **options: connect(*given, **options, factory=Fatal)
    with open_database(path):
        return 0

"""A day of a practice: 24 hourly runs against the sandbox, and its clients edited over the day.

    python a_day.py URL EDITS

The sandbox's clock and that of the runs go on by an hour each time. Prints what the day's runs asked of Xero, and what
the full one among them received, as one JSON object. That every edit arrived is checked.
"""

import json
import os
import sqlite3
import sys
from contextlib import closing
from datetime import datetime

import requests

from xpmsync.config import read_config
from xpmsync.home import find_home
from xpmsync.sync.run import run_sync
from xpmsync.system.clock import Clock

HOURS = 24
EDITED = "(02) 5550 0000"


class SilentReport:
    """Nobody watches."""

    def begin(self, stage: str) -> None: ...
    def count(self, records: int) -> None: ...
    def remark(self, text: str) -> None: ...


def main() -> None:
    url, edits = sys.argv[1], int(sys.argv[2])
    home = find_home(os.environ)
    session = requests.Session()
    session.headers["Content-Type"] = "application/json"

    def order(method: str, path: str, **values: object):
        answer = session.request(method, f"{url}/sandbox/{path}", json=values or None, timeout=60)
        answer.raise_for_status()
        return answer.json()

    def sync():
        now = datetime.fromisoformat(order("GET", "clock")["now"])
        return run_sync(home, read_config(home), report=SilentReport(), is_watched=True, clock=Clock(now=lambda: now))

    sync()  # yesterday
    clients = order("GET", "clients?limit=1000000")
    # Xero is said not to report an archived client as modified: the full run would bring it.
    live = [client["UUID"] for client in clients if "Yes" not in (client["IsArchived"], client["IsDeleted"])]
    edited = live[:: len(live) // edits][:edits]
    runs = []
    for hour in range(HOURS):
        for uuid in edited[hour * edits // HOURS : (hour + 1) * edits // HOURS]:
            order("PATCH", f"clients/{uuid}", phone=EDITED)
        order("POST", "clock", advance=3600)
        runs.append(sync())
    with closing(sqlite3.connect(home.database_file)) as database:
        (arrived,) = database.execute("SELECT count(*) FROM xpm_clients WHERE phone = ?", [EDITED]).fetchone()
    assert arrived == edits, (arrived, edits)
    (full,) = (run for run in runs if run.mode == "full")
    print(
        json.dumps(
            {
                "calls": sum(run.api_calls for run in runs),
                "bytes": sum(run.bytes_received for run in runs),
                "hourly_full_bytes": HOURS * full.bytes_received,
            }
        )
    )


if __name__ == "__main__":
    main()

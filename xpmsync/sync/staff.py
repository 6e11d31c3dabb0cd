"""Imports the practice's staff as users without a whole sync: before set-up, and whenever it is run again.

Matched, limited and written as in a sync. Touches no client, writes no row of a sync, moves no cursor.
"""

from typing import Final

from xpmsync.active import mirror
from xpmsync.active.database import Database
from xpmsync.active.exclusive_lock import turn
from xpmsync.active.history import ChangeLog
from xpmsync.config import Config
from xpmsync.credentials.store import UNLOCK_SECONDS, opened
from xpmsync.errors import AnotherSyncRunning
from xpmsync.home import Home
from xpmsync.records import XPM
from xpmsync.rules.fields import STAFF_SHAPE
from xpmsync.sync.derivation import Derivation
from xpmsync.sync.fetch import fetched_staff
from xpmsync.sync.guard import Judge, read_elements
from xpmsync.sync.users import derive_users
from xpmsync.system.clock import Clock
from xpmsync.xpm.tokens import open_tokens

LOCK_SECONDS: Final = 10.0


def import_staff(
    home: Home, config: Config, database: Database, tenant_id: str, *, seconds: float, clock: Clock
) -> None:
    """Fetch the staff within so many `seconds`, and make them users.

    Raises AnotherSyncRunning where a sync is in progress, SuspiciousChange where too many of the staff are missing,
    and what the keyring and Xero raise.
    """
    busy = AnotherSyncRunning("A sync is in progress.", "Wait until it has ended, then run: xpmsync configure")
    with (
        turn(home.run_lock, busy, wait_seconds=LOCK_SECONDS),
        opened(home, config, patience_seconds=UNLOCK_SECONDS) as vault,
        fetched_staff(
            home,
            config,
            open_tokens(home, config, vault, now=clock.now, sleep=clock.sleep),
            database,
            tenant_id=tenant_id,
            seconds=seconds,
            clock=clock,
        ) as absent,
        database.transaction(),
    ):
        elements = read_elements(database, "incremental", absent, None)
        judge = Judge(database, config.guard, "incremental", elements, accepted=None, run_id=0)
        if stop := judge.judge_lists(is_first=False).stop:
            raise stop
        now, staff = clock.now(), elements["xpm_staff"]
        kept = staff.find_columns(staff.kept)
        mirror.merge_records(database, "xpm_staff", STAFF_SHAPE, is_full_list=True, now=now, kept=kept)
        derive_users(database, Derivation(ChangeLog(database, run_id=None, actor=XPM, now=now)))

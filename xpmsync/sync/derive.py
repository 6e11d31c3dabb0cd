"""Active = f(mirror, what the administrator owns): users, clients and groups are derived anew; what differs is written.

Called within a transaction. The rules decide; the modules here write it and keep the history.
Where the same program has derived the very same data before, and has had nothing to write, its outcome stands.
"""

import hashlib
import sys
from functools import cache
from importlib.machinery import PathFinder
from pathlib import Path

from xpmsync.active.clients import repair_keys
from xpmsync.active.counts import count_xpm_clients
from xpmsync.active.database import Database
from xpmsync.active.derivation_cache import await_outcome, keep_outcome, load_outcome
from xpmsync.active.history import ChangeLog
from xpmsync.active.references import COUNTED_AS_NONE, find_dangling
from xpmsync.sync.derivation import Counts, Derivation

__all__ = ["Counts", "Derivation", "derive"]


def derive(database: Database, default_office: str, changes: ChangeLog) -> Derivation:
    """Derive the users, then the clients and their groups; write what differs, and every change into the history."""
    origin = f"{_identify_program()} {default_office}"
    if (outcome := load_outcome(database, origin)) and (known := Derivation.from_text(outcome, changes)):
        return known
    # Slow to load, and in most hours the outcome stands.
    from xpmsync.sync.clients import derive_clients  # noqa: PLC0415
    from xpmsync.sync.references import explain  # noqa: PLC0415
    from xpmsync.sync.users import derive_users  # noqa: PLC0415

    await_outcome(database, origin)
    result = Derivation(changes)
    repair_keys(database)
    derive_users(database, result)
    derive_clients(database, result, default_office)
    result.issues.extend(map(explain, find_dangling(database, COUNTED_AS_NONE)))
    result.xpm_clients = count_xpm_clients(database)
    if changes.is_empty:
        keep_outcome(database, result.to_text())
    return result


@cache
def _identify_program() -> str:
    """A text that is another one for any other program, also for one that somebody is working on."""
    # Judges check digits. Too slow to load each time; its first file names its version.
    library = PathFinder.find_spec("stdnum")
    assert library is not None  # noqa: S101 - one of our dependencies
    assert library.origin is not None  # noqa: S101 - as above
    sources = [Path(library.origin), *sorted(Path(__file__).parent.parent.rglob("*.py"))]
    return hashlib.sha256(b"".join([sys.version.encode(), *(source.read_bytes() for source in sources)])).hexdigest()

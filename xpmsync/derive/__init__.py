"""Active = f(mirror, what the administrator owns): users, clients and groups are derived anew; what differs is written.

Called within a transaction. The rules decide; this package carries their values to the database and keeps the history.
"""

from xpmsync.active.clients import repair_keys
from xpmsync.active.database import Database
from xpmsync.derive.clients import derive_clients
from xpmsync.derive.result import Counts, Derivation
from xpmsync.derive.users import derive_users

__all__ = ["Counts", "Derivation", "derive"]


def derive(database: Database, default_office: str) -> Derivation:
    """Derive the users, then the clients and their groups, and write what differs."""
    result = Derivation()
    repair_keys(database)
    derive_users(database, result)
    derive_clients(database, result, default_office)
    return result

"""Finds the clients that can only be matched together, because one has, or is to have, a code that another claims.

All others can be matched each by itself, and so in batches, with little in memory. Whoever is found here is found
with everybody they meet: the owners of the records that hold a claimed code, and all others who claim it. An archived
or deleted client claims its code for its record in Active, if it has one. That somebody is found who meets nobody does
no harm. Decides nothing.
"""

from dataclasses import dataclass
from typing import Final

from xpmsync.active.database import Database
from xpmsync.active.mirror import is_open


@dataclass(frozen=True)
class Contested:
    """Who must be matched together."""

    xpm_uuids: frozenset[str]
    """Clients of XPM: those that claim a code, and the owners of the records that hold one."""
    record_ids: frozenset[str]
    """Clients of Active."""


_PAIRS: Final = f"""
WITH
  claims AS MATERIALIZED (
    SELECT uuid, fold(client_code) AS code FROM xpm_clients
    WHERE vanished_at IS NULL
    AND ({is_open("xpm_clients")} OR uuid IN (SELECT xpm_client_uuid FROM clients))
  ),
  holders AS MATERIALIZED (
    -- The key is missing where another program has typed a code that is another client's: see repair_keys.
    SELECT id, xpm_client_uuid AS owner, coalesce(code_key, fold(code)) AS code FROM clients
  ),
  contested AS MATERIALIZED (
    SELECT code FROM claims WHERE code IS NOT NULL GROUP BY code HAVING count(*) > 1
    UNION SELECT code FROM holders WHERE code IS NOT NULL GROUP BY code HAVING count(*) > 1
    UNION SELECT code FROM claims JOIN holders USING (code) WHERE owner IS NOT uuid
  )
SELECT uuid, id FROM claims LEFT JOIN holders ON owner = uuid
WHERE claims.code IN (SELECT code FROM contested) OR holders.code IN (SELECT code FROM contested)
UNION ALL
SELECT owner, id FROM holders WHERE code IN (SELECT code FROM contested)
"""


def find_contested(database: Database) -> Contested:
    """Find them by what the mirror and Active hold now."""
    rows = database.connection.execute(_PAIRS).fetchall()
    return Contested(
        frozenset(row["uuid"] for row in rows if row["uuid"]), frozenset(row["id"] for row in rows if row["id"])
    )

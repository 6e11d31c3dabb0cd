"""The clients that XPM has and Active has not, and why: whoever looks for one is told."""

import shlex
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

from xpmsync.active import mirror
from xpmsync.active.database import Database
from xpmsync.rules.clients import read_status
from xpmsync.rules.reading import read_business_number, read_legal_name, read_text
from xpmsync.text import fold

REASONS: Final[Mapping[str, str]] = {
    "active": "an error keeps it out of Active",
    "archived": "archived in XPM, so not copied",
    "deleted": "deleted in XPM, so not copied",
    "removed": "no longer in XPM",
}
"""By the status that XPM gives it."""


@dataclass(frozen=True)
class Outside:
    """A client of XPM that no client of Active is linked to."""

    name: str
    code: str | None
    status: str
    """What XPM says of its life, as in the table `clients`."""
    known_by: tuple[str, ...]
    """All that it can be looked for by, folded."""

    @property
    def reason(self) -> str:
        """Why Active does not have it."""
        return REASONS[self.status]

    def explain(self) -> str:
        """Where it is, and what to do if Active should have it."""
        named = f"{self.name} ({self.code})" if self.code else self.name
        if self.status == "active":
            search = shlex.quote(self.code or self.name)
            return f"XPM has {named}, but {self.reason}. See why: xpmsync errors --search {search}"
        if self.status == "removed":
            return f"XPM had {named}. It is no longer there, and not in Active."
        return f"XPM has {named}: {self.reason}. If Active should have it, restore it in XPM, then run: xpmsync sync"


def find_outside(
    database: Database, search: str | None = None, *, statuses: Collection[str] = tuple(REASONS)
) -> list[Outside]:
    """Those of XPM's clients that Active has not, by name; `search` narrows by name, code, ABN or email address."""
    found = []
    for row in mirror.load_unlinked_clients(database):
        status = read_status(row)
        name, code = read_legal_name(row["name"], row["first_name"], row["last_name"]), read_text(row["client_code"])
        known_by = (name, code, read_business_number(row["business_number"]), read_text(row["email"]))
        label = name or ("a client without a name" if code else f"a client without a name ({row['uuid']})")
        outside = Outside(label, code, status, tuple(map(fold, filter(None, known_by))))
        if status in statuses and (search is None or any(fold(search) in text for text in outside.known_by)):
            found.append(outside)
    return sorted(found, key=lambda each: (fold(each.name), each.code or ""))

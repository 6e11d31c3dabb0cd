"""What a derivation did: what became of the records, what was wrong with them, and what changed."""

import json
from dataclasses import dataclass, field
from typing import Self

from xpmsync.active.counts import XpmClients
from xpmsync.active.history import ChangeLog
from xpmsync.rules.issues import Issue


@dataclass
class Counts:
    """What became of the records of one kind."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    skipped: int = 0


@dataclass
class Derivation:
    """The counts and the issues; what changed is in the history already."""

    changes: ChangeLog
    users: Counts = field(default_factory=Counts)
    clients: Counts = field(default_factory=Counts)
    issues: list[Issue] = field(default_factory=list)
    xpm_clients: XpmClients = field(default_factory=XpmClients)

    def to_text(self) -> str:
        """A derivation that changed nothing, as a text."""
        issues = [vars(issue) for issue in self.issues]
        counts = {name: vars(getattr(self, name)) for name in ("users", "clients", "xpm_clients")}
        return json.dumps({**counts, "problems": issues})

    @classmethod
    def from_text(cls, text: str, changes: ChangeLog) -> Self | None:
        """The derivation that `to_text` gave; None where another program has damaged the text."""
        try:
            values = json.loads(text)
            issues = [Issue(**each) for each in values["problems"]]
            users, clients = Counts(**values["users"]), Counts(**values["clients"])
            return cls(changes, users, clients, issues, XpmClients(**values["xpm_clients"]))
        except (KeyError, TypeError, ValueError):
            return None

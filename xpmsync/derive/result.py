"""What a derivation did: what became of the records, what was wrong with them, and what changed."""

from dataclasses import dataclass, field

from xpmsync.active.history import ChangeRow
from xpmsync.rules.problems import Problem


@dataclass
class Counts:
    """What became of the records of one kind."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    skipped: int = 0


@dataclass
class Derivation:
    """The counts, the problems, and every change for the history."""

    users: Counts = field(default_factory=Counts)
    clients: Counts = field(default_factory=Counts)
    problems: list[Problem] = field(default_factory=list)
    changes: list[ChangeRow] = field(default_factory=list)

"""What a derivation did: what became of the records, what was wrong with them, and what changed."""

import json
from dataclasses import asdict, dataclass, field
from typing import Self

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

    def to_text(self) -> str:
        """The counts and the problems; of a derivation that has changed something, that is not all."""
        return json.dumps(asdict(self) | {"changes": ()})

    @classmethod
    def from_text(cls, text: str) -> Self:
        """A derivation that changed nothing."""
        values = json.loads(text)
        problems = [Problem(**each) for each in values["problems"]]
        return cls(Counts(**values["users"]), Counts(**values["clients"]), problems)

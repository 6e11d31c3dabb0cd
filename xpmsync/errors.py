"""Everything that can end a command, as one small tree whose types say what to do next.

    XpmsyncError
    ├── NotPossible           2   what the administrator asked for cannot be done; nothing was changed
    ├── SignInNeeded          4   a person must sign in again
    ├── KeyringTrouble        4   the keyring keeps its secrets to itself; nothing is lost
    ├── ConfigurationError    5   the settings, or who runs them, are wrong
    ├── PassingTrouble        6   Xero or the line to it is in trouble; the next run tries again
    ├── Refused               7   Xero says no, or says something nobody can read
    ├── SuspiciousChange      8   too much would change at once; nothing was written
    ├── DatabaseTrouble       9   the database cannot be read or written
    └── AnotherRun           10   another run is in progress

Raised with facts: what happened, and what to do. What it means for the firm's data is added by the one who knows
how old the data is (``xpmsync.sync``). No exception carries a token, a password or a client's data beyond a name; and
names, like words of Xero's that may hold some, stand in `names` alone: what happened is also told by e-mail.
"""

from collections.abc import Mapping
from typing import ClassVar, Final

INTERRUPTED_EXIT_CODE: Final = 130
"""A person pressed Ctrl-C."""


class XpmsyncError(Exception):
    """Something that a person is told in three parts: what happened, what it means for the data, what to do."""

    exit_code: ClassVar[int] = 1
    code: ClassVar[str] = "bug"

    def __init__(self, happened: str, remedy: str, *, details: str | None = None, names: str | None = None) -> None:
        super().__init__(happened)
        self.happened = happened
        """With nothing in it of the practice's records beyond counts, as it goes into the e-mail and the log."""
        self.names = names
        """Who it is about, or Xero's own words, for the screen and the error log alone: these stay on this computer."""
        self.remedy = remedy
        self.details = details
        """For the log alone: statuses, correlation ids, the library's own words; never a secret."""
        self.meaning: str | None = None
        """What it means for the data; set by whoever knows how old the data is."""

    @property
    def in_full(self) -> str:
        """What happened, and to whom."""
        return f"{self.happened} {self.names}" if self.names else self.happened


class NotPossible(XpmsyncError):
    """What the administrator asked for cannot be done; nothing was changed."""

    exit_code = 2
    code = "not-possible"


class SignInNeeded(XpmsyncError):
    """The grant is dead or was never there: only ``xpmsync connect`` helps."""

    exit_code = 4
    code = "sign-in-needed"


class KeyringTrouble(XpmsyncError):
    """The keyring is missing, locked, full or silent; what it holds is untouched."""

    exit_code = 4
    code = "keyring-trouble"


class ConfigurationError(XpmsyncError):
    """The settings cannot be used."""

    exit_code = 5
    code = "configuration-wrong"


class PassingTrouble(XpmsyncError):
    """Trouble at Xero or on the way that passes by itself; worth trying again."""

    exit_code = 6
    code = "xero-unreachable"

    def __init__(
        self,
        happened: str,
        remedy: str,
        *,
        details: str | None = None,
        retry_after_seconds: float | None = None,
    ) -> None:
        super().__init__(happened, remedy, details=details)
        self.retry_after_seconds = retry_after_seconds
        """What Xero asked for, where it asked for anything."""


class Refused(XpmsyncError):
    """Xero understood and said no, or its answer cannot be read; trying again in this run changes nothing."""

    exit_code = 7
    code = "xero-refused"


class SuspiciousChange(XpmsyncError):
    """A list or a field has shrunk beyond belief; nothing was written."""

    exit_code = 8
    code = "suspicious-change"

    def __init__(self, happened: str, remedy: str, *, names: str | None = None, counts: Mapping[str, int]) -> None:
        super().__init__(happened, remedy, names=names, details=f"counted: {dict(counts)}")
        self.counts = counts
        """What would be lost, by kind: what a person may accept, and no more."""


class DatabaseTrouble(XpmsyncError):
    """The database cannot be opened, read or written."""

    exit_code = 9
    code = "database-trouble"


class AnotherRun(XpmsyncError):
    """Another run holds the lock."""

    exit_code = 10
    code = "another-run"


def list_codes() -> list[str]:
    """The codes that runs end with, as the error log keeps them."""
    return [XpmsyncError.code, *(kind.code for kind in XpmsyncError.__subclasses__() if kind is not NotPossible)]

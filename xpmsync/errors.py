"""Everything that can end a command, as one small tree whose types say what to do next.

    XpmsyncError
    ├── InvalidRequest           2   what the administrator asked for cannot be done; nothing was changed
    ├── SignInNeeded          4   a person must sign in again
    ├── KeyringError        4   the keyring keeps its secrets to itself; nothing is lost
    ├── ConfigurationError    5   the settings, or who runs them, are wrong
    ├── TransientError        6   Xero or the line to it is in trouble; the next run tries again
    │   └── ConnectionFailed  6   no connection to Xero came about, or it broke: perhaps on this side
    ├── Refused               7   Xero says no, or says something nobody can read
    ├── SuspiciousChange      8   the safety limits stopped the sync; nothing was written
    ├── DatabaseError       9   the database cannot be read or written
    └── AnotherSyncRunning           10   another run is in progress

Raised with facts: what happened, and what to do. What it means for the firm's data is added by the one who knows
how old the data is (``xpmsync.sync.run``). No exception carries a token, a password or a client's data beyond a
name; and names, like words of Xero's that may hold some, stand in `names` alone: what happened is also sent by email.
"""

from collections.abc import Mapping
from typing import ClassVar, Final

INTERRUPTED_EXIT_CODE: Final = 130
"""A person pressed Ctrl-C."""


class XpmsyncError(Exception):
    """Something that a person is told in three parts: what happened, what it means for the data, what to do.

    `story`, `usual_remedy` and `end` tell of a kind of failure where none is meant in particular.
    """

    exit_code: ClassVar[int] = 1
    code: ClassVar[str] = "bug"
    story: ClassVar[str] = "xpmsync met something that its makers had not foreseen, and stopped."
    usual_remedy: ClassVar[str] = "Send the log to the people who make xpmsync; the next run tries again."
    end: ClassVar[str] = "By itself, with the next run that succeeds."
    """How the failed run's entry in the log goes away."""

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

    @property
    def for_log(self) -> str:
        """What happened, with the details, if there are any."""
        return f"{self.happened} ({self.details})" if self.details else self.happened


class InvalidRequest(XpmsyncError):
    """What the administrator asked for cannot be done; nothing was changed."""

    exit_code = 2
    code = "not-possible"


class SignInNeeded(XpmsyncError):
    """The grant is dead or was never there: only ``xpmsync connect`` helps."""

    exit_code = 4
    code = "sign-in-needed"
    story = (
        "Xero does not accept the sign-in any more, or there is none: it was ended at Xero, was not used for "
        "too long, lacks a permission that the sync needs, or was never made. Nobody but a person can let "
        "xpmsync in again."
    )
    usual_remedy = "Run: xpmsync connect"


class KeyringError(XpmsyncError):
    """The keyring is missing, locked, full or silent; what it holds is untouched."""

    exit_code = 4
    code = "keyring-trouble"
    story = (
        "The sign-in is kept in a keyring, and the keyring is missing, locked, full or silent. What it holds "
        "is untouched; signing in again is not needed as long as it opens again."
    )
    usual_remedy = (
        "See which keyring is used, and whether it works: xpmsync keyring. Try it as cron would: xpmsync doctor --cron"
    )


class ConfigurationError(XpmsyncError):
    """The settings cannot be used."""

    exit_code = 5
    code = "configuration-wrong"
    story = (
        "The settings cannot be used, or the command was run by somebody who must not run it. The entry in "
        "the log names what is wrong."
    )
    usual_remedy = (
        "Correct config.toml, or run: xpmsync configure. What each key means: xpmsync configure --explain. Then try "
        "everything: xpmsync doctor"
    )


class TransientError(XpmsyncError):
    """Trouble at Xero or on the way that passes by itself; worth trying again."""

    exit_code = 6
    code = "xero-unreachable"
    story = (
        "Xero was in trouble, or its limit of calls was used up. A run tries again for a while and then leaves it to "
        "the next one."
    )
    usual_remedy = (
        "Nothing needs to be done: the next run tries again. If it lasts, look at https://status.xero.com, "
        "and run: xpmsync doctor"
    )

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


class ConnectionFailed(TransientError):
    """No connection to Xero came about, or it broke: what can be done about it may be on this side."""

    code = "connection-error"
    story = (
        "No connection to Xero came about, or it broke: a name could not be looked up, nobody answered, a firewall or "
        "a proxy was in the way, or a certificate could not be trusted. The entry in the log names host and reason. A "
        "run tries again for a while and then leaves it to the next one."
    )
    usual_remedy = (
        "Check this computer's internet connection, DNS, firewall and proxy first. Then look at "
        "https://status.xero.com, and run: xpmsync doctor"
    )

    def __init__(self, happened: str, check: str, *, details: str | None = None) -> None:
        remedy = f"{check} If all is well here, look at https://status.xero.com. The next run tries again."
        super().__init__(happened, remedy, details=details)
        self.check = check
        """What to check on this side first."""


class PermanentError(XpmsyncError):
    """Xero understood and said no, or its answer cannot be read; trying again in this run changes nothing."""

    exit_code = 7
    code = "xero-refused"
    story = (
        "Xero answered and said no, or said something that nobody can read. The connection may have been "
        "ended, or the person who connected may have lost the permission. Asking again in the same run would "
        "change nothing."
    )
    usual_remedy = (
        "Do what the entry in the log says: xpmsync errors --code xero-refused. Where access is refused, let "
        "somebody who has the permission run: xpmsync connect"
    )


class SuspiciousChange(XpmsyncError):
    """More would be removed or blanked at once than the safety limits allow; nothing was written."""

    exit_code = 8
    code = "suspicious-change"
    story = (
        "The safety limits stopped the sync, and nothing was written: it would have removed or blanked too much at "
        "once. They hold for missing staff, for clients that are archived or deleted, for a field that is suddenly "
        "empty and, in a full sync, for missing clients. A field is empty if XPM sends it empty, or something from "
        "which Active gets no value, such as a job manager who is not in Active. Too many are more than a tenth and at "
        "least ten (of the staff three). If all staff or all clients are missing, the sync stops, however few they "
        "are. The limits are in config.toml, under [guard]. Until a sync has succeeded, it also stops if XPM sends no "
        "ClientCode, AccountManager or Name for at least 20 clients, or no Email for at least 3 staff."
    )
    usual_remedy = (
        "See what it is, and the number N of the sync: xpmsync errors --code suspicious-change. List the affected "
        "records: xpmsync sync --accept N --dry-run. If XPM is correct, run: xpmsync sync --accept N. If not, correct "
        "XPM; the next full sync picks it up."
    )
    end = (
        "When a full sync passes, by itself or because somebody has accepted what stopped it. What stopped an "
        "incremental sync also goes away with the next incremental sync that succeeds."
    )

    def __init__(self, happened: str, remedy: str, *, names: str | None = None, counts: Mapping[str, int]) -> None:
        super().__init__(happened, remedy, names=names, details=f"counted: {dict(counts)}")
        self.counts = counts
        """How much of each kind would be lost."""


class DatabaseError(XpmsyncError):
    """The database cannot be opened, read or written."""

    exit_code = 9
    code = "database-trouble"
    story = (
        "The database cannot be opened, read or written: the disk is full, a right is missing, another "
        "program keeps it locked, or the file is damaged or gone."
    )
    usual_remedy = (
        "See that the disk has room and that no other program keeps the file busy, then run: xpmsync doctor. "
        "Where the file is damaged or gone, restore it from your last backup (xpmsync restore FILE); then run: "
        "xpmsync sync --full"
    )


class AnotherSyncRunning(XpmsyncError):
    """Another run holds the lock."""

    exit_code = 10
    code = "another-run"
    story = (
        "Two runs do not go on at once. One was in progress, so this one ended before it began. It is no "
        "failure, and the log does not keep it."
    )
    usual_remedy = "Nothing needs to be done: the other one ends by itself."


ENDINGS: Final[Mapping[str, type[XpmsyncError]]] = {
    kind.code: kind
    for kind in (
        XpmsyncError,
        SignInNeeded,
        KeyringError,
        ConfigurationError,
        TransientError,
        ConnectionFailed,
        PermanentError,
        SuspiciousChange,
        DatabaseError,
        AnotherSyncRunning,
    )
}
"""How a run can fail, by the codes that the error log keeps."""
MEANWHILE: Final = (
    "The run changed nothing: Active holds the data of the last run that succeeded. The next run tries again."
)
"""What a failed run means for the data, whichever it was."""

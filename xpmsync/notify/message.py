"""The e-mail about a disrupted sync, as a letter: what is the matter, since when, what it means, what to do.

Written for a person who has no other help than somebody at the other end of a phone: plain words, and every command
alone on a line of its own, so that it can be read aloud. Plain text that fits 72 columns. Values in, text out; holds
nothing of the practice's records beyond counts, as long as nothing of them is handed in. A `Message` is the text with
its headers, as it goes over the wire.
"""

import base64
import quopri
import shlex
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import format_datetime, make_msgid
from typing import Final

from xpmsync.errors import DatabaseError
from xpmsync.notify.health import Trouble
from xpmsync.text import split_commands

WIDTH: Final = 72
COMMAND_INDENT: Final = 5
HEADER_WIDTH: Final = 78
"""A longer header line is encoded, which folds it (RFC 5322 allows 998, and asks for 78)."""
ENCODED_BYTES: Final = 42
"""As many as one encoded word holds: its 68 characters fit on a line, also behind “Subject: ” (RFC 2047 allows 75)."""
REMEDY: Final = "{remedy}"
"""Stands for what the error itself says is to be done."""
TRY_AGAIN: Final = "Then see that the sync works again: xpmsync sync"


@dataclass(frozen=True)
class Place:
    """Where commands are typed."""

    computer: str
    user: str
    log: str
    folder: str | None = None
    """What XPMSYNC_HOME has to name; None where the home is the usual one."""


@dataclass(frozen=True)
class Message:
    """One email, with headers that are encoded here.

    Some versions of Python's own email package decode a value such as ``=?utf-8?q?=0D=0A?=`` and write its line break
    into the header (CPython issue 121650).
    """

    sender: str
    recipient: str
    subject: str
    text: str
    sent_at: datetime
    id: str = field(init=False)

    def __post_init__(self) -> None:
        domain = self.sender.rpartition("@")[2]
        object.__setattr__(self, "id", make_msgid("xpmsync", domain if domain.isascii() else "localhost"))

    @property
    def needs_utf8(self) -> bool:
        """Whether an address has letters beyond ASCII: only a server that knows SMTPUTF8 takes those."""
        return not f"{self.sender}{self.recipient}".isascii()

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers that a person reads, not encoded."""
        return {
            "From": self.sender,
            "To": self.recipient,
            "Subject": _to_line(self.subject),
            "Date": format_datetime(self.sent_at.astimezone()),
        }

    def encode(self) -> bytes:
        """The email as it goes over the wire. Raises ValueError for an address that could end a header."""
        for address in (self.sender, self.recipient):
            if not address.isprintable() or " " in address:
                raise ValueError("an address has a space or a control character")
        headers = {
            **self.headers,
            "Subject": _encode_header(self.headers["Subject"]),
            "Message-ID": self.id,
            "Auto-Submitted": "auto-generated",
            "MIME-Version": "1.0",
            "Content-Type": 'text/plain; charset="utf-8"',
            "Content-Transfer-Encoding": "quoted-printable",
        }
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        body = quopri.encodestring(f"{self.text.rstrip()}\n".encode()).replace(b"\n", b"\r\n")
        return f"{head}\r\n".encode() + body

    def render(self) -> str:
        """The email as its reader sees it."""
        return "\n".join(f"{name}: {value}" for name, value in self.headers.items()) + f"\n\n{self.text}"


def _encode_header(value: str) -> str:
    """A header's value as ASCII without line breaks of its own; encoded unless it is short and plain (RFC 2047)."""
    if value.isascii() and value.isprintable() and "=?" not in value and len(value) < HEADER_WIDTH - len("Subject: "):
        return value
    words = [b""]
    for letter in value:
        if len(words[-1]) + len(letter.encode()) > ENCODED_BYTES:
            words.append(b"")
        words[-1] += letter.encode()
    return "\r\n ".join(f"=?utf-8?b?{base64.b64encode(word).decode()}?=" for word in words)


@dataclass(frozen=True)
class _Words:
    """What is said of one kind of trouble."""

    subject: str
    opening: str = "has stopped."
    """What follows on the sync's name."""
    steps: tuple[str, ...] = (REMEDY, TRY_AGAIN)
    impact: str = (
        "The sync goes on trying by itself, every hour; once a run succeeds, it brings all that is missing, and the"
        " e-mails end."
    )


WORDS: Final[Mapping[int | None, _Words]] = {
    1: _Words("the sync stopped because of a fault in xpmsync", steps=(REMEDY,)),
    4: _Words("the sync needs a person for its sign-in", "has stopped and waits for a person."),
    5: _Words("the sync stopped because its settings are wrong", "has stopped: its settings have to be put right."),
    6: _Words(
        "the sync cannot reach Xero",
        "has not got through to Xero for some hours.",
        (REMEDY, "If Xero itself is well, see whether the cause is on this computer: xpmsync doctor"),
    ),
    7: _Words("the sync stopped because Xero refuses it"),
    8: _Words(
        "the safety limits stopped the sync",
        "waits for a person.",
        (REMEDY,),
        "The emails end once a sync succeeds.",
    ),
    9: _Words("the sync stopped because its database cannot be used"),
    None: _Words(
        "the sync has not succeeded for hours",
        "has gone quiet.",
        (
            "The computer is on: this e-mail comes from it. See what keeps the hourly run away: xpmsync doctor --cron",
            "Do what it says; then bring Active up to date at once: xpmsync sync",
        ),
        "The e-mails end once a run succeeds.",
    ),
}
"""By exit code; None is the silence."""


def summarise(exit_code: int | None) -> str:
    """What is wrong with the sync, in a few words."""
    return _find_words(exit_code).subject


def _find_words(exit_code: int | None) -> _Words:
    return WORDS.get(exit_code, WORDS[1])


def render_subject(sync_name: str, trouble: Trouble) -> str:
    """Which sync, and what is wrong with it."""
    return _to_line(f"{sync_name}: {summarise(trouble.exit_code)}")


def render_test_subject(sync_name: str) -> str:
    """Which sync is tried out."""
    return _to_line(f"{sync_name}: a test of the e-mail about the sync")


def render_letter(sync_name: str, trouble: Trouble, place: Place) -> str:
    """The e-mail's text about `trouble`."""
    words = _find_words(trouble.exit_code)
    happened, *mistakes = trouble.happened.splitlines() or [""]
    # A remedy that is a run already needs no other one after it.
    steps = [step for step in words.steps if not (step == TRY_AGAIN and "xpmsync sync" in trouble.remedy)]
    return _join(
        "Hello,",
        _fill(f"The sync “{sync_name}” {words.opening} {happened}"),
        *(_fill(mistake, "  ") for mistake in mistakes),
        _fill(_render_since(trouble)),
        _fill(
            "Here is what to do. Commands are typed in a terminal on the computer"
            f" {place.computer}, by the user {place.user}."
        ),
        *_render_folder(place),
        *_render_steps([step.replace(REMEDY, trouble.remedy) for step in steps]),
        _fill("To see more, at any time:"),
        _render_command("xpmsync status"),
        _fill(f"If somebody helps you: the details are in the log, {place.log}."),
        _fill(f"{words.impact} Until then you get one at most once in 24 hours."),
        "xpmsync",
    )


def render_test_letter(sync_name: str, place: Place) -> str:
    """The text of an e-mail that proves that e-mails arrive."""
    return _join(
        "Hello,",
        _fill(
            f"Somebody has typed “xpmsync notify --test” on the computer {place.computer}, as the user {place.user}, to"
            f" see whether e-mails about the sync “{sync_name}” reach you. This one has."
        ),
        _fill(
            "You need not do anything. If that sync is disrupted one day, you get an e-mail that says what happened and"
            " what to do, at most one in 24 hours."
        ),
        "xpmsync",
    )


def render_moment(moment: datetime) -> str:
    """A time as the clock on the wall shows it, with the name of its zone."""
    return moment.astimezone().strftime("%-d %B %Y, %H:%M %Z")


def _render_since(trouble: Trouble) -> str:
    """Since when, and what that means for the data."""
    failed = f"It first failed on {render_moment(trouble.first_failure_at)}. " if trouble.first_failure_at else ""
    if trouble.last_success_at is None:
        if trouble.exit_code == DatabaseError.exit_code:
            return f"{failed}When a run last succeeded cannot be told without the database."
        return f"{failed}No run has succeeded yet, so Active holds no data from XPM; nothing is lost."
    return (
        f"{failed}Active still holds the data of the last run that succeeded, which ended on"
        f" {render_moment(trouble.last_success_at)}. What has been changed in XPM since then is not in Active yet, but"
        " nothing is lost."
    )


def _render_folder(place: Place) -> Iterator[str]:
    if place.folder:
        yield _fill("This sync lives in a folder of its own; in a new terminal, type this first:")
        yield _render_command(f"export XPMSYNC_HOME={shlex.quote(place.folder)}")


def _render_steps(steps: Sequence[str]) -> Iterator[str]:
    """The steps, with numbers where there are several; commands stand alone."""
    for number, step in enumerate(steps, start=1):
        lead, indent = (f"{number}. ", "   ") if len(steps) > 1 else ("", "")
        for line in step.splitlines():
            for part, is_command in split_commands(line):
                yield _render_command(part) if is_command else _fill(part, indent, lead)
                lead = indent


def _render_command(command: str) -> str:
    # Not as a text: what is quoted in it may have two spaces in a row.
    return " " * COMMAND_INDENT + "".join(character if character.isprintable() else " " for character in command)


def _fill(text: str, indent: str = "", lead: str | None = None) -> str:
    return textwrap.fill(
        _to_line(text),
        WIDTH,
        initial_indent=indent if lead is None else lead,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _to_line(text: str) -> str:
    """`text` on one line, with nothing in it that a mail program or a header would obey."""
    return " ".join("".join(character if character.isprintable() else " " for character in text).split())


def _join(*paragraphs: str) -> str:
    return "\n\n".join(paragraphs) + "\n"

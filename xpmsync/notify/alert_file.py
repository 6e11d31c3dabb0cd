"""The alert file: who was alerted and when, and what an alert needs while the database cannot be read.

One small file of a fixed size, made at set-up and overwritten in place, so that it can be written on a full disk and in
a folder that may not be written. Two slots with checksums take turns: a write that is cut off leaves the other slot.
Every change is made under a lock, takes its time within it, and is on the disk before the lock is released. The file is
in no backup: who was alerted is a fact of this computer, not of the data. Knows neither database nor mail server.
"""

import hashlib
import json
import logging
import os
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar, Final

from xpmsync.errors import XpmsyncError
from xpmsync.notify.health import Failure, Health
from xpmsync.records import User
from xpmsync.system.atomic import sync_folder
from xpmsync.system.lock import acquire
from xpmsync.system.private_files import NotPrivate, archive, move_away, open_private
from xpmsync.system.timestamps import from_text
from xpmsync.text import fold

QUIET_TIME: Final = timedelta(hours=24)
"""An address gets one alert within it."""
RESERVATION_TIME: Final = timedelta(minutes=10)
"""After it a reservation counts no more of which no text has gone out: its process has died, as sending takes two."""
CLOCK_TOLERANCE: Final = timedelta(hours=1)
"""How far ahead of the clock a time may be that counts: clocks are set back."""
LOCK_SECONDS: Final = 3.0

SLOT_BYTES: Final = 16_384
FILE_BYTES: Final = 2 * SLOT_BYTES
DIGEST_LENGTH: Final = 64
MOST_ADDRESSES: Final = 50
"""Those that were alerted last are remembered."""
LONGEST_TEXT_BYTES: Final = 1_000

log = logging.getLogger(__name__)


class AlertFileError(XpmsyncError):
    """The alert file cannot be written, so no alert may be sent: it could be sent again and again."""

    exit_code: ClassVar[int] = 9
    code: ClassVar[str] = "alert-file-not-written"

    def __init__(self, happened: str, remedy: str, *, details: str, command: str | None = None) -> None:
        super().__init__(happened, remedy, details=details)
        self.command = command
        """What moves away what is in the file's place, if something is."""


class ReservationLost(Exception):
    """Another process has alerted the address meanwhile."""


@dataclass(frozen=True)
class AddressRecord:
    """What is known of the alerts to one address."""

    reserved_at: datetime | None = None
    """An alert is being sent, and its text has not gone out yet."""
    token: str | None = None
    """Whose reservation it is, or was."""
    sent_at: datetime | None = None
    """The text of the last alert began to go out; taken back where the mail server has refused it."""
    failed_at: datetime | None = None
    """The last alert could not be sent."""

    def blocks(self, now: datetime) -> bool:
        """Whether the address gets no alert now."""
        return _is_within(self.reserved_at, now, RESERVATION_TIME) or _is_within(self.sent_at, now, QUIET_TIME)


def _is_within(moment: datetime | None, now: datetime, length: timedelta) -> bool:
    return moment is not None and now - length < moment <= now + CLOCK_TOLERANCE


@dataclass(frozen=True)
class Recipient:
    """The user who gets the alerts: chosen by an email address in config.toml, and followed by ID from then on."""

    chosen: str
    """`notify.email` when the user was looked up: another value there is another choice."""
    user_id: str | None
    """None where Active has no such user, or had no users yet."""
    address: str
    """The user's present email address."""
    is_active: bool
    """Whether the user is an active one: nobody else is mailed."""


@dataclass(frozen=True)
class AlertRecord:
    """What the alert file holds."""

    first_sync_at: datetime | None = None
    last_success_at: datetime | None = None
    last_failure: Failure | None = None
    """Of the syncs that nobody watched since the last success."""
    first_failure_at: datetime | None = None
    recipient: Recipient | None = None
    addresses: Mapping[str, AddressRecord] = field(default_factory=dict)
    """By `make_address_key`."""

    def find(self, address: str) -> AddressRecord:
        """What is known of the alerts to an address."""
        return self.addresses.get(make_address_key(address), AddressRecord())

    def put(self, address: str, entry: AddressRecord) -> "AlertRecord":
        """The same with another entry for an address."""
        key = make_address_key(address)
        others = [item for item in self.addresses.items() if item[0] != key]
        others.sort(key=lambda item: _find_latest(item[1]), reverse=True)
        return replace(self, addresses=dict([(key, entry), *others[: MOST_ADDRESSES - 1]]))


def _find_latest(entry: AddressRecord) -> float:
    moments = (entry.reserved_at, entry.sent_at, entry.failed_at)
    return max((moment.timestamp() for moment in moments if moment), default=0.0)


def make_address_key(address: str) -> str:
    """A short text that stands for an address, whatever its case: an entry's size does not depend on it."""
    return hashlib.blake2b(fold(address).encode(), digest_size=16).hexdigest()


@dataclass(frozen=True)
class Reservation:
    """The right to send an alert to an address."""

    address: str
    token: str
    before: AddressRecord


class AlertFile:
    """The alert file of a home. What changes it raises AlertFileError where it cannot be written."""

    def __init__(self, path: Path, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._path = path
        self._now = now

    def load(self) -> AlertRecord:
        """What the file holds: nothing where it is missing or cannot be read."""
        try:
            with _opened(self._path, os.O_RDONLY) as descriptor:
                return _read(descriptor)[1]
        except FileNotFoundError:
            return AlertRecord()
        except OSError as error:
            log.warning("the alert file cannot be read: %s", error)
            return AlertRecord()

    def find_recipient(self, chosen: str | None, users: Sequence[User]) -> Recipient | None:
        """The user who gets the alerts, as Active's users are now (see `find_recipient`)."""
        return find_recipient(chosen, self.load().recipient, users)

    def diagnose(self) -> AlertFileError | None:
        """Why a file that is there cannot be written, if so; writes nothing."""
        try:
            with _opened(self._path, os.O_RDWR):
                return None
        except FileNotFoundError:
            return None
        except OSError as error:
            return _explain(self._path, error)

    def put_right(self) -> Path | None:
        """Rename what is in the file's place, such as a link or a folder, and make a new file.

        Gives the new path of what was there, unless what it held could be kept, as that of a hard link. Only for a
        process that keeps others from doing the same. Where it is not possible, the next change of the file says why.
        """
        trouble = self.diagnose()
        if trouble is None or trouble.command is None:
            return None
        record = self.load()
        try:
            aside = archive(self._path)
            self._change(lambda new, _now: record if new == AlertRecord() else new)
        except (OSError, AlertFileError) as error:
            log.warning("the alert file cannot be made anew: %s", error)
            return None
        return aside if record == AlertRecord() else None

    def create(self) -> None:
        """Make the file at its full size where it is missing or too short."""
        self._change(lambda record, _now: record)

    def save_recipient(self, recipient: Recipient | None) -> None:
        """Keep who gets the alerts."""
        self._change(lambda record, _now: replace(record, recipient=recipient))

    def record_success(self, at: datetime, recipient: Recipient | None) -> None:
        """A sync has succeeded: what failed before it is over. Who was alerted stays."""
        at = at.replace(microsecond=0)  # as in the database: they are compared
        self._change(
            lambda record, _now: replace(
                record,
                first_sync_at=record.first_sync_at or at,
                last_success_at=at,
                last_failure=None,
                first_failure_at=None,
                recipient=recipient,
            )
        )

    def record_failure(self, failure: Failure) -> None:
        """A sync that nobody watched has failed."""
        at = failure.failed_at.replace(microsecond=0)
        short = replace(
            failure, failed_at=at, happened=_shorten(failure.happened), remedy=_shorten(failure.remedy or "") or None
        )
        self._change(
            lambda record, _now: replace(
                record,
                first_sync_at=record.first_sync_at or at,
                last_failure=short,
                first_failure_at=record.first_failure_at or at,
            )
        )

    def reserve(self, address: str) -> Reservation | None:
        """Reserve the one alert of these 24 hours to an address; None where it is sent, or another process sends it."""
        token = uuid.uuid4().hex[:16]
        reservation = None

        def change(record: AlertRecord, now: datetime) -> AlertRecord:
            nonlocal reservation
            entry = record.find(address)
            if entry.blocks(now):
                return record
            reservation = Reservation(address, token, entry)
            return record.put(address, replace(entry, reserved_at=now, token=token))

        self._change(change)
        return reservation

    def confirm(self, reservation: Reservation) -> None:
        """The text is about to go out: from now on the alert counts as sent, whatever happens to this process.

        Raises ReservationLost where the reservation is another process's by now, or was released.
        """

        def change(record: AlertRecord, now: datetime) -> AlertRecord:
            entry = record.find(reservation.address)
            if entry.token != reservation.token or entry.reserved_at is None:
                raise ReservationLost
            return record.put(reservation.address, AddressRecord(token=entry.token, sent_at=now))

        self._change(change)

    def release(self, reservation: Reservation, *, is_refused: bool) -> None:
        """The alert was not sent: the next attempt may send it.

        One whose text has gone out is given back only where the mail server certainly has not taken it (`is_refused`).
        """

        def change(record: AlertRecord, now: datetime) -> AlertRecord:
            entry = record.find(reservation.address)
            if entry.token != reservation.token or (entry.reserved_at is None and not is_refused):
                return record
            return record.put(reservation.address, AddressRecord(sent_at=reservation.before.sent_at, failed_at=now))

        self._change(change)

    def claim(self, address: str) -> bool:
        """Reserve and confirm at once, for what needs no sending; False where it was claimed within 24 hours."""
        is_claimed = False

        def change(record: AlertRecord, now: datetime) -> AlertRecord:
            nonlocal is_claimed
            is_claimed = not record.find(address).blocks(now)
            return record.put(address, AddressRecord(sent_at=now)) if is_claimed else record

        self._change(change)
        return is_claimed

    def forget_failed(self, address: str) -> None:
        """Another email has reached the address: that an alert could not be sent is over."""
        self._change(lambda record, _now: record.put(address, replace(record.find(address), failed_at=None)))

    def _change(self, change: Callable[[AlertRecord, datetime], AlertRecord]) -> None:
        try:
            with _opened(self._path, os.O_RDWR | os.O_CREAT) as descriptor:
                if not acquire(descriptor, LOCK_SECONDS):
                    raise TimeoutError(None, "another xpmsync does not let go of it")
                _allocate(descriptor, self._path.parent)
                number, record = _read(descriptor)
                changed = change(record, self._now())
                if changed != record or number == 0:
                    _write(descriptor, number + 1, changed)
        except OSError as error:
            raise _explain(self._path, error) from error


def _explain(path: Path, error: OSError) -> AlertFileError:
    command = move_away(path) if isinstance(error, NotPrivate) else None
    return AlertFileError(
        f"The alert file {path} cannot be written: {error.strerror}.",
        f"Look at what it is, and who put it there; then move it away: {command}"
        if command
        else "Give its owner the right to write to it, on a disk that has room and is not read-only.",
        details=f"{type(error).__name__}: {error}",
        command=command,
    )


# The bytes of the file: two slots, each a checksum, a space, a JSON object and spaces up to the slot's end.


@contextmanager
def _opened(path: Path, flags: int) -> Iterator[int]:
    """The file's descriptor. A link is not followed: it may lead to a file that is not ours."""
    descriptor = open_private(path, flags)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _allocate(descriptor: int, folder: Path) -> None:
    """Give the file its full size in real bytes: a hole would need room on the disk later."""
    size = os.fstat(descriptor).st_size
    if size < FILE_BYTES:
        _write_at(descriptor, size, b" " * (FILE_BYTES - size))
        with suppress(OSError):
            sync_folder(folder)


def _read(descriptor: int) -> tuple[int, AlertRecord]:
    """The number of the last write that is whole, and its record; 0 and an empty one where there is none."""
    content = os.pread(descriptor, FILE_BYTES, 0)
    slots = [_decode(content[start : start + SLOT_BYTES]) for start in (0, SLOT_BYTES)]
    return max((slot for slot in slots if slot), key=lambda slot: slot[0], default=(0, AlertRecord()))


def _write(descriptor: int, number: int, record: AlertRecord) -> None:
    text = json.dumps({"number": number, **_to_json(record)}, ensure_ascii=False, separators=(",", ":")).encode()
    slot = f"{hashlib.sha256(text).hexdigest()} ".encode() + text
    if len(slot) >= SLOT_BYTES:  # not by what is kept today: every part of it is bounded
        raise OSError(None, "there is too much to remember")
    _write_at(descriptor, number % 2 * SLOT_BYTES, slot.ljust(SLOT_BYTES - 1) + b"\n")


def _write_at(descriptor: int, position: int, content: bytes) -> None:
    while content:
        written = os.pwrite(descriptor, content, position)
        position, content = position + written, content[written:]
    os.fsync(descriptor)


def _decode(slot: bytes) -> tuple[int, AlertRecord] | None:
    """The number and the record in a slot; None where it was cut off while it was written, or never was."""
    text = slot[DIGEST_LENGTH + 1 :].rstrip()
    if hashlib.sha256(text).hexdigest().encode() != slot[:DIGEST_LENGTH]:
        return None
    try:
        values = json.loads(text)
        return values["number"], _from_json(values)
    except (ValueError, TypeError, KeyError, AttributeError):
        log.warning("the alert file holds what this version of xpmsync cannot read")
        return None


def _to_json(record: AlertRecord) -> dict[str, Any]:
    failure, recipient = record.last_failure, record.recipient
    return _pack(
        first_sync_at=record.first_sync_at,
        last_success_at=record.last_success_at,
        last_failure=_pack(**vars(failure)) if failure else None,
        first_failure_at=record.first_failure_at,
        recipient=_pack(**vars(recipient)) if recipient else None,
        addresses={key: _pack(**vars(entry)) for key, entry in record.addresses.items()},
    )


def _from_json(values: Mapping[str, Any]) -> AlertRecord:
    failure, recipient = values.get("last_failure"), values.get("recipient")
    return AlertRecord(
        first_sync_at=_to_moment(values.get("first_sync_at")),
        last_success_at=_to_moment(values.get("last_success_at")),
        last_failure=Failure(
            exit_code=failure["exit_code"],
            failed_at=from_text(failure["failed_at"]),
            happened=failure["happened"],
            remedy=failure.get("remedy"),
            run_id=failure.get("run_id"),
        )
        if failure
        else None,
        first_failure_at=_to_moment(values.get("first_failure_at")),
        recipient=Recipient(
            recipient["chosen"], recipient.get("user_id"), recipient["address"], is_active=recipient["is_active"]
        )
        if recipient
        else None,
        addresses={
            key: AddressRecord(
                reserved_at=_to_moment(entry.get("reserved_at")),
                token=entry.get("token"),
                sent_at=_to_moment(entry.get("sent_at")),
                failed_at=_to_moment(entry.get("failed_at")),
            )
            for key, entry in values["addresses"].items()
        },
    )


def _pack(**values: Any) -> dict[str, Any]:
    """`values` as JSON can hold them, without those that are not set."""
    return {
        name: value.isoformat() if isinstance(value, datetime) else value
        for name, value in values.items()
        if value is not None
    }


def _to_moment(text: str | None) -> datetime | None:
    return from_text(text) if text else None


def _shorten(text: str) -> str:
    """As much of a text as there is room for, without what JSON writes in six characters."""
    plain = "".join(letter if letter.isprintable() or letter == "\n" else " " for letter in text)
    return plain.encode()[:LONGEST_TEXT_BYTES].decode(errors="ignore")


# What the file is asked for.


def find_recipient(chosen: str | None, known: Recipient | None, users: Sequence[User]) -> Recipient | None:
    """The user whom `chosen` (`notify.email`) means; None where nobody is chosen.

    `known` is what the alert file says, `users` are Active's: none where the database cannot be read. A user who was
    looked up before is followed by ID, unless another address was chosen since.
    """
    if chosen is None:
        return None
    if known is None or fold(known.chosen) != fold(chosen):
        known = None
    if not users:  # the address cannot be looked up
        return known or Recipient(chosen, None, chosen, is_active=True)
    by_address = {fold(user.email): user for user in users}
    user = None
    if known:  # a user who was merged into another may have left the address to that one
        by_id = {user.id: user for user in users}
        user = by_id.get(known.user_id or "") or by_address.get(fold(known.address))
    user = user or by_address.get(fold(chosen))
    if user is None:
        return Recipient(chosen, None, chosen, is_active=False)
    return Recipient(chosen, user.id, user.email, is_active=user.status == "active")


def list_addresses(recipient: Recipient | None, cc: Sequence[str]) -> list[str]:
    """Who gets an email: the recipient, if active, and the `cc` addresses. Nobody else is mailed in their place."""
    first = [recipient.address] if recipient and recipient.is_active else []
    return first + [address for address in cc if fold(address) not in map(fold, first)]


def say_who_is_left(cc: Sequence[str]) -> str:
    """Who gets alerts where the recipient gets none, within a sentence."""
    return "only the cc addresses get alerts" if cc else "nobody gets alerts"


def explain_recipient(recipient: Recipient | None, cc: Sequence[str]) -> str:
    """Why the recipient gets no alerts; names nobody."""
    why = "the alert recipient is not an active user of Active" if recipient else "no alert recipient is chosen"
    return f"{say_who_is_left(cc).capitalize()}: {why}."


def combine(record: AlertRecord, stored: Health | None, now: datetime) -> Health:
    """How the syncs went: what the alert file says, and what the database says, where it could be read (`stored`).

    The database lacks a failure that could not be written to it; the file lacks what was written while it could not be.
    """
    kept = Health(record.first_sync_at, record.last_success_at, record.last_failure, record.first_failure_at)
    if stored is None:
        return kept
    successes = [moment for moment in (stored.last_success_at, kept.last_success_at) if moment and moment <= now]
    failures = [failure for failure in (kept.last_failure, stored.last_failure) if failure]
    return Health(
        first_run_at=stored.first_run_at or kept.first_run_at,
        last_success_at=max(successes, default=None),
        last_failure=max(failures, key=lambda failure: failure.failed_at, default=None),
        first_failure_at=stored.first_failure_at or kept.first_failure_at,
    )

"""Whose turn it is with the database: one run, one administrator, one backup at a time, by the locks of the home."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from xpmsync.active.database import explain_machine
from xpmsync.errors import AnotherSyncRunning
from xpmsync.system.lock import CannotLock, hold


@contextmanager
def turn(lock: Path, refusal: AnotherSyncRunning, *, wait_seconds: float = 0.0) -> Iterator[None]:
    """Keep all others away for the length of a ``with`` block.

    Raises `refusal` where another keeps us away for longer than `wait_seconds`, DatabaseError where nobody can tell.
    """
    try:
        with hold(lock, wait_seconds=wait_seconds) as is_held:
            if not is_held:
                raise refusal
            yield
    except CannotLock as error:
        raise explain_machine(lock.parent, error) from error

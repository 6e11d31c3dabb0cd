"""Locks between processes: held by the kernel, so that a process that dies lets go of what it held.

Knows files and waiting; knows nothing of what is guarded.
"""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from xpmsync.system.private_files import open_private

WAIT_STEP_SECONDS = 0.05


class CannotLock(OSError):
    """The lock's file can be neither opened nor made."""


@contextmanager
def hold(path: Path, *, wait_seconds: float = 0.0) -> Iterator[bool]:
    """Hold the lock on `path` for the length of a ``with`` block; yields whether it was had within `wait_seconds`.

    The file stays (removing a locked file would let two holders in) and is made with mode 0600. The lock belongs to
    the open file: two calls within one process exclude each other as well. Raises CannotLock.
    """
    try:
        descriptor = open_private(path, os.O_RDWR | os.O_CREAT)
    except OSError as error:
        raise CannotLock(error.errno, error.strerror, str(path)) from error
    try:
        yield acquire(descriptor, wait_seconds)
    finally:
        os.close(descriptor)


def acquire(descriptor: int, wait_seconds: float) -> bool:
    """Lock an open file until it is closed; False where another holds it for longer than `wait_seconds`."""
    deadline = time.monotonic() + wait_seconds
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return False
            time.sleep(WAIT_STEP_SECONDS)
        else:
            return True

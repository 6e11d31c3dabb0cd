"""Files that are replaced whole: who reads one, also after a crash, finds all that was there before or all that is new.

Knows nothing of what the files hold. Two at once for one file are the caller's to prevent.
"""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO


@contextmanager
def replaced(target: Path) -> Iterator[BinaryIO]:
    """A new file, its owner's alone, which takes the place of `target` after the ``with`` block and is on the disk."""
    draft = find_draft(target)
    draft.unlink(missing_ok=True)
    # A new file whatever happens: one that somebody else has put there would be open to them.
    descriptor = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(descriptor)
        draft.replace(target)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    sync_folder(target.parent)


def find_draft(target: Path) -> Path:
    """Where the new file is made: always the same place, so that what a killed process has left is found."""
    return target.with_name(f".{target.name}.draft")


def take_over_mode(target: Path, file: BinaryIO, mode: int | None = None) -> None:
    """Give a new file the group of the one it replaces, and its mode where no other is told."""
    with suppress(FileNotFoundError):
        earlier = target.stat()
        with suppress(PermissionError):
            os.fchown(file.fileno(), -1, earlier.st_gid)
        mode = stat.S_IMODE(earlier.st_mode) if mode is None else mode
    if mode is not None:
        os.fchmod(file.fileno(), mode)


def sync_folder(folder: Path) -> None:
    """See that the names of the files in `folder` are on the disk, if its file system can be asked for that."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
    finally:
        os.close(descriptor)

"""Files and folders for their owner alone: made with modes 0600 and 0700, and opened only where nobody planted them.

A folder that others could write to may hold links that lead a file of ours elsewhere. Knows modes, owners and links;
knows nothing of what the files hold.
"""

import errno
import os
import stat
from pathlib import Path
from typing import Final

FILE_MODE: Final = 0o600
FOLDER_MODE: Final = 0o700
OPEN_TO_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


class NotPrivate(OSError):
    """A file is a link, another user's, or no plain file: somebody else may have planted it."""

    def __init__(self, path: str | Path) -> None:
        super().__init__(errno.ELOOP, "it is a link, or another user's, or no plain file", str(path))


def open_private(path: str | Path, flags: int) -> int:
    """Open a file and return its descriptor; what is made has mode 0600. Serves as the `opener` of ``open``.

    Never follows a link and never waits (as a pipe would have it). Raises NotPrivate, or OSError as ``os.open`` does. A
    file to write to must have no other name (a hard link), so no `flags` may truncate it here.
    """
    try:
        descriptor = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, FILE_MODE)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise NotPrivate(path) from error
        raise
    is_written = bool(flags & (os.O_WRONLY | os.O_RDWR))
    if not (flags & os.O_EXCL or _is_private(os.fstat(descriptor), is_written=is_written)):
        os.close(descriptor)
        raise NotPrivate(path)
    return descriptor


def _is_private(status: os.stat_result, *, is_written: bool) -> bool:
    return stat.S_ISREG(status.st_mode) and status.st_uid == os.geteuid() and not (is_written and status.st_nlink > 1)


def check_link(path: Path) -> None:
    """Raise NotPrivate where a file that may be a link is one that another user has made (other than root)."""
    if path.is_symlink() and path.lstat().st_uid not in (0, os.geteuid()):
        raise NotPrivate(path)


def is_closed(folder: Path) -> bool:
    """Whether the folder is this user's, and no other user may look into it."""
    status = folder.stat()
    return status.st_uid == os.geteuid() and not status.st_mode & OPEN_TO_OTHERS

"""Files and folders for their owner alone: made with modes 0600 and 0700, and opened only where nobody planted them.

A folder that others could write to may hold links that lead a file of ours elsewhere. Knows modes, owners and links;
knows nothing of what the files hold.
"""

import errno
import os
import shlex
import stat
from contextlib import suppress
from pathlib import Path
from typing import Final

FILE_MODE: Final = 0o600
FOLDER_MODE: Final = 0o700
PLANTED: Final = ".planted"
"""The ending that what was in the way of a file of ours is given."""
OPEN_TO_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


class NotPrivate(OSError):
    """A file is a link, another user's, or no plain file: somebody else may have planted it."""

    def __init__(self, path: str | Path) -> None:
        reason = "it is a link, or another user's, or no plain file"
        with suppress(OSError):  # gone by now
            reason = _find_reason(os.lstat(path)) or reason
        super().__init__(errno.ELOOP, reason, str(path))


def _find_reason(status: os.stat_result) -> str | None:
    """Why a file is not private, whatever it is to be opened for; None where it is."""
    if stat.S_ISLNK(status.st_mode):
        is_foreign = status.st_uid not in (0, os.geteuid())
        return "it is a link that another user has made" if is_foreign else "it is a link"
    if stat.S_ISDIR(status.st_mode):
        return "it is a folder"
    if not stat.S_ISREG(status.st_mode):
        return "it is not a plain file"
    if status.st_uid != os.geteuid():
        return "it belongs to another user"
    return "it has another name too (a hard link)" if status.st_nlink > 1 else None


def open_private(path: str | Path, flags: int) -> int:
    """Open a file and return its descriptor; what is made has mode 0600. Serves as the `opener` of ``open``.

    Never follows a link and never waits (as a pipe would have it). Raises NotPrivate, or OSError as ``os.open`` does. A
    file to write to must have no other name (a hard link), so no `flags` may truncate it here.
    """
    try:
        descriptor = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, FILE_MODE)
    except OSError as error:
        if not flags & os.O_EXCL and _is_in_the_way(path):
            raise NotPrivate(path) from error
        raise
    is_written = bool(flags & (os.O_WRONLY | os.O_RDWR))
    if not (flags & os.O_EXCL or _is_private(os.fstat(descriptor), is_written=is_written)):
        os.close(descriptor)
        raise NotPrivate(path)
    return descriptor


def _is_in_the_way(path: str | Path) -> bool:
    """Whether something that is not this user's plain file has the path."""
    try:
        status = os.lstat(path)
    except OSError:
        return False
    return not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid()


def open_or_set_aside(path: str | Path, flags: int) -> int:
    """As `open_private`, but what is in the way is renamed first. For files whose content nobody waits for."""
    try:
        return open_private(path, flags)
    except NotPrivate:
        archive(Path(path))
        return open_private(path, flags)


def archive(path: Path) -> Path:
    """Rename what is in the way of a file of ours; gives its new path."""
    return path.rename(_find_aside(path))


def move_away(path: str | Path) -> str:
    """The command that does what `archive` does."""
    return f"mv {shlex.quote(str(path))} {shlex.quote(str(_find_aside(Path(path))))}"


def _find_aside(path: Path) -> Path:
    return path.with_name(f"{path.name}{PLANTED}")


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

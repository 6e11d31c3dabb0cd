"""Files that are replaced whole: who reads one, also after a crash, finds all that was there before or all that is new.

Knows nothing of what the files hold. Two at once for one file are the caller's to prevent.
"""

import errno
import grp
import os
import pwd
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from xpmsync.system.private_files import open_private


@contextmanager
def replaced(target: Path) -> Iterator[BinaryIO]:
    """A new file, its owner's alone, which takes the place of `target` after the ``with`` block and is on the disk."""
    draft = find_draft(target)
    draft.unlink(missing_ok=True)
    # A new file whatever happens: one that somebody else has put there would be open to them.
    new = open(draft, "xb", opener=open_private)  # noqa: SIM115 - where this fails, the draft is not ours to remove
    try:
        with new as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        draft.replace(target)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    sync_folder(target.parent)


def find_draft(target: Path) -> Path:
    """Where the new file is made: always the same place, so that what a killed process has left is found."""
    return target.with_name(f".{target.name}.draft")


class CannotKeepGroup(OSError):
    """The file is open to a group that whoever runs this is not in."""

    def __init__(self, group: str, user: str) -> None:
        super().__init__(errno.EPERM, f"it is for the group {group}, which the user {user} is not in")
        self.remedy = f"Have the user put into the group: sudo usermod -aG {group} {user}; then log in anew."


def take_over_mode(target: Path, file: BinaryIO, mode: int | None = None) -> None:
    """Give a new file the group of the one it replaces, and its mode where no other is told.

    Raises CannotKeepGroup rather than shut out that group, and let another one in.
    """
    earlier = target.stat() if target.exists() else None
    if mode is None and earlier:
        mode = stat.S_IMODE(earlier.st_mode)
    if earlier:
        try:
            os.fchown(file.fileno(), -1, earlier.st_gid)
        except PermissionError:
            if mode and mode & stat.S_IRWXG:
                raise CannotKeepGroup(_name_group(earlier.st_gid), _name_user(os.geteuid())) from None
    if mode is not None:
        os.fchmod(file.fileno(), mode)


def _name_group(group_id: int) -> str:
    try:
        return grp.getgrgid(group_id).gr_name
    except KeyError:
        return str(group_id)


def _name_user(user_id: int) -> str:
    try:
        return pwd.getpwuid(user_id).pw_name
    except KeyError:
        return str(user_id)


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

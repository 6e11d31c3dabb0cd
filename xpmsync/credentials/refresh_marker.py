"""The mark on the disk that says a renewal of the sign-in may be under way.

It is there from before the intent is stored in the keyring until the intent has left it. So where there is no mark
nothing is half done, and `xpmsync notify`, every ten minutes, need not open a keyring to know. Holds no secret; knows
nothing of what is renewed.
"""

import errno
import os
from contextlib import suppress
from pathlib import Path

from xpmsync.errors import KeyringError
from xpmsync.system.atomic import sync_folder
from xpmsync.system.private_files import move_away, open_private


def find_mark(lock: Path) -> Path:
    """The mark beside the sign-in's lock."""
    return lock.with_suffix(".pending")


def set_mark(mark: Path) -> None:
    """Make the mark; it is on the disk before this returns, and nothing has been renewed yet where it cannot be."""
    try:
        os.close(open_private(mark, os.O_WRONLY | os.O_CREAT))
        sync_folder(mark.parent)
    except OSError as error:
        raise explain_folder(mark.parent, error) from error


def clear_mark(mark: Path) -> None:
    """Nothing is half done any more. A mark that cannot be removed costs `xpmsync notify` a look into the keyring."""
    with suppress(OSError):
        mark.unlink(missing_ok=True)


def explain_folder(folder: Path, error: OSError) -> KeyringError:
    """That nothing can be renewed, as its lock or its mark cannot be made."""
    remedy = "Make room on the disk, or give the folder back to the user who runs xpmsync."
    if error.errno == errno.ELOOP and error.filename:
        remedy = f"Look at what it is, and who put it there; then move it away: {move_away(error.filename)}"
    return KeyringError(
        f"{error.filename or folder} cannot be used: {error.strerror}. The sign-in is left as it is.", remedy
    )

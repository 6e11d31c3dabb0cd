"""Where a sync lives: its configuration, its database, its locks, its log.

``XPMSYNC_HOME`` puts everything into one folder; without it the platform's configuration and data folders are used.
One home is one sync of one practice. Knows paths and owners; opens nothing but the home's own id.
"""

import errno
import os
import shlex
import uuid
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from xpmsync.errors import ConfigurationError
from xpmsync.system.private_files import FOLDER_MODE, is_closed, open_private

HOME_VARIABLE = "XPMSYNC_HOME"
BROWSER_VARIABLES = ("BROWSER", "DISPLAY", "WAYLAND_DISPLAY")


@dataclass(frozen=True)
class Home:
    """The folders of one sync."""

    config_folder: Path
    data_folder: Path

    @property
    def config_file(self) -> Path:
        """``config.toml``, the administrator's."""
        return self.config_folder / "config.toml"

    @property
    def database_file(self) -> Path:
        """``active.db``, the product's output."""
        return self.data_folder / "active.db"

    @property
    def alert_file(self) -> Path:
        """Who was alerted, and when."""
        return self.data_folder / "alerts.dat"

    @property
    def spool_file(self) -> Path:
        """Where a run collects Xero's answers; gone at its end."""
        return self.data_folder / "spool.db"

    @property
    def log_file(self) -> Path:
        """The details of what happened, for the person who helps."""
        return self.data_folder / "xpmsync.log"

    @property
    def report_file(self) -> Path:
        """Where the page about the sync is written unless told otherwise."""
        return self.data_folder / "report.html"

    @property
    def run_lock(self) -> Path:
        """Held for the length of a run."""
        return self.data_folder / "run.lock"

    @property
    def backup_lock(self) -> Path:
        """Held while a copy of the database is made."""
        return self.data_folder / "backup.lock"

    @property
    def sign_in_lock(self) -> Path:
        """Held around reading, refreshing and writing the sign-in."""
        return self.data_folder / "sign-in.lock"

    @property
    def own_keyring_folder(self) -> Path:
        """The store of a keyring of xpmsync's own; there on a server that has been set up with one."""
        return self.data_folder / "keyring"

    @property
    def settings_lock(self) -> Path:
        """Held while ``config.toml`` is changed."""
        return self.data_folder / "settings.lock"

    @property
    def home_id_file(self) -> Path:
        """Holds the id under which this home's secrets lie in the keyring."""
        return self.data_folder / "home-id"


def find_home(environment: Mapping[str, str]) -> Home:
    """The home that `environment` names, else the platform's own folders.

    Raises ConfigurationError where it is in the folder of a user that this computer does not know.
    """
    folder = environment.get(HOME_VARIABLE)
    try:
        if folder:
            path = Path(folder).expanduser().absolute()
            return Home(path, path)
        import platformdirs  # noqa: PLC0415 - slow to load, and of no use where a folder is named

        folders = platformdirs.PlatformDirs("xpmsync", appauthor=False)
        return Home(folders.user_config_path, folders.user_data_path)
    except RuntimeError as error:
        raise ConfigurationError(
            f"The data folder cannot be found: “{folder or '~'}” belongs to a user that this computer does not know.",
            f"Write its whole path: export {HOME_VARIABLE}=/FOLDER",
        ) from error


def connect_command(environment: Mapping[str, str] = os.environ) -> str:
    """The command that signs in at Xero here, as advice names it: without a browser where none can open.

    That is on a server, which a keyring of xpmsync's own tells, and over SSH. What cron starts has no display anywhere.
    """
    is_remote = "SSH_CONNECTION" in environment and not any(environment.get(name) for name in BROWSER_VARIABLES)
    is_server = os.path.isdir(find_home(environment).own_keyring_folder)  # noqa: PTH112 - Path.is_dir may raise
    return "xpmsync connect --no-browser" if is_remote or is_server else "xpmsync connect"


def prepare_home(home: Home) -> None:
    """Make the home's folders where they are missing, and close them to others where they are open.

    Raises ConfigurationError where a folder can be neither made nor closed, or belongs to somebody else: a run under
    ``sudo`` would leave files behind that cron cannot open.
    """
    for folder in (home.config_folder, home.data_folder):
        try:
            folder.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
            owner = folder.stat().st_uid
        except OSError as error:
            raise ConfigurationError(
                f"The folder {folder} cannot be used: {error.strerror}.",
                "Make the folder, or set XPMSYNC_HOME to one that you can write to.",
            ) from error
        if owner != os.geteuid():
            raise ConfigurationError(
                f"The folder {folder} belongs to another user (number {owner}).",
                "Run xpmsync as that user, without sudo: otherwise it would leave files that cron cannot open.",
            )
        if not is_closed(folder):
            _close(home, folder)


def _close(home: Home, folder: Path) -> None:
    """Close a folder to others, unless it may be in use for something else, as /tmp is."""
    own = {home.config_file.name, home.database_file.name, home.home_id_file.name}
    reason = "it holds files of other programs"
    try:
        present = {path.name for path in folder.iterdir()}
        if not present or present & own:
            folder.chmod(FOLDER_MODE)
            reason = "its file system keeps no modes"
    except OSError as error:
        reason = error.strerror or ""
    if not is_closed(folder):
        raise ConfigurationError(
            f"The folder {folder} is open to other users, and was not closed: {reason}.",
            f"If it is for xpmsync alone, run: chmod 700 {shlex.quote(str(folder))}. If not, name another folder: "
            f"export {HOME_VARIABLE}=FOLDER",
        )


def load_home_id(home: Home) -> str:
    """The id of this home, made once: the name under which its secrets lie in the keyring.

    Raises ConfigurationError where its file can be neither made nor read.
    """
    try:
        if not home.home_id_file.exists():
            _make_home_id(home)
        with open(home.home_id_file, encoding="ascii", opener=open_private) as file:
            home_id = file.read().strip()
    except (OSError, UnicodeDecodeError) as error:
        if isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOMEM):
            raise  # this computer has too much to do; the file is well
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise ConfigurationError(
            f"{home.home_id_file} cannot be used: {reason}.",
            f"Put it back from a backup of the data folder. If there is none, remove it, and run: {connect_command()}",
        ) from error
    # Once there is an id no draft of one is needed: neither one that a killed process left, nor another process's own.
    for draft in home.data_folder.glob("home-id.*"):
        draft.unlink(missing_ok=True)
    return home_id


def _make_home_id(home: Home) -> None:
    # Written beside and linked into place: a second process, or a crash, can neither tear nor replace it.
    draft = home.home_id_file.with_name(f"home-id.{uuid.uuid4()}")
    with open(draft, "x", encoding="ascii", opener=open_private) as file:
        file.write(f"{uuid.uuid4()}\n")
        file.flush()
        os.fsync(file.fileno())
    with suppress(FileExistsError, FileNotFoundError):  # another process was first, and has cleared this draft away
        os.link(draft, home.home_id_file)

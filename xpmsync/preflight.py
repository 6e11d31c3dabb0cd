"""Whether the settings say all that a run needs, and fit the data: asked before every run, and by doctor.

Values in, an error or nothing out; knows no network, and of the database only whether there is one, or was.
"""

from collections.abc import Collection
from pathlib import Path

from xpmsync.config import Config, has_settings, read_config, require
from xpmsync.errors import ConfigurationError, DatabaseError
from xpmsync.home import Home, connect_command


def check_set_up(config: Config, *, practice_id: str | None, office_codes: Collection[str]) -> str:
    """The practice to sync. `practice_id` is the one whose data is there, if there is any.

    Raises ConfigurationError where a setting is missing, or does not fit the data.
    """
    require(config.xero.client_id, "xero.client_id")
    tenant_id = require(config.sync.tenant_id, "sync.tenant_id")
    office = require(config.sync.default_office_code, "sync.default_office_code")
    if practice_id not in (None, tenant_id):
        raise ConfigurationError(
            "The practice in config.toml (sync.tenant_id) is not the one whose data this home holds.",
            "Connect the other practice with another XPMSYNC_HOME, or put the earlier sync.tenant_id back.",
        )
    if office not in office_codes:
        raise ConfigurationError(
            f"The default office {office} (sync.default_office_code) is not an office of Active.",
            "Run: xpmsync configure",
        )
    return tenant_id


def check_readable(home: Home) -> None:
    """Raise DatabaseError or ConfigurationError where a command that needs no settings has nothing to go by.

    That the settings are gone, or have mistakes, is no reason to show or copy nothing.
    """
    has_settings(home)
    if not home.database_file.exists():
        check_database_kept(home, read_config(home))


def check_not_lost(home: Home, config: Config) -> None:
    """Raise DatabaseError or ConfigurationError where the database or the settings are missing that were there once.

    Asked by whatever would take a missing one for one that was never made.
    """
    check_database_kept(home, config)
    check_settings_kept(home, config)


def check_settings_kept(home: Home, config: Config) -> None:
    """Raise ConfigurationError where there is a database, but no config.toml, and so no settings at all."""
    if config != Config() or home.config_file.exists() or not home.database_file.exists():
        return
    raise ConfigurationError(
        f"There is no {home.config_file.name} in {home.config_folder}, so nothing is set.",
        f"Put it back from a copy, if there was one.{_name_copy(_find_settings(home))} Otherwise run: "
        f"{connect_command()}; then: xpmsync configure",
    )


def check_database_kept(home: Home, config: Config) -> None:
    """Raise DatabaseError where the database is missing, and was there once: a new one knows nothing of its data."""
    if not is_database_lost(home, config):
        return
    raise DatabaseError(
        f"The database is gone: there is no {home.database_file.name} in {home.data_folder}. All of Active's data was "
        "in it, with what Xero does not know: roles, offices, modules, the history.",
        f"Put the file back where it was, or a copy in its place: xpmsync restore FILE.{_name_copy(_find_copies(home))}"
        " Only to start anew without that data, or if there never was any, run: xpmsync configure --start-anew",
    )


def is_database_lost(home: Home, config: Config) -> bool:
    """Whether the database is missing although there was one: the sync was set up, or its traces are there.

    Settings that were written by hand before anything was run name an office, but no practice: that comes with
    `xpmsync connect`, which makes the database where none is lost.
    """
    if home.database_file.exists():
        return False
    is_set_up = None not in (config.sync.tenant_id, config.sync.default_office_code)
    return is_set_up or home.backup_lock.exists() or bool(_find_remains(home))


def _find_remains(home: Home) -> list[Path]:
    """What lies beside the database's place under a name like its own."""
    return list(home.data_folder.glob(f"{home.database_file.stem}*{home.database_file.suffix}*"))


def _find_copies(home: Home) -> list[Path]:
    return [path for path in _find_remains(home) if not path.name.endswith(("-wal", "-shm", "-journal"))]


def _find_settings(home: Home) -> list[Path]:
    """What may be a copy of the settings, beside their place."""
    return [path for path in home.config_folder.glob(f"{home.config_file.stem}*") if "example" not in path.name]


def _name_copy(copies: list[Path]) -> str:
    """A sentence, after a space, that names the newest of what may be copies; nothing where there are none."""
    return f" This may be one: “{max(copies, key=lambda path: path.stat().st_mtime)}”." if copies else ""

"""``xpmsync keyring``: which keyring is used, and whether it works; and the set-up of xpmsync's own on a server.

Makes a key and a store where there are none, and never changes or removes one that is there. Copies no secret from one
keyring to another: whoever signs in again knows where the sign-in is.
"""

import grp
import os
import secrets
import shlex
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from xpmsync.cli.click_types import Group
from xpmsync.cli.console import open_console, print_facts, print_text
from xpmsync.cli.formatting import YES, clean, is_wanted
from xpmsync.config import change_config, check_setting, read_config
from xpmsync.credentials.daemon import DamagedStore, ServiceFiles, archive, find_files, find_programs, read_key
from xpmsync.errors import KeyringError
from xpmsync.home import Home, find_home, prepare_home
from xpmsync.log import open_log

if TYPE_CHECKING:
    from xpmsync.credentials.store import SecretName

DEFAULT_KEY_FILE: Final = Path("/etc/xpmsync/keyring.key")
KEY_BYTES: Final = 32
KEY_FILE_MODE: Final = 0o640
HELD: Final[dict["SecretName", str]] = {
    "sign-in": "the sign-in",
    "client-secret": "the app's client secret",
    "smtp-password": "the password of the mail server",
}


@click.group(cls=Group, invoke_without_command=True, example="xpmsync keyring")
@click.pass_context
def command(context: click.Context) -> None:
    """Say which keyring is used, and whether it can be read and written."""
    if context.invoked_subcommand is None:
        home = find_home(os.environ)
        prepare_home(home)
        open_log(home)
        _examine(home)


@command.command("setup", example="xpmsync keyring setup")
@click.option(
    "--key-file",
    "given_file",
    metavar="PATH",
    type=click.Path(dir_okay=False, readable=False, path_type=Path),  # one that cannot be read has advice of its own
    help=f"The file with the key. Without: the one in config.toml, else {DEFAULT_KEY_FILE}.",
)
@YES
def set_up(*, given_file: Path | None, is_yes: bool) -> None:
    """Set up a keyring for a server without a desktop.

    It lies in the data folder, encrypted with a key that is kept apart from it, and runs only while a command needs
    it. Asks before it makes anything. Where this user cannot make the key, it says how root does. A store that is
    damaged is set aside.
    """
    home = find_home(os.environ)
    config = read_config(home)
    key_file = given_file.absolute() if given_file else Path(config.keyring.key_file or DEFAULT_KEY_FILE)
    name = _check_key_file(home, key_file)
    find_programs()
    console = open_console()
    files = find_files(home)
    print_facts(
        console,
        [
            ("Key", f"{key_file}{'' if os.path.exists(key_file) else ' (new)'}"),  # noqa: PTH110 - Path.exists raises where the folder may not be entered
            ("Store", f"{files.store}{'' if files.store.exists() else ' (new)'}"),
            ("Settings", f"keyring.key_file in {home.config_file}"),
        ],
    )
    if not is_wanted("Set up this keyring?", is_yes=is_yes):
        click.echo("Nothing was changed.")
        return
    prepare_home(home)
    open_log(home)
    is_new = not files.store.exists()
    is_gone = is_new and config.keyring.key_file is not None
    if is_new:
        _make_key(key_file, files)
    aside = _create(home, key_file)
    if aside:
        click.echo("The store was damaged. It is kept here:")
        click.echo(f"  {aside}")  # on one line, to be copied
    if is_gone:
        print_text(console, "There was no store, so a new one was made. What an earlier store held is lost.")
    change_config(home, {"keyring.key_file": name})
    if "sign-in" in _examine(home):
        return
    text = "Next: xpmsync connect --no-browser"
    if config.sync.tenant_id and config.keyring.key_file is None and not aside:
        text += " (The sign-in that you have made before stays in the keyring where it is, and is not copied.)"
    print_text(console, text)
    if (is_gone or aside) and config.smtp and config.smtp.username:
        print_text(console, "Then store the password of the mail server again: xpmsync configure")


def _create(home: Home, key_file: Path) -> Path | None:
    """Make the keyring, or find it whole; returns where a store is kept that was damaged."""
    from xpmsync.credentials.store import create_own_keyring  # noqa: PLC0415 - slow to load

    try:
        create_own_keyring(home, key_file)
    except DamagedStore:
        aside = archive(find_files(home), datetime.now(UTC))
        create_own_keyring(home, key_file)
        return aside
    return None


def _check_key_file(home: Home, key_file: Path) -> str:
    """The path as config.toml keeps it."""
    if key_file.is_relative_to(home.data_folder) or key_file.is_relative_to(home.config_folder):
        raise click.UsageError(
            f"The key must be kept apart from what it locks: name a file outside of {home.data_folder}"
            " (and of its backups)."
        )
    try:
        return str(check_setting("keyring.key_file", str(key_file)))
    except ValueError as error:
        raise click.UsageError(f"--key-file {error}.") from None


def _make_key(key_file: Path, files: ServiceFiles) -> None:
    """Make the key where there is none and we may; what is there stays, whether it can be read or not."""
    try:
        key_file.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        descriptor = os.open(key_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, KEY_FILE_MODE)
    except FileExistsError:
        read_key(key_file, files)
    except OSError as error:
        raise KeyringError(
            f"The key file {key_file} is not there, and cannot be made by this user: {error.strerror}.",
            f"Make it with these three commands, then run again: xpmsync keyring setup{_render_option(key_file)}\n\n"
            f"{_render_commands(key_file)}\n",
        ) from error
    else:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(f"{secrets.token_urlsafe(KEY_BYTES)}\n")
            file.flush()
            os.fsync(file.fileno())


def _render_commands(key_file: Path) -> str:
    """What makes the key as root: root's, and readable for this user's group alone."""
    group = grp.getgrgid(os.getegid()).gr_name
    path = shlex.quote(str(key_file))
    return (
        f"    sudo install -d -m 755 {shlex.quote(str(key_file.parent))}\n"
        f"    sudo install -m 640 -g {shlex.quote(group)} /dev/null {path}\n"
        f"    head -c {KEY_BYTES} /dev/urandom | base64 | sudo tee {path} > /dev/null"
    )


def _render_option(key_file: Path) -> str:
    return "" if key_file == DEFAULT_KEY_FILE else f" --key-file {shlex.quote(str(key_file))}"


def _examine(home: Home) -> list["SecretName"]:
    """Open the keyring, prove it, and say what it is; returns the names of what it holds."""
    from xpmsync.credentials.store import CHOICE_VARIABLE, UNLOCK_SECONDS, opened  # noqa: PLC0415 - slow to load

    console = open_console()
    config = read_config(home)
    if config.keyring.key_file and not os.environ.get(CHOICE_VARIABLE):
        click.echo(f"Store    {clean(find_files(home).store)}")  # whole lines: a person copies paths
        click.echo(f"Key      {clean(config.keyring.key_file)}")
    with opened(home, config, patience_seconds=UNLOCK_SECONDS) as vault:
        vault.prove(home.data_folder)
        held = [name for name in HELD if vault.read(name) is not None]
    holds = ", ".join(HELD[name] for name in held) or "nothing yet"
    print_facts(console, [("Keyring", vault.description), ("Works", "it can be read and written"), ("Holds", holds)])
    return held

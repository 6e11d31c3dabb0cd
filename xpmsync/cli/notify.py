"""``xpmsync notify``: the watchman, for every ten minutes. Silent unless something cannot be told in any other way."""

import logging
import os
from datetime import UTC, datetime
from typing import Final

import click

from xpmsync.cli.grammar import Command
from xpmsync.cli.text import is_watched, print_remark
from xpmsync.config import Config, read_config, require
from xpmsync.errors import ConfigurationError, DatabaseTrouble, XpmsyncError
from xpmsync.health import Health, find_trouble
from xpmsync.home import Home, find_home, prepare_home
from xpmsync.log import open_log
from xpmsync.mail_server import send_email
from xpmsync.notify import (
    Outcome,
    render_email,
    render_remark,
    render_test_email,
)
from xpmsync.set_up import check_not_lost
from xpmsync.xpm.pending import find_mark

log = logging.getLogger(__name__)

REMARKS: Final = {
    Outcome.NOTHING_DUE: "No e-mail is due any more.",  # a run has succeeded in this very moment
    Outcome.TOLD_ALREADY: "No e-mail is due: somebody was told within the last 24 hours.",
    Outcome.SENT: "The e-mail is sent.",
    Outcome.NOT_SENT: "An e-mail is due, and could not be sent. To see why: xpmsync notify --test",
}


@click.command(cls=Command, example="xpmsync notify --test")
@click.option("--test", "is_test", is_flag=True, help="Send an e-mail that proves that e-mails arrive.")
@click.option("--dry-run", is_flag=True, help="Print the e-mail instead of sending it.")
def command(*, is_test: bool, dry_run: bool) -> int:
    """Look after the sync: send the e-mail that is due, at most one in 24 hours.

    Cron runs this every ten minutes, from the line that xpmsync configure adds. It also finishes a renewal of the
    sign-in that a crash left half done. Unless a person is watching it prints nothing, except that an e-mail is due and
    cannot be sent: that at most once in 24 hours, since cron mails it.
    """
    home = find_home(os.environ)
    prepare_home(home)
    open_log(home)
    if is_test:
        _test(home, read_config(home), dry_run=dry_run)
        return 0
    if dry_run:
        _show_due(home, read_config(home))
        return 0
    try:
        config = read_config(home)
        exit_code = _finish_sign_in(home, config)
        _tell(home, config)
    except (ConfigurationError, DatabaseTrouble) as error:
        if is_watched():
            raise
        # The hourly run meets it too, and says so; every ten minutes would make it no clearer.
        log.warning("nothing can be looked after: %s", error.for_log)
        return error.exit_code
    return exit_code


def _test(home: Home, config: Config, *, dry_run: bool) -> None:
    from xpmsync.watchman import find_place  # noqa: PLC0415 - slow to load

    settings = require(config.smtp, "smtp.host")
    message = render_test_email(config, datetime.now(UTC), find_place(home))
    if dry_run:
        click.echo(message.render())
        return
    password = _read_mail_password(home, config)
    send_email(settings, password, message)
    _say(f"An e-mail is on its way to {config.notify.email}. If it does not arrive, look into spam.")
    if home.database_file.exists():
        _forget_refused(home, require(config.notify.email, "notify.email"))


def _forget_refused(home: Home, recipient: str) -> None:
    """An e-mail can be sent now, so that status need not say any more that one could not be."""
    from xpmsync.active.database import open_database  # noqa: PLC0415 - slow to load
    from xpmsync.active.notifications import forget_refused  # noqa: PLC0415 - slow to load

    try:
        with open_database(home.database_file) as database:
            forget_refused(database, recipient)
    except DatabaseTrouble as error:  # this is about the mail server, and that is well
        log.warning("an e-mail that could not be sent is still remembered: %s", error.for_log)


def _show_due(home: Home, config: Config) -> None:
    from xpmsync.active.database import open_database  # noqa: PLC0415 - slow to load
    from xpmsync.active.notifications import is_spoken_for  # noqa: PLC0415 - slow to load
    from xpmsync.watchman import find_place  # noqa: PLC0415 - slow to load

    now = datetime.now(UTC)
    health = _load_health(home, config)
    trouble = find_trouble(health, now)
    if trouble is None:
        _say_why_nothing_is_due(home, config, health, now)
    elif config.smtp is None:
        _say(render_remark(config, trouble))
    else:
        click.echo(render_email(config, trouble, now, find_place(home)).render())
        with open_database(home.database_file) as database:
            if config.notify.email and is_spoken_for(database, config.notify.email, now):
                _say("It is not sent now: somebody was told within the last 24 hours.")


def _load_health(home: Home, config: Config) -> Health:
    from xpmsync.active.database import open_database  # noqa: PLC0415 - slow to load
    from xpmsync.watchman import load_health  # noqa: PLC0415 - slow to load

    check_not_lost(home, config)
    if not home.database_file.exists():
        return Health(first_run_at=None, last_success_at=None)
    with open_database(home.database_file) as database:
        return load_health(database)


def _tell(home: Home, config: Config) -> None:
    from xpmsync.active.database import open_database  # noqa: PLC0415 - slow to load
    from xpmsync.watchman import tell  # noqa: PLC0415 - slow to load

    now = datetime.now(UTC)
    health = _load_health(home, config)
    if find_trouble(health, now) is None:  # neither keyring nor reservation is touched for cron
        if is_watched():
            _say_why_nothing_is_due(home, config, health, now)
        return
    try:
        password = _read_mail_password(home, config)
    except XpmsyncError as error:
        log.warning("the mail password cannot be read: %s", error.for_log)
        password = None
    with open_database(home.database_file) as database:
        telling = tell(home, database, config, password=password, now=lambda: datetime.now(UTC))
    if telling.remark:
        print_remark(telling.remark)
    elif is_watched():
        _say(REMARKS[telling.outcome])


def _say_why_nothing_is_due(home: Home, config: Config, health: Health, now: datetime) -> None:
    """What status answers, in its own words, and why it leads to no e-mail."""
    from xpmsync.cli.status import is_connected, load_facts, render_answer  # noqa: PLC0415 - cron is told nothing

    facts = load_facts(home, config, now)
    if health.first_run_at is None:
        remark = "No e-mail is due before the first run."
    elif facts["state"] == "working":
        remark = "No e-mail is due." if is_connected(facts) else "No e-mail is due before a run fails."
    elif facts["state"] == "disrupted" and health.last_failure is None:
        remark = "No e-mail is due: a person watched the run that failed."
    else:
        remark = "No e-mail is due yet: one is sent after three hours without a success."
    _say(f"{render_answer(facts, now)} {remark}")


def _say(text: str) -> None:
    from xpmsync.cli.screen import open_console, print_text  # noqa: PLC0415 - slow to load, and cron is told nothing

    print_text(open_console(), text)


def _read_mail_password(home: Home, config: Config) -> str | None:
    from xpmsync.xpm.vault import opened  # noqa: PLC0415 - keyring is slow to load

    if config.smtp is None or config.smtp.username is None:
        return None
    with opened(home, config) as vault:
        return vault.read("smtp-password")


def _finish_sign_in(home: Home, config: Config) -> int:
    """Finish a renewal of the sign-in that was left half done.

    What goes wrong here is the hourly run's to tell; saying it every ten minutes as well would make it no clearer.
    """
    if not find_mark(home.sign_in_lock).exists():
        return 0

    from xpmsync.xpm.tokens import open_tokens  # noqa: PLC0415 - keyring and requests are slow to load
    from xpmsync.xpm.vault import opened  # noqa: PLC0415 - keyring and requests are slow to load

    try:
        with opened(home, config) as vault:
            open_tokens(home, config, vault).finish_pending()
        log.info("no renewal of the sign-in is half done any more")
    except XpmsyncError as error:
        if is_watched():
            raise
        log.warning("the sign-in could not be looked after: %s", error.for_log)
        return error.exit_code
    return 0

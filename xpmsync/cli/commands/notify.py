"""``xpmsync notify``, for every ten minutes. Silent unless something cannot be said in any other way."""

import logging
import os
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Final

import click

from xpmsync.cli.click_types import Command
from xpmsync.cli.formatting import is_watched, print_remark
from xpmsync.config import Config, read_config, read_mail_settings, require
from xpmsync.credentials.refresh_marker import find_mark
from xpmsync.errors import ConfigurationError, XpmsyncError
from xpmsync.home import Home, find_home, prepare_home
from xpmsync.log import open_log
from xpmsync.notify.alert_file import AlertFile, AlertFileError, explain_recipient, list_addresses
from xpmsync.notify.health import find_trouble
from xpmsync.notify.notifier import (
    NotifyOutcome,
    render_email,
    render_remark,
    render_test_email,
)
from xpmsync.notify.smtp import send_email
from xpmsync.preflight import check_settings_kept

if TYPE_CHECKING:
    from xpmsync.notify.situation import Situation

log = logging.getLogger(__name__)

REMARKS: Final = {
    NotifyOutcome.NOTHING_DUE: "No email is due any more.",  # a sync has succeeded in this very moment
    NotifyOutcome.ALREADY_SENT: "No email is due: one was sent within the last 24 hours.",
    NotifyOutcome.SENT: "The email is sent.",
    NotifyOutcome.NOT_SENT: "An email is due, and could not be sent. To see why: xpmsync notify --test",
}


@click.command(cls=Command, example="xpmsync notify --test")
@click.option("--test", "is_test", is_flag=True, help="Send an email that proves that emails arrive.")
@click.option("--dry-run", is_flag=True, help="Print the email instead of sending it.")
def command(*, is_test: bool, dry_run: bool) -> int:
    """Send a failure alert if one is due: to each address at most one in 24 hours.

    Cron runs this every ten minutes, from the line that xpmsync configure adds. It also finishes a renewal of the
    sign-in that a crash left half done. Unless a person is watching it prints nothing, except that an email is due and
    cannot be sent: that at most once in 24 hours, since cron mails it.
    """
    home = find_home(os.environ)
    prepare_home(home)
    open_log(home)
    if is_test:
        return _test(home, read_config(home), dry_run=dry_run)
    if dry_run:
        _show_due(home, read_config(home))
        return 0
    try:
        config = read_config(home)
        check_settings_kept(home, config)
    except ConfigurationError as error:
        usable = read_mail_settings(home)
        if usable and usable.smtp:
            _notify(home, usable)
        return _leave_to_sync(error)
    trouble = _notify(home, config)
    exit_code = _finish_sign_in(home, config)
    return _leave_to_sync(trouble) if trouble else exit_code


def _leave_to_sync(error: XpmsyncError) -> int:
    """The exit code of what the hourly sync meets too, and says; every ten minutes would make it no clearer."""
    if is_watched():
        raise error
    log.warning("left to the sync to say: %s", error.for_log)
    return error.exit_code


def _notify(home: Home, config: Config) -> XpmsyncError | None:
    """Send the emails that are due; gives what keeps the database or the alert file from being used, if anything."""
    from xpmsync.notify.situation import assess, notify_if_due  # noqa: PLC0415 - slow to load

    def now() -> datetime:
        return datetime.now(UTC)

    alerts = AlertFile(home.alert_file)
    situation = assess(home, config, alerts, now())
    if situation.trouble and config.smtp is None:  # standard error says it, and that is the sync's
        return situation.trouble
    if is_watched() and find_trouble(situation.health, now()) is None:
        _say_why_nothing_is_due(home, config, situation, now())
        return None

    @cache
    def read_password() -> str | None:
        try:
            return _read_mail_password(home, config)
        except XpmsyncError as error:
            log.warning("the mail password cannot be read: %s", error.for_log)
            return None

    try:
        result = notify_if_due(home, config, alerts, situation, read_password=read_password, now=now)
    except AlertFileError as error:
        return error
    if result.remark:
        print_remark(result.remark)
    elif is_watched():
        _say(REMARKS[result.outcome])
    return situation.trouble


def _test(home: Home, config: Config, *, dry_run: bool) -> int:
    """Send an email to everybody who would be alerted, or print it; gives the exit code of what went wrong first."""
    from xpmsync.notify.situation import assess, find_place  # noqa: PLC0415 - slow to load

    settings = require(config.smtp, "smtp.host")
    require(config.notify.email, "notify.email")
    now = datetime.now(UTC)
    alerts = AlertFile(home.alert_file)
    recipient = assess(home, config, alerts, now).recipient
    exit_codes = []
    if recipient and not recipient.is_active:
        print_remark(f"{explain_recipient(recipient, config.notify.cc)} Run: xpmsync configure")
        exit_codes.append(ConfigurationError.exit_code)
    password = None if dry_run else _read_mail_password(home, config)
    for address in list_addresses(recipient, config.notify.cc):
        message = render_test_email(config, address, now, find_place(home))
        if dry_run:
            click.echo(message.render())
            continue
        try:
            send_email(settings, password, message)
        except XpmsyncError as error:
            log.warning("no test email could be sent to %s: %s", address, error.for_log)
            print_remark(f"No email could be sent to {address}: {error.happened} {error.remedy}")
            exit_codes.append(error.exit_code)
        else:
            _say(f"An email is on its way to {address}. If it does not arrive, look into spam.")
            _forget_failed(alerts, address)
    return next(iter(exit_codes), 0)


def _forget_failed(alerts: AlertFile, address: str) -> None:
    """An email can be sent now, so that status need not say any more that one could not be."""
    if alerts.load().find(address).failed_at is None:
        return
    try:
        alerts.forget_failed(address)
    except AlertFileError as error:  # this is about the mail server, and that is well
        log.warning("an email that could not be sent is still remembered: %s", error.for_log)


def _show_due(home: Home, config: Config) -> None:
    from xpmsync.notify.situation import assess, find_place  # noqa: PLC0415 - slow to load

    check_settings_kept(home, config)
    now = datetime.now(UTC)
    alerts = AlertFile(home.alert_file)
    situation = assess(home, config, alerts, now)
    trouble = find_trouble(situation.health, now)
    if trouble is None:
        _say_why_nothing_is_due(home, config, situation, now)
        return
    if config.smtp is None:
        _say(render_remark(config, trouble))
        return
    record = alerts.load()
    for address in list_addresses(situation.recipient, config.notify.cc):
        click.echo(render_email(config, address, trouble, now, find_place(home)).render())
        if record.find(address).blocks(now):
            _say(f"It is not sent now: {address} got one within the last 24 hours.")
    if situation.recipient is None or not situation.recipient.is_active:
        _say(f"{explain_recipient(situation.recipient, config.notify.cc)} Run: xpmsync configure")


def _say_why_nothing_is_due(home: Home, config: Config, situation: "Situation", now: datetime) -> None:
    """What status answers, in its own words, and why it leads to no email."""
    from xpmsync.cli.commands.status import is_connected, load_facts, render_answer  # noqa: PLC0415 - cron is told nothing

    health = situation.health
    if home.database_file.exists() and not situation.is_database_read:
        _say("Another program keeps the database locked. As far as can be said without it, no email is due.")
        return
    facts = load_facts(home, config, now)
    if health.first_run_at is None:
        remark = "No email is due before the first run."
    elif facts["state"] == "working":
        remark = "No email is due." if is_connected(facts) else "No email is due before a run fails."
    elif facts["state"] == "disrupted" and health.last_failure is None:
        remark = "No email is due: a person watched the run that failed."
    else:
        remark = "No email is due yet: one is sent after three hours without a success."
    _say(f"{render_answer(facts, now)} {remark}")


def _say(text: str) -> None:
    from xpmsync.cli.console import open_console, print_text  # noqa: PLC0415 - slow to load, and cron is told nothing

    print_text(open_console(), text)


def _read_mail_password(home: Home, config: Config) -> str | None:
    from xpmsync.credentials.store import opened  # noqa: PLC0415 - keyring is slow to load

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

    from xpmsync.credentials.store import opened  # noqa: PLC0415 - keyring and requests are slow to load
    from xpmsync.xpm.tokens import open_tokens  # noqa: PLC0415 - keyring and requests are slow to load

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

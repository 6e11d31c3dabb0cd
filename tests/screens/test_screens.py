"""Every command's screens, as they are printed in a real terminal: looked at once, kept, and compared.

A screen is a row of SCREENS. After a change that is meant, renew the kept files, and look at what differs:

    pytest tests/screens --snapshot-update && git diff tests/screens
"""

import re
from dataclasses import dataclass

import click
import pytest
from syrupy.extensions.single_file import SingleFileSnapshotExtension, WriteMode

from xpmsync.cli import program
from xpmsync.cli.click_types import walk

ESCAPE = re.compile(r"\x1b")
STYLE = re.compile(r"\x1b\[[\d;]*m")
"""Colour or weight. The movements of the cursor beneath a count that goes up are no colour."""
UNWRAPPED = re.compile(r"https?://|/home/ann|xpmsync |sudo |^  [*0-9]|usage:|Usage:|export |[A-Z_]+=|\]:$")
"""What stands on one line however long it is, as it is copied: addresses, paths, commands, lines of a
crontab; and a question whose answer is offered, which may be as long as it likes."""
LONG_AGO = (
    """
UPDATE sync_runs SET started_at = '2026-01-05T02:0' || id || ':00Z', finished_at = '2026-01-05T02:0' || id || ':07Z'
""",
)


@dataclass(frozen=True)
class Screen:
    """What is typed, and what has happened before."""

    name: str
    command: str
    typed: tuple[str, ...] = ()
    statements: tuple[str, ...] = ()
    """Changes of the database before."""
    fault: str | None = None
    settings: str | None = None
    """Lines at the end of config.toml."""
    crontab: str | None = None
    """A line of the person's crontab."""
    is_new: bool = False
    """Before the first sync."""
    gone: str | None = None
    """A file of the home that somebody has removed. Without its id, the home has no sign-in."""


SCREENS = (
    Screen("status", "status"),
    Screen(
        "status-working",
        "status",
        statements=("DELETE FROM sync_errors WHERE entity = 'run'", "DELETE FROM sync_runs WHERE status = 'failed'"),
        crontab="17 * * * * xpmsync sync",
    ),
    Screen("status-new", "status", is_new=True),
    Screen(
        "status-not-connected",
        "status",
        statements=("DELETE FROM sync_errors WHERE entity = 'run'", "DELETE FROM sync_runs WHERE status = 'failed'"),
        gone="home-id",
    ),
    Screen("status-database-gone", "status", gone="active.db"),
    Screen("status-settings-gone", "status", gone="config.toml"),
    Screen("errors", "errors"),
    Screen("errors-users", "errors --entity user"),
    Screen("errors-code", "errors --code client-code-shared"),
    Screen("errors-run", "errors --run 3"),
    Screen("errors-unknown-code", "errors --code client-code-shard"),
    Screen("errors-code-alone", "errors partner-missing"),
    Screen("errors-search", "errors --search earthmoving --all"),
    Screen("errors-explain", "errors --explain partner-not-listed"),
    Screen("errors-explain-run", "errors --explain suspicious-change"),
    Screen("errors-explain-database-gone", "errors --explain database-trouble", gone="active.db"),
    Screen("errors-since-nonsense", "errors --since last-week"),
    Screen("errors-none", "errors --entity client --code staff-email-unusable"),
    Screen("history", "history"),
    Screen("history-client", "history Kōwhai"),
    Screen("history-run", "history --run 2"),
    Screen("history-unknown", "history Nobody-at-all"),
    Screen("sync-first", "sync", is_new=True),
    Screen("sync-hourly", "sync"),
    Screen("sync-dry-run-first", "sync --dry-run", is_new=True),
    Screen("sync-dry-run", "sync --dry-run"),
    Screen("sync-refused", "sync", fault="user-revoked"),
    Screen("sync-guard", "sync --full", fault="empty-list"),
    Screen("sync-database-gone", "sync", gone="active.db"),
    Screen("sync-wrong-settings", "sync", settings="[guard]\nlost_client_percent = 5\nlost_staff_percent = 0\n"),
    Screen("configure", "configure --later", typed=("",) * 12),
    Screen("configure-database-gone", "configure", typed=("",), gone="active.db"),
    Screen("configure-no-user", "configure --notify helpdesk@it.example"),
    Screen("configure-wrong-option", "configure --office-cod AKL"),
    Screen("connect", "connect"),
    Screen("connect-wrong-answer", "connect --no-browser", typed=("https://example.com/",) * 3),
    Screen("notify-nothing-due", "notify", is_new=True),
    Screen("notify-watched-failure", "notify", statements=("UPDATE sync_runs SET is_watched = 1",), gone="alerts.dat"),
    Screen("notify-dry-run", "notify --dry-run", statements=LONG_AGO, gone="alerts.dat"),
    Screen("notify-test", "notify --test"),
    Screen("notify-test-dry-run", "notify --test --dry-run"),
    Screen("doctor", "doctor"),
    Screen("doctor-refused", "doctor", fault="user-revoked"),
    Screen("keyring", "keyring"),
    Screen("admin-users", "admin user list"),
    Screen("admin-users-waiting", "admin user list --waiting"),
    Screen(
        "admin-users-set",
        "admin user set joshua.tran@example.com.au minh.kelly@example.com.au --role User --office AKL --module Jobs",
    ),
    Screen("admin-user-add", "admin user add --first-name Ann --last-name Lee --email ann@example.com.au --role Owner"),
    Screen("admin-user-deactivate-refused", "admin user deactivate imogen.cooper@example.com.au"),
    Screen(
        "admin-user-deactivate",
        "admin user deactivate imogen.cooper@example.com.au --replace-by joshua.tran@example.com.au",
        typed=("y",),
    ),
    Screen(
        "admin-user-merge",
        "admin user merge ann@example.com.au --into deepika.chen@example.com.au",
        typed=("n",),
        statements=(
            "INSERT INTO users (id, first_name, last_name, email) VALUES ('a', 'Ann', 'Lee', 'ann@example.com.au')",
        ),
    ),
    Screen("admin-office-default-partner", "admin office set AKL --default-partner joshua.tran@example.com.au", ("y",)),
    Screen("admin-client-show", "admin client show kowhai"),
    Screen("admin-client-show-kept", "admin client show Kōwhai"),
    Screen("admin-client-add", "admin client add --legal-name Totara --code TOT001 --abn 51824753556"),
    Screen("admin-client-add-wrong-abn", "admin client add --legal-name Totara --abn 51824753557"),
    Screen("admin-offices", "admin office list"),
    Screen("admin-clients", "admin client list --search Ltd"),
    Screen("admin-unknown-user", "admin user set nobody@example.com --role User"),
    Screen("report", "report"),
    Screen("backup", "backup ~/copy.db --mode 0640"),
    Screen("backup-refused", "backup ~/programs/crontab"),
    Screen("backup-wrong-mode", "backup ~/copy.db --mode 0777"),
    Screen("restore", "restore ~/copy.db", typed=("y",)),
    Screen("restore-refused", "restore ~/programs/crontab"),
    Screen("unknown-command", "sink"),
)


class ScreenFile(SingleFileSnapshotExtension):
    """A file for each screen, to be read by people."""

    _write_mode = WriteMode.TEXT
    file_extension = "txt"


@pytest.fixture
def kept(snapshot):
    return snapshot.use_extension(ScreenFile)


@pytest.fixture
def show(terminal, story):
    """What a screen looks like in terminals of a width: without colour, and with."""

    def show(screen, columns, *, colour):
        prepare(story, screen)
        words = screen.command.split()
        options = {"environment": story.environment, "columns": columns, "colour": colour, "typed": screen.typed}
        if screen.fault is None:
            return terminal.show(words, **options)
        with story.sandbox.faults.active(
            screen.fault, **({"path": "client.api"} if screen.fault == "empty-list" else {})
        ):
            return terminal.show(words, **options)

    return show


def prepare(story, screen):
    story.renew(*screen.statements, is_new=screen.is_new)
    if screen.crontab:
        (story.place / "crontab").write_text(f"XPMSYNC_HOME={story.place}\n{screen.crontab}\n")
    if screen.settings:
        with (story.place / "config.toml").open("a") as file:
            file.write(screen.settings)
    if screen.gone:
        (story.place / screen.gone).unlink()


@pytest.mark.parametrize("columns", [80, 120])
@pytest.mark.parametrize("screen", SCREENS, ids=lambda screen: screen.name)
def test_a_screen_fits_its_terminal_and_is_as_it_was_kept(story, show, kept, screen, columns):
    plain, coloured = (show(screen, columns, colour=colour) for colour in (False, True))
    lines, lines_in_colour = (story.normalise("\n".join(each.lines)) for each in (plain, coloured))
    wide = [line for line in lines.split("\n") if len(line) > columns and not UNWRAPPED.search(line)]
    assert wide == []
    # Behind a question there is room for the answer, which may be Enter.
    assert [line for line in plain.raw.splitlines() if line.endswith(" ") and not line.endswith(": ")] == []
    assert STYLE.search(plain.raw) is None
    assert lines_in_colour == lines
    marks = story.normalise("\n".join(coloured.marks))
    assert f"{lines}\n" + (f"\n--- in colour ---\n{marks}\n" if marks else "") == kept


@pytest.mark.parametrize(
    "path", [(), *walk(program, click.Context(program))], ids=lambda path: "-".join(("xpmsync", *path))
)
def test_the_help_of_every_command_fits_80_columns_and_is_as_it_was_kept(story, terminal, kept, path):
    shown = terminal.show([*path, "--help"], environment=story.environment)
    assert max(map(len, shown.lines)) <= 80
    assert ESCAPE.search(shown.raw) is None
    assert "\n".join(shown.lines) + "\n" == kept

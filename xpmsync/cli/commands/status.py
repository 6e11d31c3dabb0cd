"""``xpmsync status``: how the sync is, from what lies on this computer. Asks nothing of Xero."""

import os
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import click
from rich.console import Console

from xpmsync.cli.click_types import Command
from xpmsync.cli.console import open_console, print_facts, print_table, print_text, show
from xpmsync.cli.formatting import is_watched, print_json, render_age, render_count, render_time
from xpmsync.config import Config, read_config
from xpmsync.errors import XpmsyncError
from xpmsync.home import Home, connect_command, find_home, prepare_home
from xpmsync.log import open_log
from xpmsync.preflight import check_not_lost
from xpmsync.system.timestamps import from_text, to_text

if TYPE_CHECKING:
    from xpmsync.monitoring.overview import Overview

SHOWN_RUNS: Final = 3
LINES_AROUND_RUNS: Final = 5
"""The table's own heading and margins, and the line of the prompt."""
SHOWN_NEEDS: Final = 6
KEYRING_PATIENCE_SECONDS: Final = 5.0
"""Less than a run has: nobody waits for a status."""
RUN_COLUMNS: Final = (
    "id",
    "started_at",
    "finished_at",
    "mode",
    "status",
    "users_created",
    "users_updated",
    "clients_created",
    "clients_updated",
    "problems",
    "api_calls",
    "bytes_received",
    "message",
    "exit_code",
)

Facts = Mapping[str, Any]


@click.command(cls=Command, example="xpmsync status")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(*, as_json: bool) -> None:
    """Show how the sync is: is it working, since when, when next, and what needs a person."""
    home = find_home(os.environ)
    prepare_home(home)
    open_log(home)
    config = read_config(home)
    check_not_lost(home, config)
    now = datetime.now(UTC)
    facts = load_facts(home, config, now)
    if as_json:
        print_json(facts)
    else:
        _print(open_console(), facts, now)


def load_facts(home: Home, config: Config, now: datetime) -> Facts:
    """How the sync is, under the names that programs read it by."""
    connection = _describe_connection(home, config)
    facts = {
        "sync": config.sync.name,
        "tenant_id": config.sync.tenant_id,
        "connection": connection,
        **_describe_overview(_load_overview(home, config, now, connection.get("connected_at"))),
        "home": str(home.data_folder),
    }
    command = connect_command()
    if not is_connected(facts) and all(need["command"] != command for need in facts["needs"]):
        facts["needs"].insert(0, {"what": "Somebody must sign in to Xero.", "command": command})
    return facts


def _load_overview(home: Home, config: Config, now: datetime, connected_at: str | None) -> "Overview":
    from xpmsync.active.database import open_read_only  # noqa: PLC0415 - slow to load
    from xpmsync.monitoring.crontab import read_crontab  # noqa: PLC0415 - only where it is shown
    from xpmsync.monitoring.overview import load_overview  # noqa: PLC0415 - slow to load

    signed_in_at = from_text(connected_at) if connected_at else None
    with open_read_only(home.database_file) as database:
        return load_overview(database, home, config, read_crontab(), now, signed_in_at=signed_in_at)


def _describe_connection(home: Home, config: Config) -> dict[str, Any]:
    """What the keyring knows of the sign-in; a keyring that is shut hides that, and nothing else."""
    from xpmsync.credentials.store import opened  # noqa: PLC0415 - as above
    from xpmsync.xpm.sign_in import describe_sign_in  # noqa: PLC0415 - keyring is slow to load

    if config.sync.tenant_id is None:
        return {"state": "not connected"}
    try:
        patience = KEYRING_PATIENCE_SECONDS
        with opened(home, config, patience_seconds=patience, wait_seconds=patience) as vault:
            sign_in = describe_sign_in(vault)
    except XpmsyncError as error:
        return {"state": "unknown", "reason": error.happened, "remedy": error.remedy}
    if sign_in is None:
        return {"state": "not connected"}
    return {
        "state": "connected",
        "practice": sign_in.practice_name,
        "user_id": sign_in.user_id,
        "connected_at": _to_text(sign_in.connected_at),
        "refreshed_at": _to_text(sign_in.refreshed_at),
        "pending_since": _to_text(sign_in.pending_since),
        "scopes": list(sign_in.scopes),
    }


def _describe_overview(overview: "Overview") -> dict[str, Any]:
    return {
        "last_success_at": _to_text(overview.last_success_at),
        "next_full_run_at": _to_text(overview.next_full_at),
        "open_errors": overview.count_open("error"),
        "open_warnings": overview.count_open("warning"),
        "day_calls_remaining": overview.day_calls_remaining,
        "runs": [{column: row[column] for column in RUN_COLUMNS} for row in overview.latest_runs],
        "state": overview.state.value,
        "since": _to_text(overview.since),
        "reason": overview.reason,
        "is_scheduled": overview.is_scheduled,
        "next_run_at": _to_text(overview.next_run_at),
        "needs": [{"what": need.what, "command": need.command} for need in overview.needs],
        "users": dict(overview.users),
        "waiting_users": overview.waiting_users,
        "clients": dict(overview.clients),
        "open_run_errors": overview.count_open("error", entity="run"),
        "xpm_clients": vars(overview.xpm_clients),
    }


def is_connected(facts: Facts) -> bool:
    """Whether there is a sign-in; where the keyring keeps that to itself, it is believed."""
    return bool(facts["connection"]["state"] != "not connected")


def _to_text(moment: datetime | None) -> str | None:
    return to_text(moment) if moment else None


def _print(console: Console, facts: Facts, now: datetime) -> None:
    style = {"working": "bold green", "disrupted": "bold red"}.get(facts["state"], "bold")
    if facts["state"] == "working" and not is_connected(facts):
        style = "bold red"
    rows = [
        *_render_home(facts),
        ("Sync", facts["sync"]),
        *_render_connection(facts),
        *_render_health(facts, now),
        *_render_needs(facts),
    ]
    with console.capture() as captured:
        print_text(console, render_answer(facts, now), style=style)
        console.print()
        print_facts(console, rows)
    text = captured.get()
    show(text)
    # The answer stands first, so the runs are what a short screen has no room for.
    room = console.height - text.count("\n") - LINES_AROUND_RUNS if is_watched() else SHOWN_RUNS
    if facts["runs"] and room > 0:
        headings = ("Run", "Started", "Mode", "Result", "New", "Changed", "Problems")
        print_table(console, headings, [_render_run(row) for row in facts["runs"][: min(room, SHOWN_RUNS)]])


def render_answer(facts: Facts, now: datetime) -> str:
    """The one line that answers whether it is working."""
    match facts["state"]:
        case "working" if not is_connected(facts):
            return f"Not connected to Xero: the last run succeeded {render_age(facts['last_success_at'], now)}."
        case "working":
            return f"Working: the last run succeeded {render_age(facts['last_success_at'], now)}."
        case "disrupted":
            return f"Disrupted since {render_time(facts['since'])}: {facts['reason']}"
    return f"Not set up yet: {facts['reason']}"


def _render_home(facts: Facts) -> Iterator[tuple[str, object]]:
    """Where nothing is set up, somebody may look into another folder than was meant."""
    if facts["state"] == "not set up":
        yield "Folder", facts["home"]


def _render_connection(facts: Facts) -> Iterator[tuple[str, object]]:
    connection = facts["connection"]
    if not is_connected(facts):
        is_new = facts["tenant_id"] is None and not facts["runs"]
        yield "Connected to", f"nothing{' yet' if is_new else ''}; run: {connect_command()}"
        return
    if connection["state"] == "unknown":
        yield "Connected to", f"unknown: {connection['reason']}"
        yield "", connection["remedy"]
        yield "Practice id", facts["tenant_id"]
        return
    practice = connection["practice"] or f"the practice {facts['tenant_id']}"
    yield "Connected to", f"{practice}, since {render_time(connection['connected_at'])}"
    yield "By", f"the Xero user {connection['user_id']}" if connection["user_id"] else "unknown"
    if connection["pending_since"]:
        since = render_time(connection["pending_since"])
        yield "Sign-in", f"its renewal was cut off at {since}; xpmsync notify finishes it"


def _render_health(facts: Facts, now: datetime) -> Iterator[tuple[str, object]]:
    success, full, calls = facts["last_success_at"], facts["next_full_run_at"], facts["day_calls_remaining"]
    yield "Last success", f"{render_time(success)}, {render_age(success, now)}" if success else "none yet"
    if facts["state"] == "working" and is_connected(facts):
        yield "Working since", render_time(facts["since"])
    if facts["next_run_at"]:
        yield "Next run", render_time(facts["next_run_at"])
    else:
        yield (
            "Next run",
            "no line of the crontab starts it" if facts["is_scheduled"] is False else "unknown: cron does not tell",
        )
    yield "Next full run", f"the first after {render_time(full)}" if full else "the first run"
    whole = f" ({facts['open_run_errors']} of the sync as a whole)" if facts["open_run_errors"] else ""
    yield (
        "Open problems",
        f"{render_count(facts['open_errors'], 'error')}{whole}, {render_count(facts['open_warnings'], 'warning')}",
    )
    if any(facts["xpm_clients"].values()):
        from xpmsync.active.counts import XpmClients  # noqa: PLC0415 - slow to load

        yield "In XPM", str(XpmClients(**facts["xpm_clients"]))
    yield "Xero's limit", "unknown" if calls is None else f"{render_count(calls, 'call')} left today"


def _render_needs(facts: Facts) -> Iterator[tuple[str, object]]:
    """What needs a person, the most urgent first, each with the command to type."""
    needs = facts["needs"]
    for index, need in enumerate(needs[:SHOWN_NEEDS]):
        yield "" if index else "To do", need["what"]
        yield "", f"  {need['command']}"
    if not needs:
        yield "To do", "nothing"


def _render_run(row: Facts) -> tuple[object, ...]:
    """One line of the table; the counts, users and clients together, say something of a run that succeeded alone."""
    counts = (
        row["users_created"] + row["clients_created"],
        row["users_updated"] + row["clients_updated"],
        row["problems"],
    )
    succeeded = row["status"] == "succeeded"
    return (
        str(row["id"]),
        render_time(row["started_at"]),
        row["mode"],
        row["status"],
        *(counts if succeeded else [None] * 3),
    )
